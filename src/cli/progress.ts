// How a long run tells people how far it is: a plain line now and then, on standard error.

import type { Io } from './io.ts'

/** Plain lines come each second on a terminal and less often elsewhere, where they pile up. */
const LINE_EVERY_MS = { terminal: 1_000, elsewhere: 10_000 }

/** Writes what `line` answers, until the returned function is called. */
export function showProgress(io: Io, line: () => string): () => void {
  const everyMs = io.stderrIsTerminal ? LINE_EVERY_MS.terminal : LINE_EVERY_MS.elsewhere
  const timer = setInterval(() => io.stderr(line()), everyMs)
  return () => clearInterval(timer)
}
