// The verdict for people: every setting with what it is, what it should be and why, then how many
// streams that makes, and what to type. What is put into files is in prescription.ts.

import { streamLimits } from '../core/limits.ts'
import { formatCount } from '../core/units.ts'
import type { End, Wish } from './need.ts'
import type { Finding, State, Verdict } from './verdict.ts'

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

/** The verdict, as lines. */
export function verdictText(verdict: Verdict): string {
  const { wish, readings, findings, isMet } = verdict
  const streams = formatCount(wish.connections)
  const known = findings.filter(({ state }) => readings.hasProc || state !== 'unknown')
  return [
    `For ${streams} streams, ${ENDS_HERE[wish.end]} on this machine:`,
    ...tableRows(known),
    '',
    ...obsoleteRows(known),
    holdsText(verdict),
    ...(isMet
      ? [
          `${streams} fit: ${startText(wish)}`,
          ...curesOf(verdict, 'advice', 'What could be better:'),
        ]
      : curesOf(verdict, 'short', `${streams} do not fit, unless this is changed:`)),
  ].join('\n')
}

function tableRows(findings: readonly Finding[]): string[] {
  const width = (of: (finding: Finding) => string) =>
    Math.max(...findings.map((finding) => of(finding).length))
  const names = width(({ setting }) => setting.name)
  const shown = width((finding) => finding.shown)
  const row = (mark: string, name: string, is: string, should: string) =>
    `${mark.padEnd(INDENT.length)}${name.padEnd(names)}  ${is.padStart(shown)}  ${should}`
  return [
    row('', 'setting', 'is', 'should be'),
    ...findings.flatMap(({ setting, state, shown, want }) => [
      row(MARKS[state], setting.name, shown, want.text),
      `${INDENT}  ${setting.why}`,
    ]),
  ]
}

function obsoleteRows(findings: readonly Finding[]): string[] {
  const rows = findings.flatMap(({ setting: { name, in2008 } }) =>
    in2008 === undefined ? [] : [`${INDENT}${name} = ${in2008.value}`, `${INDENT}  ${in2008.why}`],
  )
  return rows.length === 0 ? [] : ['The list of settings of 2008 is obsolete:', ...rows, '']
}

const INDENT = ' '.repeat(8)

/** How many streams the machine holds, and why not more, in one sentence. */
function holdsText({ holds, reason }: Verdict): string {
  if (holds === null || reason === null) {
    return 'As it is, nothing that is known here bounds the number of streams.'
  }
  const { setting, shown } = reason
  return (
    `As it is, this machine holds about ${aboutText(holds)} streams: ` +
    `what decides is ${setting.name}, ${shown}.`
  )
}

/** Down to three digits, since what a stream needs is not known better. */
export function aboutText(count: number): string {
  const unit = 10 ** Math.max(0, String(count).length - 3)
  return formatCount(Math.floor(count / unit) * unit)
}

/** As on the command line: `1m`. */
function countText(count: number): string {
  if (count % 1e6 === 0) return `${count / 1e6}m`
  return count % 1e3 === 0 ? `${count / 1e3}k` : String(count)
}

function startText({ connections, end }: Wish): string {
  const count = countText(connections)
  const users =
    connections > streamLimits.userIdMaxDefault ? ` --max-users ${countText(connections)}` : ''
  const server = `comet serve --connections ${count}${users}`
  const source = connections > ONE_ADDRESS ? ' --source <from-to>' : ''
  const client = `comet flood 'http://<server>:8000/test/{id}' --connections ${count}${source}`
  if (end === 'server') return server
  return end === 'client' ? client : `${server}, and comet flood --connections ${count}`
}

/** Ports that Linux hands out for connections from one address, unless told otherwise. */
const ONE_ADDRESS = 28_232

/** What to type about settings in a state, below a line of words; nothing if there are none. */
function curesOf({ wish, findings }: Verdict, state: State, words: string): string[] {
  const found = findings.filter((finding) => finding.state === state)
  const doctor = doctorText(wish)
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
  return cures.length === 0 ? [] : [words, ...cures.map((cure) => `  ${cure}`)]
}

/** The command that asks for the same again. */
export function doctorText({ connections, end }: Wish): string {
  const command = `comet doctor --connections ${countText(connections)}`
  return end === 'server' ? command : `${command} --end ${end}`
}
