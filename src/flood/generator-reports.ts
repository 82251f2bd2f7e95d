// What generators were promised, as they wrote it down: `comet flood --expect` reads it when the run is
// over, since it is written while the run goes.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { settledWithin } from '../core/deadline.ts'
import { floodLimits } from '../core/tool-limits.ts'

/** The part of a generator's report that is compared. */
const Promised = Type.Object({
  delivered: Type.Integer({ minimum: 0 }),
  unpromised: Type.Optional(Type.Integer({ minimum: 0 })),
  unknown: Type.Optional(Type.Integer({ minimum: 0 })),
  generators: Type.Optional(Type.Object({ first: Type.Integer(), count: Type.Integer() })),
})
type Promised = Static<typeof Promised>

/**
 * Deliveries promised in all files together, null if there is none; or why they are not known.
 *
 * @param came generators whose messages came: those of others would hide as many that are lost
 */
export async function promisedIn(
  files: readonly string[],
  came: readonly number[] = [],
): Promise<number | null | string> {
  if (files.length === 0) return null
  const reports: Promised[] = []
  for (const file of files) {
    const report = await readReport(file)
    if (typeof report === 'string') return report
    reports.push(report)
  }
  const strangers = came.filter((generator) => !reports.some((report) => isOf(report, generator)))
  if (strangers.length > 0) {
    return (
      `messages of ${strangers.length} generators came that no --expect tells of; ` +
      'give the reports of all that sent'
    )
  }
  return reports.reduce((sum, { delivered }) => sum + delivered, 0)
}

/** A report that names no generators may be of any. */
function isOf({ generators }: Promised, generator: number): boolean {
  if (generators === undefined) return true
  const { first, count } = generators
  return generator >= first && generator < first + count
}

async function readReport(file: string): Promise<Promised | string> {
  try {
    const text = await settledWithin(Bun.file(file).text(), floodLimits.expectMsMax)
    if (text === undefined) {
      return `--expect ${file} has given nothing for ${floodLimits.expectMsMax} ms`
    }
    const report: unknown = JSON.parse(text)
    if (Value.Check(Promised, report)) {
      const { unpromised = 0, unknown = 0 } = report
      if (unpromised === 0 && unknown === 0) return report
      const why =
        unpromised > 0
          ? 'its server did not say how many get a message'
          : `its server did not know of ${unknown} deliveries whether they were made`
      return `--expect ${file} cannot be compared: ${why}`
    }
    return `--expect ${file} is no report of comet gen --json`
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is no JSON' : (error as { code?: string }).code
    return `--expect ${file} cannot be read (${why}); write it with comet gen --json > ${file}`
  }
}
