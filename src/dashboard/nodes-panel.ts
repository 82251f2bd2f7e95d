// The part of the page about several servers that share Redis: who is there, and how this one is
// with Redis. Hidden for a server of its own.

import { formatCount } from '../core/units.ts'
import { byId, type Card, fillCards, fillTable, setText } from '../report/browser.ts'
import { formatDuration, formatFigure } from '../report/format.ts'
import type { ColumnName, Samples } from './columns.ts'
import type { Live } from './live.ts'

type Now = Live['now']
type Bus = NonNullable<Now['bus']>

const NODE_COLUMNS = ['Node', 'Control port', 'Version', 'Up for', 'Origin']

export function showNodes({ bus, timeMs }: Now, seconds: Samples): void {
  byId('nodes').hidden = bus === null
  byId('nodes-anchor').hidden = bus === null
  if (bus === null) return
  const link = byId('nodes-link')
  setText(link, linkText(bus))
  link.classList.toggle('bad', !bus.connected)
  fillCards(byId('nodes-cards'), cardsOf(bus, timeMs, seconds))
  const rows = bus.nodes.map(({ name, own, address, version, startedMs, origin }) => [
    own ? `${name} (this one)` : name,
    ...[address, version, formatDuration(Math.max(0, timeMs - startedMs) / 1_000), origin],
  ])
  fillTable(byId('nodes-table'), NODE_COLUMNS, rows)
  const more = bus.nodeCount - bus.nodes.length
  byId('nodes-more').hidden = more === 0
  setText(byId('nodes-more'), `And ${formatCount(more)} more.`)
}

function linkText({ connected, seconds, why, ready, redis, reloading }: Bus): string {
  const server = redis === null ? 'Redis' : `${redis.product} ${redis.version}`
  const since = formatDuration(seconds)
  if (!connected) return `Disconnected from ${server} for ${since}. ${why ?? ''}`
  const loads = reloading ? ' Subscriptions are being read again.' : ''
  const reads = ready ? '' : ' The log is being read.'
  return `Connected with ${server} for ${since}.${reads}${loads}`
}

function cardsOf(bus: Bus, timeMs: number, { values }: Samples): Card[] {
  const { queue, redis, epoch, behind, forks, gaps } = bus
  const last = (column: ColumnName) => formatFigure('milliseconds', values[column].at(-1))
  const began = formatDuration(Math.max(0, timeMs - epoch) / 1_000)
  return [
    ['Nodes', formatCount(bus.nodeCount), 'that share the log'],
    ['Round trip, p50', last('tripP50Ms'), 'through Redis and back'],
    ['Round trip, p99', last('tripP99Ms'), 'of batches of this node'],
    [
      'Queue',
      formatCount(queue.messages),
      queue.messages === 0
        ? `of at most ${formatCount(queue.limitMessages)} messages`
        : `${formatFigure('bytes', queue.bytes)}; the oldest for ${formatDuration(queue.oldestAgeSeconds)}`,
    ],
    ['Not read yet', formatFigure('count', behind), 'messages of the log'],
    [
      'Epoch',
      epoch === 0 ? '–' : epoch.toString(16),
      `began ${began} ago; forks: ${formatCount(forks)}`,
    ],
    ['Gaps', formatCount(gaps), 'told to all streams'],
    redisCard(bus.connected ? redis : null),
  ]
}

function redisCard(redis: Bus['redis']): Card {
  const limit =
    redis?.limitBytes == null ? 'no limit' : `of ${formatFigure('bytes', redis.limitBytes)}`
  const durable = redis?.durable === true ? 'AOF on' : 'AOF off'
  const words = redis === null ? 'unknown while it is away' : `${limit}; ${durable}`
  return ['Memory of Redis', formatFigure('bytes', redis?.usedBytes), words]
}
