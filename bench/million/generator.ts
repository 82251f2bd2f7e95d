// `comet gen` of a run: one generator from its start to its report.

import { Value } from '@sinclair/typebox/value'
import { GenReport } from '../../src/gen/report.ts'
import { COMET } from '../comet.ts'
import { Program } from './program.ts'

export interface GenWish {
  readonly controlUrl: string
  readonly address: 'to' | 'subject'
  readonly ratePerSecond: number
  readonly users: number
  readonly durationMs: number
  /** Generators, each with a publisher of its own. */
  readonly publishers: number
}

export interface GenOutcome {
  readonly report: GenReport
  readonly cpuSeconds: number
}

/** Milliseconds past its duration that a generator may take: its last answers, and to report. */
const LATE_MS_MAX = 60_000

/**
 * Runs a generator to its end.
 *
 * @param onStart is told its process, so that it can be watched meanwhile
 */
export async function generate(wish: GenWish, onStart: (pid: number) => void): Promise<GenOutcome> {
  let report: GenReport | undefined
  await using program = new Program('comet gen', genCommand(wish), (line) => {
    report ??= readReport(line)
  })
  onStart(program.pid)
  await program.ended(wish.durationMs + LATE_MS_MAX)
  if (report === undefined) throw program.error('ended without a report')
  return { report, cpuSeconds: program.cpuSeconds }
}

function readReport(line: string): GenReport | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(line)
    return Value.Check(GenReport, value) ? value : undefined
  } catch {
    // Cut short: without a report the run fails, and says what was last printed.
    return undefined
  }
}

function genCommand(wish: GenWish): string[] {
  const { controlUrl, address, ratePerSecond, users, durationMs, publishers } = wish
  const options = {
    generators: String(publishers),
    publishers: String(publishers),
    rate: String(ratePerSecond),
    users: String(users),
    duration: `${durationMs}ms`,
    address,
  }
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  return [COMET, 'gen', controlUrl, ...flags, '--json']
}
