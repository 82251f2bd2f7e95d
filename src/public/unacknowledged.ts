// Counts what is lost in the kernel with streams that are cut because their clients read too
// slowly. Bun does not expose the descriptor of a stream, and nothing can be kept for each. So all
// connections that are full are looked at before a cut, and those that are closed after it are the
// ones.

import type { Clock } from '../core/clock.ts'
import { cutLimits } from '../core/limits.ts'
import type { SendQueues } from '../os/sockets.ts'

export interface UnacknowledgedOptions {
  /** Null on a system where the kernel cannot be asked. */
  readonly queues: SendQueues | null
  /** No descriptor above it is in use. */
  readonly lastDescriptor: () => number
  readonly clock: Clock
}

export class Unacknowledged {
  /**
   * Bytes of cut streams that the kernel had taken and the client's machine had not acknowledged.
   */
  bytes = 0
  /** Cut streams whose bytes are not known. */
  unmeasured = 0
  readonly #options: UnacknowledgedOptions
  /**
   * Connections that were full before the cuts that are under way, or else before the last ones,
   * and their bytes then, by descriptor.
   */
  #full: Map<number, number> = new Map()
  /** Streams cut whose connections may still be open. */
  #cuts = 0
  /** Microtasks until these are closed. */
  #microtasks = 0
  /** No look at all descriptors before it. */
  #nextMs = 0

  constructor(options: UnacknowledgedOptions) {
    this.#options = options
  }

  /**
   * A stream is about to be cut, in this turn of the loop. One look serves all of the same turn.
   */
  beforeCut(): void {
    const { queues } = this.#options
    if (queues === null) {
      this.unmeasured++
      return
    }
    this.#cuts++
    this.#microtasks = cutLimits.closeMicrotasks
    if (this.#cuts > 1) return
    this.#full = this.#look(queues)
    this.#settleSoon(queues)
  }

  #look(queues: SendQueues): Map<number, number> {
    const { lastDescriptor, clock } = this.#options
    const startMs = clock.elapsedMs()
    if (startMs < this.#nextMs) return this.#lookAgain(queues)
    const full = queues.full(Math.min(lastDescriptor() + 1, cutLimits.descriptorsMax))
    const nowMs = clock.elapsedMs()
    this.#nextMs = nowMs + (nowMs - startMs) * cutLimits.restRatio
    return full
  }

  /** Clients that are equally slow are cut one soon after the other. */
  #lookAgain(queues: SendQueues): Map<number, number> {
    const full = new Map<number, number>()
    for (const descriptor of this.#full.keys().take(cutLimits.recheckedMax)) {
      const bytes = queues.bytes(descriptor)
      if (bytes !== null && bytes > 0) full.set(descriptor, bytes)
    }
    return full
  }

  /**
   * Bun closes a connection in a microtask. No other is accepted before all microtasks are done, so
   * none can have got its descriptor.
   */
  #settleSoon(queues: SendQueues): void {
    queueMicrotask(() => {
      this.#microtasks--
      if (this.#microtasks > 0) this.#settleSoon(queues)
      else this.#settle(queues)
    })
  }

  #settle(queues: SendQueues): void {
    for (const [descriptor, bytes] of this.#full) {
      if (queues.bytes(descriptor) !== null) continue
      this.#full.delete(descriptor)
      this.bytes += bytes
      this.#cuts--
    }
    this.unmeasured += Math.max(0, this.#cuts)
    this.#cuts = 0
  }
}
