// The messages that a reader has missed: along the chains of what it follows, or of very many
// subjects by reading all messages since then.

import type { HistoryLimits } from '../core/history-limits.ts'
import { IntegerTable } from '../core/table.ts'
import { type Chains, EVERYONE_KEY } from './chains.ts'
import { bodyBytesOf, KIND, kindOf, WORD } from './entry.ts'
import type { EntryRing } from './entry-ring.ts'
import { FollowChanges } from './follow-changes.ts'
import type { Heads } from './heads.ts'
import type { GapReason, LogReader, Missed, MissedPage } from './message-log.ts'

/** Subjects whose heads are fetched together. */
const TOUCHED = 32
const NOTHING: Missed = { numbers: [] }
/** So few numbers are sorted by a loop in less time than by the platform. */
const SORTED_BY_LOOP_MAX = 32
/** Subjects that the stream follows for itself, from which on a set finds one faster. */
const SET_MIN = 16

/** One object serves all readers, one after the other. */
export class MissedMessages {
  readonly #ring: EntryRing
  readonly #chains: Chains
  readonly #limits: HistoryLimits
  readonly #changes: FollowChanges
  readonly #numbers: Float64Array
  #count = 0
  #bodyBytes = 0
  /** Are messages looked for that are lost, and no others taken? */
  #isSearch = false
  /** The last entry that was read in order. */
  #readTo = 0

  constructor(ring: EntryRing, chains: Chains, limits: HistoryLimits) {
    this.#ring = ring
    this.#chains = chains
    this.#limits = limits
    this.#changes = new FollowChanges(ring, chains, limits.changesMax)
    this.#numbers = new Float64Array(limits.messagesMax)
  }

  /** See {@link MessageLog.missedBy}. */
  missedBy(reader: LogReader, after: number): Missed {
    const ring = this.#ring
    if (after >= ring.next - 1) return NOTHING
    this.#restart()
    const gap = this.#changes.read(reader.user, after) ?? this.#collect(reader, after)
    return gap === null ? { numbers: this.#sorted() } : { gap }
  }

  /** See {@link MessageLog.pageFor}. */
  pageFor(reader: LogReader, after: number): MissedPage {
    const { next, oldest } = this.#ring
    if (after >= next - 1) return { numbers: [], upTo: next - 1 }
    this.#restart()
    let gap = this.#changes.read(reader.user, after)
    if (gap !== null) return { gap }
    gap = this.#collect(reader, after)
    if (gap === null) return { numbers: this.#sorted(), upTo: next - 1 }
    // There are too many, but of those that are read no more some may have been the reader's.
    if (gap === 'lost' || this.#hasLost(reader, after)) return { gap: 'lost' }
    this.#restart()
    const from = Math.max(after, oldest - 1)
    this.#scan(reader, from, Math.min(next, from + 1 + this.#limits.pageEntriesMax))
    return { numbers: this.#sorted(), upTo: this.#readTo }
  }

  #restart(): void {
    this.#count = 0
    this.#bodyBytes = 0
  }

  #hasLost(reader: LogReader, after: number): boolean {
    if (after >= this.#ring.oldest - 1) return false
    this.#isSearch = true
    const gap = this.#walkAll(reader, after)
    this.#isSearch = false
    return gap !== null
  }

  #collect(reader: LogReader, after: number): GapReason | null {
    const { length } = reader.follows
    const { next, oldest } = this.#ring
    const { scanSubjectsMin, scanRatio } = this.#limits
    const entries = next - 1 - after
    const isScanned = length >= scanSubjectsMin && entries <= length * scanRatio
    // Nothing that has left the window is newer, so that nothing can be lost.
    if (isScanned && after >= oldest - 1) return this.#scan(reader, after, next)
    return this.#walkAll(reader, after)
  }

  #walkAll({ user, follows, subjects }: LogReader, after: number): GapReason | null {
    const { about, to, everyone } = this.#chains
    const changes = this.#changes
    let gap =
      this.#walk(to, user, after) ??
      this.#walk(everyone, EVERYONE_KEY, after) ??
      this.#walk(about, user, after)
    for (let at = 0; at < subjects.length && gap === null; at++) {
      const subject = subjects[at] as number
      if (subject !== user) gap = this.#walk(about, subject, after)
    }
    const own = subjects.length >= SET_MIN ? new Set(subjects) : null
    const isOwn = (subject: number) =>
      subject === user || (own?.has(subject) ?? subjects.includes(subject))
    for (let at = 0; at < follows.length && gap === null; at++) {
      if (at % TOUCHED === 0) this.#touch(follows, at)
      const subject = follows[at] as number
      if (changes.size > 0 && changes.has(subject)) continue
      if (subjects.length > 0 && isOwn(subject)) continue
      gap = this.#walk(about, subject, after)
    }
    if (changes.size === 0) return gap
    for (const subject of changes.subjects) {
      if (gap !== null) return gap
      if (!isOwn(subject)) gap = this.#walkChanged(subject, after)
    }
    return gap
  }

  /** Has the processor fetch the heads of the next subjects at the same time. */
  #touch(follows: Uint32Array, from: number): void {
    const chains = this.#chains
    const end = Math.min(from + TOUCHED, follows.length)
    for (let at = from; at < end; at++) chains.touched ^= chains.about.touch(follows[at] as number)
  }

  /** Collects what a chain has after an entry. */
  #walk(heads: Heads, key: number, after: number): GapReason | null {
    const { next, oldest, words } = this.#ring
    let number = heads.newest(key, next)
    while (number > after) {
      if (number < oldest) return 'lost'
      const at = this.#ring.placeOf(number)
      if (!this.#take(number, at)) return this.#tooMany()
      const distance = words[at + WORD.distance] as number
      number = distance === 0 ? 0 : number - distance
    }
    return number === 0 && after < heads.floorOf(key, after, next) ? 'lost' : null
  }

  /** The same of a subject that the user did not follow all the time. */
  #walkChanged(subject: number, after: number): GapReason | null {
    const { next, oldest, words } = this.#ring
    const heads = this.#chains.about
    let number = heads.newest(subject, next)
    while (number > after) {
      const isFollowed = this.#changes.followedAt(subject, number)
      // All changes are kept, so that it was the same all the time before.
      if (number < oldest) return isFollowed ? 'lost' : null
      const at = this.#ring.placeOf(number)
      if (isFollowed && !this.#take(number, at)) return this.#tooMany()
      const distance = words[at + WORD.distance] as number
      number = distance === 0 ? 0 : number - distance
    }
    if (number > 0) return null
    const floor = heads.floorOf(subject, after, next)
    if (after >= floor) return null
    return floor >= oldest || this.#changes.followedAt(subject, floor) ? 'lost' : null
  }

  /** Reads all entries after one and before another, in order. */
  #scan({ user, follows, subjects }: LogReader, after: number, end: number): GapReason | null {
    const ring = this.#ring
    const { words } = ring
    const changes = this.#changes
    const wanted = setOf(follows, subjects)
    const { rows } = wanted
    this.#readTo = end - 1
    for (let number = after + 1; number < end; number++) {
      const at = ring.placeOf(number)
      const kind = kindOf(words[at] as number)
      const target = words[at + WORD.target] as number
      if (kind === KIND.about) {
        if (target !== user && rows[wanted.find(target)] === 0) {
          if (changes.size === 0 || !changes.has(target)) continue
          if (!changes.followedAt(target, number)) continue
        } else if (changes.size > 0 && target !== user && changes.has(target)) {
          if (!changes.followedAt(target, number) && !subjects.includes(target)) continue
        }
      } else if (kind === KIND.to ? target !== user : kind !== KIND.everyone) continue
      if (this.#take(number, at)) continue
      this.#readTo = number - 1
      return this.#tooMany()
    }
    return null
  }

  #take(number: number, at: number): boolean {
    if (this.#isSearch) return true
    if (this.#count === this.#numbers.length) return false
    this.#bodyBytes += bodyBytesOf(this.#ring, at)
    if (this.#bodyBytes > this.#limits.bodyBytesMax) return false
    this.#numbers[this.#count++] = number
    return true
  }

  #tooMany(): GapReason {
    return 'too_many'
  }

  #sorted(): readonly number[] {
    const numbers = this.#numbers.subarray(0, this.#count)
    if (numbers.length > SORTED_BY_LOOP_MAX) numbers.sort()
    else sortByLoop(numbers)
    // By a loop: `Array.from` takes longer for one than this for ten.
    const found: number[] = []
    for (let at = 0; at < numbers.length; at++) found.push(numbers[at] as number)
    return found
  }
}

function setOf(follows: Uint32Array, subjects: readonly number[]): IntegerTable {
  const count = follows.length + subjects.length
  const table = new IntegerTable({ width: 1, capacity: 2 ** Math.ceil(Math.log2(count * 2 + 1)) })
  const add = (subject: number) => {
    const row = table.find(subject)
    if (table.rows[row] === 0) table.occupy(row, subject)
  }
  for (let at = 0; at < follows.length; at++) add(follows[at] as number)
  for (const subject of subjects) add(subject)
  return table
}

/** By insertion. */
function sortByLoop(numbers: Float64Array): void {
  for (let at = 1; at < numbers.length; at++) {
    const number = numbers[at] as number
    let place = at
    for (; place > 0 && (numbers[place - 1] as number) > number; place--) {
      numbers[place] = numbers[place - 1] as number
    }
    numbers[place] = number
  }
}
