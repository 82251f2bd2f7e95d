// What `comet doctor` does: reads the machine, or a Redis, assesses it, and prints what was asked
// for; and what a start of server or flood warns of, by the same table.

import { EXIT } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import type { RedisValues } from '../cli/redis-options.ts'
import { doctorLimits } from '../core/tool-limits.ts'
import { formatQuantity } from '../core/units.ts'
import { type Assessment, assess, shortFindings } from './assessment.ts'
import type { Demand, End } from './demand.ts'
import {
  aboutText,
  assessmentText,
  doctorCommand,
  doctorReport,
  sysctlText,
  systemdText,
} from './doctor-report.ts'
import { readMachine } from './machine.ts'

interface DoctorOptions extends RedisValues {
  readonly connections: number
  readonly end: End
  readonly sysctl: boolean
  readonly systemd: boolean
  readonly history: number
  readonly json: boolean
}

export async function run(options: DoctorOptions, io: Io): Promise<number> {
  const { connections, end, sysctl, systemd, json, bus } = options
  if (bus !== null) {
    // Starts of server and flood, which warn of the machine, do not need it.
    const { runForRedis } = await import('./redis-doctor.ts')
    return runForRedis({ ...options, bus }, io)
  }
  const assessment = assess(readMachine(), { connections, end, sources: null })
  if (!assessment.machine.hasProc) {
    io.stderr('comet doctor: there is no /proc; only open files and cores are known without Linux')
  }
  if (sysctl || systemd) {
    io.stdout(sysctl ? sysctlText(assessment) : systemdText(assessment))
    return reportRest(assessment, sysctl ? 'sysctl' : 'unitLimit', io)
  }
  io.stdout(json ? JSON.stringify(doctorReport(assessment)) : assessmentText(assessment))
  return assessment.isMet ? EXIT.ok : EXIT.failed
}

/**
 * Says what a file does not help with. Only what no file helps with is a failure, so that a command
 * after `&&` runs when the file is of use.
 */
function reportRest(assessment: Assessment, kind: 'sysctl' | 'unitLimit', io: Io): number {
  const short = shortFindings(assessment)
  for (const { setting, shown, want } of short) {
    if (setting[kind] !== undefined) continue
    const { name, unitLimit, cure } = setting
    const what = cure ?? `comet doctor --${unitLimit === undefined ? 'sysctl' : 'systemd'}`
    io.stderr(`comet doctor: ${name} is ${shown} and should be ${want.text}: ${what}`)
  }
  return short.some(({ setting }) => setting.cure !== undefined) ? EXIT.failed : EXIT.ok
}

/** What this machine lacks for a demand, a line each; usually nothing. */
export function machineWarnings(demand: Demand): string[] {
  return warningsOf(assess(readMachine(), demand))
}

export function warningsOf(assessment: Assessment): string[] {
  const { connections } = assessment.demand
  const worstFirst = shortFindings(assessment).toSorted((a, b) => (a.holds ?? 0) - (b.holds ?? 0))
  return worstFirst
    .slice(0, doctorLimits.warningsMax)
    .map(
      ({ setting, shown, want, holds }) =>
        `${setting.name} is ${shown}: enough for about ${aboutText(holds ?? 0)} of ` +
        `${formatQuantity(connections, 'stream')}; it should be ${want.text}. ` +
        `Run ${doctorCommand(assessment.demand)} for details.`,
    )
}
