// Fewer samples where there are too many to keep: neighbours become one. Pure.

import { type Kinds, mergedEach } from '../../src/report/downsample.ts'
import type { Sample } from './sample.ts'

const KINDS: Kinds = {
  peaks: new Set(['p50Ms', 'p99Ms', 'p999Ms', 'maxMs']),
  totals: new Set(['opened', 'closed', 'failed', 'messages']),
}

/** At most so many samples; each stands for as many seconds of the original. */
export function downsample(samples: readonly Sample[], most: number): Sample[] {
  const each = Math.ceil(samples.length / Math.max(1, most))
  return each <= 1 ? [...samples] : mergedEach(samples, each, KINDS)
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
