// Which cursors are of this log, though it has gone on under new epochs: an epoch is the branch of
// a number of entries, and numbers go on from one to the next.

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

  /** @param start before the first entry */
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

  /** The log has gone on to this number. */
  advance(number: number): void {
    this.#newest.to = number
  }

  /** Is it a cursor of this log, and the same place here as everywhere? */
  has({ epoch, number }: Cursor): boolean {
    // From the newest one on: most cursors are of it.
    for (let at = this.#spans.length - 1; at >= 0; at--) {
      const span = this.#spans[at] as Span
      if (span.epoch === epoch) return number >= span.from && number <= span.to
    }
    return false
  }

  /** Was it a cursor of this log, before a fork has cut off what was there? */
  hasCut({ epoch, number }: Cursor): boolean {
    const span = this.#spans.find((one) => one.epoch === epoch)
    return span !== undefined && span !== this.#newest && number > span.to
  }

  /** The cursor of a number of this log, as it was when the entry came. */
  cursorOf(number: number): Cursor {
    const span = this.#spans.findLast(({ from }) => from < number) ?? (this.#spans[0] as Span)
    return { epoch: span.epoch, number }
  }

  /** What comes behind this cursor, which it has, has another epoch; what came there, is none. */
  fork(base: Cursor, epoch: number): void {
    for (const span of this.#spans) span.to = Math.min(span.to, base.number)
    this.#spans = this.#spans.filter(({ from, to }) => from <= to)
    this.#spans.push(spanAt({ epoch, number: base.number }))
    if (this.#spans.length > busLimits.epochsMax) this.#spans.shift()
  }

  /**
   * An entry behind a fork is one that stood in the same place before: cursors of then are good up
   * to it.
   */
  extend({ epoch, number }: Cursor, count: number): void {
    const span = this.#spans.find((one) => one.epoch === epoch)
    if (span !== undefined && span !== this.#newest && span.to === number - 1) span.to += count
  }

  /** Nothing is known of what was before. */
  restart(at: Cursor): void {
    this.#spans = [spanAt(at)]
  }
}

function spanAt({ epoch, number }: Cursor): Span {
  return { epoch, from: number, to: number }
}
