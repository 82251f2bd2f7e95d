// When frames are sent to a worker: at once while there is little to do, in batches when there is
// much, so that each wake-up of a process delivers more of them.

import type { Clock } from '../core/clock.ts'
import { workerLimits } from '../core/limits.ts'
import type { RecordWriter } from './records.ts'

/** What is needed of the link to a worker. */
export interface WorkerLink {
  readonly out: RecordWriter
  flushSoon(): void
}

/** What is on its way to one worker. */
export abstract class Batch {
  link: WorkerLink | null = null
  /** Frames that it was sent, or is to be sent, and that it has not answered for. */
  abstract readonly unacked: number
  /**
   * Has it been sent frames that it has not answered for? Then others wait for its answer, as small
   * segments wait in TCP (Nagle, RFC 896): a worker that is idle gets each frame at once, and the
   * busier it is the more of them it gets at a time.
   */
  isBusy = false
  /** Does it wait for the timer? */
  isWaiting = false
  /** When it was last sent something. */
  sentMs = Number.NEGATIVE_INFINITY
}

export class Gathering {
  readonly #clock: Clock
  readonly #sharesCores: boolean
  /** Batches that wait for the timer. */
  #waiting: Batch[] = []
  #countedFromMs = 0
  #counted = 0
  /** Milliseconds between two frames to the same worker, by the rate that was counted last. */
  #gatherMs = 0

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

  /** The worker has answered for frames. */
  answered(batch: Batch): void {
    batch.isBusy = false
    if (batch.unacked > 0) this.#sendOrWait(batch)
  }

  /**
   * When there is much to do, a worker is woken once in a while and not sooner. Each has its own
   * while, so that they do not all wake at the same moment and queue up for the cores.
   */
  #sendOrWait(batch: Batch): void {
    if (batch.isWaiting) return
    const nowMs = this.#clock.elapsedMs()
    this.#count(nowMs)
    if (this.#isDue(batch, nowMs)) {
      send(batch, nowMs)
      return
    }
    batch.isWaiting = true
    this.#waiting.push(batch)
    if (this.#waiting.length === 1) this.#lookSoon()
  }

  /** One timer for all workers. */
  #lookSoon(): void {
    setTimeout(() => {
      const nowMs = this.#clock.elapsedMs()
      const waiting = this.#waiting
      this.#waiting = waiting.filter((batch) => !this.#isDue(batch, nowMs))
      for (const batch of waiting) {
        if (!this.#isDue(batch, nowMs)) continue
        batch.isWaiting = false
        // They may have crossed with something else, and been answered for: it would never answer.
        if (batch.unacked > 0) send(batch, nowMs)
      }
      if (this.#waiting.length > 0) this.#lookSoon()
    }, workerLimits.gatherCheckMs)
  }

  #isDue(batch: Batch, nowMs: number): boolean {
    return nowMs - batch.sentMs >= this.#gatherMs
  }

  /** Waking workers is to cost about the same however many frames there are. */
  #count(nowMs: number): void {
    const { gatherMeasuredMs, gatherFromPerMs, gatherMsEach, gatherMsMax } = workerLimits
    const elapsedMs = nowMs - this.#countedFromMs
    if (elapsedMs < gatherMeasuredMs) return
    const perMs = this.#counted / elapsedMs
    const gathers = this.#sharesCores && perMs > gatherFromPerMs
    this.#gatherMs = gathers ? Math.min(gatherMsMax, perMs * gatherMsEach) : 0
    this.#countedFromMs = nowMs
    this.#counted = 0
  }
}

function send(batch: Batch, nowMs: number): void {
  batch.isBusy = true
  batch.sentMs = nowMs
  batch.link?.flushSoon()
}
