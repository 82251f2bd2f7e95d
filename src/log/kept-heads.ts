// The file beside that of a log: the newest entry of each chain before some entry. With those from
// there on, a start is no gap for readers that have missed nothing. It is written when the log is
// closed, and now and then while it goes on, a part at a time: a kill leaves one that counts.

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
import { type HeadFloors, isNamed } from './heads.ts'
import { MODE, writeAll } from './log-file.ts'
import { lastBelow } from './numbers.ts'

const MAGIC = 0x64616568
const VERSION = 2
/** Bytes of the header: the epoch is that of the log, `from` the first entry that is not in it. */
const AT = { magic: 0, version: 4, epoch: 8, from: 16, seeds: 24 } as const
const HEADER_BYTES = 32
/** Of a row: its tag; a number, or the two halves of a hash; and the entry. */
const NUMBER_ROW_BYTES = 1 + 4 + 8
const NAME_ROW_BYTES = 1 + 4 + 4 + 8
/** Three floors of each table, and the newest barrier. */
const FLOORS_BYTES = 3 * 8
const END_BYTES = KEPT_CHAINS.length * FLOORS_BYTES + 8
const CHECK_BYTES = 4
const BUFFER_BYTES = 65_536
/** In the tag of a row, beside the place of its table: it is of a name, by its hash. */
const NAMED = 0x80
/** Numbers of a row of such a table in memory, and of one of handles. */
const GONE_WIDTH = 3
const HEADS_WIDTH = 2

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
    this.#file = openSync(unfinished(path), 'wx', MODE)
    const bytes = this.#bytes
    bytes.writeUint32LE(MAGIC, AT.magic)
    bytes.writeUint32LE(VERSION, AT.version)
    bytes.writeDoubleLE(epoch, AT.epoch)
    bytes.writeDoubleLE(this.from, AT.from)
    const [first, second] = chains.hash.seeds
    bytes.writeUint32LE(first, AT.seeds)
    bytes.writeUint32LE(second, AT.seeds + 4)
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
    const isGone = (tag & NAMED) !== 0
    this.#walk ??= new TableWalk(table, isGone ? GONE_WIDTH : HEADS_WIDTH)
    const state = this.#walk.step(places, (rows, row) => {
      const [first, second] = [rows[row] as number, rows[row + 1] as number]
      if (isGone) this.#addName(tag, first, second, rows[row + 2] as number)
      else this.#addHead(tag, first, second)
    })
    if (state !== 'over') return state
    this.#walk = null
    this.#table++
    return this.#table === this.#tables.length ? 'over' : 'more'
  }

  /** @param low bits of the number of the entry; the next ones likewise */
  #addHead(tag: number, key: number, low: number): void {
    if (isNamed(key)) {
      const { hash } = this.#of.chains
      hash.read(key)
      this.#addName(tag | NAMED, hash.first, hash.second, low)
      return
    }
    const end = this.#begin(tag, NUMBER_ROW_BYTES)
    this.#end(this.#bytes.writeUint32LE(key, end), low)
  }

  #addName(tag: number, first: number, second: number, low: number): void {
    const end = this.#begin(tag, NAME_ROW_BYTES)
    const bytes = this.#bytes
    this.#end(bytes.writeUint32LE(second, bytes.writeUint32LE(first, end)), low)
  }

  /** Makes room for a row and writes its tag. Answers where that ends. */
  #begin(tag: number, rowBytes: number): number {
    if (this.#length + rowBytes > BUFFER_BYTES) this.#flush()
    return this.#bytes.writeUint8(tag, this.#length)
  }

  #end(at: number, low: number): void {
    this.#length = this.#bytes.writeDoubleLE(lastBelow(this.#of.ring.next, low), at)
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

/**
 * Writes the heads of a log that goes on no more. If that is not possible, the file of before may
 * still count.
 */
export function writeHeads(of: HeadsOf): void {
  let snapshot: HeadsSnapshot | null = null
  try {
    snapshot = new HeadsSnapshot(of)
    while (snapshot.step(Number.POSITIVE_INFINITY) !== 'over');
    snapshot.finish(true)
  } catch (error) {
    codeOrThrow(error)
    snapshot?.abandon()
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
  const { chains } = of
  chains.hash.seeds = [bytes.readUint32LE(AT.seeds), bytes.readUint32LE(AT.seeds + 4)]
  const end = bytes.length - CHECK_BYTES - END_BYTES
  for (const [at, name] of KEPT_CHAINS.entries()) {
    chains[name].floors = floorsAt(bytes, end + at * FLOORS_BYTES)
  }
  chains.barrier = bytes.readDoubleLE(end + KEPT_CHAINS.length * FLOORS_BYTES)
  for (let at = HEADER_BYTES; at < end; ) at = readRow(bytes, at, of)
  return from
}

/** Adds the head of a row. Answers where the next one begins. */
function readRow(bytes: Buffer, at: number, { chains, ring }: HeadsOf): number {
  const tag = bytes[at] as number
  const isOfName = (tag & NAMED) !== 0
  const next = at + (isOfName ? NAME_ROW_BYTES : NUMBER_ROW_BYTES)
  const number = bytes.readDoubleLE(next - 8)
  // What is in the window, its entries say.
  if (number >= ring.oldest) return next
  const heads = chains[KEPT_CHAINS[tag & ~NAMED] ?? unknownTable(tag)]
  const first = bytes.readUint32LE(at + 1)
  if (isOfName) {
    heads.keepGone(number, ring.next, { first, second: bytes.readUint32LE(at + 5) })
  } else heads.advance(first, number, 1)
  return next
}

function unknownTable(tag: number): never {
  throw new Error(`a file of heads whose check is right has a row of the kind ${tag}`)
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
  if (bytes.readUint32LE(AT.magic) !== MAGIC || bytes.readUint32LE(AT.version) !== VERSION)
    return null
  const checkAt = bytes.length - CHECK_BYTES
  if (crc32(bytes.subarray(0, checkAt)) !== bytes.readUint32LE(checkAt)) return null
  const from = bytes.readDoubleLE(AT.from)
  const isOfLog = bytes.readDoubleLE(AT.epoch) === epoch && from >= ring.oldest && from <= ring.next
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
