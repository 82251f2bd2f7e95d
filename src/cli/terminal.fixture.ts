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
  /** Rows that go on in the next one, since they were full. */
  readonly #broken = new Set<number>()
  readonly breaksLines: boolean
  cursorIsHidden = false
  writes = 0

  /** @param breaksLines in two, where a resize leaves no room for them */
  constructor(columns: number, rows: number, breaksLines = false) {
    this.#columns = columns
    this.#visibleRows = rows
    this.breaksLines = breaksLines
  }

  columns(): number {
    return this.#columns
  }

  rows(): number {
    return this.#visibleRows
  }

  resize(columns: number, rows: number): void {
    this.#columns = columns
    this.#visibleRows = rows
    if (this.breaksLines) this.#breakLines()
  }

  /** Joins rows that were broken, and breaks those that are too long; keeps the cursor's line. */
  #breakLines(): void {
    const lines: string[] = []
    let goesOn = false
    let cursorLine = 0
    for (const [at, row] of this.#rows.entries()) {
      if (goesOn) lines.push((lines.pop() ?? '') + row)
      else lines.push(row)
      if (at === this.#row) cursorLine = lines.length - 1
      goesOn = this.#broken.has(at)
    }
    this.#rows.length = 0
    this.#broken.clear()
    for (const [at, line] of lines.entries()) {
      if (at === cursorLine) this.#row = this.#rows.length
      const text = line.trimEnd()
      for (let from = 0; from === 0 || from < text.length; from += this.#columns) {
        this.#rows.push(text.slice(from, from + this.#columns))
        if (from + this.#columns < text.length) this.#broken.add(this.#rows.length - 1)
      }
    }
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
    else if (key === '2K') {
      this.#rows[this.#row] = ''
      this.#broken.delete(this.#row)
    } else if (key === 'J') {
      this.#rows[this.#row] = (this.#rows[this.#row] ?? '').slice(0, this.#column)
      this.#rows.fill('', this.#row + 1)
      for (const at of this.#broken) if (at >= this.#row) this.#broken.delete(at)
    } else if (final === 'A') {
      // It stops at the top of the screen; what has scrolled off cannot be reached.
      this.#row = Math.max(this.#firstVisible, this.#row - Number(code))
    } else throw new Error(`the terminal does not know the code ${key}`)
  }

  #put(character: string): void {
    if (this.#column >= this.#columns) {
      this.#broken.add(this.#row)
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
