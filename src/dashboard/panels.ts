// The parts of the page besides its charts: state, warnings, cards, tables. Elements whose text
// stays the same are left alone.

import { dashboardLimits } from '../core/limits.ts'
import { formatCount, formatQuantity } from '../core/units.ts'
import {
  byId,
  create,
  fillCards,
  fillTable,
  type PageElement,
  root,
  setText,
  setTitle,
} from '../report/browser.ts'
import { formatDuration, formatFigure } from '../report/format.ts'
import type { ColumnName, Samples } from './columns.ts'
import type { Live } from './live.ts'
import { showNodes } from './nodes-panel.ts'
import type { LiveChart } from './plots.ts'

type Now = Live['now']

export function showNow(now: Now, seconds: Samples): void {
  const { state, version, pid, uptimeSeconds } = now
  setPill('state', state, state === 'ready' ? 'good' : 'bad')
  setText(
    byId('about'),
    `Version ${version}, process ${pid}, up for ${formatDuration(uptimeSeconds)}`,
  )
  showWarnings(now.warnings)
  showMachine(now, seconds)
  showHistory(now.history)
  showSubscriptions(now, seconds)
  showWorkers(now.workers)
  showErlang(now.erlang)
  showNodes(now, seconds)
  const { streams } = seconds.values
  byId('first').hidden = now.totals.opened > 0 || (streams.at(-1) ?? 0) > 0
}

/**
 * The connection to the server, in the header, which is in view wherever the page is scrolled to.
 *
 * @param why there is no answer from the server; null while there is
 * @param sinceMs when it answered last; null if it never has
 */
export function showConnection(why: string | null, sinceMs: number | null): void {
  setPill('link', why === null ? 'live' : 'disconnected', why === null ? 'good' : 'bad')
  const gone = byId('gone')
  gone.hidden = why === null
  root.classList.toggle('stale', why !== null)
  if (why === null) return
  byId('state').hidden = true
  const time = sinceMs === null ? null : new Date(sinceMs).toTimeString().slice(0, 8)
  setText(gone, `${why} Trying again.${time === null ? '' : ` The figures are of ${time}.`}`)
}

/** The server has not been asked yet, since it wants a token. */
export function showLocked(): void {
  byId('gone').hidden = true
  byId('state').hidden = true
  setPill('link', 'locked', 'locked')
}

function setPill(id: string, text: string, kind: 'good' | 'bad' | 'locked'): void {
  const pill = byId(id)
  setText(pill, text)
  pill.hidden = false
  pill.className = `pill ${kind}`
}

let shownWarnings = ''

function showWarnings(warnings: Now['warnings']): void {
  const json = JSON.stringify(warnings)
  setTitle(warnings.length === 0 ? 'comet' : `(${warnings.length}) comet`)
  if (json === shownWarnings) return
  shownWarnings = json
  const items = warnings.map(({ text, advice }) =>
    create('li', '', create('b', '', text), create('span', '', advice)),
  )
  byId('warnings').replaceChildren(
    ...(items.length > 0 ? items : [create('li', 'calm', create('b', '', 'No warnings.'))]),
  )
  // Announced when there are other warnings, not when their figures change, which is every second.
  const names = warnings.map(({ code }) => code.replaceAll('_', ' ')).join(', ')
  setText(byId('warnings-said'), names === '' ? 'No warnings.' : `Warnings: ${names}.`)
}

function showMachine(now: Now, { values }: Samples): void {
  const last = (column: ColumnName) => values[column].at(-1) ?? null
  const cores = sum(last('parentCores'), last('workersCores'))
  const bytes = sum(last('parentBytes'), last('workersBytes'))
  const { memoryAvailableBytes: available } = now
  const words = [
    `${formatFigure('cores', cores)} cores`,
    formatFigure('bytes', bytes),
    `lag ${formatFigure('milliseconds', last('loopLateMs'))}`,
  ]
  setText(byId('machine-now'), cores === null ? '' : words.join(' · '))
  fillCards(byId('machine-facts'), [
    ['CPU cores', formatFigure('cores', cores), 'used by all processes'],
    ['Memory', formatFigure('bytes', bytes), 'private, of all processes'],
    [
      'Memory available',
      formatFigure('bytes', available),
      `of ${formatFigure('bytes', now.memoryBytes)}, this machine`,
    ],
    [
      'Open files',
      formatCount(now.openFiles),
      `of ${formatCount(now.openFilesLimit)}, control process`,
    ],
    [
      'TCP sockets of the machine',
      formatFigure('count', now.socketsInUse),
      'of all programs, comet among them',
    ],
  ])
}

/** Nothing where there are no subscriptions. */
function showSubscriptions({ subscriptions: held }: Now, { values }: Samples): void {
  const { subscriptions, subjects } = held
  byId('subscriptions').hidden = subscriptions === 0
  if (subscriptions === 0) return
  fillCards(byId('subscriptions-facts'), [
    ['Subscriptions', formatCount(subscriptions), 'that are kept'],
    ['Subjects', formatCount(subjects), 'with followers'],
    ['Users online', formatFigure('count', values.users.at(-1)), 'with a stream'],
  ])
}

const PLACES = { file: 'a file', memory: 'memory', bus: 'memory and Redis' } as const

/** Of no interest before the first client has come back. */
function showHistory({ resumed, replayed, gaps, ...kept }: Now['history']): void {
  const line = byId('history')
  const { lost, too_many: tooMany, unknown } = gaps
  line.hidden = resumed + lost + tooMany + unknown === 0
  const age = kept.oldestAgeSeconds === null ? '' : ` of ${formatDuration(kept.oldestAgeSeconds)}`
  setText(
    line,
    `Recent messages: ${formatCount(kept.entries)} entries${age}, ` +
      `${formatFigure('bytes', kept.bytes)} of ${formatFigure('bytes', kept.limitBytes)}, ` +
      `in ${PLACES[kept.place.kind]}. ` +
      `Streams resumed: ${formatCount(resumed)}, with ${formatQuantity(replayed, 'message')}. ` +
      `Told of a gap: ${formatCount(lost)} lost, ${formatCount(tooMany)} too many, ` +
      `${formatCount(unknown)} unknown.`,
  )
}

function sum(one: number | null, other: number | null): number | null {
  return one === null && other === null ? null : (one ?? 0) + (other ?? 0)
}

const WORKER_COLUMNS = [
  ...['Worker', 'State', 'Streams', 'Limit', 'Cores', 'Memory', 'Lag', 'Unacked', 'Outboxes'],
  ...['Restarts', 'PID'],
]

function showWorkers(workers: Now['workers']): void {
  byId('workers').hidden = workers.length === 0
  byId('workers-anchor').hidden = workers.length === 0
  const rows = workers.map((worker) => [
    String(worker.number),
    worker.silentMs > dashboardLimits.silentMs
      ? `silent ${formatDuration(worker.silentMs / 1000)}`
      : worker.state,
    formatFigure('count', worker.open),
    formatFigure('count', worker.limit),
    formatFigure('cores', worker.cores),
    formatFigure('bytes', worker.bytes),
    formatFigure('milliseconds', worker.lateMs),
    formatFigure('bytes', worker.unackedBytes),
    formatFigure('bytes', worker.queuedBytes),
    String(worker.restarts),
    String(worker.pid ?? '–'),
  ])
  fillTable(byId('workers-table'), WORKER_COLUMNS, rows)
}

let shownErlang = 'null'

function showErlang(erlang: Now['erlang']): void {
  const json = JSON.stringify(erlang)
  if (json === shownErlang) return
  shownErlang = json
  const body = byId('erlang-body')
  byId('erlang').hidden = erlang === null
  byId('erlang-anchor').hidden = erlang === null
  if (erlang === null) return
  const { name, peer, registered, messages, connections } = erlang
  const epmd = registered ? 'registered with epmd' : 'not registered with epmd'
  const link =
    peer === null
      ? 'It connects to no node itself.'
      : `${peer.name} is ${peer.state}${peer.why === null ? '' : `: ${peer.why}`}.`
  const table = create('table', '')
  const rows = connections.map((node) => [
    node.node,
    formatDuration(node.seconds),
    formatFigure('count', node.messages),
    formatFigure('count', node.callsPending),
  ])
  fillTable(table, ['Node', 'Connected for', 'Messages', 'Pending calls'], rows)
  body.replaceChildren(
    create('p', '', `${name}, ${epmd}; messages in total: ${formatFigure('count', messages)}.`),
    create('p', peer?.state === 'connected' || peer === null ? '' : 'bad', link),
    ...(rows.length === 0 ? [] : [scrollBox('Table of Erlang nodes', table)]),
  )
}

/** For a table that may be wider than the page; with the focus it is scrolled by keyboard. */
function scrollBox(label: string, table: PageElement): PageElement {
  const box = create('section', 'scroll', table)
  box.setAttribute('aria-label', label)
  box.setAttribute('tabindex', '0')
  return box
}

/** The charts in numbers. */
export function showFigures({ values }: Samples, charts: readonly LiveChart[]): void {
  const rows = charts.flatMap(({ title, format, curves }) =>
    curves.map(({ name, column }) => {
      const known = values[column].filter((value) => value !== null)
      const isKnown = known.length > 0
      const mean = isKnown ? known.reduce((total, at) => total + at, 0) / known.length : null
      return [
        `${title}: ${name}`,
        formatFigure(format, values[column].at(-1)),
        formatFigure(format, isKnown ? Math.min(...known) : null),
        formatFigure(format, mean),
        formatFigure(format, isKnown ? Math.max(...known) : null),
      ]
    }),
  )
  fillTable(byId('all-table'), ['Figure', 'Now', 'Min', 'Mean', 'Max'], rows)
}
