// The C library of this system, for the few system calls that Bun does not offer.

import { dlopen, type FFIFunction, type Pointer, read } from 'bun:ffi'

/** glibc, and musl by its two usual names. */
const C_LIBRARIES = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1']

export type CLibrary<Symbols extends Record<string, FFIFunction>> = ReturnType<
  typeof dlopen<Symbols>
>

/** Loads functions; null on systems other than Linux, and where one of them does not exist. */
export function openCLibrary<const Symbols extends Record<string, FFIFunction>>(
  symbols: Symbols,
): CLibrary<Symbols> | null {
  if (process.platform !== 'linux') return null
  for (const name of C_LIBRARIES) {
    try {
      return dlopen(name, symbols)
    } catch {
      // The next name may be the C library of this system; having none is a valid result too.
    }
  }
  return null
}

/** <asm-generic/errno.h>: errors that are told apart, or have a name in a report. */
export const ERRNO = {
  EINTR: 4,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EINVAL: 22,
  EMFILE: 24,
  EPIPE: 32,
  ENOSYS: 38,
  ENOTSOCK: 88,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  EINPROGRESS: 115,
} as const

/** Functions that fail with `errno`. */
export interface SystemCalls<Symbols extends Record<string, FFIFunction>> {
  readonly symbols: CLibrary<Symbols>['symbols']
  /**
   * What a function has just returned, as the kernel itself answers: with a negative number of
   * {@link ERRNO} instead of -1. Hot path.
   */
  readonly answer: (result: number) => number
}

/** Where `errno` of this thread is, as long as it lives; null until it is needed. */
let errnoAt: Pointer | bigint | null = null

/** Loads functions that fail with `errno`; null as {@link openCLibrary} does. */
export function openSystemCalls<const Symbols extends Record<string, FFIFunction>>(
  symbols: Symbols,
): SystemCalls<Symbols> | null {
  const library = openCLibrary(symbols)
  errnoAt ??= openCLibrary(ERRNO_SYMBOLS)?.symbols.__errno_location() ?? null
  const at = errnoAt
  if (library === null || at === null) return null
  const answer = (result: number): number => (result >= 0 ? result : -read.i32(at, 0))
  return { symbols: library.symbols, answer }
}

const ERRNO_SYMBOLS = {
  __errno_location: { args: [], returns: 'ptr' },
} as const
