// The charts of the page: which figures each shows, and how. Data only; plots.ts draws them, and the
// table of all figures takes its rows from here too. Curves differ in more than their color.

import type { ColorName } from '../report/chart.ts'
import type { FormatName } from '../report/format.ts'
import type { ColumnName } from './columns.ts'

/** What a curve is drawn with besides its color. */
export type Stroke = 'solid' | 'dashed' | 'dotted'

export interface LiveCurve {
  readonly name: string
  readonly column: ColumnName
  readonly color: Exclude<ColorName, 'ink'>
  readonly stroke: Stroke
}

export interface LiveChart {
  readonly id: string
  readonly title: string
  readonly format: FormatName
  readonly curves: readonly LiveCurve[]
}

/** In the order in which they stand in a chart; the first is the most important. */
const LOOKS = [
  { color: 'blue', stroke: 'solid' },
  { color: 'orange', stroke: 'dashed' },
  { color: 'green', stroke: 'dotted' },
  { color: 'purple', stroke: 'solid' },
  { color: 'pink', stroke: 'dashed' },
] as const

type Named = readonly [name: string, column: ColumnName]

function chart(id: string, title: string, format: FormatName, curves: readonly Named[]): LiveChart {
  const drawn = curves.map(([name, column], at) => {
    const look = LOOKS[at]
    if (look === undefined) throw new Error(`the chart ${id} has too many curves`)
    return { name, column, ...look }
  })
  return { id, title, format, curves: drawn }
}

export const CHARTS: readonly LiveChart[] = [
  chart('streams', 'Streams', 'count', [
    ['open', 'streams'],
    ['users', 'users'],
  ]),
  chart('messages', 'Messages and deliveries a second', 'rate', [
    ['messages', 'messageRate'],
    ['deliveries', 'deliveryRate'],
  ]),
  chart('latency', 'Latency, until all streams have a message', 'milliseconds', [
    ['median', 'deliveryP50Ms'],
    ['99 %', 'deliveryP99Ms'],
  ]),
  chart('loops', 'How late the processes of comet were', 'milliseconds', [
    ['the slowest one', 'loopLateMs'],
  ]),
  chart('processors', 'Processor cores in use by comet', 'cores', [
    ['control process', 'parentCores'],
    ['all workers', 'workersCores'],
    ['busiest worker', 'busiestCores'],
  ]),
  chart('memory', 'Memory of comet', 'bytes', [
    ['control process', 'parentBytes'],
    ['all workers', 'workersBytes'],
    ['slow clients', 'queuedBytes'],
  ]),
  chart('kernel', 'Memory of the kernel', 'bytes', [
    ['tables', 'kernelBytes'],
    ['TCP buffers', 'tcpBytes'],
  ]),
  chart('comings', 'Streams that come and go a second', 'rate', [
    ['opened', 'openedRate'],
    ['closed', 'closedRate'],
    ['refused', 'refusedRate'],
    ['too slow', 'slowRate'],
  ]),
  chart('trouble', 'Messages not delivered a second', 'rate', [
    ['nobody there', 'droppedRate'],
    ['passed over', 'skippedRate'],
    ['cut off', 'undeliveredRate'],
    ['refused', 'rejectedRate'],
  ]),
  chart('network', 'Network of this machine, bytes a second', 'bytes', [
    ['received', 'receivedBytesRate'],
    ['sent', 'sentBytesRate'],
    ['within it', 'loopbackBytesRate'],
  ]),
  chart('packets', 'Network of this machine, packets a second', 'rate', [
    ['received', 'receivedPacketRate'],
    ['sent', 'sentPacketRate'],
    ['within it', 'loopbackPacketRate'],
  ]),
  chart('machine', 'Processor cores in use, all programs', 'cores', [
    ['programs', 'userCores'],
    ['kernel', 'systemCores'],
    ['load', 'load'],
  ]),
]
