// How a long run tells people how far it is: a bar on a terminal while something fills up, plain
// lines otherwise. All of it on standard error.

import cliProgress from 'cli-progress'
import type { Io } from './io.ts'

/** Plain lines come each second on a terminal and less often elsewhere, where they pile up. */
const LINE_EVERY_MS = { terminal: 1_000, elsewhere: 10_000 }

export interface Progress {
  /** What has been done of the whole; the bar is shown until all is. */
  readonly done: () => number
  readonly total: number
  /** One line that says how things are. */
  readonly line: () => string
}

/** Shows progress until the returned function is called. */
export function showProgress(io: Io, label: string, progress: Progress): () => void {
  let bar: cliProgress.SingleBar | null = null
  if (io.wordsAreRead && progress.total > 0) {
    bar = new cliProgress.SingleBar({
      format: `${label} {bar} {value}/{total} {duration_formatted}`,
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    })
    bar.start(progress.total, 0)
  }
  const closeBar = () => {
    bar?.stop()
    bar = null
  }
  const fill = setInterval(() => {
    if (bar === null) return
    bar.update(progress.done())
    if (progress.done() >= progress.total) closeBar()
  }, 100)
  const everyMs = io.wordsAreRead ? LINE_EVERY_MS.terminal : LINE_EVERY_MS.elsewhere
  const lines = setInterval(() => {
    if (bar === null) io.words(progress.line())
  }, everyMs)
  return () => {
    clearInterval(fill)
    clearInterval(lines)
    closeBar()
  }
}
