// The C library of this system, for the few things that the kernel offers and Bun does not pass on.

import { dlopen, type FFIFunction } from 'bun:ffi'

/** glibc, and musl by its two usual names. */
const C_LIBRARIES = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1']

type Library<Symbols extends Record<string, FFIFunction>> = ReturnType<typeof dlopen<Symbols>>

/** Opens the functions that are asked for; null on a system that has them not or elsewhere. */
export function openCLibrary<const Symbols extends Record<string, FFIFunction>>(
  symbols: Symbols,
): Library<Symbols> | null {
  if (process.platform !== 'linux') return null
  for (const name of C_LIBRARIES) {
    try {
      return dlopen(name, symbols)
    } catch {
      // Not this C library; the next name may be it, and having none is an answer too.
    }
  }
  return null
}
