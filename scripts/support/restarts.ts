// A server that is killed and started again at its address, and clients of other projects that
// follow a stream of it meanwhile. For the end-to-end tests of what they lose: nothing.

import { expect } from 'bun:test'
import { waitFor } from './child-process.ts'
import { type CometServer, freePort, serve } from './comet.ts'
import { type Folder, makeFolder } from './folder.ts'

/** An event, or what a line or a frame says in its place. */
export interface ForeignEvent {
  /** `message` for a message that has no event. */
  readonly type: string
  readonly data: string
  readonly id?: string
}

/** A client that follows the stream of alice. */
export interface ForeignClient extends AsyncDisposable {
  /** All that it has got, in order. */
  events(): Promise<readonly ForeignEvent[]>
  /** Has it been told where it is? The server has written that before; it may be under way. */
  isPlaced(): Promise<boolean>
}

/** How long a client may take to come back: a browser waits for five seconds. */
const BACK_MS_MAX = 30_000

export class RestartedServer implements AsyncDisposable {
  readonly port = freePort()
  readonly #folder: Folder
  #database = 0
  #server: CometServer | null = null

  static async open(): Promise<RestartedServer> {
    const server = new RestartedServer(await makeFolder())
    await server.start()
    return server
  }

  private constructor(folder: Folder) {
    this.#folder = folder
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get running(): CometServer {
    if (this.#server === null) throw new Error('the server does not run')
    return this.#server
  }

  async start(): Promise<void> {
    this.#server = await this.#serve(this.port)
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.running.end(signal)
    this.#server = null
  }

  /** Publishes while the server is away, on another port: no client can get it live. */
  async publishAway(message: object): Promise<void> {
    await using elsewhere = await this.#serve(0)
    await elsewhere.publish(message)
    await elsewhere.end('SIGTERM')
  }

  /** From the next start on, it knows nothing of before. */
  forget(): void {
    this.#database++
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]()
    await this.#folder[Symbol.asyncDispose]()
  }

  #serve(port: number): Promise<CometServer> {
    const database = `${this.#folder.path}/${this.#database}.db`
    const args = ['--listen', `127.0.0.1:${port}`, '--cors-origin', '*']
    return serve([...args, '--db', database])
  }
}

/** Waits until it has got an event that ends its list so. */
export async function hasGot(client: ForeignClient, data: string): Promise<void> {
  const look = async () => (await client.events()).at(-1)?.data === data
  await waitFor(`the client to get ${data}`, look, BACK_MS_MAX).catch(async (error: unknown) => {
    throw new Error(`${error}\n${JSON.stringify(await client.events())}`)
  })
}

/** What it got, without ids, which are in order and each of one message. */
export async function eventsOf(client: ForeignClient): Promise<ForeignEvent[]> {
  const events = await client.events()
  const ids = events.flatMap(({ type, id }) => (type === 'gap' || type === 'end' ? [] : [id]))
  expect(ids.every((id) => /^[0-9a-f]{12}-[0-9a-f]{12}$/.test(id ?? ''))).toBe(true)
  expect(new Set(ids).size).toBe(ids.length)
  return events.map(({ type, data }) => ({ type, data }))
}

/**
 * Kills the server and stops it in order; the client comes back and has each message once.
 *
 * @param open connects a client to that origin
 */
async function losesNothing(open: (origin: string) => Promise<ForeignClient>) {
  await using server = await RestartedServer.open()
  await using client = await open(server.url)
  await server.running.open(1)
  await server.running.publish({ to: 'alice', event: 'news', body: 'one\ntwo' })
  await hasGot(client, 'one\ntwo')
  await server.stop('SIGKILL')
  await server.publishAway({ to: 'alice', body: 'away' })
  await server.publishAway({ to: 'bob', body: 'of another' })
  await server.start()
  await hasGot(client, 'away')
  await server.running.publish({ to: 'alice', data: { n: 1 } })
  await hasGot(client, '{"n":1}')
  await server.stop('SIGTERM')
  await hasGot(client, '{"end":"drained"}')
  await server.publishAway({ to: 'alice', event: 'news', body: 'é€😀' })
  await server.start()
  await hasGot(client, 'é€😀')
  await server.running.publish({ to: 'alice', body: 'live' })
  await hasGot(client, 'live')
  expect(await eventsOf(client)).toEqual([
    { type: 'news', data: 'one\ntwo' },
    { type: 'message', data: 'away' },
    { type: 'message', data: '{"n":1}' },
    { type: 'end', data: '{"end":"drained"}' },
    { type: 'news', data: 'é€😀' },
    { type: 'message', data: 'live' },
  ])
}

/** The same for a client that is cut before it has had any message. */
async function losesNotTheFirst(open: (origin: string) => Promise<ForeignClient>) {
  await using server = await RestartedServer.open()
  await using client = await open(server.url)
  await waitFor('the client to know its place', () => client.isPlaced())
  await server.stop('SIGKILL')
  await server.publishAway({ to: 'alice', body: 'first' })
  await server.start()
  await hasGot(client, 'first')
  await server.running.publish({ to: 'alice', body: 'second' })
  await hasGot(client, 'second')
  expect((await client.events()).map(({ data }) => data)).toEqual(['first', 'second'])
}

/** A server that has lost its log says so, once, and an operator who ends the stream as well. */
async function isToldGapAndEnd(open: (origin: string) => Promise<ForeignClient>) {
  await using server = await RestartedServer.open()
  await using client = await open(server.url)
  await server.running.open(1)
  await server.running.publish({ to: 'alice', body: 'one' })
  await hasGot(client, 'one')
  await server.stop('SIGKILL')
  server.forget()
  await server.start()
  const gap = async () => (await client.events()).find(({ type }) => type === 'gap')
  const { data } = await waitFor('the gap', gap, BACK_MS_MAX)
  expect(JSON.parse(data)).toMatchObject({ reason: 'unknown' })
  await server.running.publish({ to: 'alice', body: 'two' })
  await hasGot(client, 'two')
  const note = 'moved'
  await server.running.ask(`/users/alice/streams?note=${note}`, { method: 'DELETE' })
  await hasGot(client, `{"end":"ended","note":"${note}"}`)
  const types = (await client.events()).map(({ type }) => type)
  expect(types).toEqual(['message', 'gap', 'message', 'end'])
}

/** What each client must be able to do, as the names of its tests say. */
export const RESTART_CHECKS = [
  ['loses nothing while the server restarts', losesNothing],
  ['loses nothing if it is cut before its first message', losesNotTheFirst],
  ['is told of a gap and of its end', isToldGapAndEnd],
] as const
