// Streams and a store on a kernel of the test, which fails as it is told to, with clients that know
// what is for them.

import { FakeClock } from '../core/time.fixture.ts'
import type { Exchange, Socket, SocketHolder } from '../http/exchange.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import { StreamStore } from '../hub/store.ts'
import { textFrame } from '../hub/stream.fixture.ts'
import { NO_OWNER, UNLIMITED } from '../hub/stream.ts'
import { FakeKernel, type FakeSocket } from '../os/epoll.fixture.ts'
import { chunked } from './chunked.ts'
import { DescriptorWire } from './descriptor-wire.ts'
import { type StreamOpener, streamOpener } from './stream-opener.ts'

export interface Client {
  readonly user: number
  readonly socket: FakeSocket
  /** By the minor version of HTTP. */
  readonly isChunked: boolean
  /** What it is to get behind the welcome. */
  expected: string
  /** How often the wire said that its connection is closed. */
  closes: number
  /** How often its stream stopped to count. */
  releases: number
}

/** A wire of descriptors without an owner, on a kernel of the test. */
export function fakeWire() {
  const kernel = new FakeKernel()
  const bugs: string[] = []
  const wire = new DescriptorWire({
    calls: kernel,
    epoll: 2,
    clock: new FakeClock(),
    onBug: (error) => bugs.push(String(error)),
  })
  return { kernel, bugs, wire }
}

/** As between two callbacks of the loop: all microtasks run. */
export async function microtasks(): Promise<void> {
  for (let microtask = 0; microtask < 4; microtask++) await Promise.resolve()
}

export class World {
  readonly kernel: FakeKernel
  readonly bugs: string[]
  readonly wire: DescriptorWire
  readonly clients: Client[] = []
  readonly store = new StreamStore({
    settings: settingsOf({ outboxBytes: 100 }),
    clock: new FakeClock(),
  })
  /** Slots of streams that wait to be registered; null if they need not. */
  waiting: number[] | null = null
  /** By slot, the client whose connection is not closed. */
  readonly holders = new Map<number, Client>()
  readonly #opener: StreamOpener

  constructor() {
    const { kernel, bugs, wire } = fakeWire()
    this.kernel = kernel
    this.bugs = bugs
    this.wire = wire
    const { store } = this
    wire.owner = {
      ...NO_OWNER,
      onDrain: (slot) => store.onDrain(slot),
      onEnd: (slot) => store.onEnd(slot),
      onClose: (slot) => {
        const holder = this.holders.get(slot)
        if (holder === undefined) throw new Error(`slot ${slot} is closed once more`)
        this.holders.delete(slot)
        holder.closes++
        store.onClose(slot)
      },
    }
    const register = (slot: number) => {
      const holder = this.holders.get(slot)
      if (holder !== undefined) throw new Error(`slot ${slot} is still that of user ${holder.user}`)
      this.holders.set(slot, this.clients.at(-1) as Client)
      if (this.waiting === null) store.register(slot)
      else this.waiting.push(slot)
    }
    const registry = { register, change: () => undefined, drain: () => undefined }
    const options = { store, registry, descriptors: wire, onEnding: () => undefined }
    this.#opener = streamOpener(options, chunked)
  }

  connect(minor: 0 | 1 = 1): Client {
    const descriptor = this.kernel.connect()
    const user = this.clients.length + 1
    const client: Client = {
      ...{ user, socket: this.kernel.socketOf(descriptor), isChunked: minor === 1 },
      ...{ expected: '', closes: 0, releases: 0 },
    }
    const bunSocket = {
      fd: descriptor,
      data: undefined as SocketHolder | undefined,
      close: () => this.kernel.close(descriptor),
      write: (bytes: Uint8Array, at: number, length: number) =>
        this.kernel.send(descriptor, bytes.subarray(at), length),
    }
    const exchange = { head: { minor }, takeOver: () => bunSocket as unknown as Socket }
    this.clients.push(client)
    const lease = { release: () => client.releases++ }
    const terms = { ...UNLIMITED, lease }
    const request = { terms, cors: null, from: 'live', head: null } as const
    this.#opener.open(user, exchange as unknown as Exchange, request)
    return client
  }

  /** One of the last few, so that several things happen to each. */
  at(index: number): Client | undefined {
    return this.clients.at(-1 - (index % 4))
  }

  /** A message for a client in this turn of the loop. */
  publish(client: Client, text: string): void {
    const { user, isChunked } = client
    const frame = textFrame(`${user}: ${text}`, user)
    const settle = (delivered: number) => {
      if (delivered === 1) client.expected += latin1(chunked.encode(frame, isChunked))
    }
    this.store.begin(frame, { settle, late: () => undefined })
    this.store.deliver(user)
  }

  /** A message for a client in a turn of its own. */
  send(client: Client, text: string): void {
    this.publish(client, text)
    this.store.flush()
  }

  async poll(): Promise<void> {
    while (this.wire.poll() > 0) await microtasks()
  }

  /** The turn is over, nothing fails any more, and every client reads. */
  async settle(): Promise<void> {
    this.kernel.faults.length = 0
    this.store.flush()
    await microtasks()
    for (const { socket } of this.clients) this.kernel.drain(socket, 1_000_000)
    await this.poll()
  }
}

/** What a client got behind the head and the welcome. */
export function receivedBy({ user, socket, isChunked }: Client): string {
  const received = Buffer.from(socket.sent).toString('latin1')
  const greeting = latin1(chunked.greeting(user, isChunked))
  const at = received.indexOf(greeting)
  return at < 0 ? '' : received.slice(at + greeting.length)
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
