// What one user followed at a time: what it follows now, and back through its changes.

import type { Chains } from './chains.ts'
import { KIND, kindOf, WORD } from './entry.ts'
import type { EntryRing } from './entry-ring.ts'
import { NOBODY } from './heads.ts'
import type { GapReason } from './message-log.ts'

interface Change {
  /** From this entry on it holds. */
  readonly number: number
  readonly follows: boolean
}

/** Reading is followed by questions; one object serves all readers, one after the other. */
export class FollowChanges {
  readonly #ring: EntryRing
  readonly #chains: Chains
  readonly #changesMax: number
  /** Of each subject that has any, the newest first. */
  readonly #changes = new Map<number, Change[]>()

  constructor(ring: EntryRing, chains: Chains, changesMax: number) {
    this.#ring = ring
    this.#chains = chains
    this.#changesMax = changesMax
  }

  /** Subjects that the user began or ceased to follow meanwhile. */
  get subjects(): Iterable<number> {
    return this.#changes.keys()
  }

  get size(): number {
    return this.#changes.size
  }

  has(subject: number): boolean {
    return this.#changes.has(subject)
  }

  /**
   * Reads the changes of a user after an entry. A barrier hides those before it: what the user
   * followed just after it counts for the time before, too.
   *
   * @returns why they are not known; null if they are
   */
  read(user: number, after: number): GapReason | null {
    if (this.#changes.size > 0) this.#changes.clear()
    const { changes, barrier } = this.#chains
    const { next, oldest, words } = this.#ring
    const from = Math.max(after, barrier)
    let count = 0
    let number = changes.newest(user, next)
    while (number > from) {
      if (number < oldest) return 'lost'
      if (++count > this.#changesMax) return 'too_many'
      const at = this.#ring.placeOf(number)
      const subject = words[at + WORD.subject] as number
      // A name that has no handle, or had none when the file was read.
      if (subject === NOBODY) return 'lost'
      this.#add(subject, { number, follows: kindOf(words[at] as number) === KIND.followed })
      const distance = words[at + WORD.distance] as number
      number = distance === 0 ? 0 : number - distance
    }
    return number === 0 && from < changes.floorOf(user, from, next) ? 'lost' : null
  }

  #add(subject: number, change: Change): void {
    const changes = this.#changes.get(subject)
    if (changes === undefined) this.#changes.set(subject, [change])
    else changes.push(change)
  }

  /** Did the user follow a subject that has changes when this entry was added? */
  followedAt(subject: number, number: number): boolean {
    const changes = this.#changes.get(subject) ?? []
    for (const change of changes) if (change.number < number) return change.follows
    return changes.at(-1)?.follows === false
  }
}
