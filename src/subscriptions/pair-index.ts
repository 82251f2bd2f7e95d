// One direction of pairs in memory, from keys to their values: a compact base in typed arrays, and
// an overlay of the keys that have changed since. Followers by subject, or subjects by follower.

import type { Steps } from '../core/steps.ts'
import { type SavedSlots, UserSlots } from './user-slots.ts'

const NONE = new Uint32Array(0)
/** Pairs of one step that builds a base, which takes up to 20 ms. */
const PAIRS_PER_STEP = 500_000

/** Pairs by key. */
export interface PairLists {
  /** Each once, in ascending order. */
  readonly keys: Uint32Array
  /** Where the values of each key begin, and in the end where those of the last one end. */
  readonly starts: Uint32Array
  /** Those of one key after those of the other. */
  readonly values: Uint32Array
}

interface Base {
  readonly slots: UserSlots
  /** Where in `values` those of each slot begin; those of the next one begin where they end. */
  readonly starts: Uint32Array
  readonly values: Uint32Array
}

/** A base, to be kept in a file. */
export interface SavedPairs {
  readonly slots: SavedSlots
  readonly starts: Uint32Array
  readonly values: Uint32Array
}

/** The values of one key, with room to grow. */
interface Grown {
  values: Uint32Array
  length: number
}

export class PairIndex {
  /** Keys with at least one value. */
  keys = 0
  readonly #base: Base
  /** All values of a changed key, for which the base no longer counts. */
  readonly #changed = new Map<number, Grown>()

  private constructor(base: Base) {
    this.#base = base
    const { starts } = base
    for (let at = 1; at < starts.length; at++) if (starts[at] !== starts[at - 1]) this.keys++
  }

  /** Finds values by key. The index keeps the array of values. */
  static *byKey(lists: PairLists): Steps<PairIndex> {
    return new PairIndex(yield* baseByKey(lists))
  }

  /** Finds keys by value, which are called the other way round from then on. */
  static *byValue(lists: PairLists): Steps<PairIndex> {
    return new PairIndex(yield* baseByValue(lists))
  }

  /** The same index as the one that was saved, whose arrays it keeps. */
  static restored({ slots, starts, values }: SavedPairs): PairIndex {
    return new PairIndex({ slots: UserSlots.restored(slots), starts, values })
  }

  /** A view of the base, which is all of it while nothing has changed. */
  saved(): SavedPairs {
    const { slots, starts, values } = this.#base
    return { slots: slots.saved(), starts, values }
  }

  /**
   * All of it, from which the same index can be made.
   *
   * @param pairs how many there are
   */
  lists(pairs: number): PairLists {
    const keys = this.#allKeys()
    const starts = new Uint32Array(keys.length + 1)
    const values = new Uint32Array(pairs)
    let end = 0
    for (let at = 0; at < keys.length; at++) {
      const some = this.valuesOf(keys[at] as number)
      values.set(some, end)
      end += some.length
      starts[at + 1] = end
    }
    return { keys, starts, values }
  }

  /** Those with at least one value, in ascending order. */
  #allKeys(): Uint32Array {
    const keys = new Uint32Array(this.keys)
    let length = 0
    for (const user of this.#base.slots.users()) {
      if (user === 0 || this.#changed.has(user)) continue
      if (this.#valuesInBase(user).length > 0) keys[length++] = user
    }
    for (const [user, grown] of this.#changed) if (grown.length > 0) keys[length++] = user
    return keys.sort()
  }

  /** Keys that are in the overlay, of which each takes memory. */
  get changed(): number {
    return this.#changed.size
  }

  /** Bytes of the base. */
  get baseBytes(): number {
    const { slots, starts, values } = this.#base
    return slots.memoryBytes + starts.byteLength + values.byteLength
  }

  /** Each value once, in any order: a view, to be read at once. Hot path: once a message. */
  valuesOf(key: number): Uint32Array {
    if (this.#changed.size > 0) {
      const grown = this.#changed.get(key)
      if (grown !== undefined) return grown.values.subarray(0, grown.length)
    }
    return this.#valuesInBase(key)
  }

  /** Adds a pair that is new. */
  add(key: number, value: number): void {
    const grown = this.#grownOf(key)
    if (grown.length === grown.values.length) {
      const larger = new Uint32Array(Math.max(4, grown.length * 2))
      larger.set(grown.values)
      grown.values = larger
    }
    if (grown.length === 0) this.keys++
    grown.values[grown.length++] = value
  }

  /** Removes a pair that exists. The last value takes the place of the removed one. */
  remove(key: number, value: number): void {
    const grown = this.#grownOf(key)
    const where = grown.values.subarray(0, grown.length).indexOf(value)
    if (where < 0) throw new Error(`${value} is not with ${key} in memory`)
    grown.length--
    grown.values[where] = grown.values[grown.length] as number
    if (grown.length > 0) return
    this.keys--
    // Else a key that was there once would take memory for ever.
    if (this.#valuesInBase(key).length === 0) this.#changed.delete(key)
  }

  #valuesInBase(key: number): Uint32Array {
    const { slots, starts, values } = this.#base
    const slot = slots.slotOf(key)
    const start = starts[slot] as number
    const end = starts[slot + 1] as number
    return start === end ? NONE : values.subarray(start, end)
  }

  #grownOf(key: number): Grown {
    const known = this.#changed.get(key)
    if (known !== undefined) return known
    // A copy, since the base is never written to.
    const values = this.#valuesInBase(key).slice()
    const grown = { values, length: values.length }
    this.#changed.set(key, grown)
    return grown
  }
}

function* baseByKey({ keys, starts: from, values }: PairLists): Steps<Base> {
  const slots = yield* UserSlots.steps(keys, values.length)
  const starts = new Uint32Array(slots.length + 1)
  // Slots are in the order of the keys, as the values are.
  for (let at = 0; at < keys.length; at++) {
    const length = (from[at + 1] as number) - (from[at] as number)
    starts[slots.slotOf(keys[at] as number) + 1] = length
  }
  addUp(starts)
  return { slots, starts, values }
}

/**
 * A counting sort (Knuth, The Art of Computer Programming, volume 3, section 5.2, algorithm D): no
 * object is made, and nothing is left but the result. 15 million pairs of a million users take
 * 0.4 s.
 */
function* baseByValue(lists: PairLists): Steps<Base> {
  const { keys, values } = lists
  const slots = yield* UserSlots.steps(values, values.length)
  // One place more: while the keys are put where they belong, a slot's next place is one further on
  // than its first one will be, and becomes the first one of the next slot.
  const starts = new Uint32Array(slots.length + 2)
  for (let from = 0; from < values.length; from += PAIRS_PER_STEP) {
    countValues(slots, values, from, starts)
    yield
  }
  addUp(starts)
  const sorted = new Uint32Array(values.length)
  for (let next = 0; next < keys.length; ) {
    next = placeKeys(slots, lists, next, { starts, sorted })
    yield
  }
  return { slots, starts, values: sorted }
}

function countValues(
  slots: UserSlots,
  values: Uint32Array,
  from: number,
  starts: Uint32Array,
): void {
  const to = Math.min(values.length, from + PAIRS_PER_STEP)
  for (let at = from; at < to; at++) {
    const place = slots.slotOf(values[at] as number) + 2
    starts[place] = (starts[place] as number) + 1
  }
}

/** Puts keys where they belong, from one of them on; answers which one is the next. */
function placeKeys(
  slots: UserSlots,
  { keys, starts: from, values }: PairLists,
  first: number,
  { starts, sorted }: { readonly starts: Uint32Array; readonly sorted: Uint32Array },
): number {
  const enough = (from[first] as number) + PAIRS_PER_STEP
  let of = first
  for (; of < keys.length && (from[of] as number) < enough; of++) {
    const key = keys[of] as number
    const end = from[of + 1] as number
    for (let at = from[of] as number; at < end; at++) {
      const place = slots.slotOf(values[at] as number) + 1
      const next = starts[place] as number
      sorted[next] = key
      starts[place] = next + 1
    }
  }
  return of
}

function addUp(counts: Uint32Array): void {
  let sum = 0
  for (let at = 0; at < counts.length; at++) {
    sum += counts[at] as number
    counts[at] = sum
  }
}
