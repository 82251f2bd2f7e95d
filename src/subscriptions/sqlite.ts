// Subscriptions in SQLite, with an index in memory for the router and for clients that resume. A
// change is in the database before it is in the index, and only then it is told.

import { type Database, SQLiteError } from 'bun:sqlite'
import { type Failure, failed } from '../core/errors.ts'
import { type Result, success } from '../core/result.ts'
import { FollowIndex } from './follow-index.ts'
import type { IndexSnapshot } from './index-snapshot.ts'
import type { KeptNames } from './kept-names.ts'
import type { NameTable } from './name-table.ts'
import { StateStamp } from './state-stamp.ts'
import type {
  ChangeRecorder,
  PageOfUsers,
  Pairs,
  StoredSubscriptions,
  SubscriptionCounts,
  SubscriptionsOptions,
} from './subscriptions.ts'

export interface SqliteOptions extends SubscriptionsOptions {
  /** What {@link readIndex} would read; null, or left out, to do that. */
  readonly index?: FollowIndex | null
}

/** Subscriptions in a database, answered from an index in memory. */
export class SqliteSubscriptions implements StoredSubscriptions {
  readonly isShared = false
  readonly #database: Database
  readonly #names: KeptNames
  readonly #index: FollowIndex
  readonly #recorder: ChangeRecorder | null
  readonly #statements: Statements
  readonly #stamp: StateStamp

  constructor(
    database: Database,
    names: KeptNames,
    { findsSubjects = false, recorder = null, index = null }: SqliteOptions,
  ) {
    this.#database = database
    this.#names = names
    this.#index = index ?? readIndex(database, findsSubjects)
    this.#recorder = recorder
    this.#statements = statementsOf(database)
    this.#stamp = new StateStamp(database)
  }

  get stamp(): number {
    return this.#stamp.value
  }

  subscribersOf(subject: number): Uint32Array {
    return this.#index.subscribersOf(subject)
  }

  subjectsOf(subscriber: number): Uint32Array {
    return this.#index.subjectsOf(subscriber)
  }

  async add(pairs: Pairs, perUserMax: number | null = null): Promise<Result<number, Failure>> {
    const insert: ChangePair = (subscriber, subject) => {
      if (this.#statements.insert.run(subscriber, subject).changes === 0) return false
      this.#names.write(subscriber)
      this.#names.write(subject)
      return true
    }
    try {
      return success(
        this.#change(pairs, true, insert, (added) => {
          if (perUserMax !== null) this.#checkCounts(added, perUserMax)
        }),
      )
    } catch (error) {
      if (!(error instanceof TooManySubjects)) throw error
      return failed('subscription_limit', `A user would follow more than ${perUserMax} others.`)
    }
  }

  async remove(pairs: Pairs): Promise<Result<number, Failure>> {
    const removed = this.#change(pairs, false, (subscriber, subject) => {
      if (this.#statements.remove.run(subscriber, subject).changes === 0) return false
      this.#names.removeUnused(subscriber)
      this.#names.removeUnused(subject)
      return true
    })
    return success(removed)
  }

  has(subscriber: number, subject: number): boolean {
    return this.#statements.exists.get(subscriber, subject) !== null
  }

  countOf(subscriber: number, max: number): number {
    return this.#statements.countUpTo.get(subscriber, max)?.found ?? 0
  }

  subscribersPage(subject: number, after: number, size: number): PageOfUsers {
    return pageOf(this.#statements.subscribersAfter.all(subject, after, size + 1), size)
  }

  subscriptionsPage(subscriber: number, after: number, size: number): PageOfUsers {
    return pageOf(this.#statements.subjectsAfter.all(subscriber, after, size + 1), size)
  }

  counts(): SubscriptionCounts {
    return { subscriptions: this.#index.pairs, subjects: this.#index.subjects }
  }

  saveTo(snapshot: IndexSnapshot, names: NameTable): Result<void> {
    return snapshot.save(this.#database, { index: this.#index, names, stamp: this.stamp })
  }

  tryWrite(): SQLiteError | null {
    // No user has id 0, and the transaction removes the row again; its pages are written.
    try {
      this.#database.transaction(() => {
        this.#statements.insert.run(0, 0)
        this.#statements.remove.run(0, 0)
      })()
      return null
    } catch (error) {
      if (error instanceof SQLiteError) return error
      throw error
    }
  }

  close(): void {
    // A statement that is left would keep the file locked until it is garbage collected.
    for (const statement of Object.values(this.#statements)) statement.finalize()
    this.#stamp.close()
    this.#database.close(true)
  }

  /** Each user is counted once: that takes as long as it has subscriptions. */
  #checkCounts(pairs: Pairs, perUserMax: number): void {
    const users = new Set<number>()
    for (let at = 0; at < pairs.length; at += 2) users.add(pairs[at] as number)
    for (const user of users) {
      if (this.countOf(user, perUserMax + 1) > perUserMax) throw new TooManySubjects()
    }
  }

  /**
   * Changes all pairs in one transaction, then in memory. Returns how many were changed.
   *
   * @param check called in the transaction with the pairs that were changed; may throw to undo it
   */
  #change(
    pairs: Pairs,
    follows: boolean,
    change: ChangePair,
    check: (changed: Pairs) => void = () => undefined,
  ): number {
    const changed = new Uint32Array(pairs.length)
    let length = 0
    let stamp: number | null = null
    try {
      this.#names.transaction(this.#database, () => {
        for (let at = 0; at < pairs.length; at += 2) {
          const subscriber = pairs[at] as number
          const subject = pairs[at + 1] as number
          if (!change(subscriber, subject)) continue
          changed[length++] = subscriber
          changed[length++] = subject
        }
        if (length === 0) return
        check(changed.subarray(0, length))
        stamp = this.#stamp.next()
        this.#recorder?.begin(changed.subarray(0, length), follows, stamp)
      })
    } catch (error) {
      if (stamp !== null) this.#recorder?.end(false)
      throw error
    }
    if (stamp === null) return 0
    this.#stamp.value = stamp
    const made = changed.subarray(0, length)
    if (follows) this.#index.add(made)
    else this.#index.remove(made)
    this.#recorder?.end(true)
    return length / 2
  }
}

/** Undoes the transaction in which it is thrown. */
class TooManySubjects extends Error {}

/** Within the transaction; answers whether it was not so before. */
type ChangePair = (subscriber: number, subject: number) => boolean

function pageOf(rows: readonly { user: number }[], size: number): PageOfUsers {
  const users = rows.slice(0, size).map(({ user }) => user)
  return { users, next: rows.length > size ? (users.at(-1) ?? null) : null }
}

/** Reads the whole database into memory, about 0.2 µs a subscription. */
export function readIndex(database: Database, findsSubjects: boolean): FollowIndex {
  // In the order of the index: count(DISTINCT) needs a temporary file, and an image has no folder
  // for one.
  using counting = database.prepare<{ pairs: number; subjects: number }, []>(
    `SELECT (SELECT count(*) FROM subscriptions) AS pairs,
       (SELECT count(*) FROM (SELECT DISTINCT subject FROM subscriptions)) AS subjects`,
  )
  using reading = database.prepare<{ subject: number; subscriber: number }, []>(
    'SELECT subject, subscriber FROM subscriptions ORDER BY subject, subscriber',
  )
  const { pairs, subjects } = counting.get() ?? { pairs: 0, subjects: 0 }
  return new FollowIndex({ rows: reading.iterate(), subjects, pairs, findsSubjects })
}

type Statements = ReturnType<typeof statementsOf>

function statementsOf(database: Database) {
  return {
    insert: database.prepare<unknown, [number, number]>(
      'INSERT OR IGNORE INTO subscriptions (subscriber, subject) VALUES (?, ?)',
    ),
    remove: database.prepare<unknown, [number, number]>(
      'DELETE FROM subscriptions WHERE subscriber = ? AND subject = ?',
    ),
    exists: database.prepare<unknown, [number, number]>(
      'SELECT 1 FROM subscriptions WHERE subscriber = ? AND subject = ?',
    ),
    countUpTo: database.prepare<{ found: number }, [number, number]>(
      'SELECT count(*) AS found FROM (SELECT 1 FROM subscriptions WHERE subscriber = ? LIMIT ?)',
    ),
    subscribersAfter: database.prepare<{ user: number }, [number, number, number]>(
      `SELECT subscriber AS user FROM subscriptions
       WHERE subject = ? AND subscriber > ? ORDER BY subscriber LIMIT ?`,
    ),
    subjectsAfter: database.prepare<{ user: number }, [number, number, number]>(
      `SELECT subject AS user FROM subscriptions
       WHERE subscriber = ? AND subject > ? ORDER BY subject LIMIT ?`,
    ),
  }
}
