// Loads a file of friends into the database, all of it or nothing: writes it in one transaction.

import { type Database, SQLiteError, type Statement } from 'bun:sqlite'
import { type Result, refused, success } from '../core/result.ts'
import { finish, type Steps } from '../core/steps.ts'
import { storageTrouble } from './database.ts'
import { FollowIndex } from './follow-index.ts'
import {
  type LoadOptions,
  type LoadProgress,
  type NotLoaded,
  readFriends,
  turn,
} from './friends-file.ts'
import type { IndexSnapshot } from './index-snapshot.ts'
import { INSERT_NAME, readNames } from './kept-names.ts'
import type { NameTable } from './name-table.ts'
import { readIndex } from './sqlite.ts'
import { changeStamp, stampOf } from './state-stamp.ts'
import type { Pairs } from './subscriptions.ts'

/** Rows of one INSERT. 100 took 5 % more time, 8 took 75 %, and 2,000 were no faster. */
const ROWS_PER_INSERT = 500
/** Pairs or names between two reports of progress and turns of the event loop, about 20 ms of
 * pairs, 60 ms of names. */
const PAIRS_PER_TURN = 100_000
/** KiB of database pages in memory while rows are inserted into a table that has others. */
const CACHE_KIB = 64 * 1024
/** KiB that the index is sorted in before it goes to a temporary file. More exceeds the CPU caches:
 * 15 m pairs took 7 s, with 16 MiB 8 s, with 128 MiB 15 s, each without a helper thread. */
const INDEX_CACHE_KIB = 4 * 1024
/** Helper threads to sort the index: one reduced it from 7 s to 5, a second gained nothing. */
const INDEX_THREADS = 1
/** A table of at most this many times the new pairs gets a new index: adding 0.75 m to 15 m pairs
 * took as long either way, adding 15 m took 23 s instead of 125. */
const REBUILD_RATIO = 16

export interface Loaded {
  readonly lines: number
  /** Pairs that are new in the database, or in Redis. */
  readonly added: number
  /** Duplicate pairs in the input. */
  readonly repeated: number
  /** Pairs that were there already. */
  readonly present: number
}

/**
 * Adds all pairs of the input to the database, and the names in them that are new. Nothing is
 * added after an invalid line, damaged gzip data, an input without pairs or a full disk, or if the
 * process ends at any moment.
 *
 * @param input lines `A B`, A follows B (see `PairsReader`), plain or gzipped
 * @param database from `openDatabase`; must not be used otherwise meanwhile
 * @param onWritten called with all pairs once they are in the database, in order and each once
 */
export async function loadFriends(
  input: AsyncIterable<Uint8Array>,
  database: Database,
  options: LoadOptions,
  onWritten: (pairs: Pairs) => void = () => undefined,
): Promise<Result<Loaded, NotLoaded>> {
  const read = await readFriends(input, options)
  if (!read.ok) return read
  const { pairs, lines, repeated } = read.value
  const report = options.onProgress ?? (() => undefined)
  try {
    const added = await writeAll(database, pairs, options.names ?? null, report)
    onWritten(pairs)
    return success({ lines, added, repeated, present: pairs.length / 2 - added })
  } catch (error) {
    if (!(error instanceof SQLiteError)) throw error
    const reason = `the database takes no changes: ${storageTrouble(error) ?? error.message}`
    return refused({ reason, bad: [], badCount: 0 })
  }
}

/**
 * Writes the snapshot of a database after a load, from which the next start is faster.
 *
 * @param pairs that were loaded; if there are others, too, all are read from the database
 * @param names a table without names
 * @param snapshot held since the database was opened
 * @returns why there is none
 */
export function saveSnapshot(
  database: Database,
  pairs: Pairs,
  names: NameTable,
  snapshot: IndexSnapshot,
): Result<void> {
  const read = readNames(database, names)
  if (!read.ok) return read
  const isAll = countUpTo(database, pairs.length / 2 + 1) === pairs.length / 2
  const index = isAll ? finish(indexOf(pairs)) : readIndex(database, true)
  return snapshot.save(database, { index, names, stamp: stampOf(database) })
}

/** @param pairs in order of subscriber, then subject */
function* indexOf(pairs: Pairs): Steps<FollowIndex> {
  const keys = new Uint32Array(pairs.length / 2)
  const starts = new Uint32Array(pairs.length / 2 + 1)
  const values = new Uint32Array(pairs.length / 2)
  let known = 0
  for (let at = 0; at < values.length; at++) {
    const subscriber = pairs[2 * at] as number
    if (known === 0 || subscriber !== keys[known - 1]) {
      starts[known] = at
      keys[known++] = subscriber
    }
    values[at] = pairs[2 * at + 1] as number
  }
  starts[known] = values.length
  const lists = { keys: keys.subarray(0, known), starts: starts.subarray(0, known + 1), values }
  return yield* FollowIndex.ofSubjects(lists)
}

/** Writes all pairs in one transaction; returns how many were new. */
async function writeAll(
  database: Database,
  pairs: Uint32Array,
  names: NameTable | null,
  report: (progress: LoadProgress) => void,
): Promise<number> {
  const normal = pragmasOf(database)
  // A rollback journal has old pages only: a table that grows is written once. A write-ahead log
  // would have all of it and be copied afterwards. Both undo the work of a killed process.
  const forLoading = `PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;
    PRAGMA cache_size = -${CACHE_KIB}; PRAGMA threads = ${INDEX_THREADS};`
  try {
    database.run(forLoading)
    database.run('BEGIN IMMEDIATE')
    const rebuilds = isWorthANewIndex(database, pairs.length / 2)
    const create = rebuilds ? dropIndex(database) : null
    if (names !== null) await insertNames(database, names, report)
    const added = await insertAll(database, pairs, report)
    if (added > 0) changeStamp(database)
    report({ phase: 'indexing', done: 0, total: 1 })
    await turn()
    if (create !== null) {
      database.run(`PRAGMA cache_size = -${INDEX_CACHE_KIB}`)
      database.run(create)
    }
    database.run('COMMIT')
    report({ phase: 'indexing', done: 1, total: 1 })
    return added
  } finally {
    // SQLite has rolled back by itself after some failures, a full disk for one.
    if (database.inTransaction) database.run('ROLLBACK')
    restore(database, normal)
  }
}

/** To sort all pairs again is faster than to find each new one's place, unless far more exist. */
function isWorthANewIndex(database: Database, pairs: number): boolean {
  const most = pairs * REBUILD_RATIO
  return countUpTo(database, most + 1) <= most
}

/** Counts the rows of subscriptions, up to `max`. */
function countUpTo(database: Database, max: number): number {
  const query = 'SELECT count(*) AS rows FROM (SELECT 1 FROM subscriptions LIMIT ?)'
  const { rows } = database.query(query).get(max) as { rows: number }
  return rows
}

/** Writes the names that the database does not have: each is in a pair of the input. */
async function insertNames(
  database: Database,
  names: NameTable,
  report: (progress: LoadProgress) => void,
): Promise<void> {
  const handles = names.unkept()
  const total = handles.length
  using insert = database.prepare<unknown, [number, string]>(INSERT_NAME)
  for (const [done, handle] of handles.entries()) {
    if (done % PAIRS_PER_TURN === 0) {
      report({ phase: 'naming', done, total })
      await turn()
    }
    insert.run(handle, names.nameOf(handle))
  }
  report({ phase: 'naming', done: total, total })
}

async function insertAll(
  database: Database,
  pairs: Uint32Array,
  report: (progress: LoadProgress) => void,
): Promise<number> {
  const total = pairs.length / 2
  const many = prepareInsert(database, ROWS_PER_INSERT)
  let added = 0
  let done = 0
  let turnAt = 0
  for (; total - done >= ROWS_PER_INSERT; done += ROWS_PER_INSERT) {
    if (done >= turnAt) {
      turnAt = done + PAIRS_PER_TURN
      report({ phase: 'writing', done, total })
      await turn()
    }
    added += many.run(...pairs.subarray(2 * done, 2 * (done + ROWS_PER_INSERT))).changes
  }
  many.finalize()
  if (done < total) {
    const last = prepareInsert(database, total - done)
    added += last.run(...pairs.subarray(2 * done)).changes
    last.finalize()
  }
  report({ phase: 'writing', done: total, total })
  return added
}

function prepareInsert(database: Database, rows: number): Statement<unknown, number[]> {
  const values = Array(rows).fill('(?, ?)').join(', ')
  return database.prepare(
    `INSERT OR IGNORE INTO subscriptions (subscriber, subject) VALUES ${values}`,
  )
}

/** Returns the statement that creates it again, so that only migrations define it. */
function dropIndex(database: Database): string {
  const query = "SELECT sql FROM sqlite_schema WHERE name = 'subscriptions_by_subject'"
  const { sql } = database.query(query).get() as { sql: string }
  database.run('DROP INDEX subscriptions_by_subject')
  return sql
}

const PRAGMAS = ['threads', 'cache_size', 'synchronous', 'journal_mode'] as const

function pragmasOf(database: Database): string[] {
  return PRAGMAS.map((name) => `PRAGMA ${name} = ${database.query(`PRAGMA ${name}`).values()[0]}`)
}

function restore(database: Database, pragmas: readonly string[]): void {
  try {
    for (const pragma of pragmas) database.run(pragma)
  } catch (error) {
    // The write-ahead log may not be possible on a full disk. The data is as safe without it, and
    // the next start enables it again.
    if (!(error instanceof SQLiteError)) throw error
  }
}
