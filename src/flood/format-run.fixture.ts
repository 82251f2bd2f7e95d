// A flood of a small server with a log, and messages with stamps and chains for it.

import { type Chain, stampedText } from '../core/stamp.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { FloodClient } from './client.ts'
import type { LogFormat, LogMessage, LogServer } from './log-server.fixture.ts'
import { plainBehaviour, type Share, type StreamBehaviour } from './plan.ts'

/** Messages with stamps and chains, as those of `comet gen --chain`. */
export class ChainedMessages {
  readonly #nowMs: () => number
  readonly #sent = new Map<number, { sequence: number; chain: Map<number, Chain> }>()

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs
  }

  /** The next message of a generator to a user. */
  next(user: number, generator = 5): string {
    const sent = this.#sent.get(generator) ?? { sequence: 0, chain: new Map() }
    this.#sent.set(generator, sent)
    const dueMicros = Math.round(this.#nowMs() * 1000)
    const sequence = ++sent.sequence
    const before = sent.chain.get(user) ?? { target: user, sequence: 0, dueMicros: 0 }
    sent.chain.set(user, { target: user, sequence, dueMicros })
    return stampedText(sequence, { generator, sequence, dueMicros }, before)
  }
}

export interface WantedRun extends Partial<Omit<Share, 'behaviour'>> {
  readonly behaviour?: Partial<StreamBehaviour>
  readonly format: LogFormat
}

/** The users of the streams are 1 and up. */
export class FormatRun implements AsyncDisposable {
  readonly clock = new FakeClock()
  readonly client: FloodClient
  readonly #server: LogServer
  readonly #messages = new ChainedMessages(() => this.clock.nowMs())

  constructor(server: LogServer, { format, behaviour, ...share }: WantedRun) {
    const query = format === 'poll' ? '' : `?format=${format}`
    const pathTemplate = `/stream/{id}${query}`
    const protocol = format === 'websocket' ? 'ws' : 'http'
    const address = { host: 'x', address: '127.0.0.1', port: server.port }
    const plain = plainBehaviour({ protocol, ...address, pathTemplate })
    this.#server = server
    this.client = new FloodClient(
      {
        ...{ connections: 1, firstId: 1, ratePerSecond: null, pendingMax: 100, storm: null },
        ...{ sources: [], portOffset: 0, onDescriptors: process.platform === 'linux' },
        ...share,
        behaviour: { ...plain, format, reconnectMs: 1_000, resume: format !== 'raw', ...behaviour },
      },
      this.clock,
      () => 0.5,
    )
    this.client.start()
  }

  get counters() {
    return this.client.stats.counters
  }

  get errors() {
    return this.client.stats.errors
  }

  /** All that the server wrote has been read. */
  async opened(count = 1): Promise<void> {
    await until(`${count} streams are open`, () => this.counters.opened === count)
    // So that what is sent from now on is owed.
    this.clock.advance(10)
  }

  /** Sends the next message of a generator to a user. */
  send(user = 1, generator = 5, times = 1): LogMessage[] {
    return Array.from({ length: times }, () => {
      this.clock.advance(5)
      return this.#server.publish(user, this.#messages.next(user, generator))
    })
  }

  async received(messages: number): Promise<void> {
    await until(`${messages} messages came`, () => this.counters.messages >= messages)
  }

  /** Cuts all streams, and lets pass what happens before they come back. */
  async away(meanwhile: () => void = () => undefined): Promise<void> {
    const { closed, reopened, resumed } = this.counters
    const { open } = this.#server
    this.#server.cut()
    await until('all are cut', () => this.counters.closed === closed + open)
    meanwhile()
    this.clock.advance(1_100)
    await until('all are back', () => this.counters.reopened === reopened + open)
    const isResumed = () => this.counters.resumed === resumed + open || this.counters.closed > open
    await until('all have resumed', isResumed)
    this.clock.advance(10)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Streams that never come back are waited for by this clock.
    const timer = setInterval(() => this.clock.advance(1_000), 1)
    await this.client.stop(2)
    clearInterval(timer)
  }
}
