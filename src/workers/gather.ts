// When frames cross to a worker: at once while there is little to do, together with others when
// there is much, so that each waking of a process is good for more of them. What crosses is the
// relay's business.

import type { Clock } from '../core/clock.ts'
import { workerLimits } from '../core/limits.ts'
import type { RecordWriter } from './records.ts'

/** What is needed of the link to a worker. */
export interface WorkerLink {
  readonly out: RecordWriter
  flushSoon(): void
}

/** What is on its way to one worker. */
export class Batch {
  link: WorkerLink | null = null
  /**
   * Has it been sent frames that it has not answered for? Then others wait for its answer, as small
   * segments wait in TCP (Nagle, RFC 896): a worker that is idle gets each frame at once, and the
   * busier it is the more of them it gets at a time.
   */
  isBusy = false
  isWaiting = false
}

export class Gathering {
  readonly #clock: Clock
  readonly #sharesCores: boolean
  /** Batches that wait for the timer. */
  #waiting: Batch[] = []
  #countedFromMs = 0
  #counted = 0
  #isCrowded = false

  /** @param sharesCores are there more workers than cores? */
  constructor(clock: Clock, sharesCores: boolean) {
    this.#clock = clock
    this.#sharesCores = sharesCores
  }

  /** A frame has been written for the worker. Hot path: once a frame and worker. */
  written(batch: Batch): void {
    this.#counted++
    if (!batch.isBusy) this.#sendOrWait(batch)
  }

  /** The worker has answered for frames; are there others that it has not answered for? */
  answered(batch: Batch, hasMore: boolean): void {
    batch.isBusy = false
    if (hasMore) this.#sendOrWait(batch)
  }

  #sendOrWait(batch: Batch): void {
    if (batch.isWaiting) return
    if (this.#crowdedAt(this.#clock.elapsedMs())) this.#wait(batch)
    else send(batch)
  }

  /** One timer for all workers: they wake together, and so do the clients of what they send. */
  #wait(batch: Batch): void {
    batch.isWaiting = true
    this.#waiting.push(batch)
    if (this.#waiting.length === 1) setTimeout(() => this.#sendAll(), workerLimits.gatherMs)
  }

  #sendAll(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const batch of waiting) {
      batch.isWaiting = false
      send(batch)
    }
  }

  #crowdedAt(nowMs: number): boolean {
    const { gatherCountedMs, gatherFromPerSecond } = workerLimits
    const elapsedMs = nowMs - this.#countedFromMs
    if (elapsedMs >= gatherCountedMs) {
      this.#isCrowded = this.#sharesCores && this.#counted * 1000 > gatherFromPerSecond * elapsedMs
      this.#countedFromMs = nowMs
      this.#counted = 0
    }
    return this.#isCrowded
  }
}

function send(batch: Batch): void {
  batch.isBusy = true
  batch.link?.flushSoon()
}
