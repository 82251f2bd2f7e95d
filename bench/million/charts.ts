// The charts of a page over time, as data, from the result. Drawn in the browser by src/report. Pure.

import type { Chart, Curve } from '../../src/report/chart.ts'
import type { MillionReport } from './report.ts'

/** Seconds shown after the last stream has opened: what they cost once all is still. */
const SECONDS_AFTER = 15

type Column = (number | null)[]

/** A chart of some seconds of the run. */
interface Part extends Omit<Chart, 'across' | 'places'> {
  readonly fromSeconds: number
  readonly toSeconds: number
}

export function millionCharts(report: MillionReport): Chart[] {
  const column = (name: string): Column => report.samples[name] ?? []
  const seconds = column('seconds').map((at) => at ?? 0)
  const lastSeconds = seconds.at(-1) ?? 1
  const begin = (name: string) => phaseOf(report, name)?.fromSeconds ?? 0
  const end = (name: string) => phaseOf(report, name)?.toSeconds ?? lastSeconds
  const opening = {
    fromSeconds: 0,
    toSeconds: Math.min(lastSeconds, end('open') + SECONDS_AFTER),
  }
  const flow = {
    fromSeconds: begin('silent') > 0 ? begin('silent') : end('open'),
    toSeconds: begin('close') > 0 ? begin('close') : lastSeconds,
  }
  const parts = [
    ...openingParts(column).map((part) => ({ ...part, ...opening })),
    ...flowParts(column).map((part) => ({ ...part, ...flow })),
    { ...coresPart(column), fromSeconds: 0, toSeconds: lastSeconds },
  ]
  return parts.map((part) => cutOut(part, seconds))
}

function phaseOf({ phases }: MillionReport, name: string) {
  return phases.find((of) => of.name === name)
}

/** The chart's part of all samples; its axes would otherwise be scaled by what is not shown. */
function cutOut({ fromSeconds, toSeconds, ...chart }: Part, seconds: readonly number[]): Chart {
  const inside = (_: unknown, at: number) =>
    (seconds[at] ?? 0) >= fromSeconds && (seconds[at] ?? 0) <= toSeconds
  const curves = chart.curves.map((of) => ({ ...of, values: of.values.filter(inside) }))
  return { ...chart, curves, across: 'seconds', places: seconds.filter(inside) }
}

type Columns = (name: string) => Column
type Untimed = Omit<Part, 'fromSeconds' | 'toSeconds'>

function memoryCurves(column: Columns): Curve[] {
  const workers = column('serverWorkersBytes')
  const server = column('serverParentBytes').map((bytes, at) => (bytes ?? 0) + (workers[at] ?? 0))
  return [
    { name: 'taken from the machine', color: 'ink', values: column('takenBytes') },
    { name: 'kernel', color: 'orange', values: column('kernelBytes') },
    { name: 'server processes', color: 'blue', values: server },
    { name: 'client processes', color: 'green', values: column('floodBytes') },
  ]
}

function openingParts(column: Columns): Untimed[] {
  const opened: Curve = {
    name: 'streams open',
    color: 'purple',
    values: column('opened'),
    isRight: true,
    stroke: 'dashed',
  }
  return [
    {
      id: 'memory-opening',
      title: 'Memory while the streams open',
      words:
        'Taken from the machine since before the server started, both ends; of it the kernel’s ' +
        'share (sockets, stacks, page tables) and the processes’ (proportional set size).',
      format: 'bytes',
      rightFormat: 'count',
      curves: [...memoryCurves(column), opened],
    },
    {
      id: 'opening',
      title: 'Streams opened a second',
      words: 'As the client counts first bytes of answers.',
      format: 'rate',
      curves: [{ name: 'opened a second', color: 'purple', values: column('openedPerSecond') }],
    },
  ]
}

function flowParts(column: Columns): Untimed[] {
  // A logarithmic axis has no zero.
  const positive = (name: string) =>
    column(name).map((value) => (value === null ? null : Math.max(0.01, value)))
  return [
    {
      id: 'memory-flow',
      title: 'Memory while messages flow',
      words: 'From silence through the steady flow to the searches.',
      format: 'bytes',
      curves: memoryCurves(column),
    },
    {
      id: 'latency',
      title: 'From publish to receive',
      words:
        'Of the messages of each second, logarithmic. The clock starts when a message was due.',
      format: 'milliseconds',
      isLogarithmic: true,
      curves: [
        { name: 'p50', color: 'green', values: positive('p50Ms') },
        { name: 'p99', color: 'blue', values: positive('p99Ms') },
        { name: 'p99.9', color: 'orange', values: positive('p999Ms') },
        { name: 'slowest', color: 'pink', values: positive('maxMs'), stroke: 'dotted' },
      ],
    },
    {
      id: 'deliveries',
      title: 'Deliveries received a second',
      words: 'By all streams together.',
      format: 'rate',
      curves: [{ name: 'received a second', color: 'blue', values: column('messagesPerSecond') }],
    },
  ]
}

function coresPart(column: Columns): Untimed {
  return {
    id: 'cpu',
    title: 'Processor cores in use',
    words: 'By what the processes do; the whole machine has the kernel’s.',
    format: 'cores',
    curves: [
      { name: 'whole machine', color: 'ink', values: column('machineCores') },
      { name: 'server, parent', color: 'purple', values: column('serverParentCores') },
      { name: 'server, workers', color: 'blue', values: column('serverWorkersCores') },
      { name: 'client', color: 'green', values: column('floodCores') },
      { name: 'generator', color: 'orange', values: column('genCores') },
      { name: 'this benchmark', color: 'pink', values: column('benchCores'), stroke: 'dotted' },
    ],
  }
}
