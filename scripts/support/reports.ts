// What flood and gen report with --json, checked against their schemas, for the end-to-end tests.

import { Value } from '@sinclair/typebox/value'
import { FloodReport } from '../../src/flood/flood-report.ts'
import { FloodSample } from '../../src/flood/sample.ts'
import { GenReport } from '../../src/gen/gen-report.ts'
import type { Finished } from './comet.ts'

/** Throws, with all that the command said, when it is no report. */
export function floodReport({ out, words }: Finished): FloodReport {
  try {
    return Value.Parse(FloodReport, JSON.parse(out))
  } catch (error) {
    throw new Error(`no report: ${out}${words}`, { cause: error })
  }
}

/** As {@link floodReport}. */
export function genReport({ out, words }: Finished): GenReport {
  try {
    return Value.Parse(GenReport, JSON.parse(out))
  } catch (error) {
    throw new Error(`no report: ${out}${words}`, { cause: error })
  }
}

/** What `comet flood --ndjson` wrote. */
export function floodLines({ out }: Finished): { samples: FloodSample[]; report: FloodReport } {
  const lines = out.trim().split('\n')
  const report = Value.Parse(FloodReport, JSON.parse(lines.pop() ?? ''))
  return { samples: lines.map((line) => Value.Parse(FloodSample, JSON.parse(line))), report }
}
