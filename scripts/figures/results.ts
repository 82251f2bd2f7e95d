// Reads the value of a figure from its results file, and writes it as documents do.

import type { Figure, Source, Unit } from './list.ts'

/** The content of a results file, by its name in bench/results. */
export type ReadResults = (file: string) => unknown

/** A figure as documents write it: `161 bytes`, `0 of 18,016,584`. */
export function textOf(figure: Figure, read: ReadResults): string {
  const text = written(figure, numberOf(figure, read), figure.unit)
  if (figure.of === undefined) return text
  return `${text} of ${written(figure, numberOf({ ...figure, key: figure.of }, read), '')}`
}

/** The smallest and the largest run behind it. */
export function textOfRuns(figure: Figure, read: ReadResults): string {
  const { min, max } = entryOf(figure, read)
  if (min === undefined || max === undefined) throw new Error(`${figure.key} has no runs`)
  return `${written(figure, min, '')} to ${written(figure, max, figure.unit)}`
}

/** When a results file was made, or of which commit; throws if it does not say so. */
export function originOf(file: string, column: string, read: ReadResults): string {
  const { date, versions } = read(file) as ResultsFile
  const text =
    column === 'date'
      ? date?.slice(0, '2026-11-30'.length)
      : /\((\w+\+?),/.exec(versions?.comet ?? '')?.[1]
  if (text === undefined) throw new Error(`bench/results/${file} has no ${column}`)
  return text
}

function written({ digits, by = 1 }: Figure, value: number, unit: Unit): string {
  const number = (value / by).toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
  return unit === '' ? number : `${number} ${unit}`
}

interface Entry {
  readonly value: number
  readonly min?: number
  readonly max?: number
}

/** The value that a source names; throws if there is none. */
export function numberOf(source: Source, read: ReadResults): number {
  return entryOf(source, read).value
}

/** The entry of a results file that a source names; throws if there is none. */
function entryOf({ file, key }: Source, read: ReadResults): Entry {
  const results = read(file)
  const found = key.startsWith('/') ? { value: atPath(results, key) } : listed(results, key)
  if (found === null || typeof found.value !== 'number') {
    throw new Error(`bench/results/${file} has no ${key}`)
  }
  return found as Entry
}

function atPath(results: unknown, path: string): unknown {
  return path
    .slice(1)
    .split('/')
    .reduce<unknown>((of, step) => (of as Record<string, unknown> | undefined)?.[step], results)
}

/** A row of a list of figures, as the benches write them. */
interface ResultRow {
  readonly case?: string
  readonly figure: string
  readonly median?: number
  readonly min?: number
  readonly max?: number
  readonly value?: number | Required<Pick<ResultRow, 'median' | 'min' | 'max'>>
}

interface ResultsFile {
  readonly date?: string
  readonly versions?: { readonly comet?: string }
  readonly figures?: readonly ResultRow[]
  readonly peers?: readonly { readonly name: string; readonly figures: readonly ResultRow[] }[]
}

function listed(results: unknown, key: string) {
  const { figures = [], peers: servers = [] } = results as ResultsFile
  const [of = '', figure] = key.split('.')
  const row = [
    ...figures.filter(
      (each) => `${each.case === undefined ? '' : `${each.case}.`}${each.figure}` === key,
    ),
    ...servers.filter(({ name }) => name === of).flatMap((each) => each.figures),
  ].find((each) => each.figure === (figure ?? key))
  if (row === undefined) return null
  const { value = row.median } = row
  return typeof value === 'object' ? { ...value, value: value.median } : { ...row, value }
}
