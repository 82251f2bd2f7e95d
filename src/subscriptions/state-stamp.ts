// A stamp of all subscriptions: a random number that each change of them replaces, in its own
// transaction. So the log of messages, which records the changes, finds at a start whether it has
// all of them: not if the database was changed meanwhile, or is an older copy.

import type { Database, Statement } from 'bun:sqlite'

/** 32 bits, since the log has a word for it. */
const NEXT = 'UPDATE subscriptions_state SET stamp = abs(random() % 4294967296) RETURNING stamp'

export class StateStamp {
  /** After the last change. */
  value: number
  readonly #next: Statement<{ stamp: number }, []>

  constructor(database: Database) {
    this.#next = database.prepare(NEXT)
    this.value = stampOf(database)
  }

  /** Within the transaction of a change; answers the value that it has after the commit. */
  next(): number {
    return this.#next.get()?.stamp ?? 0
  }

  close(): void {
    this.#next.finalize()
  }
}

/** As the database has it. */
export function stampOf(database: Database): number {
  using query = database.prepare<{ stamp: number }, []>('SELECT stamp FROM subscriptions_state')
  return query.get()?.stamp ?? 0
}

/** Changes it, for a change of a database that nothing else has open. */
export function changeStamp(database: Database): void {
  using next = database.prepare(NEXT)
  next.get()
}
