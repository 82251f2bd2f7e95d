// The snapshot of a database's subscriptions and names in a file beside it, from which a server
// starts faster. It counts only for the very bytes that the database file has: whatever has changed
// them, or the snapshot, leaves the database to be read as if there were none.

import { type Database, SQLiteError } from 'bun:sqlite'
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { OK, type Result, refused } from '../core/result.ts'
import { type SnapshotLimits, snapshotLimits } from '../core/snapshot-limits.ts'
import { codeOrThrow } from '../core/system-error.ts'
import { FollowIndex } from './follow-index.ts'
import type { NameTable } from './name-table.ts'
import {
  type FileState,
  FOREIGN,
  HEADER_BYTES,
  hashOn,
  partsOf,
  readArrays,
  readHeader,
  type Snapshot,
} from './snapshot-format.ts'
import { stampOf } from './state-stamp.ts'

/** What a snapshot is made of. */
export interface SnapshotContents {
  readonly index: FollowIndex
  /** Those of the database and others. */
  readonly names: NameTable
  /** Of the subscriptions in the index. */
  readonly stamp: number
}

/** The snapshot of one database, from its opening to its end. */
export class IndexSnapshot {
  readonly path: string
  readonly #databasePath: string
  readonly #limits: SnapshotLimits
  /**
   * The database file, open until SQLite has closed it: to close any descriptor of a file ends all
   * locks that this process has on it (fcntl(2), "Record locking").
   */
  #file: number | null = null
  /** The index that was read, until the store has it. */
  #index: FollowIndex | null = null
  /** Of the database, as the snapshot on disk has it; null if there is none that counts. */
  #kept: FileState | null = null
  #why = 'is of a database of an older version'

  constructor(databasePath: string, limits: SnapshotLimits = snapshotLimits) {
    this.path = `${databasePath}-index`
    this.#databasePath = databasePath
    this.#limits = limits
  }

  /** That of a database; null for one in memory. */
  static of(databasePath: string): IndexSnapshot | null {
    return databasePath === ':memory:' ? null : new IndexSnapshot(databasePath)
  }

  /** To be called when SQLite has opened the database: only of this file there is a snapshot. */
  hold(): void {
    const opened = this.#attempt(() => {
      this.#file = openSync(this.#databasePath, 'r')
      return OK
    })
    if (!opened.ok) this.#why = opened.why
  }

  /**
   * Reads it. To be called once, when this process alone has the database.
   *
   * @param names a table without names, which gets those of the database
   * @returns whether it is that of the database, which then needs no reading
   */
  restore(names: NameTable): boolean {
    const file = this.#file
    if (file === null) return false
    const read = this.#attempt(() => this.#read(file))
    if (!read.ok) {
      this.#why = read.why
      return false
    }
    const { follows, database } = read.value
    if (!names.restoreAll(read.value.names)) throw new Error('a snapshot has a name twice')
    this.#index = FollowIndex.restored(follows)
    this.#kept = database
    return true
  }

  /** The index that was read, once; null if the database has to be read. */
  takeIndex(): FollowIndex | null {
    const index = this.#index
    this.#index = null
    return index
  }

  /**
   * Why the database had to be read, for the operator; null if it had not, or if it has so few rows
   * that it made no difference.
   */
  whyNot(rows: number): string | null {
    if (this.#kept !== null || rows < this.#limits.rowsMin) return null
    return `${this.path} ${this.#why}`
  }

  /**
   * Writes it, unless that on disk is the same. The database is closed next: a change after that
   * makes the snapshot worthless. It takes as long as the disk for about 9 bytes a subscription.
   *
   * @returns why it could not be written; then there is none, or one that will not count
   */
  save(database: Database, contents: SnapshotContents): Result<void> {
    const saved = this.#attempt(() => this.#save(database, contents))
    return saved.ok ? OK : refused(`${this.path} ${saved.why}`)
  }

  /** To be called when SQLite has closed the database. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }

  #read(file: number): Result<Snapshot> {
    const log = statSync(`${this.#databasePath}-wal`, { throwIfNoEntry: false })
    if (log !== undefined && log.size > 0) return refused('does not have the last changes')
    const { size, ino, dev } = fstatSync(file)
    // Before it is opened: a pipe might block forever, and to close the database would unlock it.
    const stat = statSync(this.path)
    const isItself = stat.ino === ino && stat.dev === dev
    if (isItself || !stat.isFile() || stat.size > this.#limits.bytesMax) return refused(FOREIGN)
    return readSnapshot(this.path, stat.size, ({ bytes, hash }) => {
      return size === bytes && this.#hash(file) === hash
    })
  }

  #save(database: Database, { index, names, stamp }: SnapshotContents): Result<void> {
    const kept = names.kept()
    if (index.pairs + kept.handles.length < this.#limits.rowsMin) {
      rmSync(this.path, { force: true })
      return OK
    }
    const file = this.#file
    if (file === null || !isWhole(database, index.pairs, stamp)) return refused(CHANGED)
    const { ino, dev, size, ...owner } = fstatSync(file)
    const named = statSync(this.#databasePath, { throwIfNoEntry: false })
    if (named?.ino !== ino || named.dev !== dev) return refused(CHANGED)
    const state = { bytes: size, hash: this.#hash(file) }
    if (state.hash === this.#kept?.hash && size === this.#kept.bytes) return OK
    const parts = partsOf({ database: state, follows: index.saved(), names: kept })
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0)
    if (bytes > this.#limits.bytesMax) {
      rmSync(this.path, { force: true })
      return refused('would be larger than a snapshot may be')
    }
    writeFile(this.path, parts, owner)
    this.#kept = state
    return OK
  }

  #hash(file: number): bigint {
    const chunk = new Uint8Array(this.#limits.chunkBytes)
    let hash = 0n
    for (let at = 0; ; at += chunk.length) {
      const length = readFully(file, chunk, at)
      if (length > 0) hash = hashOn(hash, chunk.subarray(0, length))
      if (length < chunk.length) return hash
    }
  }

  /** What the system or SQLite refuses, is a reason. */
  #attempt<T>(work: () => Result<T>): Result<T> {
    try {
      return work()
    } catch (error) {
      if (error instanceof SQLiteError) return refused(`cannot be used (${error.code})`)
      const code = codeOrThrow(error)
      return refused(code === 'ENOENT' ? 'does not exist' : `cannot be used (${code})`)
    }
  }
}

const CHANGED = 'is not written, since the file of the database is not the one that was opened'

/**
 * Moves all changes into the file, and asks the file itself, not the pages in memory: one that was
 * written over meanwhile has other subscriptions than the index.
 */
function isWhole(database: Database, pairs: number, stamp: number): boolean {
  const log = database.query<{ busy: number }, []>('PRAGMA wal_checkpoint(TRUNCATE)').get()
  database.run('PRAGMA shrink_memory')
  const count = 'SELECT count(*) AS rows FROM subscriptions'
  const rows = database.query<{ rows: number }, []>(count).get()?.rows
  return log?.busy === 0 && rows === pairs && stampOf(database) === stamp
}

/** @param isCurrent whether that is the database; asked before the arrays are read */
function readSnapshot(
  path: string,
  size: number,
  isCurrent: (database: FileState) => boolean,
): Result<Snapshot> {
  const file = openSync(path, 'r')
  try {
    const head = new ArrayBuffer(HEADER_BYTES)
    if (readFully(file, new Uint8Array(head), 0) < HEADER_BYTES) return refused('is damaged')
    const header = readHeader(head)
    if (!header.ok) return header
    const { database, indexBytes, namesBytes } = header.value
    if (size !== HEADER_BYTES + indexBytes + namesBytes) return refused('is damaged')
    if (!isCurrent(database)) return refused('is not of the database as it is now')
    const [index, rest] = [new ArrayBuffer(indexBytes), new ArrayBuffer(namesBytes)]
    const read =
      readFully(file, new Uint8Array(index), HEADER_BYTES) +
      readFully(file, new Uint8Array(rest), HEADER_BYTES + indexBytes)
    if (read < indexBytes + namesBytes) return refused('is damaged')
    return readArrays(header.value, index, rest)
  } finally {
    closeSync(file)
  }
}

/** Fills an array, unless the file ends before; returns the number of bytes. */
function readFully(file: number, into: Uint8Array, from: number): number {
  let length = 0
  while (length < into.length) {
    const bytes = readSync(file, into, length, into.length - length, from + length)
    if (bytes === 0) break
    length += bytes
  }
  return length
}

interface Owner {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** Writes a file as a whole or not at all, as readable as that of the owner. */
function writeFile(path: string, parts: readonly Uint8Array[], owner: Owner): void {
  const fresh = `${path}.new`
  // One that a killed process left may be of another mode.
  rmSync(fresh, { force: true })
  const file = openSync(fresh, 'wx', owner.mode & 0o600)
  try {
    try {
      if (process.geteuid?.() === 0) fchownSync(file, owner.uid, owner.gid)
      fchmodSync(file, owner.mode & 0o777)
      for (const part of parts) writeFully(file, part)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(fresh, path)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at)
}
