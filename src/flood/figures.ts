// The figures that a flood's report and its samples share: their schemas and where they come from.
// Names and meanings are stable.

import { type Static, Type } from '@sinclair/typebox'
import type { Histogram } from 'hdr-histogram-js'
import type { Counters } from './tally.ts'
import { percentileMs } from './times.ts'

export const Count = Type.Integer({ minimum: 0 })
export const Ms = Type.Union([Type.Number(), Type.Null()], {
  description: 'null if nothing was timed.',
})

export const Failed = Type.Integer({ minimum: 0, description: 'Never became a stream.' })
export const Closed = Type.Integer({
  minimum: 0,
  description: 'Were streams, and ended before the run did.',
})

export const Received = Type.Object({
  chunks: Count,
  bytes: Type.Integer({ minimum: 0, description: 'Of chunks, without what HTTP adds.' }),
  messages: Type.Integer({ minimum: 0, description: 'Chunks with a stamp.' }),
  duplicated: Count,
  reordered: Count,
  untracked: Type.Integer({
    minimum: 0,
    description: 'Messages whose order could not be checked any more.',
  }),
})

export const Latency = Type.Object(
  { p50Ms: Ms, p99Ms: Ms, p999Ms: Ms, maxMs: Ms },
  { description: 'From the moment a message was due at its generator to its arrival here.' },
)

export function receivedOf(counters: Counters): Static<typeof Received> {
  const { chunks, bytes, messages, duplicated, reordered, untracked } = counters
  return { chunks, bytes, messages, duplicated, reordered, untracked }
}

export function latencyOf(histogram: Histogram): Static<typeof Latency> {
  return {
    p50Ms: percentileMs(histogram, 50),
    p99Ms: percentileMs(histogram, 99),
    p999Ms: percentileMs(histogram, 99.9),
    maxMs: percentileMs(histogram, 100),
  }
}
