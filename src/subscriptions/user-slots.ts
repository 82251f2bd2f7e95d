// Numbers the users of a list from 1 on, so that what is known of each can be in typed arrays: by
// their ids alone if these are dense, else by a hash table.

import type { Steps } from '../core/steps.ts'
import { IntegerTable } from '../core/table.ts'
import { isHandle, NOBODY } from './name-table.ts'

/** Of the table; beyond it searches become long. */
const FULL_RATIO = 0.5
/** Users that one step looks at, which takes up to 20 ms. */
const USERS_PER_STEP = 500_000
const NO_ROWS = new Uint32Array(0)

/** All that slots are made of, to be kept in a file. */
export interface SavedSlots {
  readonly numberMax: number
  readonly nameMax: number
  /** Users in the table. */
  readonly size: number
  /** Of the table; empty without one. */
  readonly rows: Uint32Array
}

/** If the list is in ascending order, the slots of its users are so, too. */
export class UserSlots {
  /** One more than the highest slot. Slot 0 is that of all users without one. */
  readonly length: number
  /** The highest number, and the highest handle of a name above {@link NOBODY}: without a table,
   * a number is its own slot, and those of names are behind the numbers'. */
  readonly #numberMax: number
  readonly #nameMax: number
  readonly #table: IntegerTable | null

  /**
   * @param users each may be there several times, and none is 0
   * @param denseMax slots that may be without a user, where that saves the table
   */
  static *steps(users: Uint32Array, denseMax: number): Steps<UserSlots> {
    let highest: Highest = { number: 0, handle: NOBODY }
    for (let from = 0; from < users.length; from += USERS_PER_STEP) {
      highest = highestOf(highest, users, from)
      yield
    }
    const { number, handle } = highest
    if (number + handle - NOBODY <= denseMax) return new UserSlots(highest, null)
    const table = new IntegerTable({ width: 2 })
    for (let from = 0; from < users.length; from += USERS_PER_STEP) {
      addToTable(table, users, from)
      yield
    }
    return new UserSlots(highest, table)
  }

  private constructor({ number, handle }: Highest, table: IntegerTable | null) {
    this.#numberMax = number
    this.#nameMax = handle - NOBODY
    this.#table = table
    this.length = 1 + (table?.size ?? number + this.#nameMax)
  }

  /** The same slots as those that were saved, whose rows they keep. */
  static restored({ numberMax, nameMax, size, rows }: SavedSlots): UserSlots {
    const table = rows.length === 0 ? null : new IntegerTable({ width: 2, saved: { rows, size } })
    return new UserSlots({ number: numberMax, handle: NOBODY + nameMax }, table)
  }

  /** A view of all of it. */
  saved(): SavedSlots {
    const table = this.#table
    const [numberMax, nameMax] = [this.#numberMax, this.#nameMax]
    return { numberMax, nameMax, size: table?.size ?? 0, rows: table?.rows ?? NO_ROWS }
  }

  /** The user of each slot; 0 in front, for slot 0. */
  users(): Uint32Array {
    const users = new Uint32Array(this.length)
    if (this.#table === null) {
      const numbers = this.#numberMax
      for (let slot = 1; slot < users.length; slot++) {
        users[slot] = slot <= numbers ? slot : NOBODY + slot - numbers
      }
      return users
    }
    const { rows } = this.#table
    for (let row = 0; row < rows.length; row += 2)
      users[rows[row + 1] as number] = rows[row] as number
    return users
  }

  /** Bytes of the table. */
  get memoryBytes(): number {
    return this.#table?.rows.byteLength ?? 0
  }

  /** Hot path: once a message, and once a client that resumes. */
  slotOf(user: number): number {
    const table = this.#table
    // A free row has slot 0.
    if (table !== null) return table.rows[table.find(user) + 1] as number
    if (user <= this.#numberMax) return user
    const name = user - NOBODY
    return name > 0 && name <= this.#nameMax ? this.#numberMax + name : 0
  }
}

/** The highest number, and the highest handle of a name. */
interface Highest {
  readonly number: number
  readonly handle: number
}

function highestOf(known: Highest, users: Uint32Array, from: number): Highest {
  let { number, handle } = known
  const to = Math.min(users.length, from + USERS_PER_STEP)
  // By index, as below: an iterator takes 10 ns more for each of millions.
  for (let at = from; at < to; at++) {
    const user = users[at] as number
    if (isHandle(user)) {
      if (user > handle) handle = user
    } else if (user > number) number = user
  }
  return { number, handle }
}

/** Rows of a user and its slot, in the order in which the users are first there. */
function addToTable(table: IntegerTable, users: Uint32Array, from: number): void {
  const to = Math.min(users.length, from + USERS_PER_STEP)
  for (let at = from; at < to; at++) {
    const user = users[at] as number
    let row = table.find(user)
    if (table.rows[row] !== 0) continue
    if (table.size >= table.capacity * FULL_RATIO) {
      table.rebuild(table.capacity * 2)
      row = table.find(user)
    }
    table.occupy(row, user)
    table.rows[row + 1] = table.size
  }
}
