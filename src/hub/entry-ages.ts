// How old entries of a log are: it keeps no time of each, so the last entry is noted at intervals.

const MARKS_MAX = 1_024

export class EntryAges {
  /** The last entry at some moments, in milliseconds of a clock that never goes back. */
  #marks: { readonly number: number; readonly atMs: number }[]
  /** Milliseconds between two of them. */
  #everyMs = 1_000

  constructor(last: number, nowMs: number) {
    this.#marks = [{ number: last, atMs: nowMs }]
  }

  /** Called every second or so. */
  note(last: number, nowMs: number): void {
    const newest = this.#marks.at(-1)
    if (newest !== undefined && nowMs - newest.atMs < this.#everyMs) return
    this.#marks.push({ number: last, atMs: nowMs })
    if (this.#marks.length < MARKS_MAX) return
    this.#marks = this.#marks.filter((_, at) => at % 2 === 0)
    this.#everyMs *= 2
  }

  /**
   * Milliseconds since an entry was added, to within what has passed between two notes; null for
   * one that was there at the start.
   */
  ageMs(number: number, nowMs: number): number | null {
    const before = this.#marks.findLast((mark) => mark.number < number)
    return before === undefined ? null : nowMs - before.atMs
  }
}
