// Who is connected: what is asked of the store's streams beside delivering to them.

import type { StreamSubjects } from './stream-subjects.ts'
import type { StreamTable, UserPresence } from './stream-table.ts'

export class Connected {
  readonly #table: StreamTable
  readonly #subjects: StreamSubjects
  readonly #refresh: () => void

  /** @param refresh forgets the clients that have left by now */
  constructor(table: StreamTable, subjects: StreamSubjects, refresh: () => void) {
    this.#table = table
    this.#subjects = subjects
    this.#refresh = refresh
  }

  /** Users with at least one open stream. */
  get users(): number {
    return this.#table.users
  }

  presence(user: number): UserPresence {
    this.#refresh()
    return this.#table.presence(user)
  }

  /** Users with open streams and ids above `after`, in order. */
  usersAfter(after: number, count: number): Uint32Array {
    this.#refresh()
    return this.#table.usersAfter(after, count)
  }

  /** The slots of a user's open streams. */
  slotsOf(user: number): number[] {
    return this.#table.slotsOf(user)
  }

  /** Has the user a stream that is open, or does a stream follow the subject for itself? */
  isReached(subject: number): boolean {
    return this.#table.firstOf(subject) !== 0 || this.#subjects.firstOf(subject) !== 0
  }

  /**
   * How many open streams get a message about a subject.
   *
   * @param users the subject itself, and who follows it
   */
  audienceOf(subject: number, users: Iterable<number>): number {
    this.#refresh()
    const slots = new Set<number>()
    const subjects = this.#subjects
    for (let entry = subjects.firstOf(subject); entry !== 0; entry = subjects.next(entry)) {
      const slot = subjects.slotOf(entry)
      if (this.#table.isOpen(slot)) slots.add(slot)
    }
    for (const user of users) for (const slot of this.#table.slotsOf(user)) slots.add(slot)
    return slots.size
  }
}
