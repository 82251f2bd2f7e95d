// The database file of subscriptions: opens it, migrates an older one, or says why it must not be
// touched.

import { Database, SQLiteError } from 'bun:sqlite'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs'
import { identityLimits } from '../core/identity-limits.ts'
import { messageLimits } from '../core/limits.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import type { IndexSnapshot } from './index-snapshot.ts'
import { readNames } from './kept-names.ts'
import { isHandle, type NameTable, NOBODY } from './name-table.ts'

/** `comt`, in the field of SQLite's file format that identifies the application. */
const APPLICATION_ID = 0x636f6d74

/** Each migrates a database to the version that is its position in this list, from 1 on. */
const MIGRATIONS = [
  // A table without rowids is the index of one direction; the other index covers its queries.
  `CREATE TABLE subscriptions (
     subscriber INTEGER NOT NULL,
     subject INTEGER NOT NULL,
     PRIMARY KEY (subscriber, subject)
   ) WITHOUT ROWID;
   CREATE INDEX subscriptions_by_subject ON subscriptions (subject, subscriber);`,
  `CREATE TABLE revocations (
     user INTEGER PRIMARY KEY,
     at_ms INTEGER NOT NULL
   );`,
  // A handle is what the other tables have for a name.
  `CREATE TABLE names (
     handle INTEGER PRIMARY KEY,
     name TEXT NOT NULL
   );`,
  // See state-stamp.ts.
  `CREATE TABLE subscriptions_state (stamp INTEGER NOT NULL);
   INSERT INTO subscriptions_state VALUES (0);`,
]

/** The version from which on half of the numbers are handles of names. */
const NAMES_VERSION = 3

/**
 * Opens a database, or creates it, and locks it until it is closed: two owners would each have an
 * index without the other's changes.
 *
 * @param path a file's path, or `:memory:`
 * @param names a table without names, which gets those of the database; null to read none
 * @param snapshot that of the database, from which the names are read, if it is not out of date;
 *   null to read the database itself
 * @returns the database at the newest version; or why it cannot be used, and it is unchanged
 */
export function openDatabase(
  path: string,
  names: NameTable | null = null,
  snapshot: Pick<IndexSnapshot, 'hold' | 'restore'> | null = null,
): Result<Database> {
  const checked = path === ':memory:' ? OK : checkFile(path)
  if (!checked.ok) return checked
  let database: Database | null = null
  try {
    checkLog(path)
    database = new Database(path, { create: true, readwrite: true, strict: true })
    prepare(database, names, snapshot)
    return success(database)
  } catch (error) {
    database?.close()
    if (error instanceof Unusable) return refused(`${path} ${error.message}`)
    if (error instanceof SQLiteError) return refused(whyNot(path, error))
    throw error
  }
}

/** A problem in a database that SQLite itself would open; the message follows the path. */
class Unusable extends Error {}

/**
 * Checks a file together with the log that a killed process left. A process that closes the
 * database writes the log into the file, except a read-only one; so the check is read-only.
 */
function checkLog(path: string): void {
  if (!existsSync(`${path}-wal`)) return
  const hadShared = existsSync(`${path}-shm`)
  const database = new Database(path, { readonly: true })
  try {
    database.run('PRAGMA busy_timeout = 0')
    checkedVersion(database)
  } finally {
    database.close(true)
    if (!hadShared) rmSync(`${path}-shm`, { force: true })
  }
}

function prepare(
  database: Database,
  names: NameTable | null,
  snapshot: Pick<IndexSnapshot, 'hold' | 'restore'> | null,
): void {
  database.run('PRAGMA busy_timeout = 0')
  database.run('PRAGMA locking_mode = EXCLUSIVE')
  // The first transaction takes the lock, which is then kept.
  database.run('BEGIN IMMEDIATE; COMMIT;')
  snapshot?.hold()
  const isNewest = versionOf(database) === MIGRATIONS.length
  // It is made of a database that was checked, and counts only while not a byte of that changes.
  const isKnown = isNewest && names !== null && snapshot?.restore(names) === true
  if (!isKnown) check(database, names)
  // Only now: the header of the file itself must have the application id, not its log.
  database.run('PRAGMA journal_mode = WAL')
  // Commits survive the end of the process; only a power cut may lose the last moments.
  database.run('PRAGMA synchronous = NORMAL')
}

/** Checks all of it, and migrates it; reads its names. About 0.1 µs a subscription. */
function check(database: Database, names: NameTable | null): void {
  for (let next = checkedVersion(database); next < MIGRATIONS.length; next++) {
    if (next + 1 === NAMES_VERSION) checkNumbers(database)
    database.transaction(() => {
      database.run(MIGRATIONS[next] as string)
      database.run(`PRAGMA user_version = ${next + 1}`)
      database.run(`PRAGMA application_id = ${APPLICATION_ID}`)
    })()
  }
  checkNames(database)
  const read = names === null ? OK : readNames(database, names)
  if (!read.ok) throw new Unusable(read.why)
}

/**
 * A handle that no table of names gives would have one of ours be as long as that. One that has no
 * name here would become that of another name, whose messages would reach whom it stands for.
 * About 0.1 µs a subscription.
 */
function checkNames(database: Database): void {
  checkHandles(database)
  for (const [table, column] of USERS) {
    const unnamed = database.query(
      `SELECT 1 FROM ${table} WHERE ${column} >= ?
       AND ${column} NOT IN (SELECT handle FROM names) LIMIT 1`,
    )
    if (unnamed.get(NOBODY) === null) continue
    throw new Unusable('is damaged: it refers to a name that it does not have')
  }
}

/** The columns that have users or subjects. */
const USERS = [
  ['subscriptions', 'subscriber'],
  ['subscriptions', 'subject'],
  ['revocations', 'user'],
] as const

function checkHandles(database: Database): void {
  const query = 'SELECT ifnull(min(handle), 0) AS low, ifnull(max(handle), 0) AS high FROM names'
  const { low, high } = database.query(query).get() as { low: number; high: number }
  const isEmpty = high === 0
  if (isEmpty || (isHandle(low) && high <= NOBODY + identityLimits.namesMax)) return
  throw new Unusable('is damaged: it has names whose handles are none')
}

/** Older versions allowed numbers that are handles of names now. */
function checkNumbers(database: Database): void {
  const query = `SELECT max((SELECT ifnull(max(subscriber), 0) FROM subscriptions),
    (SELECT ifnull(max(subject), 0) FROM subscriptions),
    (SELECT ifnull(max(user), 0) FROM revocations)) AS highest`
  const { highest } = database.query(query).get() as { highest: number }
  const { userIdMax } = messageLimits
  if (highest > userIdMax) throw new Unusable(`has users above ${userIdMax}, the highest number`)
}

/** The version of a database that is undamaged and not too new. */
function checkedVersion(database: Database): number {
  const damage = database.query('PRAGMA quick_check(1)').get() as { quick_check: string }
  if (damage.quick_check !== 'ok') {
    throw new Unusable(`is damaged: ${damage.quick_check.replaceAll(/\s*\n\s*/g, ' ')}`)
  }
  const version = versionOf(database)
  if (version > MIGRATIONS.length) throw new Unusable(newer(version))
  return version
}

function versionOf(database: Database): number {
  const query = database.query<{ user_version: number }, []>('PRAGMA user_version')
  return query.get()?.user_version ?? 0
}

function newer(version: number): string {
  return `is from a newer comet (version ${version}; this one knows ${MIGRATIONS.length})`
}

/** The header of SQLite's file format (sqlite.org/fileformat2.html, section 1.3). */
const HEADER = { bytes: 100, userVersion: 60, applicationId: 68 }
const MAGIC = 'SQLite format 3\0'

/** Checks a file before SQLite does, which might repair or lock a file of another program. */
function checkFile(path: string): Result<void> {
  const header = new DataView(new ArrayBuffer(HEADER.bytes))
  let bytes: number
  try {
    // To open a pipe could block forever.
    if (!statSync(path).isFile()) return refused(`${path} is not a file`)
    bytes = readHeader(path, header)
  } catch (error) {
    const code = codeOf(error)
    // It will be created.
    if (code === 'ENOENT') return OK
    if (code === 'EACCES') return refused(`${path} cannot be read and written by this user`)
    return refused(`${path} cannot be read (${code ?? String(error)})`)
  }
  if (bytes === 0) return OK
  const magic = Buffer.from(header.buffer, 0, MAGIC.length).toString('latin1')
  if (bytes < HEADER.bytes || magic !== MAGIC) return refused(`${path} is not a database`)
  if (header.getUint32(HEADER.applicationId) !== APPLICATION_ID) {
    return refused(`${path} is a database of another program`)
  }
  const version = header.getUint32(HEADER.userVersion)
  return version > MIGRATIONS.length ? refused(`${path} ${newer(version)}`) : OK
}

/** Reads as much of the header as there is; returns the number of bytes. */
function readHeader(path: string, into: DataView): number {
  // SQLite reports a read-only file as a disk I/O error.
  accessSync(path, constants.R_OK | constants.W_OK)
  const descriptor = openSync(path, 'r')
  try {
    return readSync(descriptor, into, 0, HEADER.bytes, 0)
  } finally {
    closeSync(descriptor)
  }
}

/** Why a database that another server has cannot be opened. */
export const IN_USE = 'is in use by another process'

function whyNot(path: string, error: SQLiteError): string {
  const code = error.code ?? ''
  if (code.startsWith('SQLITE_BUSY')) return `${path} ${IN_USE}`
  if (code.startsWith('SQLITE_NOTADB')) return `${path} is not a database`
  if (code.startsWith('SQLITE_CORRUPT')) return `${path} is damaged: ${error.message}`
  if (code.startsWith('SQLITE_CANTOPEN')) return `${path} cannot be created or opened`
  if (code.startsWith('SQLITE_READONLY')) return `${path} cannot be written`
  return `${path} cannot be used: ${storageTrouble(error) ?? error.message}`
}

const TROUBLES: Readonly<Record<string, string>> = {
  SQLITE_FULL: 'its disk is full',
  SQLITE_IOERR: 'its disk is full or fails, or its file may not grow',
  SQLITE_READONLY: 'its file or disk is read-only',
  SQLITE_CANTOPEN: 'its files cannot be opened',
  SQLITE_CORRUPT: 'its file is damaged',
  SQLITE_NOTADB: 'its file is damaged',
  SQLITE_IOERR_GETTEMPPATH:
    'it can write no temporary file; set SQLITE_TMPDIR to a directory that can be written',
}

/** Why the database rejects changes, in words for an operator; null if the error is a bug. */
export function storageTrouble({ code = '' }: Pick<SQLiteError, 'code'>): string | null {
  // Some codes are longer: SQLITE_IOERR_WRITE.
  const kind = code.split('_', 2).join('_')
  const text = TROUBLES[code] ?? TROUBLES[kind]
  return text === undefined ? null : `${text} (${code})`
}
