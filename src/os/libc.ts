// The C library of this system, for the few system calls that Bun does not offer.

import { dlopen, type FFIFunction } from 'bun:ffi'

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
