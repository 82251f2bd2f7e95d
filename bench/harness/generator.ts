// `comet gen` of a run: one generator from its start to its report.

import { Value } from '@sinclair/typebox/value'
import { GenReport } from '../../src/gen/gen-report.ts'
import { COMET } from './comet.ts'
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
export function generate(wish: GenWish, onStart: (pid: number) => void): Promise<GenOutcome> {
  return runGenerator(genFlags(wish), wish.durationMs, onStart)
}

/** The same with the arguments of comet gen, but for `--duration` and `--json`, as they are. */
export async function runGenerator(
  args: readonly string[],
  durationMs: number,
  onStart: (pid: number) => void = () => undefined,
): Promise<GenOutcome> {
  let report: GenReport | undefined
  const command = [COMET, 'gen', ...args, '--duration', `${durationMs}ms`, '--json']
  await using program = new Program('comet gen', command, (line) => {
    report ??= readReport(line)
  })
  onStart(program.pid)
  await program.ended(durationMs + LATE_MS_MAX)
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

function genFlags({ controlUrl, address, ratePerSecond, users, publishers }: GenWish): string[] {
  const options = {
    generators: String(publishers),
    publishers: String(publishers),
    rate: String(ratePerSecond),
    users: String(users),
    address,
  }
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  return [controlUrl, ...flags]
}
