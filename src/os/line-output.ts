// Writes lines to a descriptor and never blocks on its reader: a log must not delay its server.

import { ptr } from 'bun:ffi'
import { fstatSync, writeSync } from 'node:fs'
import { codeOf } from '../core/system-error.ts'
import { ERRNO, openSystemCalls } from './libc.ts'

const SYMBOLS = {
  poll: { args: ['ptr', 'u64', 'i32'], returns: 'i32' },
  pwritev2: { args: ['i32', 'ptr', 'i32', 'i64', 'i32'], returns: 'i64' },
} as const

// <linux/fs.h> and <poll.h>
const RWF_NOWAIT = 0x8
const POLLOUT = 0x4
/** Of kernels without such writes to pipes. */
const NOT_SUPPORTED: readonly number[] = [ERRNO.EINVAL, ERRNO.ENOSYS, ERRNO.EOPNOTSUPP]
/** The offset that stands for that of the descriptor. */
const CURRENT_OFFSET = -1

/** Writes some of the bytes; returns how many, and 0 after any error. */
type Write = (bytes: Uint8Array) => number

/** Lines to one descriptor; memory is bounded by the one line that may be written in part. */
export class LineOutput {
  readonly #write: Write
  /** The rest of a line that was written in part; it must be written next. */
  #rest: Uint8Array = new Uint8Array(0)

  constructor(descriptor: number, write: Write = writerFor(descriptor)) {
    this.#write = write
  }

  /**
   * Returns whether the line was written, or will be before the next one; otherwise it is dropped.
   */
  line(text: string): boolean {
    if (!this.#flush()) return false
    const bytes = Buffer.from(text.endsWith('\n') ? text : `${text}\n`)
    const written = this.#write(bytes)
    if (written === 0) return false
    this.#rest = bytes.subarray(written)
    this.#flush()
    return true
  }

  #flush(): boolean {
    while (this.#rest.length > 0) {
      const written = this.#write(this.#rest)
      if (written === 0) return false
      this.#rest = this.#rest.subarray(written)
    }
    return true
  }
}

/**
 * The descriptor may be shared with other processes, so its mode stays as it is: each write on its
 * own is nonblocking (pwritev2(2), RWF_NOWAIT). Files have no such writes and need none.
 */
function writerFor(descriptor: number): Write {
  const plain = plainWriter(descriptor)
  const calls = openSystemCalls(SYMBOLS)
  if (calls === null) return plain
  const { poll, pwritev2 } = calls.symbols
  const asked = new Int32Array([descriptor, POLLOUT])
  const isWritable = () => poll(ptr(asked), 1, 0) === 1 && (asked[1] as number) >>> 16 === POLLOUT
  let isPlain = !isPipe(descriptor)
  return (bytes) => {
    if (!isWritable()) return 0
    if (isPlain) return plain(bytes)
    const vector = new BigUint64Array([BigInt(ptr(bytes)), BigInt(bytes.length)])
    const result = pwritev2(descriptor, ptr(vector), 1, CURRENT_OFFSET, RWF_NOWAIT)
    const written = calls.answer(Number(result))
    if (written >= 0) return written
    isPlain = NOT_SUPPORTED.includes(-written)
    return isPlain ? plain(bytes) : 0
  }
}

function plainWriter(descriptor: number): Write {
  return (bytes) => {
    try {
      return writeSync(descriptor, bytes)
    } catch (error) {
      // ENOSPC, EFBIG, EPIPE, EIO, EAGAIN: the line cannot be written now.
      if (codeOf(error) !== undefined) return 0
      throw error
    }
  }
}

/** The other end of a pipe or socket may be slow. */
function isPipe(descriptor: number): boolean {
  try {
    const found = fstatSync(descriptor)
    return found.isFIFO() || found.isSocket()
  } catch (error) {
    if (codeOf(error) === 'EBADF') return false
    throw error
  }
}
