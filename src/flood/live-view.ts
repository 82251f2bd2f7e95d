// The live view of a flood on a terminal: figures of the last second, and the last minute as small
// curves.

import type { Io } from '../cli/io.ts'
import { viewLimits } from '../core/tool-limits.ts'
import { formatBytes, formatCount, formatMs } from '../core/units.ts'
import { formatClock } from '../report/format.ts'
import { barsOf } from './bars.ts'
import type { FloodSample } from './flood-report.ts'
import { latencyText } from './summary.ts'

type Sampled = 'seconds' | 'open' | 'connections' | 'received' | 'latency' | 'errors'

export interface LiveView extends Pick<FloodSample, Sampled> {
  readonly address: string
  readonly wanted: number
  readonly openedPerSecond: number
  readonly messagesPerSecond: number
  readonly bytesPerSecond: number
  /** One figure per second, the latest last; null if nothing was timed. */
  readonly recentRates: readonly number[]
  readonly recentP99Ms: readonly (number | null)[]
}

/** The view while it is shown; null where lines cannot be redrawn in place. */
export function showLive(
  io: Pick<Io, 'stderrHasColor' | 'openLive'>,
  address: string,
  wanted: number,
) {
  const lines = io.openLive()
  if (lines === null) return null
  const history = new LiveHistory(address, wanted)
  const draw = () =>
    lines.draw((columns) => {
      const plain = liveLines(history.view, columns)
      return io.stderrHasColor ? paintLines(plain) : plain
    })
  draw()
  return {
    add: (sample: FloodSample) => {
      history.add(sample)
      draw()
    },
    close: () => lines.close(),
  }
}

/** The view of each second, made of samples. */
export class LiveHistory {
  view: LiveView

  constructor(address: string, wanted: number) {
    this.view = {
      ...{ address, wanted, seconds: 0, open: 0, errors: {}, recentRates: [], recentP99Ms: [] },
      ...{ openedPerSecond: 0, messagesPerSecond: 0, bytesPerSecond: 0 },
      connections: { opened: 0, failed: 0, closed: 0 },
      received: { chunks: 0, bytes: 0, messages: 0, duplicated: 0, reordered: 0, untracked: 0 },
      latency: { p50Ms: null, p99Ms: null, p999Ms: null, maxMs: null },
    }
  }

  add({ seconds, open, connections, received, latency, errors }: FloodSample): void {
    const before = this.view
    const passed = seconds - before.seconds
    const perSecond = (now: number, then: number) => (passed > 0 ? (now - then) / passed : 0)
    const messagesPerSecond = perSecond(received.messages, before.received.messages)
    this.view = {
      ...before,
      ...{ seconds, open, connections, received, latency, errors, messagesPerSecond },
      openedPerSecond: perSecond(connections.opened, before.connections.opened),
      bytesPerSecond: perSecond(received.bytes, before.received.bytes),
      recentRates: latest(before.recentRates, messagesPerSecond),
      recentP99Ms: latest(before.recentP99Ms, latency.p99Ms),
    }
  }
}

function latest<T>(values: readonly T[], value: T): readonly T[] {
  return [...values, value].slice(-viewLimits.curveSeconds)
}

/** Columns of the name at the start of each line. */
const NAME_COLUMNS = 12

/** No line is wider than `width` columns. */
export function liveLines(view: LiveView, width: number): string[] {
  const { latency, recentRates, recentP99Ms } = view
  const rows: [string, string][] = [
    ['flood', `${formatClock(view.seconds)}  ${view.address}`],
    ['streams', streams(view)],
    ['received', received(view)],
    ['latency', latencyText(latency)],
    ['errors', errors(view.errors)],
    ['messages/s', curve(recentRates, formatCount, width)],
    ['p99', curve(recentP99Ms, formatMs, width)],
  ]
  return rows.map(([name, text]) => cut(`${name.padEnd(NAME_COLUMNS)}${text}`, width))
}

/** The same lines with the names dimmed, and errors in red. */
export function paintLines(lines: readonly string[]): string[] {
  return lines.map((line) => {
    const [name, text] = [line.slice(0, NAME_COLUMNS), line.slice(NAME_COLUMNS)]
    const isBad = name.startsWith('errors') && text !== 'none'
    return `\x1b[2m${name}\x1b[22m${isBad ? `\x1b[31m${text}\x1b[39m` : text}`
  })
}

function streams({ open, connections, wanted, openedPerSecond }: LiveView): string {
  const { failed, closed } = connections
  return (
    `${formatCount(open)} open of ${formatCount(wanted)}, ` +
    `${formatCount(openedPerSecond)} opened/s, ` +
    `${formatCount(failed)} failed, ${formatCount(closed)} closed`
  )
}

function received({ received: all, messagesPerSecond, bytesPerSecond }: LiveView): string {
  const faults = [
    [all.duplicated, 'twice'],
    [all.reordered, 'out of order'],
    [all.untracked, 'unchecked'],
  ] as const
  const found = faults
    .filter(([count]) => count > 0)
    .map(([count, what]) => `, ${formatCount(count)} ${what}`)
  return (
    `${formatCount(messagesPerSecond)} messages/s, ${formatBytes(bytesPerSecond)}/s, ` +
    `${formatCount(all.messages)} in all${found.join('')}`
  )
}

function errors(byKind: Readonly<Record<string, number>>): string {
  const kinds = Object.entries(byKind).sort(([, a], [, b]) => b - a)
  if (kinds.length === 0) return 'none'
  const shown = kinds
    .slice(0, viewLimits.errorKindsMax)
    .map(([kind, count]) => `${kind} ${formatCount(count)}`)
  const others = kinds.length - shown.length
  return shown.join(', ') + (others > 0 ? ` and ${others} other kinds` : '')
}

/** Columns for the maximum behind a curve. */
const MOST_COLUMNS = 18

/** The latest values as bars from zero to their maximum, which follows as text. */
function curve(
  values: readonly (number | null)[],
  format: (value: number) => string,
  width: number,
): string {
  const columns = Math.max(
    0,
    Math.min(viewLimits.curveSeconds, width - NAME_COLUMNS - MOST_COLUMNS),
  )
  // slice(-0) would be all of them.
  const shown = columns === 0 ? [] : values.slice(-columns)
  const most = Math.max(0, ...shown.map((value) => value ?? 0))
  const bars = barsOf(shown)
  return `${bars.padEnd(columns)}  ${most > 0 ? `max ${format(most)}` : ''}`.trimEnd()
}

/** Without control characters, and not wider than `columns`. */
function cut(text: string, columns: number): string {
  return Bun.sliceAnsi(text.replace(/\p{C}/gu, '?'), 0, columns, '…')
}
