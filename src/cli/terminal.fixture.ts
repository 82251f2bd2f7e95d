// A terminal for tests: it holds what would be on the screen and above it, and understands the few
// codes that are used. Anything else is an error, so that none goes unnoticed.

import type { Terminal } from './terminal.ts'

export class FakeTerminal implements Terminal {
  /** All rows from the first ever written on; the last ones are on the screen. */
  readonly #rows: string[] = ['']
  #row = 0
  #column = 0
  #columns: number
  #visibleRows: number
  cursorIsHidden = false
  writes = 0

  constructor(columns: number, rows: number) {
    this.#columns = columns
    this.#visibleRows = rows
  }

  columns(): number {
    return this.#columns
  }

  rows(): number {
    return this.#visibleRows
  }

  /** Like a terminal that leaves the rows as they are. */
  resize(columns: number, rows: number): void {
    this.#columns = columns
    this.#visibleRows = rows
  }

  write(text: string): void {
    this.writes++
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal is told by
    for (const [part, code, final] of text.matchAll(/\x1b\[([?\d;]*)([A-Za-z])|[\s\S]/gu)) {
      if (final !== undefined) this.#obey(code ?? '', final)
      else if (part === '\n') this.#lineFeed()
      else if (part === '\r') this.#column = 0
      else this.#put(part)
    }
  }

  /** Everything from the first row on, without empty rows at the end. */
  get text(): string {
    return this.#rows
      .map((row) => row.trimEnd())
      .join('\n')
      .trimEnd()
  }

  get #firstVisible(): number {
    return Math.max(0, this.#rows.length - this.#visibleRows)
  }

  #obey(code: string, final: string): void {
    const key = `${code}${final}`
    if (key === '?25l') this.cursorIsHidden = true
    else if (key === '?25h') this.cursorIsHidden = false
    else if (final === 'm') return
    else if (key === '2K') this.#rows[this.#row] = ''
    else if (key === 'J') {
      this.#rows[this.#row] = (this.#rows[this.#row] ?? '').slice(0, this.#column)
      this.#rows.fill('', this.#row + 1)
    } else if (final === 'A') {
      // It stops at the top of the screen; what has scrolled off cannot be reached.
      this.#row = Math.max(this.#firstVisible, this.#row - Number(code))
    } else throw new Error(`the terminal does not know the code ${key}`)
  }

  #put(character: string): void {
    if (this.#column >= this.#columns) {
      this.#lineFeed()
    }
    const row = (this.#rows[this.#row] ?? '').padEnd(this.#column)
    this.#rows[this.#row] =
      row.slice(0, this.#column) + character + row.slice(this.#column + character.length)
    this.#column++
  }

  #lineFeed(): void {
    this.#row++
    this.#column = 0
    if (this.#row === this.#rows.length) this.#rows.push('')
  }
}
