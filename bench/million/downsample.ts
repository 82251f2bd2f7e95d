// Fewer samples where there are too many to keep: neighbours become one. Pure.

import type { Sample } from './sample.ts'

/** Of these the largest is kept, so that no slow second disappears in a mean. */
const PEAKS: ReadonlySet<string> = new Set(['p50Ms', 'p99Ms', 'p999Ms', 'maxMs'])
/** Of these the last is kept: they only grow. */
const TOTALS: ReadonlySet<string> = new Set(['opened', 'closed', 'failed', 'messages'])

/** At most so many samples; each stands for as many seconds of the original. */
export function downsample(samples: readonly Sample[], most: number): Sample[] {
  const each = Math.ceil(samples.length / Math.max(1, most))
  if (each <= 1) return [...samples]
  const fewer: Sample[] = []
  for (let at = 0; at < samples.length; at += each) fewer.push(merged(samples.slice(at, at + each)))
  return fewer
}

function merged(samples: readonly Sample[]): Sample {
  const last = samples.at(-1) as Sample
  const entries = Object.keys(last).map((name) => {
    const values = samples.map((of) => of[name as keyof Sample]).filter((value) => value !== null)
    return [name, values.length === 0 ? null : one(name, values)]
  })
  return Object.fromEntries(entries) as Sample
}

function one(name: string, values: readonly number[]): number {
  if (PEAKS.has(name)) return Math.max(...values)
  if (TOTALS.has(name)) return values.at(-1) ?? 0
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Digits after the point by the end of a name; all other figures are whole numbers. */
const DIGITS: readonly (readonly [RegExp, number])[] = [
  [/Ms$/, 2],
  [/Cores$/, 3],
  [/^seconds$/, 1],
]

/** Samples as one list a figure, which takes a third of the room. */
export function columnsOf(samples: readonly Sample[]): Record<string, (number | null)[]> {
  const columns: Record<string, (number | null)[]> = {}
  for (const name of Object.keys(samples[0] ?? {}) as (keyof Sample)[]) {
    const digits = DIGITS.find(([pattern]) => pattern.test(name))?.[1] ?? 0
    columns[name] = samples.map((of) => {
      const value = of[name]
      return value === null ? null : Number(value.toFixed(digits))
    })
  }
  return columns
}
