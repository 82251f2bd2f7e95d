// What the reports of all benches share: targets, medians, the machine, and how JSON is written.

import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

export const NumberOrNull = Type.Union([Type.Number(), Type.Null()])
export const TextOrNull = Type.Union([Type.String(), Type.Null()])

/** What a figure must reach. */
export const Target = Type.Union([
  Type.Object({ atMost: Type.Number() }),
  Type.Object({ atLeast: Type.Number() }),
])
export type Target = Static<typeof Target>

/** Whether a value meets its target; null without a target. A missing value does not meet one. */
export function isMet(value: number | null, target: Target | null): boolean | null {
  if (target === null) return null
  if (value === null) return false
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast
}

export const Spread = Type.Object({
  median: Type.Number(),
  min: Type.Number(),
  max: Type.Number(),
})
export type Spread = Static<typeof Spread>

/** Of the values that there are; null if there are none. */
export function spreadOf(values: readonly (number | null)[]): Spread | null {
  const found = values.filter((value) => value !== null)
  if (found.length === 0) return null
  return { median: median(found), min: Math.min(...found), max: Math.max(...found) }
}

/** Of an even number of values the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The fields that every report begins with. */
export const ReportHead = {
  schema: Type.Literal(1),
  date: Type.String({ description: 'When the run began, ISO 8601.' }),
  command: Type.String({ description: 'How to repeat it, at the commit of `versions.comet`.' }),
  machine: Type.Object({
    processor: Type.String(),
    cores: Type.Integer(),
    memoryBytes: Type.Integer(),
    kernel: Type.String(),
    openFilesLimit: Type.Integer(),
  }),
}

export type Machine = Static<typeof ReportHead.machine>

/** Readable, but each list of samples on a line of its own: a number a line would be endless. */
export function jsonText({ samples, ...rest }: object & { readonly samples?: object }): string {
  const head = JSON.stringify(rest, null, 2)
  if (samples === undefined) return `${head}\n`
  const columns = Object.entries(samples).map(
    ([name, values]) => `    ${JSON.stringify(name)}: ${JSON.stringify(values)}`,
  )
  return `${head.slice(0, -2)},\n  "samples": {\n${columns.join(',\n')}\n  }\n}\n`
}

/** A report as it was written; undefined if there is none, or it is of another schema. */
export async function readReport<T extends TSchema>(
  path: string,
  schema: T,
): Promise<Static<T> | undefined> {
  try {
    const value: unknown = await Bun.file(path).json()
    return Value.Check(schema, value) ? value : undefined
  } catch {
    // No JSON: half-written, or a file of something else.
    return undefined
  }
}
