// The bond of a process to the one that started it.

import { openCLibrary } from './libc.ts'

const SYMBOLS = { prctl: { args: ['i32', 'u64'], returns: 'i32' } } as const

// <linux/prctl.h> and <signal.h>
const PR_SET_PDEATHSIG = 1
const SIGKILL = 9

/**
 * Asks the kernel to end this process when its parent ends, whatever this process is doing then,
 * even nothing at all (prctl(2), PR_SET_PDEATHSIG).
 *
 * @returns whether the kernel will
 */
export function endWithParent(): boolean {
  const library = openCLibrary(SYMBOLS)
  return library !== null && library.symbols.prctl(PR_SET_PDEATHSIG, SIGKILL) === 0
}
