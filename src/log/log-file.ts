// The file of a log, mapped into memory: a page of header, and the ring. Its blocks are allocated
// first, since writing where the disk has no room for one would kill this process (SIGBUS). So would
// a file that another process truncates while it is open: nothing can be done about that here.

import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { ERRNO, openCLibrary } from '../os/libc.ts'
import { type EntryMemory, WORD_BYTES } from './entry.ts'
import { HEADER_BYTES, type HeaderState, LogHeader } from './log-header.ts'

/** Only the owner may read it: it has what was published. */
const MODE = 0o600
/** Bytes written at once where blocks cannot be allocated otherwise. */
const ZEROS_BYTES = 2 ** 20
const ENOSPC = 28

const library = openCLibrary({
  posix_fallocate: { args: ['i32', 'i64', 'i64'], returns: 'i32' },
})

export class LogFile implements EntryMemory {
  readonly header: LogHeader
  readonly words: Uint32Array
  readonly bytes: Buffer
  readonly #file: number

  /**
   * @param path of a file that has all its blocks
   * @param file the same, opened; from now on it is closed here
   */
  constructor(path: string, file: number) {
    this.#file = file
    const mapped = Bun.mmap(path, { shared: true })
    const { buffer, length } = mapped
    this.header = new LogHeader(mapped)
    this.words = new Uint32Array(buffer, HEADER_BYTES, (length - HEADER_BYTES) / WORD_BYTES)
    this.bytes = Buffer.from(buffer, HEADER_BYTES, length - HEADER_BYTES)
  }

  /** Waits until the disk has all of it. */
  sync(): void {
    fsyncSync(this.#file)
  }

  /** From now on it counts after a restart of the machine, too. */
  close(): void {
    this.sync()
    this.header.setClean(true)
    this.sync()
    this.release()
  }

  /** Gives the descriptor back; the memory stays mapped as long as it is referred to. */
  release(): void {
    closeSync(this.#file)
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
  const descriptor = openSync(unfinished, 'wx+', MODE)
  let file: LogFile | null = null
  try {
    allocate(descriptor, fileBytesOf(state.ringWords))
    file = new LogFile(unfinished, descriptor)
    fill(file.words)
    file.header.format(state)
    // Else the machine might have the older one again after a crash.
    file.sync()
    renameSync(unfinished, path)
    syncFolder(path)
    return file
  } catch (error) {
    closeSync(descriptor)
    rmSync(unfinished, { force: true })
    throw error
  }
}

function syncFolder(path: string): void {
  const folder = openSync(dirname(path), constants.O_RDONLY)
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Gives an empty file all its blocks. */
function allocate(file: number, bytes: number): void {
  if (ensureBlocks(file, bytes)) return
  ftruncateSync(file, 0)
  const zeros = new Uint8Array(ZEROS_BYTES)
  for (let at = 0; at < bytes; at += ZEROS_BYTES) {
    writeSync(file, zeros, 0, Math.min(ZEROS_BYTES, bytes - at), at)
  }
}

/**
 * Allocates the blocks that a file does not have; those that it has stay as they are.
 *
 * @returns false if this system cannot
 */
export function ensureBlocks(file: number, bytes: number): boolean {
  if (library === null) return false
  for (;;) {
    const error = library.symbols.posix_fallocate(file, 0, bytes)
    if (error === 0) return true
    if (error === ENOSPC) throw Object.assign(new Error('no room'), { code: 'ENOSPC' })
    if (error !== ERRNO.EINTR) return false
  }
}
