// The servers that are compared: what they are called, how each is built and started, where its
// streams are, and how it is published to. One process serves in each but pushpin.

import type { ChildProcess } from '../../scripts/support/child-process.ts'
import { makeFolder } from '../../scripts/support/folder.ts'
import { startServer } from '../harness/comet.ts'
import { compileBun, compileC, numberAfter, startProgram } from '../harness/process.ts'
import { START_MS_MAX, startMosquitto, startNchan, startPushpin } from './packaged-servers.ts'
import { type Found, SOCKET_IO } from './requirements.ts'

export const PEER_NAMES = [
  'comet',
  'comet-batch',
  'nchan',
  'pushpin',
  'mosquitto',
  'socket-io',
  'evhttp',
  'websocket',
  'floor',
] as const
export type PeerName = (typeof PEER_NAMES)[number]

/** What all are a ratio to: nothing that does the job takes less. */
export const FLOOR: PeerName = 'floor'
/** What is compared with the others: it is sent messages in the same way as they are. */
export const OURS: PeerName = 'comet'

const ONE_EACH = 'one message a request'

/** What is said of a server in tables. */
export interface PeerWords {
  readonly title: string
  /** How messages are sent to it. */
  readonly publishing: string
  /** The program that holds the streams. */
  readonly client: string
}

const FLOOD = 'comet flood'
/** `client.ts`, for protocols that comet flood does not speak. */
const OF_BENCH = "the bench's own"

export const PEERS: Readonly<Record<PeerName, PeerWords>> = {
  comet: { title: 'comet', publishing: ONE_EACH, client: FLOOD },
  'comet-batch': {
    title: 'comet, batches',
    publishing: 'up to 1,000 messages a request',
    client: FLOOD,
  },
  nchan: { title: 'nchan', publishing: ONE_EACH, client: FLOOD },
  pushpin: { title: 'pushpin', publishing: ONE_EACH, client: FLOOD },
  mosquitto: { title: 'mosquitto', publishing: ONE_EACH, client: OF_BENCH },
  'socket-io': { title: 'socket.io', publishing: ONE_EACH, client: OF_BENCH },
  evhttp: { title: 'evhttp', publishing: ONE_EACH, client: FLOOD },
  websocket: { title: 'Bun WebSocket', publishing: ONE_EACH, client: FLOOD },
  floor: { title: 'bare epoll in C', publishing: ONE_EACH, client: FLOOD },
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
  /** Streams at a time that are opened, where it does not take as many as the others. */
  readonly pending?: number
  /** Arguments of comet gen, but for what and how much to send. */
  readonly genArgs: readonly string[]
  /** Its memory falls some time after a burst, when its garbage is collected. */
  readonly collectsGarbage?: boolean
  /** Programs with the same options in place of comet flood and comet gen. */
  readonly client?: { readonly flood?: readonly string[]; readonly gen?: readonly string[] }
}

export interface Servers extends AsyncDisposable {
  readonly start: Readonly<Record<PeerName, () => Promise<Serving>>>
}

/** Peers that the bench's own client opens the streams of, or publishes to. */
const WITH_CLIENT: ReadonlySet<PeerName> = new Set(['pushpin', 'mosquitto', 'socket-io'])

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
  const client = `${folder.path}/client`
  try {
    for (const name of peers) await builds[name]?.(`${folder.path}/${name}`)
    if (peers.some((name) => WITH_CLIENT.has(name))) {
      await compileBun(`${import.meta.dir}/client.ts`, client)
    }
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    throw error
  }
  const lanes = String(work.publishers)
  const oneEach = ['--generators', lanes, '--publishers', lanes]
  const started = (name: PeerName, scheme: 'http' | 'ws') => () =>
    startPeer(name, [`${folder.path}/${name}`], scheme, oneEach)
  return {
    start: {
      comet: () => startComet(['--batch', '1', ...oneEach]),
      'comet-batch': () => startComet([]),
      nchan: () => startNchan(found, work, oneEach),
      pushpin: () => startPushpin(found, work, client, oneEach),
      mosquitto: () => startMosquitto(found, client, oneEach),
      'socket-io': () => startSocketIo(found, client, oneEach),
      evhttp: started('evhttp', 'http'),
      websocket: async () => ({ ...(await started('websocket', 'ws')()), collectsGarbage: true }),
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
    collectsGarbage: true,
    genArgs: [server.controlUrl, '--address', 'to', ...genArgs],
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** One of this folder's programs, which say on which port they listen. */
async function startPeer(
  name: PeerName,
  command: readonly string[],
  scheme: 'http' | 'ws',
  genArgs: readonly string[],
): Promise<Serving> {
  const program = startProgram(PEERS[name].title, command)
  try {
    const port = await program.line('its port', numberAfter('listening'), START_MS_MAX)
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

/** In Node, where its users run it; the streams are its own, what is published is a plain POST. */
async function startSocketIo(
  { node }: Found,
  client: string,
  genArgs: readonly string[],
): Promise<Serving> {
  const command = [node ?? 'node', `${SOCKET_IO}/server.mjs`]
  const serving = await startPeer('socket-io', command, 'http', genArgs)
  const { host } = new URL(serving.streamUrl)
  return {
    ...serving,
    streamUrl: `socketio://${host}`,
    collectsGarbage: true,
    client: { flood: [client, 'flood'] },
  }
}
