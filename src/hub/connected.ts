// Who is connected: what is asked of the store's streams beside delivering to them.

import type { Clock } from '../core/clock.ts'
import type { StreamSubjects } from './stream-subjects.ts'
import type { StreamTable, UserPresence } from './stream-table.ts'

export interface ConnectedParts {
  readonly table: StreamTable
  readonly subjects: StreamSubjects
  readonly clock: Clock
  /** Forgets the clients that have left by now. */
  readonly refresh: () => void
}

export class Connected {
  readonly #table: StreamTable
  readonly #subjects: StreamSubjects
  readonly #clock: Clock
  readonly #refresh: () => void

  constructor({ table, subjects, clock, refresh }: ConnectedParts) {
    this.#table = table
    this.#subjects = subjects
    this.#clock = clock
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

  /** The slots of open streams behind this one, in order, `countMax` at most. */
  slotsBehind(slot: number, countMax: number): number[] {
    const slots: number[] = []
    let next = this.#table.nextOpen(slot)
    for (; next !== 0 && slots.length < countMax; next = this.#table.nextOpen(next)) {
      slots.push(next)
    }
    return slots
  }

  /** The slots of a user's open streams. */
  slotsOf(user: number): number[] {
    return this.#table.slotsOf(user)
  }

  /** The stream is opened now, unless it was before. Answers when, in microseconds since 1970. */
  stamp(slot: number): number {
    return this.#table.stamp(slot, this.#clock.nowMs())
  }

  /** When the stream of a slot was opened, in microseconds since 1970. */
  openedAtUs(slot: number): number {
    return this.#table.openedAtUs[slot] as number
  }

  /** Has the user a stream that is open, as far as it is known? */
  isOnline(user: number): boolean {
    return this.#table.firstOf(user) !== 0
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
