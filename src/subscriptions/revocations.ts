// Since when each user's tokens count: those that were issued before are revoked. Kept in the
// database, and looked up there, so that there may be any number.

import type { Database, Statement } from 'bun:sqlite'

export class Revocations {
  readonly #find: Statement<{ atSeconds: number }, [number]>
  readonly #put: Statement<unknown, [number, number]>

  constructor(database: Database) {
    this.#find = database.prepare<{ atSeconds: number }, [number]>(
      'SELECT at_seconds AS atSeconds FROM revocations WHERE user = ?',
    )
    this.#put = database.prepare<unknown, [number, number]>(
      `INSERT INTO revocations (user, at_seconds) VALUES (?, ?)
       ON CONFLICT (user) DO UPDATE SET at_seconds = max(at_seconds, excluded.at_seconds)`,
    )
  }

  /**
   * Tokens of the user that were issued until now count no longer. On disk when this returns.
   *
   * @throws SQLiteError if it cannot be kept
   */
  revoke(user: number, nowSeconds: number): void {
    this.#put.run(user, Math.floor(nowSeconds))
  }

  /**
   * Once a stream that comes, where clients have tokens: about 3 µs.
   *
   * @param claim of a token; one that does not say when it was issued counts as old
   */
  isRevoked({
    user,
    issuedAtSeconds,
  }: {
    readonly user: number
    readonly issuedAtSeconds: number | null
  }): boolean {
    const found = this.#find.get(user)
    return found !== null && (issuedAtSeconds ?? 0) <= found.atSeconds
  }

  close(): void {
    this.#find.finalize()
    this.#put.finalize()
  }
}
