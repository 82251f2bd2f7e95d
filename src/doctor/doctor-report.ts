// The assessment for people, as JSON, and as files for sysctl(8) and systemd, which have nothing
// that is fine as it is.

import { type Static, Type } from '@sinclair/typebox'
import { streamLimits } from '../core/limits.ts'
import { formatCount, formatQuantity, writtenCount } from '../core/units.ts'
import { type Assessment, type Finding, STATES, type State } from './assessment.ts'
import { type Demand, ENDS, type End } from './demand.ts'
import { findingRows, INDENT } from './finding-rows.ts'

const MARKS: Record<State, string> = {
  ok: 'ok',
  advice: 'advice',
  short: 'SHORT',
  unknown: '?',
}

const ENDS_HERE: Record<End, string> = {
  server: "the server's end",
  client: "the client's end",
  both: 'both ends',
}

/**
 * Every setting with what it is, what it should be and why, then how many streams that makes, and
 * what to type.
 */
export function assessmentText(assessment: Assessment): string {
  const { demand, machine, findings, isMet } = assessment
  const streams = formatCount(demand.connections)
  const known = findings.filter(({ state }) => machine.hasProc || state !== 'unknown')
  return [
    `For ${formatQuantity(demand.connections, 'stream')}, ${ENDS_HERE[demand.end]} on this machine:`,
    ...findingRows(
      'setting',
      known.map(({ setting, state, shown, want }) => {
        const { name, why } = setting
        return { mark: MARKS[state], name, is: shown, shouldBe: want.text, why }
      }),
    ),
    '',
    ...obsoleteRows(known),
    holdsText(assessment),
    ...(isMet
      ? [
          `${streams} fit: ${startText(demand)}`,
          ...curesOf(assessment, 'advice', 'What could be better:'),
        ]
      : curesOf(assessment, 'short', `${streams} do not fit unless this is changed:`)),
  ].join('\n')
}

function obsoleteRows(findings: readonly Finding[]): string[] {
  const rows = findings.flatMap(({ setting: { name, in2008 } }) =>
    in2008 === undefined ? [] : [`${INDENT}${name} = ${in2008.value}`, `${INDENT}  ${in2008.why}`],
  )
  return rows.length === 0 ? [] : ['These settings of 2008 are obsolete:', ...rows, '']
}

/** How many streams the machine holds, and why not more, in one sentence. */
function holdsText({ holds, limit }: Assessment): string {
  if (holds === null || limit === null) {
    return 'As it is, no known setting of this machine limits the number of streams.'
  }
  const { setting, shown } = limit
  return (
    `As it is, this machine holds about ${aboutText(holds)} streams; ` +
    `the limit is ${setting.name}, ${shown}.`
  )
}

/** To three digits, since what a stream needs is not known more exactly. */
export function aboutText(count: number): string {
  const unit = 10 ** Math.max(0, String(count).length - 3)
  return formatCount(Math.floor(count / unit) * unit)
}

function startText({ connections, end }: Demand): string {
  const count = writtenCount(connections)
  const users =
    connections > streamLimits.userIdMaxDefault ? ` --max-users ${writtenCount(connections)}` : ''
  const server = `comet serve --connections ${count}${users}`
  const source = connections > ONE_ADDRESS ? ' --source <from-to>' : ''
  const client = `comet flood 'http://<server>:8000/test/{id}' --connections ${count}${source}`
  if (end === 'server') return server
  return end === 'client' ? client : `${server}, and comet flood --connections ${count}`
}

/** Ports that Linux has by default for connections from one address. */
const ONE_ADDRESS = 28_232

/** What to type about settings in a state, below a heading; nothing if there are none. */
function curesOf({ demand, findings }: Assessment, state: State, heading: string): string[] {
  const found = findings.filter((finding) => finding.state === state)
  const doctor = doctorCommand(demand)
  const limit = found.find(({ setting }) => setting.unitLimit !== undefined)
  const cures = [
    ...(found.some(({ setting }) => setting.sysctl !== undefined)
      ? [`${doctor} --sysctl | sudo tee /etc/sysctl.d/60-comet.conf && sudo sysctl --system`]
      : []),
    ...(limit === undefined
      ? []
      : [`ulimit -n ${limit.want.value}, or for a unit of systemd: ${doctor} --systemd`]),
    ...found.flatMap(({ setting: { name, cure } }) => (cure ? [`${name}: ${cure}`] : [])),
  ]
  return cures.length === 0 ? [] : [heading, ...cures.map((cure) => `  ${cure}`)]
}

/** The command that asks for the same. */
export function doctorCommand({ connections, end }: Demand): string {
  const command = `comet doctor --connections ${writtenCount(connections)}`
  return end === 'server' ? command : `${command} --end ${end}`
}

/** A file for /etc/sysctl.d. */
export function sysctlText({ demand, findings, machine }: Assessment): string {
  const settings = findings.flatMap(({ setting, state, want }) => {
    const { name, why, sysctl } = setting
    const isFine = state === 'ok' || state === 'unknown'
    if (isFine || sysctl === undefined || want.value === null) return []
    return [{ name, lines: [`# ${why}`, `${name} = ${sysctl(want.value, machine)}`] }]
  })
  const set = new Set(settings.map(({ name }) => name))
  const obsolete = findings
    .filter(({ setting }) => setting.in2008 !== undefined && !set.has(setting.name))
    .map(({ setting }) => `#   ${setting.name}: ${setting.in2008?.why}`)
  return [
    `# For ${formatQuantity(demand.connections, 'stream')}, by comet doctor.`,
    '# /etc/sysctl.d/60-comet.conf, which sysctl --system reads.',
    ...(settings.length === 0 ? ['# There is nothing to change.'] : []),
    ...settings.flatMap(({ lines }) => lines),
    '# Left out, of the list that is copied since 2008:',
    ...obsolete,
  ].join('\n')
}

/** A file for a unit of systemd, whose limits are not those of the shell that this runs in. */
export function systemdText({ demand, findings }: Assessment): string {
  const limits = findings.flatMap(({ setting, want }) =>
    setting.unitLimit === undefined || want.value === null
      ? []
      : [`# ${setting.why}`, `${setting.unitLimit}=${want.value}`],
  )
  // The limits are those of each process, so that it must have as many as they were calculated for.
  const workers = [
    '# as many workers as that takes under the limit below; leave out --workers and --connections',
    `Environment=COMET_CONNECTIONS=${demand.connections}`,
  ]
  return [
    `# For ${formatQuantity(demand.connections, 'stream')}, by comet doctor.`,
    '# /etc/systemd/system/comet.service.d/limits.conf, then systemctl daemon-reload.',
    '[Service]',
    ...(demand.end === 'client' ? [] : workers),
    ...limits,
    '# the default, 15 % of all, is little for many processes with a few threads each',
    'TasksMax=infinity',
  ].join('\n')
}

const Count = Type.Integer({ minimum: 0 })

const SettingReport = Type.Object({
  name: Type.String({ description: 'As for sysctl(8), or in words.' }),
  state: Type.Union(
    STATES.map((state) => Type.Literal(state)),
    { description: 'Short is too little; advice is enough, and could be better.' },
  ),
  unit: Type.String(),
  value: Type.Union([Type.Number(), Type.Null()], {
    description: 'The number that counts; null if there is no limit or it is unknown.',
  }),
  is: Type.String({ description: 'The same for people.' }),
  shouldBe: Type.String(),
  target: Type.Union([Type.Number(), Type.Null()], {
    description: 'The number to set; null if there is nothing to set.',
  }),
  holds: Type.Union([Count, Type.Null()], {
    description: 'Streams that it allows; null where it limits nothing.',
  }),
  why: Type.String(),
  in2008: Type.Union([
    Type.Object({ value: Type.String(), obsolete: Type.String({ description: 'Why.' }) }),
    Type.Null(),
  ]),
})

/** The one source of the JSON's fields, which are stable. */
export const DoctorReport = Type.Object(
  {
    connections: Count,
    end: Type.Union(ENDS.map((end) => Type.Literal(end))),
    met: Type.Boolean({ description: 'Does the machine hold so many as it is?' }),
    holds: Type.Union([Count, Type.Null()]),
    reason: Type.Union([Type.String(), Type.Null()], {
      description: 'The name of the setting that limits them.',
    }),
    settings: Type.Array(SettingReport),
  },
  { $id: 'DoctorReport' },
)
export type DoctorReport = Static<typeof DoctorReport>

export function doctorReport({ demand, holds, limit, isMet, findings }: Assessment): DoctorReport {
  return {
    connections: demand.connections,
    end: demand.end,
    met: isMet,
    holds,
    reason: limit?.setting.name ?? null,
    settings: findings.map(({ setting, state, shown, value, want, holds }) => {
      const { name, unit, why, in2008 } = setting
      return {
        ...{ name, state, unit, value, is: shown, shouldBe: want.text, target: want.value },
        ...{ holds, why },
        in2008: in2008 === undefined ? null : { value: in2008.value, obsolete: in2008.why },
      }
    }),
  }
}
