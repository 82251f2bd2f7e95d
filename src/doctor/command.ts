// `comet doctor`: its options.

import { command } from '../cli/command.ts'
import { count, flag, oneOf } from '../cli/option.ts'
import { doctorLimits } from '../core/tool-limits.ts'
import { ENDS } from './demand.ts'

export const doctor = command({
  name: 'doctor',
  summary: 'say how many streams this machine can hold, why, and what to change',
  options: {
    connections: count('1m', 'streams to hold on this machine', {
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
  conflicts: [
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
  load: () => import('./doctor.ts'),
})
