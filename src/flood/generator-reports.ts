// The reports of generators for `comet flood --expect`: how many deliveries they were promised.
// Read after the run, since generators write them when they end.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { settledWithin } from '../core/deadline.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { floodLimits } from '../core/tool-limits.ts'

/** The part of a report of `comet gen` that is compared. */
const Deliveries = Type.Object({
  sent: Type.Optional(Type.Integer({ minimum: 0 })),
  rejected: Type.Optional(Type.Integer({ minimum: 0 })),
  unanswered: Type.Optional(Type.Integer({ minimum: 0 })),
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
 * @param resumes do streams resume? Then each message that was accepted is promised to the stream
 * of its user, also while that is away
 */
export async function promisedDeliveries(
  files: readonly string[],
  came: readonly number[] = [],
  resumes = false,
): Promise<Result<number | null>> {
  if (files.length === 0) return success(null)
  const reports: Deliveries[] = []
  for (const file of files) {
    const report = await readReport(file, resumes)
    if (!report.ok) return refused(`--expect ${file} ${report.why}`)
    reports.push(report.value)
  }
  const unknown = came.filter((generator) => !reports.some((report) => isOf(report, generator)))
  if (unknown.length > 0) {
    return refused(
      `messages of ${unknown.length} generators came that are in no --expect report; ` +
        'give the reports of all generators',
    )
  }
  return success(reports.reduce((sum, report) => sum + promisedBy(report, resumes), 0))
}

function promisedBy({ sent = 0, rejected = 0, delivered }: Deliveries, resumes: boolean): number {
  return resumes ? sent - rejected : delivered
}

/** A report that names no generators may belong to any. */
function isOf({ generators }: Deliveries, generator: number): boolean {
  if (generators === undefined) return true
  const { first, count } = generators
  return generator >= first && generator < first + count
}

/** @returns what is wrong follows the name of the file */
async function readReport(file: string, resumes: boolean): Promise<Result<Deliveries>> {
  try {
    const text = await settledWithin(Bun.file(file).text(), floodLimits.expectMsMax)
    if (text === undefined) return refused(`could not be read within ${floodLimits.expectMsMax} ms`)
    const report: unknown = JSON.parse(text)
    if (!Value.Check(Deliveries, report)) return refused('is not a report of comet gen --json')
    const { unpromised = 0, unknown = 0, unanswered = 0 } = report
    if (resumes) {
      return unanswered === 0
        ? success(report)
        : refused(`cannot be compared: ${unanswered} messages were not answered; give gen --key`)
    }
    if (unpromised > 0) {
      return refused('cannot be compared: its server did not report how many users get a message')
    }
    return unknown === 0
      ? success(report)
      : refused(
          `cannot be compared: its server did not know whether ${unknown} deliveries were made`,
        )
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is not JSON' : codeOf(error)
    return refused(`cannot be read (${why}); write it with comet gen --json > ${file}`)
  }
}
