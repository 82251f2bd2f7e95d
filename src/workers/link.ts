// One end of the socket pair between parent and worker: gathers the records of one turn of the
// loop, sends them with one system call and keeps what the socket does not take; matches replies to
// requests.

import type { Socket } from 'bun'
import { type Clock, systemClock } from '../core/clock.ts'
import { workerLimits } from '../core/limits.ts'
import { overDescriptor } from '../os/bun-socket.ts'
import { type RecordBytes, RecordReader, RecordWriter } from './records.ts'

export interface LinkOwner {
  onRecord(record: RecordBytes): void
  /** All records that have arrived were passed on. */
  afterRecords?(): void
  /** The other end is gone. */
  onClose(): void
  /** This turn of the loop is over: what its owner has gathered can still be written. */
  beforeFlush?(): void
  /** The socket has taken all that was written, at the end of a turn or once it had room. */
  onSent?(): void
}

/** Kinds of records from 1 on are the owner's. */
const REPLY = 0

/** A request without a reply so far. */
interface PendingRequest {
  readonly sentMs: number
  /** Null once it has timed out. */
  resolve: ((reply: unknown) => void) | null
  readonly onLate: ((reply: unknown) => void) | null
}

export interface LinkOptions {
  /** Milliseconds that a request waits for its reply. */
  readonly requestMsMax: number
  readonly clock?: Clock
}

export class Link {
  readonly out = new RecordWriter()
  /** Requests that wait for their reply. */
  waiting = 0
  readonly #owner: LinkOwner
  readonly #requestMsMax: number
  readonly #clock: Clock
  /** By number, the oldest first; those that have timed out stay until their reply comes. */
  readonly #requests = new Map<number, PendingRequest>()
  #requested = 0
  /** Runs at the time limit of the oldest that waits. */
  #timer: Timer | null = null
  #socket: Socket<undefined> | null = null
  #isFlushDue = false
  /** The socket is full, and says when it is no longer. */
  #isFull = false
  #closed = false

  private constructor(owner: LinkOwner, { requestMsMax, clock = systemClock }: LinkOptions) {
    this.#owner = owner
    this.#requestMsMax = requestMsMax
    this.#clock = clock
  }

  /** Takes over an open socket; from then on the descriptor is the link's. */
  static async open(descriptor: number, owner: LinkOwner, options: LinkOptions): Promise<Link> {
    const link = new Link(owner, options)
    const reader = new RecordReader((record) => {
      if (record.kind === REPLY) link.#onReply(record)
      else owner.onRecord(record)
    })
    link.#socket = await Bun.connect<undefined>({
      ...overDescriptor(descriptor),
      socket: {
        data: (_, part) => {
          reader.push(part)
          owner.afterRecords?.()
        },
        drain: () => {
          link.#isFull = false
          if (link.flush()) owner.onSent?.()
        },
        close: () => link.#end(),
        error: () => link.#end(),
      },
    })
    link.flush()
    return link
  }

  /** Sends what is in `out` when this turn of the loop is over. */
  flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    setImmediate(() => {
      this.#isFlushDue = false
      this.#owner.beforeFlush?.()
      if (this.flush()) this.#owner.onSent?.()
    })
  }

  /** Writes a record of numbers and then JSON. */
  json(kind: number, value: unknown, ...numbers: number[]): void {
    this.out.begin(kind)
    for (const number of numbers) this.out.number(number)
    this.out.bytes(Buffer.from(JSON.stringify(value)))
    this.out.end()
    this.flushSoon()
  }

  /** May one more request be sent? The other end owes a bounded number of replies. */
  get takesRequests(): boolean {
    return this.#requests.size < workerLimits.requestsMax
  }

  /**
   * Sends a record of a number and JSON, which the other end is to {@link reply} to.
   *
   * @param onLate gets a reply that comes after the time limit
   * @returns the reply; undefined if it does not come in time, or the link ends before
   */
  request<Reply>(
    kind: number,
    value: unknown,
    onLate: ((reply: Reply) => void) | null = null,
  ): Promise<Reply | undefined> {
    if (!this.takesRequests || this.#closed) return Promise.resolve(undefined)
    const { promise, resolve } = Promise.withResolvers<Reply | undefined>()
    const number = this.#requested++ >>> 0
    this.#requests.set(number, {
      sentMs: this.#clock.elapsedMs(),
      // The kind says what the reply is; both ends are the same executable.
      resolve: resolve as (reply: unknown) => void,
      onLate: onLate as ((reply: unknown) => void) | null,
    })
    this.waiting++
    this.json(kind, value, number)
    this.#timer ??= setTimeout(() => this.expire(), this.#requestMsMax)
    return promise
  }

  /** Replies to the request of that number. */
  reply(request: number, value: unknown): void {
    this.json(REPLY, value, request)
  }

  #onReply(record: RecordBytes): void {
    const number = record.view.getUint32(0, true)
    const request = this.#requests.get(number)
    if (request === undefined) throw new Error(`there is no request ${number} to reply to`)
    this.#requests.delete(number)
    const reply = jsonOf<unknown>(record, 4)
    if (request.resolve !== null) this.#resolve(request, reply)
    else request.onLate?.(reply)
  }

  #resolve(request: PendingRequest, reply: unknown): void {
    const { resolve } = request
    request.resolve = null
    this.waiting--
    resolve?.(reply)
  }

  /** Ends the wait of requests that are past the time limit. */
  expire(): void {
    this.#timer = null
    const nowMs = this.#clock.elapsedMs()
    for (const request of this.#requests.values()) {
      if (request.resolve === null) continue
      const leftMs = request.sentMs + this.#requestMsMax - nowMs
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.expire(), leftMs)
        return
      }
      this.#resolve(request, undefined)
    }
  }

  /** Sends what waits, as far as the socket takes it, and ends. */
  close(): void {
    this.flush()
    this.#socket?.end()
  }

  /** Sends what is in `out` now. Answers whether the socket has taken all of it. */
  flush(): boolean {
    const socket = this.#socket
    if (this.#isFull || socket === null || this.#closed) return false
    if (this.out.length === 0) return true
    const written = socket.write(this.out.waiting())
    // A closed socket takes nothing; `close` follows by itself.
    this.out.sent(Math.max(0, written))
    this.#isFull = this.out.length > 0
    return !this.#isFull
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    for (const request of this.#requests.values()) {
      if (request.resolve !== null) this.#resolve(request, undefined)
    }
    this.#requests.clear()
    this.#owner.onClose()
  }
}

/** Reads the JSON of a record, after as many bytes of numbers. */
export function jsonOf<T>({ bytes }: RecordBytes, start = 0): T {
  return JSON.parse(new TextDecoder().decode(bytes.subarray(start))) as T
}
