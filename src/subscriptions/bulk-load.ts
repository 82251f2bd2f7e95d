// Brings a file of friends into the database, all of it or nothing: read, sorted, and written in one
// transaction. It must not know where the bytes come from; while it runs the database is its alone.

import { type Database, SQLiteError, type Statement } from 'bun:sqlite'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { subscriptionLimits } from '../core/limits.ts'
import { formatCount } from '../core/units.ts'
import { type BadLine, type PairsOptions, PairsReader } from './pairs.ts'
import { different, sortPairs } from './sort.ts'

/** Rows of one INSERT. 100 took 5 % more time, 8 took 75 %, and 2,000 were no faster. */
const ROWS_PER_INSERT = 500
/** Pairs between two reports of progress, about 20 ms; then everybody else has a turn. */
const PAIRS_PER_TURN = 100_000
/** KiB of database pages in memory while rows are put into a table that has others. */
const CACHE_KIB = 64 * 1024
/** KiB that the index is sorted in before it goes to a temporary file. More leaves the processor's
 * caches: 15 m pairs took 7 s, with 16 MiB 8 s, with 128 MiB 15 s, each without a helping thread. */
const INDEX_CACHE_KIB = 4 * 1024
/** Threads that help sorting the index: one took it from 7 s to 5, a second gained nothing. */
const INDEX_THREADS = 1
/** Bytes that gunzip hands on at once; each hand-over costs a turn of the loop. */
const GUNZIP_BYTES = 256 * 1024
/** A table of no more than so many times the pairs that come gets a new index: into 15 m pairs,
 * 0.75 m took as long either way, another 15 m took 23 s instead of 125. */
const REBUILD_RATIO = 16
/** What gzip data begins with (RFC 1952, section 2.3.1). */
const GZIP = [0x1f, 0x8b] as const

/** How far a load is. `total` is 0 while it is not known; what is counted depends on the phase. */
export interface LoadProgress {
  /** Bytes of input, then passes over all pairs, then pairs, then the one index. */
  readonly phase: 'reading' | 'sorting' | 'writing' | 'indexing'
  readonly done: number
  readonly total: number
}

export interface LoadOptions extends Pick<PairsOptions, 'idMax' | 'ignoresColumns'> {
  readonly onProgress?: (progress: LoadProgress) => void
  /** Bytes of the input as it comes, if they are known; only progress needs them. */
  readonly bytesTotal?: number
}

export interface Loaded {
  readonly ok: true
  readonly lines: number
  /** Pairs that are new in the database. */
  readonly added: number
  /** Pairs that came again in the input. */
  readonly repeated: number
  /** Pairs that were in the database before. */
  readonly present: number
}

export interface NotLoaded {
  readonly ok: false
  readonly why: string
  /** The first of the bad lines, if that is why. */
  readonly bad: readonly BadLine[]
  readonly badCount: number
}

/**
 * Adds all pairs of the input to the database. A bad line, a damaged gzip, an input without pairs or
 * a full disk means that nothing is added; so does the end of the process at any moment.
 *
 * @param input lines `A B`, A follows B (see `PairsReader`), as they are or packed with gzip
 * @param database as `openDatabase` gives it; not to be used by anybody else until this is done
 */
export async function loadFriends(
  input: AsyncIterable<Uint8Array>,
  database: Database,
  options: LoadOptions,
): Promise<Loaded | NotLoaded> {
  const report = options.onProgress ?? (() => undefined)
  const reader = new PairsReader(options)
  const unreadable = await readAll(input, reader, (done) => {
    report({ phase: 'reading', done, total: options.bytesTotal ?? 0 })
  })
  const why = unreadable ?? whyNoPairs(reader)
  if (why !== null) return refused(why, reader)
  const before = reader.pairsHeld
  const onPass = (done: number, total: number): Promise<void> => {
    report({ phase: 'sorting', done, total })
    return turn()
  }
  const pairs = different(await sortPairs(reader.take(), onPass))
  const count = pairs.length / 2
  try {
    const added = await writeAll(database, pairs, report)
    const repeated = before - count
    return { ok: true, lines: reader.lines, added, repeated, present: count - added }
  } catch (error) {
    if (error instanceof SQLiteError) return refused(`the database refused: ${error.message}`)
    throw error
  }
}

/** Answers why the input could not be read to its end, or null if it could. */
async function readAll(
  input: AsyncIterable<Uint8Array>,
  reader: PairsReader,
  report: (bytes: number) => void,
): Promise<string | null> {
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
    if (!isPacked) return await readPairs(source, reader)
    const gunzip = createGunzip({ chunkSize: GUNZIP_BYTES })
    await pipeline(source, gunzip, (parts) => readPairs(parts, reader))
    // After a zero byte zlib's stream takes no more, and says so only if more has yet to come.
    return gunzip.bytesWritten === given ? null : AFTER_GZIP
  } catch (error) {
    if (error instanceof TooMany)
      return `more than ${formatCount(subscriptionLimits.loadPairsMax)} pairs`
    return whyUnreadable(error as { code?: unknown; message: string })
  }
}

const AFTER_GZIP = 'the gzip data is followed by something else'

function whyUnreadable(error: { code?: unknown; message: string }): string {
  const { code, message } = error
  // Bugs have no code; what streams and the system refuse has one.
  if (typeof code !== 'string') throw error
  if (code === 'Z_BUF_ERROR') return 'the gzip data is cut short'
  if (code === 'ERR_STREAM_PREMATURE_CLOSE') return AFTER_GZIP
  if (code.startsWith('Z_')) return `the gzip data is damaged (${message})`
  return `the input cannot be read (${code})`
}

class TooMany extends Error {}

async function readPairs(parts: AsyncIterable<Uint8Array>, reader: PairsReader): Promise<null> {
  for await (const bytes of parts) {
    reader.push(bytes)
    // Nothing will be written, but the other bad lines are worth telling.
    if (reader.badCount > 0) reader.take()
    if (reader.pairsHeld > subscriptionLimits.loadPairsMax) throw new TooMany()
  }
  reader.end()
  return null
}

/** As much of the input as it takes to tell what it is, however it is cut. */
async function firstBytes(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head = new Uint8Array(0)
  while (head.length < GZIP.length) {
    const { done, value } = await iterator.next()
    if (done) break
    head = Buffer.concat([head, value])
  }
  return head
}

/** The whole input; tells how many of its bytes have been given. */
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

function whyNoPairs(reader: PairsReader): string | null {
  const { badCount, lines, pairsHeld } = reader
  if (badCount > 0) return `${formatCount(badCount)} of ${formatCount(lines)} lines are no pairs`
  return pairsHeld === 0 ? 'there are no pairs in the input' : null
}

function refused(why: string, reader?: PairsReader): NotLoaded {
  return { ok: false, why, bad: reader?.takeBad() ?? [], badCount: reader?.badCount ?? 0 }
}

/** One transaction for all pairs; answers how many were new. */
async function writeAll(
  database: Database,
  pairs: Uint32Array,
  report: (progress: LoadProgress) => void,
): Promise<number> {
  const normal = pragmasOf(database)
  // A rollback journal keeps old pages only: a table that grows is written once, where a write-ahead
  // log would hold all of it and be copied afterwards. Both undo what a killed process had begun.
  const forLoading = `PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;
    PRAGMA cache_size = -${CACHE_KIB}; PRAGMA threads = ${INDEX_THREADS};`
  try {
    database.run(forLoading)
    database.run('BEGIN IMMEDIATE')
    const rebuilds = isWorthANewIndex(database, pairs.length / 2)
    const create = rebuilds ? dropIndex(database) : null
    const added = await insertAll(database, pairs, report)
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

/** Sorting all pairs anew beats finding the place of each new one, unless far more are there. */
function isWorthANewIndex(database: Database, pairs: number): boolean {
  const query = 'SELECT count(*) AS rows FROM (SELECT 1 FROM subscriptions LIMIT ?)'
  const most = pairs * REBUILD_RATIO
  const { rows } = database.query(query).get(most + 1) as { rows: number }
  return rows <= most
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

/** Answers the statement that creates it again, so that only migrations know what it is. */
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
    // On a full disk the write-ahead log may have to wait. What is written is written and as safe
    // without it, and the next start sets it again.
    if (!(error instanceof SQLiteError)) throw error
  }
}

/** Lets timers, signals and the display of progress have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
