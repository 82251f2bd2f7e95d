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

export const Failed = Type.Integer({
  minimum: 0,
  description: 'Never became a stream, or had not when the run ended.',
})
export const Closed = Type.Integer({
  minimum: 0,
  description: 'Were streams, and ended before the run did.',
})

export const Errors = Type.Record(Type.String(), Count, {
  description: 'What ended connections that failed or closed, by kind.',
})

/** What streams did because they were told to. */
export const Behaviour = Type.Object({
  reopened: Type.Integer({ minimum: 0, description: 'Opened again, after an end or churn.' }),
  churned: Type.Integer({ minimum: 0, description: 'Closed by the client, to be opened again.' }),
  slow: Type.Integer({ minimum: 0, description: 'Stopped reading.' }),
  slowEnded: Type.Integer({ minimum: 0, description: 'Of these, ended by the server.' }),
  vanished: Type.Integer({ minimum: 0, description: 'Dropped without the server being told.' }),
})

export const Client = Type.Object(
  {
    processes: Count,
    coresMax: Type.Number({ description: 'Used by the busiest process in its busiest second.' }),
    loopLateMaxMs: Type.Number({ description: 'That a process came late to its streams.' }),
    busySeconds: Type.Integer({
      minimum: 0,
      description: 'In which a process was busy all the time or late: its times may be its own.',
    }),
  },
  { description: 'How busy the client was itself.' },
)

export const Received = Type.Object({
  chunks: Type.Integer({ minimum: 0, description: 'Chunks, lines, events or frames.' }),
  bytes: Type.Integer({ minimum: 0, description: 'Of these, without what HTTP adds.' }),
  messages: Type.Integer({ minimum: 0, description: 'Those with a stamp.' }),
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

export function behaviourOf(counters: Counters): Static<typeof Behaviour> {
  const { reopened, churned, slow, slowEnded, vanished } = counters
  return { reopened, churned, slow, slowEnded, vanished }
}

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
