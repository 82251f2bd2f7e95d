// The reports of generators for `comet flood --expect`: how many deliveries they were promised.
// Read after the run, since generators write them when they end.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { settledWithin } from '../core/deadline.ts'
import { floodLimits } from '../core/tool-limits.ts'
import type { Outcome } from './plan.ts'

/** The part of a report of `comet gen` that is compared. */
const Deliveries = Type.Object({
  delivered: Type.Integer({ minimum: 0 }),
  unpromised: Type.Optional(Type.Integer({ minimum: 0 })),
  unknown: Type.Optional(Type.Integer({ minimum: 0 })),
  generators: Type.Optional(Type.Object({ first: Type.Integer(), count: Type.Integer() })),
})
type Deliveries = Static<typeof Deliveries>

/**
 * The deliveries promised in all files together; null without files.
 *
 * @param came generators whose messages came: those of unknown generators would hide lost ones
 */
export async function promisedDeliveries(
  files: readonly string[],
  came: readonly number[] = [],
): Promise<Outcome<number | null>> {
  if (files.length === 0) return { ok: true, value: null }
  const reports: Deliveries[] = []
  for (const file of files) {
    const report = await readReport(file)
    if (!report.ok) return report
    reports.push(report.value)
  }
  const unknown = came.filter((generator) => !reports.some((report) => isOf(report, generator)))
  if (unknown.length > 0) {
    const why =
      `messages of ${unknown.length} generators came that are in no --expect report; ` +
      'give the reports of all generators'
    return { ok: false, why }
  }
  return { ok: true, value: reports.reduce((sum, { delivered }) => sum + delivered, 0) }
}

/** A report that names no generators may belong to any. */
function isOf({ generators }: Deliveries, generator: number): boolean {
  if (generators === undefined) return true
  const { first, count } = generators
  return generator >= first && generator < first + count
}

async function readReport(file: string): Promise<Outcome<Deliveries>> {
  const failed = (why: string) => ({ ok: false, why: `--expect ${file} ${why}` }) as const
  try {
    const text = await settledWithin(Bun.file(file).text(), floodLimits.expectMsMax)
    if (text === undefined) return failed(`could not be read within ${floodLimits.expectMsMax} ms`)
    const report: unknown = JSON.parse(text)
    if (!Value.Check(Deliveries, report)) return failed('is not a report of comet gen --json')
    const { unpromised = 0, unknown = 0 } = report
    if (unpromised > 0) {
      return failed('cannot be compared: its server did not report how many users get a message')
    }
    return unknown === 0
      ? { ok: true, value: report }
      : failed(
          `cannot be compared: its server did not know whether ${unknown} deliveries were made`,
        )
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is not JSON' : (error as { code?: string }).code
    return failed(`cannot be read (${why}); write it with comet gen --json > ${file}`)
  }
}
