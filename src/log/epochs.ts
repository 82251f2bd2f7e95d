// Which cursors belong to this log, which may have continued under new epochs. An epoch names one
// branch; the numbers of entries continue from one epoch to the next.

import { busLimits } from '../core/bus-limits.ts'
import type { Cursor } from '../core/cursor.ts'

/** An epoch, and the numbers that its cursors may have. */
interface Span {
  readonly epoch: number
  readonly from: number
  to: number
}

export class Epochs {
  /** The oldest first; never empty. */
  #spans: Span[]

  /** @param start the place before the first entry */
  constructor(start: Cursor) {
    this.#spans = [spanAt(start)]
  }

  get #newest(): Span {
    return this.#spans.at(-1) as Span
  }

  get last(): Cursor {
    const { epoch, to } = this.#newest
    return { epoch, number: to }
  }

  get size(): number {
    return this.#spans.length
  }

  /** Called when the log has an entry of this number. */
  advance(number: number): void {
    this.#newest.to = number
  }

  /** Is it a cursor of this log, with the same entries before it here as on all nodes? */
  has({ epoch, number }: Cursor): boolean {
    // From the newest to the oldest: most cursors are of the newest.
    for (let at = this.#spans.length - 1; at >= 0; at--) {
      const span = this.#spans[at] as Span
      if (span.epoch === epoch) return number >= span.from && number <= span.to
    }
    return false
  }

  /** Was it a cursor of this log whose entry was lost at a fork, and not added again there? */
  hasCut({ epoch, number }: Cursor): boolean {
    const span = this.#spans.find((one) => one.epoch === epoch)
    return span !== undefined && span !== this.#newest && number > span.to
  }

  /** The cursor of a number of this log, with the epoch in which the entry was added. */
  cursorOf(number: number): Cursor {
    const span = this.#spans.findLast(({ from }) => from < number) ?? (this.#spans[0] as Span)
    return { epoch: span.epoch, number }
  }

  /** Continues under another epoch after a cursor of this log; entries after it no longer count. */
  fork(base: Cursor, epoch: number): void {
    for (const span of this.#spans) span.to = Math.min(span.to, base.number)
    this.#spans = this.#spans.filter(({ from, to }) => from <= to)
    this.#spans.push(spanAt({ epoch, number: base.number }))
    if (this.#spans.length > busLimits.epochsMax) this.#spans.shift()
  }

  /**
   * Called when an entry after a fork had the same place before: earlier cursors are valid up to
   * it.
   */
  extend({ epoch, number }: Cursor, count: number): void {
    const span = this.#spans.find((one) => one.epoch === epoch)
    if (span !== undefined && span !== this.#newest && span.to === number - 1) span.to += count
  }

  /** Forgets all epochs and begins at this place. */
  restart(at: Cursor): void {
    this.#spans = [spanAt(at)]
  }
}

function spanAt({ epoch, number }: Cursor): Span {
  return { epoch, from: number, to: number }
}
