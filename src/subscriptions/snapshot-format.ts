// The bytes of a snapshot: a header of numbers, the arrays of the index and of the names one after
// the other, and a checksum over all of it. Arrays are written as they are in memory, so that to
// read them is no work.

import { type Result, refused, success } from '../core/result.ts'
import type { SavedFollows } from './follow-index.ts'
import type { SavedNames } from './name-table.ts'
import type { SavedPairs } from './pair-index.ts'

/** To be raised with any change of what is in the arrays, as where a table puts its rows. */
const VERSION = 1
/** `comt` and `indx` in ASCII, in the byte order of this machine. */
const MAGIC = [0x746d6f63, 0x78646e69] as const
const SWAPPED_MAGIC = [0x636f6d74, 0x696e6478] as const
const HEADER_WORDS = 24
export const HEADER_BYTES = 4 * HEADER_WORDS
const CHECKSUM_BYTES = 8
const NAMES_AT = 21

/** Why a file that is something else is not read. */
export const FOREIGN = 'is no snapshot'

/** A database file: its length and a hash over all of its bytes. */
export interface FileState {
  readonly bytes: number
  readonly hash: bigint
}

export interface Snapshot {
  /** Of the database whose subscriptions these are. */
  readonly database: FileState
  readonly follows: SavedFollows
  readonly names: SavedNames
}

/** All that stands in front of the arrays. */
export interface SnapshotHeader {
  readonly words: Uint32Array
  readonly database: FileState
  /** Bytes of the arrays of the index, and of those of the names with the checksum behind them. */
  readonly indexBytes: number
  readonly namesBytes: number
}

/** The parts of a file, in order. */
export function partsOf({ database, follows, names }: Snapshot): Uint8Array[] {
  const header = new Uint32Array(HEADER_WORDS)
  header.set([...MAGIC, VERSION, 0, ...halvesOf(database.hash)])
  header.set([...halvesOf(BigInt(database.bytes)), follows.pairs], 6)
  header.set([...numbersOf(follows.followers), ...numbersOf(follows.subjects)], 9)
  header.set([names.handles.length, names.bytes.length], NAMES_AT)
  const padded = new Uint8Array(wholeWords(names.bytes.length))
  padded.set(names.bytes)
  const arrays = [...arraysOf(follows.followers), ...arraysOf(follows.subjects), names.handles]
  const parts = [header, ...arrays, padded].map(bytesOf)
  const checksum = new Uint32Array(halvesOf(parts.reduce(hashOn, 0n)))
  return [...parts, bytesOf(checksum)]
}

/** @param bytes the first {@link HEADER_BYTES} of a file */
export function readHeader(bytes: ArrayBuffer): Result<SnapshotHeader> {
  const words = new Uint32Array(bytes)
  const isMagic = (magic: readonly number[]) => magic.every((word, at) => words[at] === word)
  if (isMagic(SWAPPED_MAGIC)) return refused('is of a machine with another byte order')
  if (!isMagic(MAGIC)) return refused(FOREIGN)
  if (words[2] !== VERSION) return refused('is of another version of comet')
  let indexBytes = 0
  for (const at of [9, 15]) {
    const [rows = 0, starts = 0, values = 0] = words.subarray(at + 3, at + 6)
    indexBytes += 4 * (rows + starts + values)
  }
  const [handles, names] = [words[NAMES_AT] as number, words[NAMES_AT + 1] as number]
  const database = { hash: wholeOf(words, 4), bytes: Number(wholeOf(words, 6)) }
  const namesBytes = 4 * handles + wholeWords(names) + CHECKSUM_BYTES
  return success({ words, database, indexBytes, namesBytes })
}

/**
 * Fails if a single bit is another one than was written.
 *
 * @param index as many bytes as the header says; what is returned keeps them
 * @param rest as many
 */
export function readArrays(
  { words, database }: SnapshotHeader,
  index: ArrayBuffer,
  rest: ArrayBuffer,
): Result<Snapshot> {
  const parts = new Cutter(index)
  const [followers, subjects] = [pairsAt(words, 9, parts), pairsAt(words, 15, parts)]
  const ends = new Cutter(rest)
  const handles = ends.next(words[NAMES_AT] as number)
  const length = words[NAMES_AT + 1] as number
  const padded = ends.next(wholeWords(length) / 4)
  const arrays = [...arraysOf(followers), ...arraysOf(subjects), handles, padded]
  const hash = [words, ...arrays].map(bytesOf).reduce(hashOn, 0n)
  if (hash !== wholeOf(ends.next(2), 0)) return refused('is damaged')
  const names = { handles, bytes: bytesOf(padded).subarray(0, length) }
  return success({ database, follows: { pairs: words[8] as number, followers, subjects }, names })
}

/** The hash of bytes that come after those with the hash `before`. */
export function hashOn(before: bigint, bytes: Uint8Array): bigint {
  return Bun.hash.xxHash3(bytes, before)
}

/** Six numbers of the header. */
function numbersOf({ slots, starts, values }: SavedPairs): number[] {
  const { numberMax, nameMax, size, rows } = slots
  return [numberMax, nameMax, size, rows.length, starts.length, values.length]
}

function arraysOf({ slots, starts, values }: SavedPairs): Uint32Array[] {
  return [slots.rows, starts, values]
}

function pairsAt(words: Uint32Array, at: number, parts: Cutter): SavedPairs {
  const [numberMax = 0, nameMax = 0, size = 0, ...lengths] = words.subarray(at, at + 6)
  const [rows = 0, starts = 0, values = 0] = lengths
  const slots = { numberMax, nameMax, size, rows: parts.next(rows) }
  return { slots, starts: parts.next(starts), values: parts.next(values) }
}

/** Cuts arrays out of bytes, one behind the other. */
class Cutter {
  readonly #buffer: ArrayBuffer
  #at = 0

  constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer
  }

  next(words: number): Uint32Array {
    const array = new Uint32Array(this.#buffer, this.#at, words)
    this.#at += array.byteLength
    return array
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array | Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function wholeWords(bytes: number): number {
  return Math.ceil(bytes / 4) * 4
}

/** A number of 64 bits as two of 32. */
function halvesOf(whole: bigint): [number, number] {
  return [Number(whole & 0xffffffffn), Number(whole >> 32n)]
}

function wholeOf(words: Uint32Array, at: number): bigint {
  return BigInt(words[at] as number) | (BigInt(words[at + 1] as number) << 32n)
}
