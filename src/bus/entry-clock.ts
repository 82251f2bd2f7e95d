// The time of the log, by the clock of Redis: that of the last entry read, and how old entries are.

import type { Clock } from '../core/clock.ts'
import { EntryAges } from '../hub/entry-ages.ts'

/** Lets keys expire at the same entry on all nodes. */
export class EntryClock implements Clock {
  seconds = 0
  /** Null before the first entry of the window. */
  #ages: EntryAges | null = null

  nowMs(): number {
    return this.seconds * 1_000
  }

  elapsedMs(): number {
    return this.nowMs()
  }

  /** An entry was read. Hot path: once a batch. */
  onEntry(number: number, seconds: number): void {
    this.seconds = seconds
    if (this.#ages === null) this.#ages = new EntryAges(number - 1, this.nowMs())
    else this.#ages.note(number - 1, this.nowMs())
  }

  /** Forgets the ages: the window is empty, and its next entry may have any number. */
  restart(): void {
    this.#ages = null
  }

  /**
   * Milliseconds since an entry of the window was added; null if that is not known.
   *
   * @param nowMs of this machine, whose clock may be behind that of Redis
   */
  ageMs(number: number, nowMs: number): number | null {
    const ageMs = this.#ages?.ageMs(number, nowMs) ?? null
    return ageMs === null ? null : Math.max(0, ageMs)
  }
}
