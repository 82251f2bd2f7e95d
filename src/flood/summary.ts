// The summary of a flood for people: a line for each important figure, and further lines only for
// what is unusual.

import { floodLimits } from '../core/tool-limits.ts'
import { formatCount, formatMs, formatQuantity } from '../core/units.ts'
import { barsOf } from './bars.ts'
import type { FloodReport, ServerStreams } from './flood-report.ts'

const WRONG_NAMES: Record<FloodReport['examples'][number]['wrong'], string> = {
  duplicated: 'twice',
  reordered: 'too late',
  misnumbered: 'cursor',
  missed: 'missed',
  unfounded: 'no reason',
}

type Row = readonly [name: string, text: string]

export function floodSummary(report: FloodReport): string {
  const { connections, connect, received, latency } = report
  const rows: Row[] = [
    [
      'streams',
      `${formatCount(connections.opened)} opened of ${formatCount(connections.wanted)} wanted, ` +
        `${formatCount(connections.failed)} failed, ${formatCount(connections.closed)} closed early`,
    ],
    [
      'connect',
      `${formatCount(connect.perSecond)}/s, p50 ${formatMs(connect.p50Ms)}, ` +
        `p99 ${formatMs(connect.p99Ms)}, max ${formatMs(connect.maxMs)}`,
    ],
    [
      'received',
      `${formatQuantity(received.messages, 'message')}, ` +
        `${formatQuantity(received.chunks, 'chunk')}, ${formatQuantity(received.bytes, 'byte')}`,
    ],
    [
      'order',
      `${formatCount(received.duplicated)} duplicated, ${formatCount(received.reordered)} out of order`,
    ],
    ['latency', latencyText(latency)],
  ]
  if (report.server !== null) rows.push(['server', serverText(report.server)])
  if (received.untracked > 0) {
    const untracked = formatQuantity(received.untracked, 'message')
    rows.push(['unchecked', `${untracked}: too many generators`])
  }
  if (report.cursors !== null && report.cursors.misnumbered > 0) {
    rows.push(['cursors', `${formatCount(report.cursors.misnumbered)} not above the one before`])
  }
  rows.push(...behaviourRows(report), ...resumeRows(report), ...stormRows(report))
  rows.push(...comparisonRows(report), ...exampleRows(report))
  const kinds = Object.entries(report.errors).map(([kind, of]) => `${kind} ${formatCount(of)}`)
  if (kinds.length > 0) rows.push(['errors', kinds.join(', ')])
  rows.push(...clientRows(report))
  return rows.map(([name, text]) => `${name.padEnd(9)} ${text}`).join('\n')
}

export function latencyText({ p50Ms, p99Ms, p999Ms, maxMs }: FloodReport['latency']): string {
  const [p50, p99, p999, max] = [p50Ms, p99Ms, p999Ms, maxMs].map(formatMs)
  return `p50 ${p50}, p99 ${p99}, p99.9 ${p999}, max ${max}`
}

function serverText({ believed, open, missing }: ServerStreams): string {
  const counts =
    `${formatQuantity(believed, 'stream')} believed to be open, ` +
    `${formatCount(open)} open at the server`
  return missing > 0 ? `${counts}: ${formatCount(missing)} missing there` : counts
}

/** What streams did because the options say so. */
function behaviourRows({ behaviour, lateness, storm }: FloodReport): Row[] {
  const { churned, reopened, slow, slowEnded, vanished } = behaviour
  const { connections: late, maxMs } = lateness
  const rows: Row[] = []
  const closer = storm === null ? 'churn' : 'the storm'
  if (churned + reopened > 0) {
    rows.push(['reopened', `${formatCount(reopened)}, ${formatCount(churned)} closed by ${closer}`])
  }
  if (slow > 0) {
    rows.push(['slow', `${formatCount(slow)} stopped reading, ${formatCount(slowEnded)} ended`])
  }
  if (vanished > 0) rows.push(['vanished', `${formatCount(vanished)} without FIN or RST`])
  if (late > 0) {
    rows.push(['late', `${formatQuantity(late, 'connection')}, by up to ${formatMs(maxMs)}`])
  }
  return rows
}

function resumeRows({ resume }: FloodReport): Row[] {
  if (resume === null) return []
  const { resumed, away, missed, doubled, gaps, unfounded, replayed, chained } = resume
  const told =
    `${formatCount(gaps.lost)} lost, ${formatCount(gaps.tooMany)} too many, ` +
    `${formatCount(gaps.unknown)} unknown; ${formatCount(unfounded)} without reason`
  const isChecked = chained > 0
  const checked = `${formatCount(missed)} missed without a gap, ${formatCount(doubled)} doubled`
  const rows: Row[] = [
    [
      'resumed',
      `${formatQuantity(resumed, 'time')}, ${formatQuantity(replayed, 'message')} replayed, ` +
        checked,
    ],
    ['gaps', told],
  ]
  if (!isChecked) rows.push(['unproven', 'whether any were missed: only gen --chain can show it'])
  if (away > 0) rows.push(['away', `${formatQuantity(away, 'stream')} did not come back`])
  return rows
}

function stormRows({ storm }: FloodReport): Row[] {
  if (storm === null) return []
  const { cut, openedMs, resumedMs, caughtUpMs, curve } = storm
  const times = [
    ['all open', openedMs],
    ['resumed', resumedMs],
    ['caught up', caughtUpMs],
  ] as const
  const told = times.map(([what, ms]) => {
    return ms === null ? `not ${what}` : `${what} after ${formatMs(ms)}`
  })
  const curves = (['opened', 'resumed'] as const).map((name): Row => {
    // Longer ones have several points a column.
    const each = Math.ceil(curve.length / floodLimits.curveColumns)
    const columns = Array.from({ length: Math.ceil(curve.length / Math.max(1, each)) }, (_, at) => {
      const some = curve.slice(at * each, (at + 1) * each)
      const sum = some.reduce((total, point) => total + point[name], 0)
      return (sum * 1000) / (some.length * floodLimits.stormEveryMs)
    })
    const most = formatCount(Math.max(0, ...columns))
    const seconds = ((each * floodLimits.stormEveryMs) / 1000).toFixed(1)
    return [`${name}/s`, `${barsOf(columns)}  max ${most}, ${seconds} s a column`]
  })
  return [['storm', `${formatCount(cut)} cut: ${told.join(', ')}`], ...curves]
}

function comparisonRows({ comparison }: FloodReport): Row[] {
  if (comparison === null) return []
  const { promised, lost, unexpected, examples } = comparison
  const text =
    `${formatQuantity(promised, 'delivery', 'deliveries')}, ${formatCount(lost)} lost, ` +
    `${formatCount(unexpected)} more than promised`
  const named = examples.map(
    ({ generator, sequence }): Row => ['lost', `message ${sequence} of generator ${generator}`],
  )
  return [['promised', text], ...named]
}

function exampleRows({ examples }: FloodReport): Row[] {
  return examples.map(({ wrong, id, generator, sequence }) => {
    const what = wrong === 'unfounded' ? 'a gap' : `message ${sequence} of generator ${generator}`
    return [WRONG_NAMES[wrong], `${what} on the stream of ${id}`]
  })
}

/** A client that was busy may have measured its own delay. */
function clientRows({ client }: FloodReport): Row[] {
  const { busySeconds, coresMax, loopLateMaxMs, processes } = client
  if (busySeconds === 0) return []
  const who = processes === 1 ? 'it' : `one of its ${formatCount(processes)} processes`
  return [
    [
      'client',
      `was itself the bottleneck for ${formatCount(busySeconds)} s: ${who} used up to ` +
        `${coresMax.toFixed(2)} cores and was up to ${formatMs(loopLateMaxMs)} late; ` +
        'measured times may be its own',
    ],
  ]
}
