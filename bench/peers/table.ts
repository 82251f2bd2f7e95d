// A comparison as tables in Markdown, which a terminal shows as well: a server a row, a subject a
// table, then where comet is beaten, and what it was measured on. They have a place in
// bench/README.md.

import { formatMachine, formatNumber, markdownTable } from '../harness/table.ts'
import {
  FIGURES,
  type FigureName,
  type PeersReport,
  type ReportFigure,
  type ReportPeer,
} from './report.ts'
import { OURS } from './servers.ts'

/** Marks in bench/README.md; what people wrote around them stays. */
const BEGIN = '<!-- peers: written by bun run bench:peers -->'
const END = '<!-- /peers -->'

/** The text with the tables in their place; null if it has no such place. */
export function withTables(text: string, tables: string): string | null {
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END, begin)
  if (begin < 0 || end < 0) return null
  return `${text.slice(0, begin + BEGIN.length)}\n\n${tables}\n\n${text.slice(end)}`
}

interface Column {
  readonly head: string
  readonly cell: (peer: ReportPeer) => string
}

const figure = (name: FigureName, head?: string): Column => {
  const { title, unit } = FIGURES[name]
  const shown = head ?? (unit === '' ? title : `${title}, ${unit}`)
  return { head: shown, cell: (peer) => figureCell(figureOf(peer, name)) }
}

const counted = (head: string, count: (peer: ReportPeer) => number): Column => {
  return { head, cell: (peer) => formatNumber(count(peer), 0) }
}

const publishing: Column = { head: 'sent to it', cell: (peer) => peer.publishing }

const MEMORY: readonly Column[] = [
  { head: 'client', cell: (peer) => peer.client ?? 'comet flood' },
  figure('grownPerStream'),
  figure('residentPerStream'),
  figure('kernelPerStream'),
  figure('openedPerSecond'),
]

const SATURATED: readonly Column[] = [
  publishing,
  figure('deliveredPerSecond'),
  figure('saturatedMicros', "server's CPU time a delivery, µs"),
  figure('serverCores', 'cores: server'),
  figure('genCores', 'generator'),
  figure('floodCores', 'client'),
  figure('machineCores', 'machine'),
  { head: 'limited by', cell: (peer) => peer.saturatedBy },
]

const STEADY: readonly Column[] = [
  publishing,
  figure('keptPerSecond'),
  figure('p50Ms'),
  figure('p99Ms'),
  figure('p999Ms'),
  figure('maxMs'),
  figure('steadyMicros', "server's CPU time a delivery, µs"),
]

const CORRECT: readonly Column[] = [
  counted('messages sent', ({ counts }) => counts.sent),
  counted('lost', ({ counts }) => counts.lost),
  counted('twice', ({ counts }) => counts.duplicated),
  counted('out of order', ({ counts }) => counts.reordered),
  counted('not checked', ({ counts }) => counts.untracked),
  counted('refused or unanswered', ({ counts }) => counts.rejected + counts.unanswered),
  counted('streams lost', ({ streams }) => streams.failed + streams.closed),
  counted('turns that failed', ({ failures }) => failures.length),
]

export function peersTables(report: PeersReport): string {
  const { work, rounds, peers } = report
  const count = (value: number) => formatNumber(value, 0)
  const streams = `${count(work.connections)} streams`
  const parts = [
    `Medians of ${rounds} rounds, with the smallest and the largest; behind × the median of the ` +
      'ratios to bare epoll of the same round. A row that is sent batches is not comparable with ' +
      'the others where messages are sent, since none of them takes batches.',
    `**Holding ${streams} in silence**`,
    table(peers, MEMORY),
    `**${count(work.messages)} messages to random streams, as fast as possible**`,
    table(peers, SATURATED),
    `**${count(work.ratePerSecond)} messages a second, or the first lower rate that was kept; ` +
      'publish to receive, from the moment a message was due**',
    table(peers, STEADY),
    '**What became of all messages**',
    table(peers, CORRECT),
    ...failureLines(peers),
    '**Where comet is beaten**, by medians, one message a request',
    lossLines(peers).join('\n'),
    conditions(report).join('\n'),
  ]
  return parts.join('\n\n')
}

function table(peers: readonly ReportPeer[], columns: readonly Column[]): string {
  const head = ['', ...columns.map((column) => column.head)]
  const rows = peers.map((peer) => [peer.title, ...columns.map(({ cell }) => cell(peer))])
  return markdownTable([head, ...rows])
}

function figureOf(peer: ReportPeer, name: FigureName): ReportFigure | undefined {
  return peer.figures.find((of) => of.figure === name)
}

/** `3,448 (3,423–3,460) ×57`. */
export function figureCell(of: ReportFigure | undefined): string {
  if (of === undefined || of.value === null) return '–'
  const { median, min, max } = of.value
  const [middle, low, high] = [median, min, max].map((value) => formatNumber(value, of.digits))
  const range = low === high ? '' : ` (${low}–${high})`
  return `${middle}${range}${of.ratio === null ? '' : ` ×${formatRatio(of.ratio.median)}`}`
}

function formatRatio(ratio: number): string {
  return formatNumber(ratio, ratio >= 10 ? 0 : 2)
}

function failureLines(peers: readonly ReportPeer[]): string[] {
  const lines = peers.flatMap(({ title, failures, errors }) => {
    const kinds = Object.entries(errors).map(([kind, count]) => `${count} ${kind}`)
    const unanswered = kinds.length === 0 ? [] : [`- ${title}, requests: ${kinds.join(', ')}`]
    const broken = failures.map(
      ({ round, why }) => `- ${title} failed in round ${round}: ${why.replaceAll(/\s+/g, ' ')}`,
    )
    return [...unanswered, ...broken]
  })
  return lines.length === 0 ? [] : [lines.join('\n')]
}

/** A line a figure in which another server does better than ours, the best first. */
export function lossLines(peers: readonly ReportPeer[]): string[] {
  const ours = peers.find(({ name }) => name === OURS)
  if (ours === undefined) return ['- comet was not measured.']
  const lines = ours.figures.flatMap((own) => {
    const { better, value } = own
    if (better === null || value === null) return []
    const sign = better === 'less' ? 1 : -1
    const shown = (median: number) => formatNumber(median, own.digits)
    const winners = peers
      .flatMap((peer) => {
        const median = peer.figures.find((of) => of.figure === own.figure)?.value?.median
        const isOther = peer.name !== ours.name && peer.publishing === ours.publishing
        return isOther && median !== undefined ? [{ title: peer.title, median }] : []
      })
      .filter(({ median }) => sign * (value.median - median) > 0)
      // What reads the same is no difference.
      .filter(({ median }) => shown(median) !== shown(value.median))
      .sort((a, b) => sign * (a.median - b.median))
      .map(({ title, median }) => `${title} ${shown(median)}`)
    const unit = own.unit === '' ? '' : ` ${own.unit}`
    const self = `${shown(value.median)}${unit}`
    // A result of before may have other words.
    const { title } = FIGURES[own.figure as FigureName] ?? own
    return winners.length === 0 ? [] : [`- ${title}: comet ${self}; ${winners.join(', ')}`]
  })
  return lines.length === 0 ? ['- Nowhere in what was measured.'] : lines
}

function conditions(report: PeersReport): string[] {
  const { machine, versions, work } = report
  const { comet: _, bun: __, cc, socketIo, ...packages } = versions
  const named = { ...packages, 'socket.io': socketIo }
  const installed = Object.entries(named).flatMap(([name, version]) =>
    version === null || version === undefined ? [] : [`${name} ${version}`],
  )
  return [
    `${formatMachine(machine)}; ${versions.comet}, Bun ${versions.bun}, ` +
      `${[...installed, ...(cc === null ? [] : [cc])].join(', ')}.`,
    `${work.publishers} requests under way at once where each carries one message; ` +
      `${report.ownNetwork ? 'in a network of its own' : "in the machine's own network"}; ` +
      `${report.date}, ${Math.round(report.seconds / 60)} minutes.`,
    `Repeat with: \`${report.command}\``,
  ]
}
