// A walk over all rows of a table, a part at a time, while the table goes on.

import type { IntegerTable } from './table.ts'

/**
 * Meets each row that is there all the time, once or several times. It goes downwards, round to
 * where it began, at a place that was free: a row that moves because another one was removed moves
 * downwards, too, and never past a place that was free when it was put where it is.
 */
export class TableWalk {
  readonly #table: IntegerTable
  readonly #width: number
  readonly #rows: Uint32Array
  readonly #first: number
  #row: number

  /** @param width numbers of a row */
  constructor(table: IntegerTable, width: number) {
    this.#table = table
    this.#width = width
    this.#rows = table.rows
    let row = 0
    while (table.rows[row] !== 0) row = table.after(row)
    this.#first = row
    this.#row = row
  }

  /**
   * Looks at up to so many places.
   *
   * @returns `moved` if the table was rebuilt, and the walk has to begin anew
   */
  step(places: number, visit: (rows: Uint32Array, row: number) => void): 'more' | 'over' | 'moved' {
    const rows = this.#rows
    if (this.#table.rows !== rows) return 'moved'
    for (let left = places; left > 0; left--) {
      this.#row = (this.#row === 0 ? rows.length : this.#row) - this.#width
      if (this.#row === this.#first) return 'over'
      if (rows[this.#row] !== 0) visit(rows, this.#row)
    }
    return 'more'
  }
}
