// `comet doctor`: its options, and one call.

import { doctorLimits } from '../core/limits.tools.ts'
import { ENDS } from '../doctor/need.ts'
import { sysctlText, systemdText } from '../doctor/prescription.ts'
import { verdictText } from '../doctor/print.ts'
import { readMachine } from '../doctor/readings.ts'
import { doctorReport } from '../doctor/report.ts'
import { judgeMachine, shortOnes, type Verdict } from '../doctor/verdict.ts'
import { command, EXIT } from './command.ts'
import type { Io } from './io.ts'
import { count, flag, oneOf } from './option.ts'

export const doctor = command({
  name: 'doctor',
  summary: 'say how many streams this machine will hold, why, and what to change',
  options: {
    connections: count('1m', 'streams that this machine is to hold', {
      max: doctorLimits.connectionsMax,
    }),
    end: oneOf(
      ENDS,
      'server',
      'which end of them is on this machine: that of comet serve, that of comet flood, or both',
    ),
    sysctl: flag('print what to change as a file for /etc/sysctl.d'),
    systemd: flag('print the limits for a unit of systemd'),
    json: flag('print one JSON object'),
  },
  either: [
    ['sysctl', 'systemd'],
    ['sysctl', 'json'],
    ['systemd', 'json'],
  ],
  examples: [
    'comet doctor --connections 1m',
    'comet doctor --connections 100k --end both',
    'comet doctor --sysctl | sudo tee /etc/sysctl.d/60-comet.conf && sudo sysctl --system',
    'comet doctor --systemd | sudo tee /etc/systemd/system/comet.service.d/limits.conf',
    'comet doctor --json | jq .holds',
  ],
  run: async (values, io) => {
    const { connections, end, sysctl, systemd, json } = values
    const verdict = judgeMachine(readMachine(), { connections, end, sources: null })
    if (!verdict.readings.hasProc) {
      io.words('comet doctor: there is no /proc; what is not open files is only known on Linux')
    }
    if (sysctl || systemd) {
      io.out(sysctl ? sysctlText(verdict) : systemdText(verdict))
      return afterFile(verdict, sysctl ? 'sysctl' : 'unitLimit', io)
    }
    io.out(json ? JSON.stringify(doctorReport(verdict)) : verdictText(verdict))
    return verdict.isMet ? EXIT.ok : EXIT.failed
  },
})

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
    io.words(`comet doctor: ${name} is ${shown} and should be ${want.text}: ${what}`)
  }
  return short.some(({ setting }) => setting.cure !== undefined) ? EXIT.failed : EXIT.ok
}
