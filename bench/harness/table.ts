// Tables of text: cells that line up, and figures as people read them.

import { formatBytes, formatQuantity } from '../../src/core/units.ts'
import type { Machine, Target } from './report.ts'

/** Cells padded to columns; those of the given columns are numbers, and end at the right. */
function alignedRows(
  rows: readonly (readonly string[])[],
  numbers: ReadonlySet<number> = new Set(),
  widthMin = 0,
): string[][] {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(widthMin, ...rows.map((row) => (row[at] ?? '').length)),
  )
  return rows.map((row) =>
    widths.map((width, at) => {
      const text = row[at] ?? ''
      return numbers.has(at) ? text.padStart(width) : text.padEnd(width)
    }),
  )
}

export function alignedTable(
  rows: readonly (readonly string[])[],
  numbers: ReadonlySet<number> = new Set(),
): string {
  return alignedRows(rows, numbers)
    .map((row) => row.join('  ').trimEnd())
    .join('\n')
}

/** A table in Markdown, which a terminal shows as well; the first row is the head. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = alignedRows(rows, new Set(), 3)
  const rule = head.map((cell) => '-'.repeat(cell.length))
  return [head, rule, ...body].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

export function formatNumber(value: number, digits: number): string {
  const fraction = { minimumFractionDigits: digits, maximumFractionDigits: digits }
  return value.toLocaleString('en-US', fraction)
}

export function formatTarget(target: Target | null): string {
  if (target === null) return ''
  return 'atMost' in target
    ? `at most ${target.atMost.toLocaleString('en-US')}`
    : `at least ${target.atLeast.toLocaleString('en-US')}`
}

export function formatMet(met: boolean | null): string {
  return met === null ? '' : met ? 'met' : 'NOT MET'
}

/** `AMD EPYC, 2 cores, 23.5 GiB, linux 6.18 x64`. */
export function formatMachine({ processor, cores, memoryBytes, kernel }: Machine): string {
  return `${processor}, ${formatQuantity(cores, 'core')}, ${formatBytes(memoryBytes)}, ${kernel}`
}
