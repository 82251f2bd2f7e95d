// Ids of open streams as few ranges, since a million of them go from process to process and most lie
// side by side.

/** From the first id to the last, both of them included. */
export type IdRange = readonly [first: number, last: number]

export class OpenIds {
  readonly count: number
  readonly #ranges: readonly IdRange[]
  /** How many ids lie before each range. */
  readonly #before: readonly number[]

  /** @param ranges in ascending order */
  constructor(ranges: readonly IdRange[]) {
    let count = 0
    this.#ranges = ranges
    this.#before = ranges.map(([first, last]) => {
      const before = count
      count += last - first + 1
      return before
    })
    this.count = count
  }

  has(id: number): boolean {
    const range = this.#ranges[lastAtMost(this.#ranges.length, id, (at) => this.#ranges[at]?.[0])]
    return range !== undefined && id <= range[1]
  }

  /**
   * Each id once. The first so many of them lie evenly among all, however many these are, since what
   * is wrong with one of them is often wrong with its neighbours.
   */
  *spread(): Generator<number> {
    const { count } = this
    // Steps of the golden section leave gaps of nearly the same size after any number of them.
    let step = Math.max(1, Math.round(count * 0.618))
    while (greatestCommonDivisor(step, count) > 1) step++
    for (let visited = 0, place = 0; visited < count; visited++) {
      yield this.#at(place)
      place = (place + step) % count
    }
  }

  #at(place: number): number {
    const at = lastAtMost(this.#before.length, place, (of) => this.#before[of])
    return (this.#ranges[at]?.[0] ?? 0) + place - (this.#before[at] ?? 0)
  }
}

/** The last of so many ascending values that is not above another one; -1 if all are. */
function lastAtMost(count: number, value: number, valueAt: (at: number) => number | undefined) {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((valueAt(middle) ?? 0) <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right)
}
