// Loads a file of friends into the database, all of it or nothing: reads it, sorts it, and writes
// it in one transaction.

import { type Database, SQLiteError, type Statement } from 'bun:sqlite'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { subscriptionLimits } from '../core/limits.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { formatCount, formatQuantity } from '../core/units.ts'
import { storageTrouble } from './database.ts'
import { INSERT_NAME } from './kept-names.ts'
import type { NameTable } from './name-table.ts'
import { type BadLine, type PairsOptions, PairsReader } from './pairs.ts'
import { sortPairs, unique } from './sort.ts'
import { changeStamp } from './state-stamp.ts'

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
/** Bytes of a chunk from gunzip; each chunk costs a turn of the event loop. */
const GUNZIP_BYTES = 256 * 1024
/** A table of at most this many times the new pairs gets a new index: adding 0.75 m to 15 m pairs
 * took as long either way, adding 15 m took 23 s instead of 125. */
const REBUILD_RATIO = 16
/** The first bytes of gzip data (RFC 1952, section 2.3.1). */
const GZIP = [0x1f, 0x8b] as const

/** Progress of a load. `total` is 0 while it is unknown; the unit depends on the phase. */
export interface LoadProgress {
  /** Counts bytes of input, passes over all pairs, new names, pairs, and the one index. */
  readonly phase: 'reading' | 'sorting' | 'naming' | 'writing' | 'indexing'
  readonly done: number
  readonly total: number
}

export interface LoadOptions extends Pick<PairsOptions, 'idMax' | 'ignoresColumns'> {
  /** Has the names of the database, if names are taken, and gets those of the input. */
  readonly names?: NameTable | null
  readonly onProgress?: (progress: LoadProgress) => void
  /** Bytes of the input, compressed or not, if they are known; only for progress. */
  readonly bytesTotal?: number
}

export interface Loaded {
  readonly lines: number
  /** Pairs that are new in the database. */
  readonly added: number
  /** Duplicate pairs in the input. */
  readonly repeated: number
  /** Pairs that were in the database already. */
  readonly present: number
}

export interface NotLoaded {
  readonly reason: string
  /** The first of the invalid lines, if there are any. */
  readonly bad: readonly BadLine[]
  readonly badCount: number
}

/**
 * Adds all pairs of the input to the database, and the names in them that are new. Nothing is
 * added after an invalid line, damaged gzip data, an input without pairs or a full disk, or if the
 * process ends at any moment.
 *
 * @param input lines `A B`, A follows B (see `PairsReader`), plain or gzipped
 * @param database from `openDatabase`; must not be used otherwise meanwhile
 */
export async function loadFriends(
  input: AsyncIterable<Uint8Array>,
  database: Database,
  options: LoadOptions,
): Promise<Result<Loaded, NotLoaded>> {
  const report = options.onProgress ?? (() => undefined)
  const names = options.names ?? null
  const reader = new PairsReader(options)
  const read = await readAll(input, reader, (done) => {
    report({ phase: 'reading', done, total: options.bytesTotal ?? 0 })
  })
  const checked = read.ok ? checkPairs(reader) : read
  if (!checked.ok) return notLoaded(checked.why, reader)
  const before = reader.pairsHeld
  const onPass = (done: number, total: number): Promise<void> => {
    report({ phase: 'sorting', done, total })
    return turn()
  }
  const pairs = unique(await sortPairs(reader.take(), onPass))
  const count = pairs.length / 2
  try {
    const added = await writeAll(database, pairs, names, report)
    const { lines } = reader
    return success({ lines, added, repeated: before - count, present: count - added })
  } catch (error) {
    if (!(error instanceof SQLiteError)) throw error
    return notLoaded(`the database takes no changes: ${storageTrouble(error) ?? error.message}`)
  }
}

/** Reads the input to its end. */
async function readAll(
  input: AsyncIterable<Uint8Array>,
  reader: PairsReader,
  report: (bytes: number) => void,
): Promise<Result<void>> {
  let given = 0
  const onBytes = (bytes: number): void => {
    given = bytes
    report(bytes)
  }
  try {
    const iterator = input[Symbol.asyncIterator]()
    const head = await firstBytes(iterator)
    const source = counted(head, iterator, onBytes)
    const isPacked = head[0] === GZIP[0] && head[1] === GZIP[1]
    if (!isPacked) {
      await readPairs(source, reader)
      return OK
    }
    const gunzip = createGunzip({ chunkSize: GUNZIP_BYTES })
    await pipeline(source, gunzip, (parts) => readPairs(parts, reader))
    // After a zero byte zlib ignores the rest, without an error if it is in the same chunk.
    return gunzip.bytesWritten === given ? OK : refused(AFTER_GZIP)
  } catch (error) {
    if (error instanceof TooMany) {
      return refused(`more than ${formatCount(subscriptionLimits.loadPairsMax)} pairs`)
    }
    return refused(whyUnreadable(error))
  }
}

const AFTER_GZIP = 'the gzip data is followed by other data'

function whyUnreadable(error: unknown): string {
  const code = codeOf(error)
  // Errors of streams and of the system have a code; bugs have none.
  if (code === undefined) throw error
  if (code === 'Z_BUF_ERROR') return 'the gzip data is truncated'
  if (code === 'ERR_STREAM_PREMATURE_CLOSE') return AFTER_GZIP
  if (code.startsWith('Z_')) return `the gzip data is damaged (${(error as Error).message})`
  return `the input cannot be read (${code})`
}

class TooMany extends Error {}

async function readPairs(parts: AsyncIterable<Uint8Array>, reader: PairsReader): Promise<void> {
  for await (const bytes of parts) {
    reader.push(bytes)
    // Nothing will be written, but the other invalid lines are reported.
    if (reader.badCount > 0) reader.take()
    if (reader.pairsHeld > subscriptionLimits.loadPairsMax) throw new TooMany()
  }
  reader.end()
}

/** Enough of the input to recognize gzip, however it is cut. */
async function firstBytes(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head = new Uint8Array(0)
  while (head.length < GZIP.length) {
    const { done, value } = await iterator.next()
    if (done) break
    head = Buffer.concat([head, value])
  }
  return head
}

/** The whole input; reports how many of its bytes have been passed on. */
async function* counted(
  head: Uint8Array,
  iterator: AsyncIterator<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  try {
    for (let part = head; ; ) {
      bytes += part.length
      onBytes(bytes)
      yield part
      const { done, value } = await iterator.next()
      if (done) return
      part = value
    }
  } finally {
    await iterator.return?.()
  }
}

function checkPairs({ badCount, lines, pairsHeld }: PairsReader): Result<void> {
  if (badCount > 0) {
    return refused(`${formatQuantity(badCount, 'invalid line')} of ${formatCount(lines)}`)
  }
  return pairsHeld === 0 ? refused('the input has no pairs') : OK
}

function notLoaded(reason: string, reader?: PairsReader): Result<never, NotLoaded> {
  return refused({ reason, bad: reader?.takeBad() ?? [], badCount: reader?.badCount ?? 0 })
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
  const query = 'SELECT count(*) AS rows FROM (SELECT 1 FROM subscriptions LIMIT ?)'
  const most = pairs * REBUILD_RATIO
  const { rows } = database.query(query).get(most + 1) as { rows: number }
  return rows <= most
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

/** Lets timers, signals and the progress display run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
