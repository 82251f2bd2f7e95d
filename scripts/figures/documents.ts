// Reads and writes the tables of measured figures in documents: which cell is which figure. A table
// of figures is one whose first column is called "measured"; each of its cells is looked up by the
// name of its row and, unless the column is one of three, by that of its column. A table whose
// first column is called "results" says when each results file was made, and of which commit.

import { FIGURES, type Figure } from './list.ts'
import { originOf, type ReadResults, textOf, textOfRuns } from './results.ts'

/** One thing that is wrong in a document. */
export interface Problem {
  /** From 1. */
  readonly line: number
  readonly text: string
}

export interface Checked {
  /** The document with every figure as its results file has it now. */
  readonly text: string
  readonly problems: readonly Problem[]
}

/** Numbers in prose that look measured, and are not: limits, and what others have published. */
const NOT_MEASURED: readonly string[] = [
  // limits.ts: streams end at this rate, or within 30 s.
  '10,000 a second',
  // limits.ts: what a body must bring at least.
  '4 KiB a second',
  // limits.ts: keys that are kept for five minutes.
  '3,495 a second',
  // limits.ts: from here on workers get frames in batches.
  '5,000 frames a second',
  // feed-limits.ts: an event of the feed.
  '20 bytes each and',
  // limits.ts of Erlang.
  '1 MiB a message',
  // What examples ask for.
  '16,666 messages a second',
  '1,000 messages a second',
]

/** What only a measurement says: times of the processor, rates, percentiles, and what one costs. */
const LOOKS_MEASURED = [
  /\d[\d,.]* ?(?:µs|ns)\b/g,
  /\d[\d,.]* (?:[a-z]+ )?a (?:core-)?second\b/g,
  /\d[\d,.]* (?:bytes|KB|MB|KiB|MiB) (?:a|each|per) [a-z]+/g,
  /\bp\d\d(?:\.\d+)? (?:of )?\d[\d,.]* ?m?s\b/g,
]

/** Checks one document, and says how it should read. */
export function checkDocument(document: string, read: ReadResults): Checked {
  const problems: Problem[] = []
  const lines = document.split('\n')
  let columns: readonly string[] | null = null
  let isCode = false
  const written = lines.map((line, at) => {
    const report = (text: string) => problems.push({ line: at + 1, text })
    if (line.startsWith('```')) isCode = !isCode
    if (isCode || line.startsWith('```')) return line
    if (!line.startsWith('|')) columns = null
    else if (columns === null) columns = cellsOf(line)
    else if (columns[0] === 'measured' || columns[0] === 'results') {
      return /^[-| ]*$/.test(line) ? line : checkRow(line, columns, read, report)
    }
    for (const found of measuredIn(line)) {
      report(`"${found}" looks measured: put it into a table whose first column is "measured"`)
    }
    return line
  })
  return { text: written.join('\n'), problems }
}

function checkRow(
  line: string,
  columns: readonly string[],
  read: ReadResults,
  report: (text: string) => void,
): string {
  const cells = cellsOf(line)
  const row = cells[0] ?? ''
  const right = cells.map((cell, at) => {
    const column = columns[at] ?? ''
    if (at === 0 || cell === '' || column === '2008') return cell
    const [name, wanted] =
      columns[0] === 'results'
        ? [`${column} of ${row}`, originOf(row, column, read)]
        : figureIn(row, column, read)
    if (wanted === null) report(`there is no figure "${name}" in scripts/figures/list.ts`)
    else if (cell !== wanted) report(`"${name}" is ${wanted} in its results file, and not ${cell}`)
    return wanted ?? cell
  })
  return `| ${right.join(' | ')} |`.replaceAll('|  |', '| |')
}

/** The name of the figure of a cell, and what the cell should be; null if there is none. */
function figureIn(row: string, column: string, read: ReadResults): [string, string | null] {
  const isPlain = ['figure', 'runs', 'command'].includes(column)
  const name = isPlain ? row : `${row}, ${column}`
  const figure = FIGURES.get(name)
  return [name, figure === undefined ? null : cellOf(figure, column, read)]
}

function cellOf(figure: Figure, column: string, read: ReadResults): string {
  if (column === 'command') return `\`${figure.command}\``
  return column === 'runs' ? textOfRuns(figure, read) : textOf(figure, read)
}

function cellsOf(line: string): string[] {
  return line
    .trim()
    .replace(/^\|/, '')
    .replace(/\|$/, '')
    .split('|')
    .map((cell) => cell.trim())
}

function measuredIn(line: string): string[] {
  const prose = line.replaceAll(/`[^`]*`/g, '').replaceAll(/\]\([^)]*\)/g, ']')
  const found = LOOKS_MEASURED.flatMap((pattern) => [...prose.matchAll(pattern)])
  return found.map(([text]) => text).filter((text) => !NOT_MEASURED.includes(text))
}
