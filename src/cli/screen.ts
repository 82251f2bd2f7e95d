// A block of lines at the foot of a terminal that is drawn again in its place, while words go above
// it and stay. It knows the few escape codes that this takes, and nothing of what the lines say.

/** The terminal as far as it is needed; its size may change at any time. */
export interface Terminal {
  write(text: string): void
  columns(): number
  rows(): number
}

/** The lines for a terminal of so many columns; none is longer. */
export type Render = (columns: number) => readonly string[]

const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
const ERASE_LINE = '\x1b[2K'
const ERASE_BELOW = '\x1b[J'

/**
 * The cursor rests below the block. Each change is one write, so that nothing is ever seen half.
 *
 * Where a window that gets narrower breaks the block's lines in two, the ends of them stay above the
 * next block: only a terminal knows whether it does that, and words are never erased on a guess.
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

  /** Writes words above the block. */
  words(text: string): void {
    const whole = text.endsWith('\n') ? text : `${text}\n`
    this.#terminal.write(this.#up() + ERASE_BELOW + whole + this.#lines())
  }

  /** Takes the block away and gives the cursor back. It may be drawn again. */
  leave(): void {
    if (this.#hidesCursor) this.#terminal.write(this.#up() + ERASE_BELOW + SHOW_CURSOR)
    this.#hidesCursor = false
    this.#height = 0
    this.#render = () => []
  }

  /** Gives the cursor back and touches nothing else, when others may have written below the block. */
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
