// What the kernel has taken for connections of this process and their other ends have not acknowledged.
// By poll(2) and ioctl(2) through the C library; absent where there is none.

import { ptr } from 'bun:ffi'
import { openCLibrary } from './libc.ts'

const SYMBOLS = {
  poll: { args: ['ptr', 'u64', 'i32'], returns: 'i32' },
  ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
} as const

// <poll.h> and <linux/sockios.h> of Linux, where they are the same for every architecture Bun has.
const POLLOUT = 4
const SIOCOUTQ = 0x5411
/** A `struct pollfd` as two numbers: the descriptor; what is asked, and in the upper half the answer. */
const POLLFD = 2
/** Descriptors asked after in one system call. */
const AT_ONCE = 4_096

export interface SendQueues {
  /**
   * The connections that can take no more: the bytes of each by its descriptor.
   *
   * @param end descriptors below it are looked at, each for a third of a microsecond
   */
  full(end: number): Map<number, number>

  /** Bytes without an acknowledgement, whether sent or not; null if the descriptor is no socket. */
  bytes(descriptor: number): number | null
}

/** Null where the C library is not available. */
export function sendQueues(): SendQueues | null {
  const library = openCLibrary(SYMBOLS)
  return library === null ? null : queuesWith(library)
}

type Library = NonNullable<ReturnType<typeof openCLibrary<typeof SYMBOLS>>>

function queuesWith({ symbols: { poll, ioctl } }: Library): SendQueues {
  const answer = new Int32Array(1)
  const bytes = (descriptor: number): number | null =>
    ioctl(descriptor, SIOCOUTQ, ptr(answer)) === 0 ? (answer[0] ?? 0) : null
  return {
    bytes,
    full(end) {
      const found = new Map<number, number>()
      const asked = new Int32Array(AT_ONCE * POLLFD)
      for (let first = 0; first < end; first += AT_ONCE) {
        const count = Math.min(AT_ONCE, end - first)
        for (let at = 0; at < count; at++) {
          asked[at * POLLFD] = first + at
          asked[at * POLLFD + 1] = POLLOUT
        }
        // A system call for thousands costs a sixth of one for each.
        poll(ptr(asked), count, 0)
        for (let at = 0; at < count; at++) {
          // Open, and without an answer: it is full.
          if (asked[at * POLLFD + 1] !== POLLOUT) continue
          const queued = bytes(first + at)
          if (queued !== null && queued > 0) found.set(first + at, queued)
        }
      }
      return found
    },
  }
}
