// Who is connected: a table of streams in typed arrays, and for each user a chain of the user's
// streams in it. A stream takes 27 bytes here, and a user 8 and as much room again.

import { IntegerTable } from '../core/table.ts'
import { grown } from '../core/typed-array.ts'

/** What a slot holds. Those that are `open` or `full` are in the chain of their user. */
export const STATE = {
  free: 0,
  /** A stream that is not registered yet. */
  opening: 1,
  open: 2,
  /** Open, and its socket is full: what is for it waits in its outbox. */
  full: 3,
  /** The stream was drained; the rest of its bytes is sent, and then its end. */
  ending: 4,
  /** The stream has ended, and its connection is not closed yet. */
  ended: 5,
  /** The connection is closed, and something still refers to the slot. */
  closed: 6,
} as const

const FIRST_SLOTS = 1_024
/** Of the table of users; beyond it searches become long. */
const FULL_RATIO = 0.7

export interface UserPresence {
  readonly connections: number
  /** When the user's oldest open stream began, in milliseconds since 1970. */
  readonly sinceMs: number | null
}

export class StreamTable {
  /** Slots that were used, ever; they are numbered from 1 on, and 0 is none. */
  slots = 0
  /** These by slot: one of {@link STATE}, */
  state = new Uint8Array(FIRST_SLOTS)
  /** the number of its kind, */
  kind = new Uint16Array(FIRST_SLOTS)
  user = new Uint32Array(FIRST_SLOTS)
  /** when it was opened, in microseconds since 1970, which no other one has; 0 until it is said, */
  openedAtUs = new Float64Array(FIRST_SLOTS)
  /** and the next stream of the same user, or the next free slot. */
  next = new Uint32Array(FIRST_SLOTS)
  #previous = new Uint32Array(FIRST_SLOTS)
  #firstFree = 0
  /** The last time that a stream was opened. */
  #lastUs = 0
  /** A row is a user and the first slot of the user's chain. */
  readonly #users = new IntegerTable({ width: 2 })

  /** Users with at least one stream in their chain. */
  get users(): number {
    return this.#users.size
  }

  /** Slots that there is room for, and the number 0. */
  get length(): number {
    return this.state.length
  }

  /** A slot that is free no longer; the table may have grown. Hot path: once a stream. */
  reserve(user: number): number {
    let slot = this.#firstFree
    if (slot !== 0) this.#firstFree = this.next[slot] as number
    else {
      slot = ++this.slots
      if (slot >= this.length) this.#grow()
    }
    this.state[slot] = STATE.opening
    this.user[slot] = user
    this.openedAtUs[slot] = 0
    return slot
  }

  /** The stream is opened now, unless that was said before. Answers when, in microseconds. */
  stamp(slot: number, nowMs: number): number {
    if (this.openedAtUs[slot] === 0) {
      this.#lastUs = Math.max(Math.floor(nowMs * 1_000), this.#lastUs + 1)
      this.openedAtUs[slot] = this.#lastUs
    }
    return this.openedAtUs[slot] as number
  }

  #grow(): void {
    const length = this.length * 2
    this.state = grown(this.state, length)
    this.kind = grown(this.kind, length)
    this.user = grown(this.user, length)
    this.openedAtUs = grown(this.openedAtUs, length)
    this.next = grown(this.next, length)
    this.#previous = grown(this.#previous, length)
  }

  free(slot: number): void {
    this.state[slot] = STATE.free
    this.next[slot] = this.#firstFree
    this.#firstFree = slot
  }

  /** Puts a stream into the chain of its user. */
  link(slot: number): void {
    const users = this.#users
    if (users.size > users.capacity * FULL_RATIO) users.rebuild(users.capacity * 2)
    const user = this.user[slot] as number
    const row = users.find(user)
    if (users.rows[row] === 0) users.occupy(row, user)
    const first = users.rows[row + 1] as number
    if (first !== 0) this.#previous[first] = slot
    this.next[slot] = first
    this.#previous[slot] = 0
    users.rows[row + 1] = slot
  }

  /** Takes a stream out of the chain of its user. */
  unlink(slot: number): void {
    const next = this.next[slot] as number
    const previous = this.#previous[slot] as number
    if (next !== 0) this.#previous[next] = previous
    if (previous !== 0) {
      this.next[previous] = next
      return
    }
    const row = this.#users.find(this.user[slot] as number)
    if (next !== 0) this.#users.rows[row + 1] = next
    else this.#users.remove(row)
  }

  /** The first stream of a user's chain; 0 if there is none. Hot path: once a receiver. */
  firstOf(user: number): number {
    const { rows } = this.#users
    const row = this.#users.find(user)
    return rows[row] === 0 ? 0 : (rows[row + 1] as number)
  }

  /** The streams of a user's chain. */
  slotsOf(user: number): number[] {
    const slots: number[] = []
    for (let slot = this.firstOf(user); slot !== 0; slot = this.next[slot] as number) {
      slots.push(slot)
    }
    return slots
  }

  isOpen(slot: number): boolean {
    return this.state[slot] === STATE.open || this.state[slot] === STATE.full
  }

  /** The next slot with an open stream behind this one; 0 if there is none. */
  nextOpen(slot: number): number {
    for (let next = slot + 1; next <= this.slots; next++) if (this.isOpen(next)) return next
    return 0
  }

  /** The streams of a user that are not registered yet, of which there are rarely any. */
  openingOf(user: number): number[] {
    const slots: number[] = []
    for (let slot = 1; slot <= this.slots; slot++) {
      if (this.state[slot] === STATE.opening && this.user[slot] === user) slots.push(slot)
    }
    return slots
  }

  usersAfter(after: number, count: number): Uint32Array {
    return this.#users.keysAbove(after, count)
  }

  presence(user: number): UserPresence {
    const slots = this.slotsOf(user)
    const times = slots.map((slot) => this.openedAtUs[slot] as number)
    const sinceMs = slots.length === 0 ? null : Math.floor(Math.min(...times) / 1_000)
    return { connections: slots.length, sinceMs }
  }
}
