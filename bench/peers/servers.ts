// How each server is built and started, where its streams are, and how comet gen publishes to it.
// One process serves in each; what they are measured by is turn.ts's.

import { temporaryFolder } from '../harness/child.ts'
import { listening, serveCommand } from '../harness/comet.ts'
import { compileBun, compileC } from '../harness/compile.ts'
import { Program, waitFor } from '../harness/program.ts'
import type { PeerName } from './names.ts'
import { nchanConfig } from './nchan.ts'
import type { Work } from './options.ts'
import type { Found } from './requirements.ts'

/** Milliseconds until a server listens. */
const START_MS_MAX = 15_000
/** Ports tried for a server that cannot have the system choose one. */
const PORT_TRIES = 5

/** A server that is ready. */
export interface Serving extends AsyncDisposable {
  readonly program: Program
  /** Address of a stream, with `{id}` in it. */
  readonly streamUrl: string
  /** What comet flood must be told besides. */
  readonly floodFlags: readonly string[]
  /** What comet gen must be told, but for what and how much to send. */
  readonly genFlags: readonly string[]
}

export type Start = () => Promise<Serving>

export interface Servers extends AsyncDisposable {
  readonly start: Readonly<Record<PeerName, Start>>
}

/** Builds what these peers need, in a folder that is removed at the end. */
export async function prepareServers(
  peers: readonly PeerName[],
  found: Found,
  work: Work,
): Promise<Servers> {
  const folder = await temporaryFolder()
  const programs = { evhttp: '', floor: '', websocket: '' }
  try {
    for (const name of peers) {
      if (name !== 'evhttp' && name !== 'floor' && name !== 'websocket') continue
      programs[name] = `${folder.path}/${name}`
      await buildProgram(name, found.cc ?? 'cc', programs[name])
    }
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    throw error
  }
  const lanes = String(work.publishers)
  const oneEach = ['--generators', lanes, '--publishers', lanes]
  return {
    start: {
      comet: () => startComet(['--batch', '1', ...oneEach]),
      'comet-batch': () => startComet([]),
      nchan: () => startNchan(found, work, oneEach),
      evhttp: () => startProgram('evhttp', programs.evhttp, 'http', oneEach),
      websocket: () => startProgram('Bun WebSocket', programs.websocket, 'ws', oneEach),
      floor: () => startProgram('bare epoll', programs.floor, 'http', oneEach),
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

async function buildProgram(
  name: 'evhttp' | 'floor' | 'websocket',
  cc: string,
  outfile: string,
): Promise<void> {
  if (name === 'websocket') await compileBun(`${import.meta.dir}/websocket.ts`, outfile)
  else if (name === 'floor') await compileC(cc, `${import.meta.dir}/epoll.c`, outfile)
  else await compileC(cc, `${import.meta.dir}/evhttp.c`, outfile, ['event'])
}

async function startComet(genFlags: readonly string[]): Promise<Serving> {
  const { program, said } = await started('comet serve', serveCommand(), listening)
  const { publicUrl, controlUrl } = said
  return serving(program, {
    streamUrl: `${publicUrl}/test/{id}`,
    floodFlags: [],
    genFlags: [controlUrl, '--address', 'to', ...genFlags],
  })
}

/** One of this folder's programs, which say on which port they listen. */
async function startProgram(
  name: string,
  file: string,
  scheme: 'http' | 'ws',
  genFlags: readonly string[],
): Promise<Serving> {
  const { program, said: port } = await started(name, [file], (line) => {
    return line.startsWith('listening ') ? Number(line.slice('listening '.length)) : undefined
  })
  return serving(program, {
    streamUrl: `${scheme}://127.0.0.1:${port}/test/{id}`,
    floodFlags: [],
    genFlags: ['--post', `http://127.0.0.1:${port}/pub/{id}`, ...genFlags],
  })
}

/** nginx says nothing once it listens, and cannot have a port chosen for it. */
async function startNchan(
  { nginx, nchan, openFiles }: Found,
  { connections }: Work,
  genFlags: readonly string[],
): Promise<Serving> {
  if (nginx === null || nchan === null) throw new Error('there is no nginx with nchan')
  const folder = await temporaryFolder()
  for (let tries = 1; ; tries++) {
    const port = freePort()
    const config = nchanConfig({ module: nchan, port, connections, openFiles })
    await Bun.write(`${folder.path}/nginx.conf`, config)
    const command = [nginx, '-p', folder.path, '-c', 'nginx.conf', '-e', 'stderr']
    const program = new Program('nginx', command, () => undefined)
    try {
      const wait = { what: 'nginx', everyMs: 20, mostMs: START_MS_MAX, needs: [program] }
      await waitFor(wait, async () => (await answers(port)) || undefined)
      return serving(
        program,
        {
          streamUrl: `http://127.0.0.1:${port}/sub/{id}`,
          floodFlags: ['--header', 'TE: chunked'],
          genFlags: ['--post', `http://127.0.0.1:${port}/pub/{id}`, ...genFlags],
        },
        folder,
      )
    } catch (error) {
      await program[Symbol.asyncDispose]()
      if (tries < PORT_TRIES) continue
      await folder[Symbol.asyncDispose]()
      throw error
    }
  }
}

function serving(
  program: Program,
  texts: Pick<Serving, 'streamUrl' | 'floodFlags' | 'genFlags'>,
  folder?: AsyncDisposable,
): Serving {
  return {
    program,
    ...texts,
    [Symbol.asyncDispose]: async () => {
      await program[Symbol.asyncDispose]()
      await folder?.[Symbol.asyncDispose]()
    },
  }
}

/** Starts a program and waits for the line that `pick` makes something of. */
async function started<T>(
  name: string,
  command: readonly string[],
  pick: (line: string) => T | undefined,
): Promise<{ program: Program; said: T }> {
  let said: T | undefined
  const program = new Program(name, command, (line) => {
    said ??= pick(line)
  })
  try {
    const wait = { what: `${name} to listen`, everyMs: 10, mostMs: START_MS_MAX, needs: [program] }
    return { program, said: await waitFor(wait, () => said) }
  } catch (error) {
    await program[Symbol.asyncDispose]()
    throw error
  }
}

function freePort(): number {
  const socket = { data: () => undefined }
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket })
  const { port } = listener
  listener.stop(true)
  return port
}

async function answers(port: number): Promise<boolean> {
  try {
    const socket = { data: () => undefined }
    const connection = await Bun.connect({ hostname: '127.0.0.1', port, socket })
    connection.terminate()
    return true
  } catch {
    return false
  }
}
