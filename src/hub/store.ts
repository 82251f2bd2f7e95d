// The store of open streams, by user: who is connected, what waits for each, and the one policy for
// slow consumers.

import type { Clock } from '../core/clock.ts'
import { streamLimits } from '../core/limits.ts'
import type { Frame } from './frame.ts'
import { CLOSES, type CloseReason, zeroCounts } from './refusals.ts'
import type { Settings } from './settings.ts'
import { Outbox, type Stream, type StreamRegistry } from './stream.ts'

export interface StreamStoreOptions {
  readonly settings: Settings<'outboxBytes'>
  readonly clock: Clock
  /**
   * Called once for every stream that ends: the store has forgotten it, and it is not closed yet.
   */
  readonly onEnd?: (stream: Stream, reason: CloseReason) => void
}

export interface UserPresence {
  readonly connections: number
  /** When the user's oldest open stream began, in milliseconds since 1970. */
  readonly sinceMs: number | null
}

export class StreamStore implements StreamRegistry {
  /** Streams open now. */
  open = 0
  /** Streams opened since the start. */
  opened = 0
  /** Streams ended since the start, by reason. */
  readonly closed = zeroCounts(CLOSES)
  /** Bytes that wait in the outboxes of all streams together. */
  queuedBytes = 0
  /**
   * Frames that were handed over and still waited when their stream ended. Not those that the
   * kernel had taken and not delivered, of which only the bytes can be known.
   */
  undelivered = 0

  readonly #first = new Map<number, Stream>()
  readonly #options: StreamStoreOptions

  constructor(options: StreamStoreOptions) {
    this.#options = options
  }

  /** Users with at least one open stream. */
  get users(): number {
    return this.#first.size
  }

  /** Every stream of this process is known at once to the router that is in it too. */
  register(user: number, stream: Stream): void {
    stream.welcome()
    this.add(user, stream)
  }

  /** Takes a stream in and answers it; from now on it gets what is for this user. Once a stream. */
  add(user: number, stream: Stream): Stream {
    stream.user = user
    stream.openedAtMs = this.#options.clock.nowMs()
    stream.state = 'open'
    const first = this.#first.get(user)
    if (first !== undefined) {
      stream.next = first
      first.previous = stream
    }
    this.#first.set(user, stream)
    this.open++
    this.opened++
    return stream
  }

  /**
   * Hands a frame to every stream of a user. Hot path: once a receiver.
   *
   * @returns how many connections took it
   */
  deliver(user: number, frame: Frame): number {
    let delivered = 0
    let stream = this.#first.get(user) ?? null
    while (stream !== null) {
      if (stream.state === 'open' && this.#write(stream, frame)) delivered++
      // A stream that has just ended still knows who came after it.
      stream = stream.next
    }
    return delivered
  }

  /** The stream has sent the frame that it had queued: what waits behind it is next. */
  onFlushed(stream: Stream): void {
    const { outbox } = stream
    // The stream may have ended while the frame was on its way.
    if (outbox === null) return
    this.queuedBytes -= outbox.shift()
    for (let frame = outbox.first(); frame !== undefined; frame = outbox.first()) {
      const result = stream.write(frame)
      if (result === 'queued') return
      if (result === 'gone') {
        this.#remove(stream, 'client')
        return
      }
      this.queuedBytes -= outbox.shift()
    }
    stream.outbox = null
  }

  /** The client has gone away; nothing is left to close. */
  onClose(stream: Stream): void {
    this.#remove(stream, 'client')
  }

  /**
   * Ends up to `count` streams in their proper way, in no particular order.
   *
   * @returns how many were ended; less than `count` means that none is left
   */
  drain(count: number): number {
    let ended = 0
    while (ended < count) {
      const [stream] = this.#first.values()
      if (stream === undefined) break
      this.#end(stream, 'drained')
      ended++
    }
    return ended
  }

  presence(user: number): UserPresence {
    let connections = 0
    let sinceMs: number | null = null
    for (let stream = this.#first.get(user) ?? null; stream !== null; stream = stream.next) {
      connections++
      if (sinceMs === null || stream.openedAtMs < sinceMs) sinceMs = stream.openedAtMs
    }
    return { connections, sinceMs }
  }

  #write(stream: Stream, frame: Frame): boolean {
    if (stream.outbox !== null) return this.#wait(stream, stream.outbox, frame)
    const result = stream.write(frame)
    if (result === 'sent') return true
    if (result === 'gone') {
      this.#remove(stream, 'client')
      return false
    }
    stream.outbox = new Outbox()
    this.#push(stream.outbox, frame)
    return true
  }

  /**
   * The slow-consumer policy, all of it: a frame waits as long as the outbox has room for it, and
   * then the stream ends. No other stream waits, nothing grows, and the client may reconnect.
   */
  #wait(stream: Stream, outbox: Outbox, frame: Frame): boolean {
    const isFull =
      outbox.bytes + frame.bytes.length > this.#options.settings.current.outboxBytes ||
      outbox.frames >= streamLimits.outboxFramesMax
    if (isFull) this.#end(stream, 'slow')
    else this.#push(outbox, frame)
    return !isFull
  }

  #push(outbox: Outbox, frame: Frame): void {
    outbox.push(frame)
    this.queuedBytes += frame.bytes.length
  }

  #end(stream: Stream, reason: CloseReason): void {
    const { outbox } = stream
    this.#remove(stream, reason)
    if (reason === 'drained' && outbox !== null) sendRest(stream, outbox)
    stream.close(reason)
  }

  #remove(stream: Stream, reason: CloseReason): void {
    if (stream.state !== 'open') return
    stream.state = reason
    const { previous, next } = stream
    if (next !== null) next.previous = previous
    if (previous !== null) previous.next = next
    else if (next !== null) this.#first.set(stream.user, next)
    else this.#first.delete(stream.user)
    // `next` stays as it is, for a delivery that is on its way along the chain.
    stream.previous = null
    if (stream.outbox !== null) {
      this.queuedBytes -= stream.outbox.bytes
      // A drained stream still sends what waits; with the others it is lost, and counted.
      if (reason !== 'drained') this.undelivered += stream.outbox.frames
      stream.outbox = null
    }
    this.open--
    this.closed[reason]++
    this.#options.onEnd?.(stream, reason)
  }
}

/** Hands over all that waits behind the first frame, however full the socket is: it is the last. */
function sendRest(stream: Stream, outbox: Outbox): void {
  outbox.shift()
  for (let frame = outbox.first(); frame !== undefined; frame = outbox.first()) {
    if (stream.write(frame) === 'gone') return
    outbox.shift()
  }
}
