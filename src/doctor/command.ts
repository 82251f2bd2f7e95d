// `comet doctor`: its options, those for this machine and those for a Redis.

import { command } from '../cli/command.ts'
import { bytes, count, flag, oneOf } from '../cli/option.ts'
import { checkRedis, REDIS_OPTIONS } from '../cli/redis-options.ts'
import { historyLimits } from '../core/history-limits.ts'
import { doctorLimits } from '../core/tool-limits.ts'
import { ENDS } from './demand.ts'

export const doctor = command({
  name: 'doctor',
  purpose: 'Operation',
  summary:
    'say how many streams this machine can hold, or whether nodes can share a Redis; and why',
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
    ...REDIS_OPTIONS,
    bus: {
      ...REDIS_OPTIONS.bus,
      description: 'check this Redis or Valkey instead of this machine',
    },
    history: bytes('64MiB', 'with --bus, messages that the servers keep, as for comet serve', {
      min: 0,
      max: historyLimits.bytesMax,
    }),
    json: flag('print one JSON object'),
  },
  conflicts: [
    ['bus', 'connections'],
    ['bus', 'end'],
    ['bus', 'sysctl'],
    ['bus', 'systemd'],
    ['sysctl', 'systemd'],
    ['sysctl', 'json'],
    ['systemd', 'json'],
  ],
  requires: [
    ['bus-prefix', 'bus'],
    ['history', 'bus'],
  ],
  validate: checkRedis,
  examples: [
    'comet doctor --connections 1m',
    'comet doctor --connections 100k --end both',
    'comet doctor --sysctl | sudo tee /etc/sysctl.d/60-comet.conf',
    'comet doctor --systemd | sudo tee \\',
    '     /etc/systemd/system/comet.service.d/limits.conf',
    'comet doctor --json | jq .holds',
    'comet doctor --bus rediss://comet@cache.example \\',
    '     --bus-password-file /etc/comet/redis',
  ],
  load: () => import('./doctor.ts'),
})
