// Puts what the server told last on the page, the charts aside: its state, warnings, figures, workers,
// Erlang. Elements whose text stays the same are left alone.

import { formatBulk } from '../report/format.ts'
import { CHARTS } from './charts.ts'
import type { ColumnName, Samples } from './columns.ts'
import { byId, fillTable, make, say, setTitle } from './dom.ts'
import { durationText, figureText } from './text.ts'
import type { ErlangView, Now, Warning, WorkerRow } from './view.ts'

export function showNow(now: Now, seconds: Samples): void {
  showState(now)
  showWarnings(now.warnings)
  showCards(now, seconds)
  showWorkers(now.workers)
  showErlang(now.erlang)
}

function showState({ state, version, pid, uptimeSeconds }: Now): void {
  const pill = byId('state')
  say(pill, state)
  pill.classList.toggle('good', state === 'ready')
  pill.classList.toggle('bad', state !== 'ready')
  say(byId('about'), `Version ${version}, process ${pid}, up for ${durationText(uptimeSeconds)}`)
}

/** Is anything known to be wrong with the connection to the server? */
export function showLink(why: string | null): void {
  const link = byId('link')
  say(link, why === null ? 'live' : `disconnected: ${why} Trying again.`)
  link.classList.toggle('good', why === null)
  link.classList.toggle('bad', why !== null)
}

let shownWarnings = ''

function showWarnings(warnings: readonly Warning[]): void {
  const said = JSON.stringify(warnings)
  setTitle(warnings.length === 0 ? 'comet' : `(${warnings.length}) comet`)
  if (said === shownWarnings) return
  shownWarnings = said
  const items = warnings.map(({ text, advice }) =>
    make('li', '', make('b', '', text), make('span', '', advice)),
  )
  byId('warnings').replaceChildren(
    ...(items.length > 0 ? items : [make('li', 'calm', make('b', '', 'All is well.'))]),
  )
  // Said when there are others, not when their figures change, which is every second.
  const names = warnings.map(({ code }) => code.replaceAll('_', ' ')).join(', ')
  say(byId('warnings-said'), names === '' ? 'No warnings.' : `Warnings: ${names}.`)
}

function showCards(now: Now, { values }: Samples): void {
  const last = (column: ColumnName) => values[column].at(-1) ?? null
  const cores = addUp(last('parentCores'), last('workersCores'))
  const bytes = addUp(last('parentBytes'), last('workersBytes'))
  const { format } = new Intl.NumberFormat('en-US')
  cards([
    ['Streams', figureText('count', last('streams')), `of at most ${format(now.limit)}`],
    [
      'Messages a second',
      figureText('rate', last('messageRate')),
      `${format(now.totals.messages)} so far`,
    ],
    [
      'Deliveries a second',
      figureText('rate', last('deliveryRate')),
      `${format(now.totals.deliveries)} so far`,
    ],
    [
      'Latency, 99 %',
      figureText('milliseconds', last('deliveryP99Ms')),
      'until all streams have it',
    ],
    ['Processor cores', figureText('cores', cores), `of all processes`],
    ['Memory', figureText('bytes', bytes), 'of all processes, their own'],
    [
      'Memory left',
      figureText('bytes', now.memoryAvailableBytes),
      `of ${figureText('bytes', now.memoryBytes)}`,
    ],
    ['Open files', format(now.openFiles), `of ${format(now.openFilesLimit)}, here`],
    ['TCP sockets', figureText('count', now.socketsInUse), 'on this machine'],
    [
      'Subscriptions',
      format(now.subscriptions),
      `${figureText('count', last('users'))} users online`,
    ],
  ])
}

function cards(rows: readonly (readonly [title: string, value: string, words: string])[]): void {
  byId('cards').replaceChildren(
    ...rows.map(([title, value, words]) => {
      const figure = make('dd', '', make('b', '', value), make('span', '', words))
      return make('div', 'card', make('dt', '', title), figure)
    }),
  )
}

function showWorkers(workers: readonly WorkerRow[]): void {
  byId('workers-none').hidden = workers.length > 0
  byId('workers-scroll').hidden = workers.length === 0
  const head = ['Worker', 'State', 'Streams', 'Room', 'Cores', 'Memory', 'Late', 'Unanswered']
  const rows = workers.map((worker) => [
    String(worker.number),
    worker.silentMs > 2_000 ? `silent ${durationText(worker.silentMs / 1000)}` : worker.state,
    figureText('count', worker.open),
    figureText('count', worker.limit),
    figureText('cores', worker.cores),
    figureText('bytes', worker.bytes),
    figureText('milliseconds', worker.lateMs),
    formatBulk(worker.unackedBytes),
    formatBulk(worker.queuedBytes),
    String(worker.restarts),
    String(worker.pid ?? '–'),
  ])
  fillTable(byId('workers-table'), [...head, 'Slow clients', 'Restarts', 'Process'], rows)
}

let shownErlang = ''

function showErlang(erlang: ErlangView | null): void {
  const said = JSON.stringify(erlang)
  if (said === shownErlang) return
  shownErlang = said
  const body = byId('erlang-body')
  if (erlang === null) {
    body.replaceChildren(
      make('p', 'muted', 'This server is no Erlang node; --erlang-node makes it one.'),
    )
    return
  }
  const { name, peer, isRegistered, messages, connections } = erlang
  const known = isRegistered ? 'known to the port mapper' : 'not known to the port mapper'
  const link =
    peer === null
      ? 'It connects to no node by itself.'
      : `${peer.name} is ${peer.state}${peer.why === null ? '' : `: ${peer.why}`}.`
  const table = make('table', '')
  const rows = connections.map((node) => [
    node.node,
    durationText(node.seconds),
    figureText('count', node.messages),
    figureText('count', node.callsPending),
  ])
  fillTable(table, ['Node', 'Connected for', 'Messages', 'Calls under way'], rows)
  body.replaceChildren(
    make('p', '', `${name}, ${known}; ${figureText('count', messages)} messages so far.`),
    make('p', peer?.state === 'connected' || peer === null ? '' : 'bad', link),
    ...(rows.length === 0 ? [] : [make('div', 'scroll', table)]),
  )
}

/** The charts in numbers. */
export function showFigures({ values }: Samples): void {
  const rows = CHARTS.flatMap(({ title, format, curves }) =>
    curves.map(({ name, column }) => {
      const known = values[column].filter((value) => value !== null)
      const mean = known.length === 0 ? null : known.reduce((sum, at) => sum + at, 0) / known.length
      return [
        `${title}: ${name}`,
        figureText(format, values[column].at(-1) ?? null),
        figureText(format, known.length === 0 ? null : Math.min(...known)),
        figureText(format, mean),
        figureText(format, known.length === 0 ? null : Math.max(...known)),
      ]
    }),
  )
  fillTable(byId('all-table'), ['Figure', 'Now', 'Least', 'Mean', 'Most'], rows)
}

function addUp(one: number | null, other: number | null): number | null {
  return one === null && other === null ? null : (one ?? 0) + (other ?? 0)
}
