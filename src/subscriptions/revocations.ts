// Since when each user's tokens count: those that were issued before are revoked. Kept in the
// database, and looked up there, so that there may be any number.

import type { Database, Statement } from 'bun:sqlite'
import type { Failure } from '../core/errors.ts'
import { OK, type Result } from '../core/result.ts'
import type { KeptNames } from './kept-names.ts'

export interface TokenRevocations {
  /**
   * Tokens of the user that were issued until now count no longer, also after a restart.
   *
   * @throws SQLiteError if the database refuses it
   */
  revoke(user: number, nowMs: number): Promise<Result<void, Failure>>
  /**
   * Hot path: once a stream that comes, where clients have tokens.
   *
   * @param issuedAtSeconds of a token, since 1970; null if it does not say, and then it counts as
   *   old. One in whole seconds counts as issued at the first moment of that second
   */
  isRevoked(user: number, issuedAtSeconds: number | null): boolean
}

/** Of one machine. */
export class Revocations implements TokenRevocations {
  readonly #database: Database
  readonly #names: KeptNames
  readonly #find: Statement<{ atMs: number }, [number]>
  readonly #put: Statement<unknown, [number, number]>

  constructor(database: Database, names: KeptNames) {
    this.#database = database
    this.#names = names
    this.#find = database.query<{ atMs: number }, [number]>(
      'SELECT at_ms AS atMs FROM revocations WHERE user = ?',
    )
    this.#put = database.query<unknown, [number, number]>(
      `INSERT INTO revocations (user, at_ms) VALUES (?, ?)
       ON CONFLICT (user) DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)`,
    )
  }

  /** On disk when this returns. */
  async revoke(user: number, nowMs: number): Promise<Result<void, Failure>> {
    this.#names.transaction(this.#database, () => {
      this.#names.write(user)
      this.#put.run(user, Math.floor(nowMs))
    })
    return OK
  }

  /** About 3 µs. */
  isRevoked(user: number, issuedAtSeconds: number | null): boolean {
    const found = this.#find.get(user)
    return found !== null && (issuedAtSeconds ?? 0) * 1_000 <= found.atMs
  }
}
