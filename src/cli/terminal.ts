// The terminal at standard error: whether it can draw, how large it is, and that it gets its cursor
// back however the process ends. What is drawn is others' business.

import { Block, type Render, type Terminal } from './screen.ts'

/** Of a terminal that does not say. */
const SIZE = { columns: 80, rows: 24 }

/** Signals that end the process if nobody waits for them. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** A person reads standard error, on a terminal that knows more than lines. */
export function canDraw(): boolean {
  return process.stderr.isTTY === true && process.env['TERM'] !== 'dumb'
}

/** Colour is asked not to be there by `NO_COLOR` with a value, see https://no-color.org. */
export function canColor(): boolean {
  return canDraw() && (process.env['NO_COLOR'] ?? '') === ''
}

const standardError: Terminal = {
  write: (text) => {
    process.stderr.write(text)
  },
  columns: () => process.stderr.columns || SIZE.columns,
  rows: () => process.stderr.rows || SIZE.rows,
}

/** A block on the terminal until it is closed. */
export interface OpenBlock {
  draw(render: Render): void
  words(text: string): void
  close(): void
}

export function openBlock(): OpenBlock {
  const block = new Block(standardError)
  let isClosed = false
  const onExit = () => block.release()
  const onEnding = (signal: NodeJS.Signals) => {
    // Somebody else waits for it, and the run goes on.
    if (process.listenerCount(signal) > 1) return
    close()
    process.kill(process.pid, signal)
  }
  // Anyone who stops the process wants the terminal meanwhile; the next draw takes it again.
  const onStop = () => {
    block.leave()
    process.kill(process.pid, 'SIGSTOP')
  }
  const close = () => {
    isClosed = true
    block.leave()
    process.off('exit', onExit)
    process.off('SIGTSTP', onStop)
    for (const signal of ENDING) process.off(signal, onEnding)
  }
  process.on('exit', onExit)
  process.on('SIGTSTP', onStop)
  // First of all, since one who waits for a signal once is gone when it has come.
  for (const signal of ENDING) process.prependListener(signal, onEnding)
  return {
    draw: (render) => {
      // A signal may have closed it, and takes a moment to end the process.
      if (!isClosed) block.draw(render)
    },
    words: (text) => block.words(text),
    close,
  }
}
