// Does the database take changes? While it does not, which is an operator's matter, the server is
// not ready, says so, and tries again until it does.

import { SQLiteError } from 'bun:sqlite'
import { type Failure, failed } from '../core/errors.ts'
import { storageLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import type { Result } from '../core/result.ts'
import { storageTrouble } from '../subscriptions/database.ts'
import type { StoredSubscriptions } from '../subscriptions/subscriptions.ts'

export class Storage {
  isFailing = false
  readonly #database: Pick<StoredSubscriptions, 'tryWrite'> | null
  readonly #log: Log

  /** @param database null if there is none */
  constructor(database: Pick<StoredSubscriptions, 'tryWrite'> | null, log: Log) {
    this.#database = database
    this.#log = log
  }

  /** The database has refused something. */
  readonly onError = (error: SQLiteError): void => {
    const why = storageTrouble(error)
    if (why === null) {
      this.#log.bug(error)
      return
    }
    this.#log.repeated('storage_failed', `The database takes no changes: ${why}.`)
    if (this.isFailing) return
    this.isFailing = true
    const timer = setInterval(() => this.#retry(timer), storageLimits.retryMs).unref()
  }

  #retry(timer: Timer): void {
    const error = this.#database?.tryWrite() ?? null
    if (error !== null) {
      // That its disk takes nothing has been said, and is said again when a change is refused.
      if (storageTrouble(error) === null) this.#log.bug(error)
      return
    }
    clearInterval(timer)
    this.isFailing = false
    this.#log.info('storage_works', 'The database takes changes again.')
  }
}

/** A result that needs the database, which may refuse: a failure like any other, but logged. */
export async function stored<T>(
  onStorageError: (error: SQLiteError) => void,
  work: () => Result<T, Failure> | Promise<Result<T, Failure>>,
): Promise<Result<T, Failure>> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof SQLiteError)) throw error
    onStorageError(error)
    return failed('storage_failed', `${takesNone(error)}; nothing has changed.`)
  }
}

export function takesNone(error: SQLiteError): string {
  return `The database takes no changes: ${storageTrouble(error) ?? 'see the log'}`
}
