// A conversation with a node that is not there: packets are given to it by hand, behind it are a real
// desk, router and store, and what it writes is kept as packets. Streams can answer late.

import { systemClock } from '../core/clock.ts'
import type { Failure } from '../core/errors.ts'
import { Backpressure } from '../hub/backpressure.ts'
import { LocalOutlet, type Outlet } from '../hub/outlet.ts'
import type { Receipt } from '../hub/receipt.ts'
import { Router } from '../hub/router.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import type { StreamStore } from '../hub/store.ts'
import { RecordingStream, storeFor } from '../hub/stream.fixture.ts'
import { FollowersIndex } from '../subscriptions/followers.ts'
import { Conversation } from './channel.ts'
import { Desk } from './mailbox.ts'
import type { Outbound } from './outbound.ts'
import { answer, call, OWN } from './packet.fixture.ts'
import { NODE_A } from './recorded.fixture.ts'
import { TermWriter } from './term-writer.ts'

/** Where frames lie until the test answers for them. */
export class LaterOutlet implements Outlet {
  readonly #receipts: Receipt[] = []
  /** What `sync` and `ready` answer next. */
  readonly catchingUp: Promise<void>[] = []
  readonly rooms: (Promise<void> | null)[] = []

  get waiting(): number {
    return this.#receipts.length
  }

  sync(): Promise<void> | null {
    return this.catchingUp.shift() ?? null
  }

  ready(): Promise<void> | null {
    return this.rooms.shift() ?? null
  }

  deliver(_user: number, _followers: Uint32Array, _frame: unknown, receipt: Receipt): void {
    this.#receipts.push(receipt)
  }

  /** Answers for the frame that came in this place among those that wait. */
  answer(delivered: number, place = 0): void {
    this.#receipts.splice(place, 1)[0]?.settle(delivered, 0)
  }
}

export interface TalkOptions {
  readonly own?: Uint8Array
  /** Instead of the streams of this process. */
  readonly outlet?: Outlet
  /** Instead of a writer of its own. */
  readonly outbound?: Pick<Outbound, 'writer' | 'flushSoon'>
  readonly followers?: FollowersIndex
}

/** User 1 follows user 123. */
export function oneFollows123(): FollowersIndex {
  return new FollowersIndex([{ subject: 123, subscriber: 1 }], 1, 1)
}

export class Talk {
  readonly streams: StreamStore = storeFor()
  readonly router: Router
  readonly conversation: Conversation
  readonly writer: TermWriter
  /** What was refused: so many, and why the first. */
  readonly refused: [count: number, failure: Failure][] = []
  readonly nodes = new Set<string>()
  /** Users who were asked for, each with what to call when it is known. */
  readonly asked: [user: number, answer: PromiseWithResolvers<number>][] = []
  flushes = 0
  isDraining = false
  readonly #sinks = new Map<number, RecordingStream>()

  constructor({ own = OWN, outlet, outbound, followers = oneFollows123() }: TalkOptions = {}) {
    this.router = new Router(outlet ?? new LocalOutlet(this.streams), followers, settingsOf())
    const desk = new Desk({
      router: this.router,
      online: (user) => {
        const answer = Promise.withResolvers<number>()
        this.asked.push([user, answer])
        return answer.promise
      },
      isDraining: () => this.isDraining,
      onRefused: (node, count, first) => {
        this.nodes.add(node)
        this.refused.push([count, first])
      },
    })
    this.writer = outbound?.writer ?? new TermWriter()
    this.conversation = new Conversation({
      ...{ node: NODE_A, own, desk, receipt: this.router.receipt() },
      pace: new Backpressure(this.router, systemClock),
      outbound: outbound ?? { writer: this.writer, flushSoon: () => this.flushes++ },
    })
  }

  /** Connects users, so that `got` tells what reaches them. */
  connect(...users: number[]): this {
    for (const user of users) {
      const sink = new RecordingStream()
      this.streams.add(user, sink)
      this.#sinks.set(user, sink)
    }
    return this
  }

  /** What each connected user has got. */
  get got(): Record<number, string[]> {
    return Object.fromEntries([...this.#sinks].map(([user, { texts }]) => [user, texts]))
  }

  /** Takes a packet as it lies among others in memory. */
  take(packet: Uint8Array): Promise<void> | string | null {
    const before = 3
    // What lies around it is none of its business, and would be read as anything.
    const bytes = new Uint8Array(before + packet.length + 2).fill(131)
    bytes.set(packet, before)
    const taken = this.conversation.take(bytes, before, before + packet.length)
    if (!(taken instanceof Promise)) bytes.fill(0xff)
    return taken
  }

  /** Takes packets one after the other; each must be a fine one. */
  async takeAll(...packets: readonly Uint8Array[]): Promise<this> {
    for (const packet of packets) {
      const taken = this.take(packet)
      if (typeof taken === 'string') throw new Error(taken)
      await taken
    }
    return this
  }

  /** The packets written since the last time, without their lengths. */
  written(): Uint8Array[] {
    const bytes = this.writer.take().slice()
    const view = new DataView(bytes.buffer)
    const packets: Uint8Array[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = at + 4 + view.getUint32(at)
      packets.push(bytes.slice(at + 4, end))
      at = end
    }
    return packets
  }

  /** The same, as text that can be read in a failure. */
  writtenHex(): string[] {
    return this.written().map((packet) => packet.toHex())
  }
}

/** Time for everything that can go on by itself. */
export async function turns(): Promise<void> {
  for (let at = 0; at < 10; at++) await new Promise(setImmediate)
}

/** What a caller is answered with such a request, users 1 and 123 being connected. */
export async function asked(request: Uint8Array, prepare: (talk: Talk) => void = () => undefined) {
  const talk = new Talk().connect(1, 123)
  prepare(talk)
  await talk.takeAll(call(request))
  return { talk, got: talk.got, answers: talk.writtenHex() }
}

/** The one answer with such a value, as it is compared. */
export function answered(value: Uint8Array): string[] {
  return [answer(value).toHex()]
}
