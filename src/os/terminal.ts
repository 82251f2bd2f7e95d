// Is a descriptor a terminal, and may what is written to one have colours?

import { openCLibrary } from './libc.ts'

/**
 * Asks the C library where there is one (isatty(3)): `node:tty`, and all that it loads, costs 2.4
 * MB of memory in Bun 1.4.5, which is a third of a worker.
 */
export async function isTerminal(descriptor: number): Promise<boolean> {
  const library = openCLibrary({ isatty: { args: ['i32'], returns: 'i32' } })
  if (library !== null) return library.symbols.isatty(descriptor) === 1
  const { isatty } = await import('node:tty')
  return isatty(descriptor)
}

/** `NO_COLOR` with a value turns colour off, see https://no-color.org. */
export function wantsColor(environment: Readonly<Record<string, string | undefined>>): boolean {
  return environment['TERM'] !== 'dumb' && (environment['NO_COLOR'] ?? '') === ''
}
