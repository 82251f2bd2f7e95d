// The names that the database has: those that a subscription or a revocation refers to, with the
// handles that stand there for them. A name is written and removed in the transaction of what
// refers to it.

import type { Database, Statement } from 'bun:sqlite'
import { OK, type Result, refused } from '../core/result.ts'
import { isHandle, type NameTable } from './name-table.ts'

/**
 * Reads the names of a database into a table that has none, about 0.5 µs each.
 *
 * @returns why it is damaged: of two handles with the same name, one would never be found. The
 * table finds that out by itself; SQLite would need a temporary file, and as long again.
 */
export function readNames(database: Database, table: NameTable): Result<void> {
  using reading = database.prepare<{ handle: number; name: string }, []>(
    'SELECT handle, name FROM names ORDER BY handle',
  )
  for (const { handle, name } of reading.iterate()) {
    if (!table.restore(handle, name)) return refused('is damaged: it has a name twice')
  }
  return OK
}

/** The statement that writes a name. */
export const INSERT_NAME = 'INSERT INTO names (handle, name) VALUES (?, ?)'

export class KeptNames {
  readonly #table: NameTable
  readonly #insert: Statement<unknown, [number, string]>
  readonly #remove: Statement<unknown, [number, number, number, number]>
  /** Written and removed in the transaction that is under way. */
  #written: number[] = []
  #removed: number[] = []

  /** @param table has the names of the database */
  constructor(database: Database, table: NameTable) {
    this.#table = table
    this.#insert = database.query(INSERT_NAME)
    this.#remove = database.query(
      `DELETE FROM names WHERE handle = ?
       AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE subscriber = ?)
       AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE subject = ?)
       AND NOT EXISTS (SELECT 1 FROM revocations WHERE user = ?)`,
    )
  }

  /** In a transaction that refers to a user or subject: its name is in the database, too. */
  write(user: number): void {
    if (!isHandle(user) || this.#table.isKept(user)) return
    this.#insert.run(user, this.#table.nameOf(user))
    // At once: the transaction may refer to it again.
    this.#table.keep(user)
    this.#written.push(user)
  }

  /** In a transaction that refers to it no longer: it goes, if nothing else does. */
  removeUnused(user: number): void {
    if (!isHandle(user) || !this.#table.isKept(user)) return
    if (this.#remove.run(user, user, user, user).changes > 0) this.#removed.push(user)
  }

  /**
   * Runs a transaction that writes and removes names.
   *
   * @throws what it throws, and nothing has changed
   */
  transaction(database: Database, work: () => void): void {
    this.#written = []
    this.#removed = []
    try {
      database.transaction(work)()
    } catch (error) {
      for (const user of this.#written) this.#table.release(user)
      throw error
    }
    for (const user of this.#removed) this.#table.release(user)
  }
}
