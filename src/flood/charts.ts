// The charts of a flood's page, as data: connections, rates and latency over time, and the whole
// latency distribution. Pure.

import type { Chart } from '../report/chart.ts'
import type { Distribution } from './distribution.ts'
import type { KeptSample } from './kept.ts'

/** Between samples that are closer there is no rate worth drawing: the last one comes at the end. */
const RATE_SECONDS_MIN = 0.5
/** A logarithmic axis has no zero. Below the microsecond that is measured. */
const LATENCY_MS_MIN = 0.001

export function floodCharts(samples: readonly KeptSample[], distribution: Distribution): Chart[] {
  const over = { across: 'seconds', places: samples.map(({ seconds }) => seconds) } as const
  return [
    { ...connections(samples), ...over },
    { ...rates(samples), ...over },
    { ...latency(samples), ...over },
    distributionChart(distribution),
  ]
}

type Untimed = Omit<Chart, 'across' | 'places'>

function connections(samples: readonly KeptSample[]): Untimed {
  return {
    id: 'connections',
    title: 'Streams',
    words: 'Open at the moment, and how many had failed to open or had closed early by then.',
    format: 'count',
    curves: [
      {
        name: 'open',
        color: 'purple',
        values: samples.map(({ open }) => open),
      },
      { name: 'failed', color: 'orange', values: samples.map(({ failed }) => failed) },
      { name: 'closed', color: 'pink', values: samples.map(({ closed }) => closed) },
    ],
  }
}

function rates(samples: readonly KeptSample[]): Untimed {
  return {
    id: 'rates',
    title: 'Received a second',
    words: 'By all streams together: messages, and bytes of chunks without what HTTP adds.',
    format: 'rate',
    rightFormat: 'bytes',
    curves: [
      { name: 'messages a second', color: 'blue', values: perSecond(samples, 'messages') },
      {
        name: 'bytes a second',
        color: 'green',
        values: perSecond(samples, 'bytes'),
        isRight: true,
        stroke: 'dashed',
      },
    ],
  }
}

function perSecond(samples: readonly KeptSample[], name: 'messages' | 'bytes'): (number | null)[] {
  return samples.map((sample, at) => {
    const before = samples[at - 1]
    const passed = sample.seconds - (before?.seconds ?? 0)
    const grown = sample[name] - (before?.[name] ?? 0)
    return passed < RATE_SECONDS_MIN ? null : Math.round(grown / passed)
  })
}

function latency(samples: readonly KeptSample[]): Untimed {
  const of = (name: 'p50Ms' | 'p99Ms' | 'p999Ms' | 'maxMs') =>
    samples.map((sample) => {
      const ms = sample[name]
      return ms === null ? null : Math.max(LATENCY_MS_MIN, ms)
    })
  return {
    id: 'latency',
    title: 'Latency',
    words:
      'From the moment a message was due at its generator to its arrival, of the messages of each ' +
      'second, logarithmic. In a long run, of the slowest of several seconds.',
    format: 'milliseconds',
    isLogarithmic: true,
    curves: [
      { name: 'p50', color: 'green', values: of('p50Ms') },
      { name: 'p99', color: 'blue', values: of('p99Ms') },
      { name: 'p99.9', color: 'orange', values: of('p999Ms') },
      { name: 'slowest', color: 'pink', values: of('maxMs'), stroke: 'dotted' },
    ],
  }
}

function distributionChart({ rests, latenciesMs }: Distribution): Chart {
  return {
    id: 'distribution',
    title: 'Latency by percentile',
    words: 'Of all messages of the run: each tick to the right leaves a tenth of those before it.',
    across: 'percentiles',
    places: rests,
    format: 'milliseconds',
    curves: [{ name: 'latency', color: 'blue', values: latenciesMs }],
  }
}
