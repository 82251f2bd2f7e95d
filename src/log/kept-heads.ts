// The file beside that of a log: the newest entry of each chain before some entry. With those since
// then, a start is no gap for whoever has missed nothing. It is written when the log is closed, and
// now and then while it goes on, a part at a time, so that a kill leaves one that counts.

import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { crc32 } from 'node:zlib'
import { codeOrThrow } from '../core/system-error.ts'
import type { IntegerTable } from '../core/table.ts'
import { TableWalk } from '../core/table-walk.ts'
import { type Chains, KEPT_CHAINS } from './chains.ts'
import type { EntryRing } from './entry-ring.ts'
import { type HeadFloors, type Heads, isNamed } from './heads.ts'
import { writeAll } from './log-file.ts'
import { lastBelow } from './numbers.ts'

const MAGIC = 0x64616568
const VERSION = 2
/** Magic, version, epoch, the first entry that is not in it, and the seeds of the hashes. */
const HEADER_BYTES = 32
/** Of one row at most: its tag, three numbers of 32 bits, or two and one of 64. */
const ROW_BYTES_MAX = 17
/** Three floors of each table, and the newest barrier. */
const END_BYTES = KEPT_CHAINS.length * 24 + 8
const CHECK_BYTES = 4
const BUFFER_BYTES = 65_536
/** In the first byte of a row: it is of a name, by its hash. */
const NAMED = 0x80

/** Which log it belongs to. */
export interface HeadsOf {
  /** Of the file of the log. */
  readonly path: string
  readonly epoch: number
  readonly ring: EntryRing
  readonly chains: Chains
}

/** What is written, piece after piece. */
export class HeadsSnapshot {
  /** Heads of entries before it are in the file, or are not known. */
  readonly from: number
  readonly #of: HeadsOf
  readonly #file: number
  readonly #bytes = Buffer.alloc(BUFFER_BYTES)
  #length = 0
  #check = 0
  /** Tables and the kind of rows that they have; a handle that is freed goes to the second kind. */
  readonly #tables: readonly (readonly [tag: number, table: IntegerTable])[]
  #table = 0
  #walk: TableWalk | null = null

  /** Throws what the system says if there can be no file. */
  constructor(of: HeadsOf) {
    const { path, epoch, ring, chains } = of
    this.#of = of
    this.from = ring.next
    this.#tables = KEPT_CHAINS.flatMap((name, at) => [
      [at, chains[name].table] as const,
      [at | NAMED, chains[name].goneTable] as const,
    ])
    // What else may be there, as a pipe, would keep the writer waiting.
    rmSync(unfinished(path), { force: true })
    this.#file = openSync(unfinished(path), 'wx', 0o600)
    const bytes = this.#bytes
    bytes.writeUint32LE(MAGIC, 0)
    bytes.writeUint32LE(VERSION, 4)
    bytes.writeDoubleLE(epoch, 8)
    bytes.writeDoubleLE(this.from, 16)
    for (const [at, seed] of chains.hash.seeds.entries()) bytes.writeUint32LE(seed, 24 + at * 4)
    this.#length = HEADER_BYTES
  }

  /**
   * Writes what up to so many places of tables have. Throws what the system says.
   *
   * @returns `moved` if it has to begin anew
   */
  step(places: number): 'more' | 'over' | 'moved' {
    const [tag, table] = this.#tables[this.#table] ?? [0, null]
    if (table === null) return 'over'
    this.#walk ??= new TableWalk(table, (tag & NAMED) === 0 ? 2 : 3)
    const state = this.#walk.step(places, (rows, row) => this.#add(tag, rows, row))
    if (state !== 'over') return state
    this.#walk = null
    this.#table++
    return this.#table === this.#tables.length ? 'over' : 'more'
  }

  #add(tag: number, rows: Uint32Array, row: number): void {
    if (this.#length + ROW_BYTES_MAX > BUFFER_BYTES) this.#flush()
    const { ring, chains } = this.#of
    const bytes = this.#bytes
    let end = this.#length
    const key = rows[row] as number
    if ((tag & NAMED) !== 0 || isNamed(key)) {
      let [first, second] = [key, rows[row + 1] as number]
      if ((tag & NAMED) === 0) {
        chains.hash.read(key)
        first = chains.hash.first
        second = chains.hash.second
      }
      end = bytes.writeUint8(tag | NAMED, end)
      end = bytes.writeUint32LE(first, end)
      end = bytes.writeUint32LE(second, end)
    } else {
      end = bytes.writeUint8(tag, end)
      end = bytes.writeUint32LE(key, end)
    }
    const low = rows[row + ((tag & NAMED) === 0 ? 1 : 2)] as number
    this.#length = bytes.writeDoubleLE(lastBelow(ring.next, low), end)
  }

  /** Writes what stands behind all rows, and from now on the file counts. */
  finish(syncs: boolean): void {
    const { path, chains } = this.#of
    this.#flush()
    for (const name of KEPT_CHAINS) {
      const { numbers, names, gone } = chains[name].floors
      for (const floor of [numbers, names, gone]) this.#addNumber(floor)
    }
    this.#addNumber(chains.barrier)
    this.#flush()
    this.#length = this.#bytes.writeUint32LE(this.#check, 0)
    this.#flush()
    if (syncs) fsyncSync(this.#file)
    renameSync(unfinished(path), pathOf(path))
    closeSync(this.#file)
  }

  /** It is not going to be finished. */
  abandon(): void {
    closeSync(this.#file)
    remove(unfinished(this.#of.path))
  }

  #addNumber(number: number): void {
    this.#length = this.#bytes.writeDoubleLE(number, this.#length)
  }

  #flush(): void {
    const bytes = this.#bytes.subarray(0, this.#length)
    this.#check = crc32(bytes, this.#check)
    writeAll(this.#file, bytes)
    this.#length = 0
  }
}

/** Writes the heads of a log that goes on no more. Without them, readers have gaps. */
export function writeHeads(of: HeadsOf): void {
  let snapshot: HeadsSnapshot | null = null
  try {
    snapshot = new HeadsSnapshot(of)
    while (snapshot.step(Number.POSITIVE_INFINITY) !== 'over');
    snapshot.finish(true)
  } catch (error) {
    codeOrThrow(error)
    snapshot?.abandon()
    removeHeads(of.path)
  }
}

/**
 * Adds the heads of a file to the empty chains of a log whose entries are known. One of another
 * time is removed.
 *
 * @returns the first entry that the file does not have; null if there is none that counts
 */
export function readHeads(of: HeadsOf): number | null {
  const bytes = read(of.path)
  const from = bytes === null ? null : fromOf(bytes, of)
  if (bytes === null || from === null) {
    removeHeads(of.path)
    return null
  }
  const { chains, ring } = of
  chains.hash.seeds = [bytes.readUint32LE(24), bytes.readUint32LE(28)]
  const end = bytes.length - CHECK_BYTES - END_BYTES
  const tables = KEPT_CHAINS.map((name) => chains[name])
  for (const [at, heads] of tables.entries()) heads.floors = floorsAt(bytes, end + at * 24)
  chains.barrier = bytes.readDoubleLE(end + tables.length * 24)
  for (let at = HEADER_BYTES; at < end; ) {
    const tag = bytes[at] as number
    const heads = tables[tag & ~NAMED] as Heads
    const first = bytes.readUint32LE(at + 1)
    if ((tag & NAMED) === 0) {
      const number = bytes.readDoubleLE(at + 5)
      // What is in the window, its entries say.
      if (number < ring.oldest) heads.advance(first, number, 1)
      at += 13
    } else {
      const number = bytes.readDoubleLE(at + 9)
      const hash = { first, second: bytes.readUint32LE(at + 5) }
      if (number < ring.oldest) heads.keepGone(number, ring.next, hash)
      at += 17
    }
  }
  return from
}

function floorsAt(bytes: Buffer, at: number): HeadFloors {
  return {
    numbers: bytes.readDoubleLE(at),
    names: bytes.readDoubleLE(at + 8),
    gone: bytes.readDoubleLE(at + 16),
  }
}

/** Null for a file that is damaged, or of another time: some entries since then are not kept. */
function fromOf(bytes: Buffer, { epoch, ring }: HeadsOf): number | null {
  if (bytes.length < HEADER_BYTES + END_BYTES + CHECK_BYTES) return null
  if (bytes.readUint32LE(0) !== MAGIC || bytes.readUint32LE(4) !== VERSION) return null
  const checkAt = bytes.length - CHECK_BYTES
  if (crc32(bytes.subarray(0, checkAt)) !== bytes.readUint32LE(checkAt)) return null
  const from = bytes.readDoubleLE(16)
  const isOfLog = bytes.readDoubleLE(8) === epoch && from >= ring.oldest && from <= ring.next
  return isOfLog ? from : null
}

export function removeHeads(path: string): void {
  remove(pathOf(path))
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch (error) {
    codeOrThrow(error)
  }
}

function read(path: string): Buffer | null {
  try {
    // A pipe would keep the reader waiting.
    return lstatSync(pathOf(path)).isFile() ? readFileSync(pathOf(path)) : null
  } catch (error) {
    codeOrThrow(error)
    return null
  }
}

function pathOf(path: string): string {
  return `${path}-heads`
}

function unfinished(path: string): string {
  return `${path}-heads-new`
}
