// Reads a file of friends, plain or gzipped, until its pairs are sorted and each is there once; or
// says which lines are invalid.

import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { subscriptionLimits } from '../core/limits.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { formatCount, formatQuantity } from '../core/units.ts'
import type { NameTable } from './name-table.ts'
import { type BadLine, type PairsOptions, PairsReader } from './pairs.ts'
import { sortPairs, unique } from './sort.ts'

/** Bytes of a chunk from gunzip; each chunk costs a turn of the event loop. */
const GUNZIP_BYTES = 256 * 1024
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
  /** Has the names that are known already, if names are taken, and gets those of the input. */
  readonly names?: NameTable | null
  readonly onProgress?: (progress: LoadProgress) => void
  /** Bytes of the input, compressed or not, if they are known; only for progress. */
  readonly bytesTotal?: number
}

export interface NotLoaded {
  readonly reason: string
  /** The first of the invalid lines, if there are any. */
  readonly bad: readonly BadLine[]
  readonly badCount: number
  /** Was a part of the pairs added all the same? */
  readonly isPartly?: true
}

/** All pairs of a file, of which at least one. */
export interface FriendsFile {
  /** In order of subscriber, then subject, and each once. */
  readonly pairs: Uint32Array
  readonly lines: number
  /** Duplicate pairs in the input. */
  readonly repeated: number
}

/**
 * Reads the whole input; fails after an invalid line, damaged gzip data or an input without pairs.
 *
 * @param input lines `A B`, A follows B (see `PairsReader`), plain or gzipped
 */
export async function readFriends(
  input: AsyncIterable<Uint8Array>,
  options: LoadOptions,
): Promise<Result<FriendsFile, NotLoaded>> {
  const report = options.onProgress ?? (() => undefined)
  const reader = new PairsReader(options)
  const read = await readAll(input, reader, (done) => {
    report({ phase: 'reading', done, total: options.bytesTotal ?? 0 })
  })
  const checked = read.ok ? checkPairs(reader) : read
  if (!checked.ok) {
    const { badCount } = reader
    return refused({ reason: checked.why, bad: reader.takeBad(), badCount })
  }
  const before = reader.pairsHeld
  const onPass = (done: number, total: number): Promise<void> => {
    report({ phase: 'sorting', done, total })
    return turn()
  }
  const pairs = unique(await sortPairs(reader.take(), onPass))
  return success({ pairs, lines: reader.lines, repeated: before - pairs.length / 2 })
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

/** Lets timers, signals and the progress display run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
