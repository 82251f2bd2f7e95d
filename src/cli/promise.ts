// What generators were promised, as they wrote it down: `comet flood --expect` reads it when the run is
// over, since it is written while the run goes.

import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

/** The part of a generator's report that is compared. */
const Promised = Type.Object({
  delivered: Type.Integer({ minimum: 0 }),
  unpromised: Type.Optional(Type.Integer({ minimum: 0 })),
})

/** Deliveries promised in all files together, null if there is none; or why they are not known. */
export async function promisedIn(files: readonly string[]): Promise<number | null | string> {
  if (files.length === 0) return null
  let promised = 0
  for (const file of files) {
    const report = await readReport(file)
    if (typeof report === 'string') return report
    promised += report.delivered
  }
  return promised
}

async function readReport(file: string): Promise<{ delivered: number } | string> {
  try {
    const report: unknown = JSON.parse(await Bun.file(file).text())
    if (Value.Check(Promised, report)) {
      if ((report.unpromised ?? 0) === 0) return report
      return `--expect ${file} cannot be compared: its server did not say how many get a message`
    }
    return `--expect ${file} is no report of comet gen --json`
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is no JSON' : (error as { code?: string }).code
    return `--expect ${file} cannot be read (${why}); write it with comet gen --json > ${file}`
  }
}
