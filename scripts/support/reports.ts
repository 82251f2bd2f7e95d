// What flood and gen report with --json, checked against their schemas, for the end-to-end tests.

import { Value } from '@sinclair/typebox/value'
import { FloodReport, FloodSample } from '../../src/flood/flood-report.ts'
import { GenReport } from '../../src/gen/gen-report.ts'
import type { Finished } from './child-process.ts'

/** Throws, with all that the command said, when it is no report. */
export function floodReport({ stdout, stderr }: Finished): FloodReport {
  try {
    return Value.Parse(FloodReport, JSON.parse(stdout))
  } catch (error) {
    throw new Error(`no report: ${stdout}${stderr}`, { cause: error })
  }
}

/** As {@link floodReport}. */
export function genReport({ stdout, stderr }: Finished): GenReport {
  try {
    return Value.Parse(GenReport, JSON.parse(stdout))
  } catch (error) {
    throw new Error(`no report: ${stdout}${stderr}`, { cause: error })
  }
}

/** What `comet flood --ndjson` wrote. */
export function floodLines({ stdout }: Finished): { samples: FloodSample[]; report: FloodReport } {
  const lines = stdout.trim().split('\n')
  const report = Value.Parse(FloodReport, JSON.parse(lines.pop() ?? ''))
  return { samples: lines.map((line) => Value.Parse(FloodSample, JSON.parse(line))), report }
}
