// The panel of the nodes that share Redis: their list, and the connection of this node. Hidden
// without a bus.

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
  return `Connected to ${server} for ${since}.${reads}${loads}`
}

function cardsOf(bus: Bus, timeMs: number, { values }: Samples): Card[] {
  const { connected, queue, redis, epoch, behind, forks, gaps } = bus
  const last = (column: ColumnName) => formatFigure('milliseconds', values[column].at(-1))
  const limit = `of at most ${formatCount(queue.limitMessages)}`
  const oldest = `; oldest ${formatDuration(queue.oldestAgeSeconds)}`
  const epochAge = formatDuration(Math.max(0, timeMs - epoch) / 1_000)
  return [
    ['Nodes', formatCount(bus.nodeCount), connected ? 'share the log' : 'before Redis was lost'],
    ['Round trip, p50', last('tripP50Ms'), 'through Redis and back'],
    ['Round trip, p99', last('tripP99Ms'), 'through Redis and back'],
    ['Queue', formatCount(queue.messages), queue.messages === 0 ? limit : limit + oldest],
    ['Not read yet', formatFigure('count', behind), 'messages of the log'],
    [
      'Age of the epoch',
      epoch === 0 ? '–' : epochAge,
      `${epoch.toString(16)}; forks: ${formatCount(forks)}`,
    ],
    ['Gaps', formatCount(gaps), 'sent to all streams'],
    redisCard(connected ? redis : null),
  ]
}

function redisCard(redis: Bus['redis']): Card {
  const limit =
    redis?.limitBytes == null ? 'no limit' : `of ${formatFigure('bytes', redis.limitBytes)}`
  const durable = redis?.durable === true ? 'AOF on' : 'AOF off'
  const words = redis === null ? 'not known while disconnected' : `${limit}; ${durable}`
  return ['Memory of Redis', formatFigure('bytes', redis?.usedBytes), words]
}
