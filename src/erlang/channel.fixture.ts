// A distribution channel whose other node is the test: it passes packets in and reads those
// written. Behind it are a real mailbox, router and store. Streams can answer later.

import { systemClock } from '../core/clock.ts'
import type { Failure } from '../core/errors.ts'
import type { Result } from '../core/result.ts'
import type { Subject } from '../core/user.ts'
import { Backpressure } from '../hub/backpressure.ts'
import { MarkingOutlet, messagesOf } from '../hub/outlet.fixture.ts'
import type { Outlet } from '../hub/outlet.ts'
import type { Receipt } from '../hub/receipt.ts'
import { routerOptions } from '../hub/router.fixture.ts'
import { Router } from '../hub/router.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import type { StreamStore } from '../hub/store.ts'
import { openStream, type RecordingStream, storeFor } from '../hub/stream.fixture.ts'
import { FollowIndex } from '../subscriptions/follow-index.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { DistributionChannel } from './channel.ts'
import { Mailbox } from './mailbox.ts'
import { call, OWN, reply, unframed } from './packet.fixture.ts'
import type { PacketWriter } from './packets.ts'
import { NODE_A } from './recorded.fixture.ts'
import { TermWriter } from './term-writer.ts'
import { bytesOf } from './terms.fixture.ts'

/** Keeps frames until the test answers for them. */
export class DeferredOutlet implements Outlet {
  readonly #receipts: Receipt[] = []
  /** What `sync` and `ready` return next. */
  readonly syncs: Promise<void>[] = []
  readonly readies: (Promise<void> | null)[] = []

  get pending(): number {
    return this.#receipts.length
  }

  sync(): Promise<void> | null {
    return this.syncs.shift() ?? null
  }

  ready(): Promise<void> | null {
    return this.readies.shift() ?? null
  }

  deliver(_user: number, _followers: Uint32Array, _frame: unknown, receipt: Receipt): void {
    this.#receipts.push(receipt)
  }

  broadcast(_frame: unknown, receipt: Receipt): void {
    this.#receipts.push(receipt)
  }

  /** Answers for the pending frame in this place. */
  answer(delivered: number, place = 0, skipped = 0, unknown = 0): void {
    this.#receipts.splice(place, 1)[0]?.settle(delivered, skipped, unknown)
  }
}

export interface TestChannelOptions {
  readonly ownPid?: Uint8Array
  /** Instead of the streams of this process. */
  readonly outlet?: Outlet
  /** Instead of a writer of its own. */
  readonly packets?: Pick<PacketWriter, 'writer' | 'flushSoon'>
}

/** User 1 follows user 123. */
export class TestChannel {
  readonly streams: StreamStore = storeFor()
  readonly names = new NameTable({ seed: 1 })
  readonly router: Router
  readonly channel: DistributionChannel
  readonly writer: TermWriter
  /** The reports of refused messages: how many, and the failure of the first. */
  readonly refused: [count: number, failure: Failure][] = []
  readonly nodes = new Set<string>()
  /** The users whose connections were asked for. */
  readonly asked: [user: number, answer: PromiseWithResolvers<number>][] = []
  flushes = 0
  isDraining = false
  readonly #opened = new Map<Subject, RecordingStream>()

  constructor({ ownPid = OWN, outlet, packets }: TestChannelOptions = {}) {
    const followers = new FollowIndex({
      rows: [{ subject: 123, subscriber: 1 }],
      subjects: 1,
      pairs: 1,
    })
    const settings = settingsOf({ userIdMax: 2 ** 31 - 1 })
    this.router = new Router(
      routerOptions(outlet ?? new MarkingOutlet(this.streams), {
        ...{ followers, settings, names: this.names },
      }),
    )
    const mailbox = new Mailbox({
      router: this.router,
      online: (user) => {
        const answer = Promise.withResolvers<number>()
        this.asked.push([this.names.idOf(user), answer])
        return answer.promise
      },
      isDraining: () => this.isDraining,
      onRefused: (node, count, first) => {
        this.nodes.add(node)
        this.refused.push([count, first])
      },
    })
    this.writer = packets?.writer ?? new TermWriter()
    this.channel = new DistributionChannel({
      ...{ node: NODE_A, ownPid, mailbox, receipt: this.router.receipt() },
      backpressure: new Backpressure(this.router, systemClock),
      packets: packets ?? { writer: this.writer, flushSoon: () => this.flushes++ },
    })
  }

  /** Opens a stream for each user, which `received` reports on. */
  connect(...users: Subject[]): this {
    for (const user of users) {
      this.#opened.set(user, openStream(this.streams, this.names.intern(user) ?? 0))
    }
    return this
  }

  get received(): Record<Subject, string[]> {
    this.streams.flush()
    return Object.fromEntries([...this.#opened].map(([user, stream]) => [user, messagesOf(stream)]))
  }

  /** Passes a packet in, in the middle of a buffer that is overwritten afterwards. */
  take(packet: Uint8Array): Promise<void> | Result<void> {
    const bytes = bytesOf(new Uint8Array(3).fill(131), packet, 131, 131)
    const taken = this.channel.take(bytes, 3, 3 + packet.length)
    if (!(taken instanceof Promise)) bytes.fill(0xff)
    return taken
  }

  /** Passes valid packets in, one after the other; then the turn of the loop is over. */
  async takeAll(...packets: readonly Uint8Array[]): Promise<this> {
    for (const packet of packets) {
      const taken = this.take(packet)
      const result = taken instanceof Promise ? await taken : taken
      if (result?.ok === false) throw new Error(result.why)
    }
    await new Promise(setImmediate)
    return this
  }

  /** The packets written since the last call, in hexadecimal, which failures of tests can show. */
  written(): string[] {
    return unframed(this.writer.take().slice()).map((packet) => packet.toHex())
  }
}

/** Runs everything that needs no outside event. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
}

/** Makes a call while users 1 and 123 are connected. */
export async function callWith(
  request: Uint8Array,
  prepare: (test: TestChannel) => void = () => undefined,
) {
  const test = new TestChannel().connect(1, 123)
  prepare(test)
  await test.takeAll(call(request))
  return { test, received: test.received, replies: test.written() }
}

/** One reply with this value, for comparison. */
export function replied(value: Uint8Array): string[] {
  return [reply(value).toHex()]
}
