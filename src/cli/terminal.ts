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

/** For terminals that have colours. */
export function bold(text: string): string {
  return `\x1b[1m${text}\x1b[22m`
}

/** May what is written there have colours? */
export function canColor(output: { readonly isTTY?: boolean }): boolean {
  return output.isTTY === true && wantsColor(process.env)
}

/** What terminals that break lines say of themselves: VTE, kitty, Alacritty, WezTerm, tmux, … */
const BREAKING = [
  ...['VTE_VERSION', 'KITTY_WINDOW_ID', 'ALACRITTY_WINDOW_ID', 'WEZTERM_PANE'],
  ...['WT_SESSION', 'ITERM_SESSION_ID', 'GHOSTTY_RESOURCES_DIR', 'TMUX'],
]

const standardError: Terminal = {
  write: (text) => {
    process.stderr.write(text)
  },
  breaksLines: breaksLines(process.env),
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

/**
 * Is it known that the terminal breaks the lines that are on it when it gets narrower? screen(1)
 * does not, and passes on the variables of the terminal around it.
 */
export function breaksLines(environment: Readonly<Record<string, string | undefined>>): boolean {
  const has = (name: string) => (environment[name] ?? '') !== ''
  return BREAKING.some(has) && !has('STY')
}

/** Its size may change at any time. */
export interface Terminal {
  /** Does it break lines in two when it gets narrower? False where that is not known. */
  readonly breaksLines: boolean
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
 * A window that gets narrower may break the block's lines in two. Where it is not known whether the
 * terminal does that, the ends of them stay above the next block: messages are never erased on a
 * guess.
 */
export class Block {
  readonly #terminal: Terminal
  #render: Render = () => []
  /** The columns of each line that is on the screen. */
  #drawn: readonly number[] = []
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
    this.#drawn = []
    this.#render = () => []
  }

  /** Only shows the cursor, when others may have written below the block. */
  release(): void {
    if (this.#hidesCursor) this.#terminal.write(SHOW_CURSOR)
    this.#hidesCursor = false
    this.#drawn = []
  }

  #hide(): string {
    const isHidden = this.#hidesCursor
    this.#hidesCursor = true
    return isHidden ? '' : HIDE_CURSOR
  }

  /** To the first line of the block. */
  #up(): string {
    const rows = this.#drawn.reduce((sum, width) => sum + this.#rowsOf(width), 0)
    return rows === 0 ? '' : `\x1b[${rows}A\r`
  }

  /** What a line takes now, however wide the terminal was when it was drawn. */
  #rowsOf(width: number): number {
    if (!this.#terminal.breaksLines) return 1
    return Math.max(1, Math.ceil(width / Math.max(1, this.#terminal.columns())))
  }

  #lines(): string {
    // The last column stays free, since some terminals break a line that fills it; the last row is
    // the cursor's.
    const lines = this.#render(Math.max(1, this.#terminal.columns() - 1))
    const shown = lines.slice(0, Math.max(0, this.#terminal.rows() - 1))
    this.#drawn = shown.map((line) => Bun.stringWidth(line))
    return shown.map((line) => `${ERASE_LINE}${line}\n`).join('')
  }
}
