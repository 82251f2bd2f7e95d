// The format `poll`, the read side of the Durable Streams protocol: requests that are answered at
// once with what their client has missed, and those that wait for a message. A request has a place
// in the store like a stream, so that nothing is lost between what the log has and what comes next.

import { type Clock, togetherMs } from '../core/clock.ts'
import { cursorText } from '../core/cursor.ts'
import { clockLimits } from '../core/limits.ts'
import { longPollLimits } from '../core/poll-limits.ts'
import type { Exchange } from '../http/exchange.ts'
import { closingReply, type Reply } from '../http/response.ts'
import type { StreamStore } from '../hub/store.ts'
import type {
  BegunStream,
  StreamBeginning,
  StreamFrom,
  StreamKind,
  StreamRegistry,
  StreamTerms,
  Wire,
} from '../hub/stream.ts'
import type { CollapsingCursor } from './collapsing-cursor.ts'
import type { CorsHeaders } from './cors.ts'
import { jsonLines } from './json-lines.ts'
import {
  gapReply,
  lastIdOf,
  nothingReply,
  type PollPage,
  pageReply,
  stoppingReply,
  tailReply,
} from './poll-reply.ts'
import type { PollRequest } from './poll-request.ts'
import { NO_BYTES } from './transport.ts'

export interface PollsOptions {
  readonly store: StreamStore
  readonly registry: StreamRegistry
  readonly collapsing: CollapsingCursor
  readonly clock: Clock
}

/** A request to be answered. */
export interface PollToAnswer {
  readonly request: PollRequest
  readonly terms: StreamTerms
  readonly cors: CorsHeaders | null
}

/** A request that is not answered yet. */
interface Poll extends PollToAnswer {
  readonly exchange: Exchange
  /** By the clock, from when on it waits no longer. */
  readonly untilMs: number
  /** Where its client is in the log, once that is known. */
  next: string | null
  /** Messages of this turn of the loop, as JSON lines, and their bytes; null for none. */
  lines: Uint8Array[] | null
  bytes: number
}

/** In the query, an offset is where a page begins. */
export function fromOf({ offset }: PollRequest): StreamFrom {
  if (offset === 'now') return 'live'
  return { page: offset === 'oldest' ? null : offset }
}

export class Polls implements Wire {
  readonly #options: PollsOptions
  readonly #kind: StreamKind
  /** By slot; bounded by the streams that there is room for. */
  readonly #waiting = new Map<number, Poll>()
  /** Slots of those that got messages in this turn. */
  #due: number[] = []
  /** Those that were answered with more than their sockets took at once. */
  readonly #unsent = new Set<Exchange>()
  /** Runs while there are some of them, or requests wait. */
  #timer: Timer | null = null

  constructor(options: PollsOptions) {
    this.#options = options
    this.#kind = {
      wire: this,
      input: null,
      hasCursor: true,
      tellsGaps: false,
      opening: () => NO_BYTES,
      begin: (slot, beginning) => this.#begin(slot, beginning),
      encode: (frame) => jsonLines.encode(frame, false),
      // It waits less long than proxies do.
      heartbeat: NO_BYTES,
      ending: () => NO_BYTES,
    }
  }

  /** Requests that wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Answers a request that was admitted, now or later. */
  open(user: number, exchange: Exchange, poll: PollToAnswer): void {
    const { store, registry, clock } = this.#options
    const slot = store.reserve(user, poll.terms)
    store.connect(slot, this.#kind)
    const untilMs = clock.elapsedMs() + poll.request.waitMs
    this.#waiting.set(slot, { ...poll, exchange, untilMs, next: null, lines: null, bytes: 0 })
    exchange.onWake = () => {
      if (exchange.isInputOver) this.end(slot)
    }
    registry.register(slot, exchange.method === 'HEAD' ? 'live' : fromOf(poll.request))
  }

  #begin(slot: number, beginning: StreamBeginning): BegunStream {
    const poll = this.#waiting.get(slot)
    if (poll === undefined) throw new Error(`slot ${slot} has no request to be answered`)
    let reply = this.#replyTo(poll, beginning)
    // It sends no more, as one that has left: it is not waited for.
    if (reply === null && poll.exchange.isInputOver) reply = closingReply(this.#nothing(poll))
    if (reply === null) this.#lookLater()
    else this.#answer(slot, poll, reply)
    return { bytes: NO_BYTES, isOver: reply !== null }
  }

  /** Null if it is to wait. */
  #replyTo(poll: Poll, { start, missed, upTo, isAll }: StreamBeginning): Reply | null {
    const { request, exchange } = poll
    if (exchange.method === 'HEAD') return tailReply(start)
    const gap = gapReply(start)
    if (gap !== null) return gap
    poll.next = cursorText(upTo)
    if (request.live !== 'no' && missed.length === 0 && isAll) return null
    const lines = missed.map((frame) => jsonLines.encode(frame, false))
    return this.#pageOf(poll, { lines: Buffer.concat(lines), next: poll.next, isUpToDate: isAll })
  }

  #pageOf(poll: Poll, page: Omit<PollPage, 'collapsing'>): Reply {
    const { request, exchange } = poll
    const collapsing = this.#collapsingOf(request)
    const noneMatch = request.offset === 'now' ? null : exchange.header('if-none-match')
    return pageReply({ ...page, collapsing }, { isTagged: request.offset !== 'now', noneMatch })
  }

  /** A reader that does not wait needs none. */
  #collapsingOf({ live, collapsing }: PollRequest): number | null {
    return live === 'no' ? null : this.#options.collapsing.above(collapsing)
  }

  #answer(slot: number, { exchange, cors }: Poll, reply: Reply): void {
    this.#waiting.delete(slot)
    exchange.onWake = null
    const answer = { ...reply, headers: { ...reply.headers, ...cors } }
    if (exchange.method === 'HEAD') exchange.replyHead(answer)
    else exchange.reply(answer)
    if (exchange.unsentBytes === 0) return
    this.#unsent.add(exchange)
    this.#options.store.answerBytes += exchange.unsentBytes
    this.#lookLater()
  }

  /** Takes the messages of this turn. Hot path: once a delivery. */
  write(slot: number, bytes: Uint8Array, length: number): number {
    const poll = this.#waiting.get(slot)
    if (poll === undefined) return -1
    if (length === 0) return 0
    // The client has the rest with its next request.
    if (poll.bytes > longPollLimits.answerBytesMax) return -1
    if (poll.lines === null) this.#answerSoon(slot)
    poll.lines ??= []
    poll.lines.push(bytes.slice(0, length))
    poll.bytes += length
    return length
  }

  /** Once the store has written all of this turn. */
  #answerSoon(slot: number): void {
    this.#due.push(slot)
    if (this.#due.length === 1) queueMicrotask(() => this.#answerDue())
  }

  #answerDue(): void {
    const due = this.#due
    this.#due = []
    for (const slot of due) this.#answerWithMessages(slot)
  }

  #answerWithMessages(slot: number): void {
    const poll = this.#waiting.get(slot)
    // Its client has left.
    if (poll === undefined || poll.lines === null) return
    this.#answer(slot, poll, this.#messagesOf(poll, poll.lines))
    this.#options.store.onClose(slot, 'answered')
  }

  #messagesOf(poll: Poll, parts: readonly Uint8Array[]): Reply {
    const lines = Buffer.concat(parts)
    const isUpToDate = poll.bytes <= longPollLimits.answerBytesMax
    return this.#pageOf(poll, { lines, next: lastIdOf(lines), isUpToDate })
  }

  /** Never called: no stream of this wire reads what its client sends. */
  halfClose(): void {
    // Empty.
  }

  /** A client that has left, a stop of the server, or another end. */
  end(slot: number): void {
    const poll = this.#waiting.get(slot)
    if (poll !== undefined) {
      const { lines } = poll
      const reply = lines === null ? this.#nothing(poll) : this.#messagesOf(poll, lines)
      // On the same connection its client would come back to a server that stops.
      this.#answer(slot, poll, closingReply(reply))
    }
    this.#options.store.onClose(slot)
  }

  #nothing({ next, request }: Poll): Reply {
    if (next === null) return stoppingReply()
    return nothingReply({ next, isUpToDate: true, collapsing: this.#collapsingOf(request) })
  }

  cut(slot: number): void {
    this.end(slot)
  }

  /** Of Bun's socket, which the exchange has. */
  descriptorOf(): number {
    return 0
  }

  onEnding(): void {
    // Empty.
  }

  #lookLater(): void {
    const { lookEveryMs } = longPollLimits
    const ms = togetherMs(this.#options.clock, lookEveryMs, clockLimits.gridMs)
    this.#timer ??= setTimeout(() => this.#look(), ms)
  }

  /** Answers those that have waited long enough. */
  #look(): void {
    this.#timer = null
    const nowMs = this.#options.clock.elapsedMs()
    for (const [slot, poll] of this.#waiting) {
      // One that has not begun is answered when it does.
      if (poll.untilMs > nowMs || poll.next === null || poll.lines !== null) continue
      this.#answer(slot, poll, this.#nothing(poll))
      this.#options.store.onClose(slot, 'answered')
    }
    this.#lookAtUnsent()
    if (this.#waiting.size > 0 || this.#unsent.size > 0) this.#lookLater()
  }

  /** How much room there is for others, now that clients have read some. */
  #lookAtUnsent(): void {
    let bytes = 0
    for (const exchange of this.#unsent) {
      if (exchange.unsentBytes === 0) this.#unsent.delete(exchange)
      bytes += exchange.unsentBytes
    }
    this.#options.store.answerBytes = bytes
  }
}
