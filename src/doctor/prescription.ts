// The verdict as files: what sysctl(8) and systemd are to set, and nothing that is fine as it is. It
// writes no file; that is for the person who has read it.

import { formatCount } from '../core/units.ts'
import type { Verdict } from './verdict.ts'

/** A file for /etc/sysctl.d. */
export function sysctlText({ wish, findings, readings }: Verdict): string {
  const settings = findings.flatMap(({ setting, state, want }) => {
    const { name, why, sysctl } = setting
    const isFine = state === 'ok' || state === 'unknown'
    if (isFine || sysctl === undefined || want.value === null) return []
    return [{ name, lines: [`# ${why}`, `${name} = ${sysctl(want.value, readings)}`] }]
  })
  const set = new Set(settings.map(({ name }) => name))
  const obsolete = findings
    .filter(({ setting }) => setting.in2008 !== undefined && !set.has(setting.name))
    .map(({ setting }) => `#   ${setting.name}: ${setting.in2008?.why}`)
  return [
    `# For ${formatCount(wish.connections)} streams, by comet doctor.`,
    '# /etc/sysctl.d/60-comet.conf, which sysctl --system reads.',
    ...(settings.length === 0 ? ['# There is nothing to change.'] : []),
    ...settings.flatMap(({ lines }) => lines),
    '# Left out of the list that is handed down since 2008:',
    ...obsolete,
  ].join('\n')
}

/** A file for a unit of systemd, whose limits are not those of the shell that this runs in. */
export function systemdText({ wish, findings }: Verdict): string {
  const limits = findings.flatMap(({ setting, want }) =>
    setting.unitLimit === undefined || want.value === null
      ? []
      : [`# ${setting.why}`, `${setting.unitLimit}=${want.value}`],
  )
  return [
    `# For ${formatCount(wish.connections)} streams, by comet doctor.`,
    '# /etc/systemd/system/comet.service.d/limits.conf, then systemctl daemon-reload.',
    '[Service]',
    ...(wish.end === 'client' ? [] : serverLines(wish.connections)),
    ...limits,
    '# what is usual, 15 % of all, is little for many processes with a few threads each',
    'TasksMax=infinity',
  ].join('\n')
}

/** The limits are each process's, so it must have as many processes as was reckoned with. */
function serverLines(connections: number): string[] {
  return [
    '# as many workers as that takes under the limit below; leave out --workers and --connections',
    `Environment=COMET_CONNECTIONS=${connections}`,
  ]
}
