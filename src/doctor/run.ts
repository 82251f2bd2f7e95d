// What `comet doctor` does with its options: reads the machine, judges it, and prints what was asked for.

import { EXIT, type Run } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import type { OPTIONS } from './command.ts'
import { sysctlText, systemdText } from './prescription.ts'
import { verdictText } from './print.ts'
import { readMachine } from './readings.ts'
import { doctorReport } from './report.ts'
import { judgeMachine, shortOnes, type Verdict } from './verdict.ts'

export const run: Run<typeof OPTIONS> = async (values, io) => {
  const { connections, end, sysctl, systemd, json } = values
  const verdict = judgeMachine(readMachine(), { connections, end, sources: null })
  if (!verdict.readings.hasProc) {
    io.stderr('comet doctor: there is no /proc; what is not open files is only known on Linux')
  }
  if (sysctl || systemd) {
    io.stdout(sysctl ? sysctlText(verdict) : systemdText(verdict))
    return afterFile(verdict, sysctl ? 'sysctl' : 'unitLimit', io)
  }
  io.stdout(json ? JSON.stringify(doctorReport(verdict)) : verdictText(verdict))
  return verdict.isMet ? EXIT.ok : EXIT.failed
}

/**
 * Says what a file does not help with. Only what no file helps with is a failure, so that what comes
 * behind `&&` is done when it makes sense.
 */
function afterFile(verdict: Verdict, kind: 'sysctl' | 'unitLimit', io: Io): number {
  const short = shortOnes(verdict)
  for (const { setting, shown, want } of short) {
    if (setting[kind] !== undefined) continue
    const { name, unitLimit, cure } = setting
    const what = cure ?? `comet doctor --${unitLimit === undefined ? 'sysctl' : 'systemd'}`
    io.stderr(`comet doctor: ${name} is ${shown} and should be ${want.text}: ${what}`)
  }
  return short.some(({ setting }) => setting.cure !== undefined) ? EXIT.failed : EXIT.ok
}
