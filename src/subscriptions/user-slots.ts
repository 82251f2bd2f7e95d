// Numbers the users of a list from 1 on, so that what is known of each can be in typed arrays: by
// their ids alone if these are dense, else by a hash table.

import { IntegerTable } from '../core/table.ts'
import { isHandle, NOBODY } from './name-table.ts'

/** Of the table; beyond it searches become long. */
const FULL_RATIO = 0.5

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
  constructor(users: Uint32Array, denseMax: number) {
    let number = 0
    let handle = NOBODY
    for (const user of users) {
      if (isHandle(user)) handle = Math.max(handle, user)
      else number = Math.max(number, user)
    }
    this.#numberMax = number
    this.#nameMax = handle - NOBODY
    const range = number + this.#nameMax
    this.#table = range <= denseMax ? null : tableOf(users)
    this.length = 1 + (this.#table?.size ?? range)
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

/** Rows of a user and its slot, in the order in which the users are first there. */
function tableOf(users: Uint32Array): IntegerTable {
  const table = new IntegerTable({ width: 2 })
  for (const user of users) {
    let row = table.find(user)
    if (table.rows[row] !== 0) continue
    if (table.size >= table.capacity * FULL_RATIO) {
      table.rebuild(table.capacity * 2)
      row = table.find(user)
    }
    table.occupy(row, user)
    table.rows[row + 1] = table.size
  }
  return table
}
