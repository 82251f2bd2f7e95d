// A file beside that of a log that was closed: the newest entry of each chain whose entries have
// left the window. With it, a start is no gap for whoever has missed nothing. Names are not in it:
// their handles end with the process.

import { fsyncSync, lstatSync, readFileSync, rmSync } from 'node:fs'
import { codeOrThrow } from '../core/system-error.ts'
import { type Chains, NUMBERED } from './chains.ts'
import type { EntryRing } from './entry-ring.ts'
import { withFile, writeAll } from './log-file.ts'

const MAGIC = 0x64616568
const VERSION = 1
const HIGH = 2 ** 32
/** Words in front of the rows: those of {@link headOf}, and a floor in two and a count a table. */
const HEAD_WORDS = 10 + NUMBERED.length * 3

/** Which log it belongs to. */
export interface KeptHeadsOf {
  readonly epoch: number
  readonly ring: EntryRing
}

function pathOf(path: string): string {
  return `${path}-heads`
}

/** Writes those of a log. If that is not possible there are none, and readers have gaps. */
export function writeHeads(path: string, { epoch, ring }: KeptHeadsOf, chains: Chains): void {
  const { next, oldest } = ring
  const tables = NUMBERED.map((name) => chains[name])
  const rows = tables.map((heads) => heads.numbersBelow(oldest, next))
  const words = new Uint32Array(HEAD_WORDS + rows.reduce((sum, { length }) => sum + length, 1))
  words.set([...headOf({ epoch, ring }), ...inTwo(chains.barrier)])
  for (const [at, heads] of tables.entries()) {
    words.set([...inTwo(heads.numbersFloor), rows[at]?.length ?? 0], 10 + at * 3)
  }
  let end = HEAD_WORDS
  for (const some of rows) {
    words.set(some, end)
    end += some.length
  }
  words[end] = checked(words)
  try {
    // What else may be there, as a pipe, would keep the writer waiting.
    rmSync(pathOf(path), { force: true })
    withFile(pathOf(path), 'wx', (file) => {
      writeAll(file, new Uint8Array(words.buffer))
      fsyncSync(file)
    })
  } catch (error) {
    codeOrThrow(error)
    removeHeads(path)
  }
}

/** Adds those of a log that was closed to its empty chains. Answers false if there are none. */
export function readHeads(path: string, of: KeptHeadsOf, chains: Chains): boolean {
  const words = read(path)
  if (words === null) return false
  const isOfLog = headOf(of).every((word, at) => words[at] === word)
  const counts = NUMBERED.map((_, at) => words[10 + at * 3 + 2] as number)
  const length = HEAD_WORDS + counts.reduce((sum, count) => sum + count, 1)
  if (!isOfLog || words.length !== length || words[length - 1] !== checked(words)) return false
  chains.barrier = inOne(words, 8)
  let end = HEAD_WORDS
  for (const [at, name] of NUMBERED.entries()) {
    const count = counts[at] as number
    const { next } = of.ring
    chains[name].restore(words.subarray(end, end + count), inOne(words, 10 + at * 3), next)
    end += count
  }
  return true
}

export function removeHeads(path: string): void {
  try {
    rmSync(pathOf(path), { force: true })
  } catch (error) {
    codeOrThrow(error)
  }
}

function read(path: string): Uint32Array | null {
  try {
    // A pipe would keep the reader waiting.
    if (!lstatSync(pathOf(path)).isFile()) return null
    const bytes = readFileSync(pathOf(path))
    if (bytes.length % 4 !== 0 || bytes.length < (HEAD_WORDS + 1) * 4) return null
    return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  } catch (error) {
    codeOrThrow(error)
    return null
  }
}

function headOf({ epoch, ring }: KeptHeadsOf): number[] {
  return [MAGIC, VERSION, ...inTwo(epoch), ...inTwo(ring.next), ...inTwo(ring.oldest)]
}

function inTwo(number: number): [number, number] {
  return [number % HIGH, Math.floor(number / HIGH)]
}

function inOne(words: Uint32Array, at: number): number {
  return (words[at + 1] as number) * HIGH + (words[at] as number)
}

/** Of all words but the last one. */
function checked(words: Uint32Array): number {
  let hash = words.length
  for (let at = 0; at < words.length - 1; at++) {
    hash = Math.imul(hash ^ (words[at] as number), 0x9e3779b1)
    hash = (hash << 13) | (hash >>> 19)
  }
  return hash >>> 0
}
