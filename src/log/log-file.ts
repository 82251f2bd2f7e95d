// The file of a log, mapped into memory: a page of header, and the ring. Its blocks are allocated
// first, since writing where the disk has no room for one would kill this process (SIGBUS). So
// would a file that another process truncates meanwhile: nothing is done about that here.

import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { codeOrThrow } from '../core/system-error.ts'
import { ERRNO, openCLibrary } from '../os/libc.ts'
import { type EntryMemory, WORD_BYTES } from './entry.ts'
import { HEADER_BYTES, type HeaderState, LogHeader } from './log-header.ts'

/** Only the owner may read it: it has what was published. */
export const MODE = 0o600
/** Bytes written at once where blocks cannot be allocated otherwise. */
const ZEROS_BYTES = 2 ** 20
const ENOSPC = 28

const library = openCLibrary({
  posix_fallocate: { args: ['i32', 'i64', 'i64'], returns: 'i32' },
})

export class LogFile implements EntryMemory {
  readonly header: LogHeader
  readonly words: Uint32Array
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly #path: string

  /**
   * @param path where it is from now on
   * @param pathNow where it is now; it has all its blocks
   */
  constructor(path: string, pathNow = path) {
    this.#path = path
    const mapped = Bun.mmap(pathNow, { shared: true })
    const { buffer, length } = mapped
    this.header = new LogHeader(mapped)
    this.words = new Uint32Array(buffer, HEADER_BYTES, (length - HEADER_BYTES) / WORD_BYTES)
    this.bytes = new Uint8Array(buffer, HEADER_BYTES)
  }

  /** Waits until the disk has all of it. Answers whether it has. */
  sync(): boolean {
    try {
      withFile(this.#path, 'r+', fsyncSync)
      return true
    } catch (error) {
      codeOrThrow(error)
      return false
    }
  }

  /** From now on it counts after a restart of the machine, too. */
  close(): void {
    if (!this.sync()) return
    this.header.setClean(true)
    this.sync()
  }
}

export function fileBytesOf(ringWords: number): number {
  return HEADER_BYTES + ringWords * WORD_BYTES
}

/**
 * Makes a file, in the place of one that may be there, whole or not at all. Throws what the system
 * says if that is not possible.
 *
 * @param fill writes the ring
 */
export function createLogFile(
  path: string,
  state: Omit<HeaderState, 'isClean'>,
  fill: (words: Uint32Array) => void = () => undefined,
): LogFile {
  const unfinished = `${path}-new`
  rmSync(unfinished, { force: true })
  try {
    const file = withFile(unfinished, 'wx+', (descriptor) => {
      allocate(descriptor, fileBytesOf(state.ringWords))
      const filled = new LogFile(path, unfinished)
      fill(filled.words)
      filled.header.format(state)
      // Else the machine might have the older one again after a crash.
      fsyncSync(descriptor)
      return filled
    })
    renameSync(unfinished, path)
    withFile(dirname(path), 'r', fsyncSync)
    return file
  } catch (error) {
    rmSync(unfinished, { force: true })
    throw error
  }
}

export function withFile<T>(path: string, flags: string, work: (descriptor: number) => T): T {
  const descriptor = openSync(path, flags, MODE)
  try {
    return work(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Gives an empty file all its blocks. */
function allocate(file: number, bytes: number): void {
  if (ensureBlocks(file, bytes)) return
  ftruncateSync(file, 0)
  const zeros = new Uint8Array(ZEROS_BYTES)
  for (let left = bytes; left > 0; left -= ZEROS_BYTES) {
    writeAll(file, zeros.subarray(0, left))
  }
}

/** A disk may have room for a part. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}

/** Maps a file that is there. A copy may have holes where there were zeros. */
export function openLogFile(path: string, ringWords: number): LogFile {
  withFile(path, 'r+', (descriptor) => ensureBlocks(descriptor, fileBytesOf(ringWords)))
  return new LogFile(path)
}

/**
 * Allocates the blocks that a file does not have; those that it has stay as they are.
 *
 * @returns false if this system cannot
 */
function ensureBlocks(file: number, bytes: number): boolean {
  if (library === null) return false
  for (;;) {
    const error = library.symbols.posix_fallocate(file, 0, bytes)
    if (error === 0) return true
    if (error === ENOSPC) throw Object.assign(new Error('no room'), { code: 'ENOSPC' })
    if (error !== ERRNO.EINTR) return false
  }
}
