// The terminal at standard error: whether it can draw and how large it is; a block of lines at its
// foot that is drawn in place while messages go above it; and its cursor, however the process ends.

import { onProcessEnd } from '../os/process.ts'
import { wantsColor } from '../os/terminal.ts'

/** Of a terminal that does not say. */
const SIZE = { columns: 80, rows: 24 }

/** Is standard error a terminal that understands more than lines? */
export function canDraw(): boolean {
  return process.stderr.isTTY === true && process.env['TERM'] !== 'dumb'
}

export function canColor(output: { readonly isTTY?: boolean }): boolean {
  return output.isTTY === true && wantsColor(process.env)
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
  messages(text: string): void
  close(): void
}

export function openBlock(): OpenBlock {
  const block = new Block(standardError)
  let isClosed = false
  const close = () => {
    isClosed = true
    block.leave()
    process.off('SIGTSTP', onStop)
    forget()
  }
  // At an exit others may have written below the block.
  const forget = onProcessEnd((by) => (by === 'exit' ? block.release() : close()))
  // A stopped process leaves the terminal to the shell; the next draw takes it again.
  const onStop = () => {
    block.leave()
    process.kill(process.pid, 'SIGSTOP')
  }
  process.on('SIGTSTP', onStop)
  return {
    draw: (render) => {
      // A signal may have closed it, and takes a moment to end the process.
      if (!isClosed) block.draw(render)
    },
    messages: (text) => block.messages(text),
    close,
  }
}

/** Its size may change at any time. */
export interface Terminal {
  write(text: string): void
  columns(): number
  rows(): number
}

/** Returns the lines for a terminal of so many columns; none may be longer. */
export type Render = (columns: number) => readonly string[]

const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
const ERASE_LINE = '\x1b[2K'
const ERASE_BELOW = '\x1b[J'

/**
 * The cursor rests below the block. Each change is one write, so that it is never seen in part.
 *
 * Where a window that gets narrower breaks the block's lines in two, the ends of them stay above
 * the next block: only the terminal knows whether it does that, and messages are never erased on a
 * guess.
 */
export class Block {
  readonly #terminal: Terminal
  #render: Render = () => []
  /** Lines that are on the screen. */
  #height = 0
  #hidesCursor = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  draw(render: Render): void {
    this.#render = render
    this.#terminal.write(this.#hide() + this.#up() + this.#lines() + ERASE_BELOW)
  }

  /** Writes messages above the block. */
  messages(text: string): void {
    const whole = text.endsWith('\n') ? text : `${text}\n`
    this.#terminal.write(this.#up() + ERASE_BELOW + whole + this.#lines())
  }

  /** Removes the block and shows the cursor. It may be drawn again. */
  leave(): void {
    if (this.#hidesCursor) this.#terminal.write(this.#up() + ERASE_BELOW + SHOW_CURSOR)
    this.#hidesCursor = false
    this.#height = 0
    this.#render = () => []
  }

  /** Only shows the cursor, when others may have written below the block. */
  release(): void {
    if (this.#hidesCursor) this.#terminal.write(SHOW_CURSOR)
    this.#hidesCursor = false
    this.#height = 0
  }

  #hide(): string {
    const isHidden = this.#hidesCursor
    this.#hidesCursor = true
    return isHidden ? '' : HIDE_CURSOR
  }

  /** To the first line of the block. */
  #up(): string {
    return this.#height === 0 ? '' : `\x1b[${this.#height}A\r`
  }

  #lines(): string {
    // The last column stays free, since some terminals break a line that fills it; the last row is
    // the cursor's.
    const lines = this.#render(Math.max(1, this.#terminal.columns() - 1))
    const shown = lines.slice(0, Math.max(0, this.#terminal.rows() - 1))
    this.#height = shown.length
    return shown.map((line) => `${ERASE_LINE}${line}\n`).join('')
  }
}
