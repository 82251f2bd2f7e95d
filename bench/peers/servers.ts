// The servers that are compared: what they are called, how each is built and started, where its
// streams are, and how comet gen publishes to it. One process serves in each.

import { type ChildProcess, waitFor } from '../../scripts/support/child-process.ts'
import { freePort } from '../../scripts/support/comet.ts'
import { makeFolder } from '../../scripts/support/folder.ts'
import { startServer } from '../harness/comet.ts'
import { compileBun, compileC, startProgram } from '../harness/process.ts'
import type { Found } from './requirements.ts'

/** Milliseconds until a server listens. */
const START_MS_MAX = 15_000
/** Ports tried for a server that cannot have the system choose one. */
const PORT_TRIES = 5

export const PEER_NAMES = ['comet', 'comet-batch', 'nchan', 'evhttp', 'websocket', 'floor'] as const
export type PeerName = (typeof PEER_NAMES)[number]

/** What all are a ratio to: nothing that does the job takes less. */
export const FLOOR: PeerName = 'floor'
/** What is compared with the others: it is sent messages in the same way as they are. */
export const OURS: PeerName = 'comet'

const ONE_EACH = 'one message a request'

/** For tables. */
export const PEERS: Readonly<Record<PeerName, { readonly title: string; publishing: string }>> = {
  comet: { title: 'comet', publishing: ONE_EACH },
  'comet-batch': { title: 'comet, batches', publishing: 'up to 1,000 messages a request' },
  nchan: { title: 'nchan', publishing: ONE_EACH },
  evhttp: { title: 'evhttp', publishing: ONE_EACH },
  websocket: { title: 'Bun WebSocket', publishing: ONE_EACH },
  floor: { title: 'bare epoll in C', publishing: ONE_EACH },
}

/** What each server has to do. */
export interface Work {
  readonly connections: number
  /** Sent as fast as possible. */
  readonly messages: number
  /** Of the messages whose latency is measured. */
  readonly ratePerSecond: number
  readonly steadyMs: number
  /** Requests under way at once where a request carries one message. */
  readonly publishers: number
}

/** A server that is ready. */
export interface Serving extends AsyncDisposable {
  readonly program: ChildProcess
  /** Address of a stream, with `{id}` in it. */
  readonly streamUrl: string
  readonly floodArgs: readonly string[]
  /** Arguments of comet gen, but for what and how much to send. */
  readonly genArgs: readonly string[]
}

export interface Servers extends AsyncDisposable {
  readonly start: Readonly<Record<PeerName, () => Promise<Serving>>>
}

/** Builds what these peers need, in a folder that is removed at the end. */
export async function prepareServers(
  peers: readonly PeerName[],
  found: Found,
  work: Work,
): Promise<Servers> {
  const folder = await makeFolder()
  const { cc } = found
  const builds: Partial<Record<PeerName, (outfile: string) => Promise<void>>> = {
    evhttp: (outfile) => compileC(cc ?? 'cc', `${import.meta.dir}/evhttp.c`, outfile, ['event']),
    floor: (outfile) => compileC(cc ?? 'cc', `${import.meta.dir}/epoll.c`, outfile),
    websocket: (outfile) => compileBun(`${import.meta.dir}/websocket.ts`, outfile),
  }
  try {
    for (const name of peers) await builds[name]?.(`${folder.path}/${name}`)
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    throw error
  }
  const lanes = String(work.publishers)
  const oneEach = ['--generators', lanes, '--publishers', lanes]
  const started = (name: PeerName, scheme: 'http' | 'ws') => () =>
    startPeer(name, `${folder.path}/${name}`, scheme, oneEach)
  return {
    start: {
      comet: () => startComet(['--batch', '1', ...oneEach]),
      'comet-batch': () => startComet([]),
      nchan: () => startNchan(found, work, oneEach),
      evhttp: started('evhttp', 'http'),
      websocket: started('websocket', 'ws'),
      floor: started('floor', 'http'),
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

async function startComet(genArgs: readonly string[]): Promise<Serving> {
  const server = await startServer()
  return {
    program: server.program,
    streamUrl: `${server.publicUrl}/test/{id}`,
    floodArgs: [],
    genArgs: [server.controlUrl, '--address', 'to', ...genArgs],
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** One of this folder's programs, which say on which port they listen. */
async function startPeer(
  name: PeerName,
  file: string,
  scheme: 'http' | 'ws',
  genArgs: readonly string[],
): Promise<Serving> {
  const program = startProgram(PEERS[name].title, [file])
  try {
    const port = await program.line('its port', portIn, START_MS_MAX)
    return {
      program,
      streamUrl: `${scheme}://127.0.0.1:${port}/test/{id}`,
      floodArgs: [],
      genArgs: ['--post', `http://127.0.0.1:${port}/pub/{id}`, ...genArgs],
      [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    }
  } catch (error) {
    await program[Symbol.asyncDispose]()
    throw error
  }
}

function portIn(line: string): number | undefined {
  return line.startsWith('listening ') ? Number(line.slice('listening '.length)) : undefined
}

/** nginx prints nothing once it listens, and cannot have a port chosen for it. */
async function startNchan(
  { nginx, nchan, openFiles }: Found,
  { connections }: Work,
  genArgs: readonly string[],
): Promise<Serving> {
  if (nginx === null || nchan === null) throw new Error('there is no nginx with nchan')
  const folder = await makeFolder()
  for (let tries = 1; ; tries++) {
    const port = freePort()
    const config = nchanConfig({ module: nchan, port, connections, openFiles })
    await Bun.write(`${folder.path}/nginx.conf`, config)
    const command = [nginx, '-p', folder.path, '-c', 'nginx.conf', '-e', 'stderr']
    const program = startProgram('nginx', command)
    try {
      await waitFor('nginx', () => accepts(port), START_MS_MAX, { needs: [program] })
      return {
        program,
        streamUrl: `http://127.0.0.1:${port}/sub/{id}`,
        floodArgs: ['--header', 'TE: chunked'],
        genArgs: ['--post', `http://127.0.0.1:${port}/pub/{id}`, ...genArgs],
        [Symbol.asyncDispose]: async () => {
          await program[Symbol.asyncDispose]()
          await folder[Symbol.asyncDispose]()
        },
      }
    } catch (error) {
      await program[Symbol.asyncDispose]()
      if (tries < PORT_TRIES) continue
      await folder[Symbol.asyncDispose]()
      throw error
    }
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = { data: () => undefined }
    const connection = await Bun.connect({ hostname: '127.0.0.1', port, socket })
    connection.terminate()
    return true
  } catch {
    return false
  }
}

interface NchanOptions {
  /** The file of the module. */
  readonly module: string
  readonly port: number
  readonly connections: number
  readonly openFiles: number
}

/**
 * A server with one process, in a folder of its own, that keeps the least of messages and no log.
 */
export function nchanConfig({ module, port, connections, openFiles }: NchanOptions): string {
  // When no more than a sixteenth of them are free, nginx closes connections that are kept between
  // two requests, which are those of the publishers.
  const workerConnections = Math.min(openFiles - 64, Math.ceil(connections * 1.2) + 1_100)
  return `load_module ${module};
daemon off;
worker_processes 1;
worker_rlimit_nofile ${openFiles};
pid nginx.pid;
error_log stderr warn;
events { worker_connections ${workerConnections}; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  # Publishers keep their connections, as with the others.
  keepalive_requests 1000000000;
  server {
    # As many may wait to be accepted as with Bun.
    listen 127.0.0.1:${port} backlog=512;
    location ~ ^/sub/(\\d+)$ {
      nchan_subscriber http-chunked;
      nchan_channel_id $1;
      # A subscriber gets what is sent from then on.
      nchan_subscriber_first_message newest;
    }
    location ~ ^/pub/(\\d+)$ {
      nchan_publisher http;
      nchan_channel_id $1;
      # The least that may be kept. With a length of 0 nchan 1.3.6 keeps every message until its
      # shared memory is full, and then answers 500.
      nchan_message_buffer_length 1;
      nchan_message_timeout 1s;
    }
  }
}
`
}
