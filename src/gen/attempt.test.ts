// Goal: an attempt waits for all expected messages, counts only its own, and holds exactly if its
// rate was kept and its objectives are met. Method: a receiver with given arrivals on a fake clock;
// tables of outcomes.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { parseObjectives } from '../core/objective.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { findLimits } from '../core/tool-limits.ts'
import {
  type Arrived,
  type AttemptOutcome,
  attemptOf,
  FindAttempt,
  type LatencyMs,
  outcomeOf,
  type Receiver,
} from './attempt.ts'
import { FIND_METRICS } from './command.ts'
import { genReport } from './gen-report.ts'
import type { GenRun, GenTally } from './sender.ts'

const LATENCY = { p50Ms: 1, p90Ms: 5, p99Ms: 20, p999Ms: 50, maxMs: 80 }

const KNOWN = new Map(Object.entries({ 50: 1, 90: 5, 99: 20, 99.9: 50, 100: 80 }))
const latencyMs: LatencyMs = (percentile) => KNOWN.get(String(percentile)) ?? percentile / 10

const TALLY: GenTally = {
  sent: 1_000,
  rejected: 0,
  delivered: 3_000,
  unpromised: 0,
  unknown: 0,
  unanswered: 0,
  retried: 0,
  repeated: 0,
  errors: {},
  generators: { first: 0, count: 16 },
  scheduled: 1_000,
  plannedSeconds: 10,
  seconds: 10,
}

function genThatSends(tally: Partial<GenTally> = {}): GenRun {
  const whole = { ...TALLY, ...tally }
  return { tally: whole, stop: () => undefined, finished: Promise.resolve(whole) }
}

/** Messages arrive at these moments, each so many. */
class Arrivals implements Receiver {
  readonly clock = new FakeClock()
  latencyTaken = 0
  readonly #atMs: readonly (readonly [ms: number, messages: number])[]

  constructor(...atMs: (readonly [ms: number, messages: number])[]) {
    this.#atMs = atMs
  }

  arrived(): Arrived {
    const come = this.#atMs.filter(([ms]) => ms <= this.clock.elapsedMs())
    const messages = come.reduce((sum, [, of]) => sum + of, 0)
    return { messages, duplicated: 0, reordered: 0, untracked: 0, closed: 0 }
  }

  takeLatency(): LatencyMs {
    this.latencyTaken++
    return latencyMs
  }

  readonly pause = async (ms: number): Promise<void> => this.clock.advance(ms)
}

async function outcome(arrivals: Arrivals, tally: Partial<GenTally> = {}): Promise<AttemptOutcome> {
  return await outcomeOf(100, () => genThatSends(tally), arrivals, arrivals.clock, arrivals.pause)
}

describe('outcomeOf', () => {
  test('ends soon after all messages have arrived, late enough to see duplicates', async () => {
    const arrivals = new Arrivals([0, 500], [100, 1_000], [300, 2_000], [1_000, 3])
    const { arrived } = await outcome(arrivals)
    // The five hundred that were there before are not its own.
    expect(arrived.messages).toBe(3_003)
    expect(arrivals.clock.elapsedMs()).toBe(1_000 + findLimits.stillMs)
    // Once to forget what was before, once for its own.
    expect(arrivals.latencyTaken).toBe(2)
  })

  test('waits longer while messages are missing', async () => {
    const arrivals = new Arrivals([100, 1_000], [100 + findLimits.stillMs + 50, 1_999])
    const { arrived } = await outcome(arrivals)
    expect(arrived.messages).toBe(2_999)
    const lastMs = 100 + findLimits.stillMs + 50
    expect(arrivals.clock.elapsedMs()).toBe(lastMs + findLimits.stillMissingMs)
  })

  test('does not wait forever while messages trickle in', async () => {
    const trickle = Array.from({ length: 1_000 }, (_, at) => [at * 1_000, 1] as const)
    const arrivals = new Arrivals(...trickle)
    await outcome(arrivals)
    expect(arrivals.clock.elapsedMs()).toBe(findLimits.arriveMsMax)
  })

  test('expects each message once if the server returns no number of deliveries', async () => {
    const arrivals = new Arrivals([100, 1_000])
    const { report, arrived } = await outcome(arrivals, { delivered: 0, unpromised: 1_000 })
    expect(arrived.messages).toBe(1_000)
    expect(arrivals.clock.elapsedMs()).toBe(100 + findLimits.stillMs)
    const judged = attemptOf({ rate: 100, report, arrived, latency: latencyMs }, [])
    expect(judged.metrics.lost).toBe(0)
  })
})

const ARRIVED: Arrived = {
  messages: 3_000,
  duplicated: 0,
  reordered: 0,
  untracked: 0,
  closed: 0,
}

interface Changes {
  readonly tally?: Partial<GenTally>
  readonly arrived?: Partial<Arrived>
  readonly latency?: LatencyMs
}

function judged(slo: string, { tally, arrived, latency = latencyMs }: Changes): FindAttempt {
  const objectives = parseObjectives(slo, FIND_METRICS)
  if (objectives === undefined) throw new Error(slo)
  const made = {
    rate: 100,
    report: genReport({ ...TALLY, ...tally }),
    arrived: { ...ARRIVED, ...arrived },
    latency,
  }
  const attempt = attemptOf(made, objectives)
  expect(Value.Check(FindAttempt, attempt)).toBe(true)
  return attempt
}

describe('attemptOf', () => {
  test('returns what was measured', () => {
    expect(judged('lost=0', { arrived: { messages: 2_990, duplicated: 2, reordered: 1 } })).toEqual(
      {
        rate: 100,
        held: false,
        why: 'lost is 12, not =0',
        perSecond: 100,
        metrics: { ...LATENCY, lost: 12, duplicated: 2, reordered: 1, rejected: 0, unanswered: 0 },
      },
    )
  })

  test.each<[string, Changes]>([
    ['p99<100ms,lost=0', {}],
    ['p50<=1ms,p90<=5ms,p99<=20ms,p99.9<=50ms,max<=80ms', {}],
    ['p98<=9.8ms,p99.99<10ms', {}],
    ['duplicated=0,reordered=0,rejected=0,unanswered=0', {}],
    ['lost<=12', { arrived: { messages: 2_988 } }],
    // More than promised is not less than nothing lost.
    ['lost=0', { arrived: { messages: 3_001 } }],
    ['lost=0', { tally: { seconds: 10.1 } }],
  ])('lets %p hold with %p', (slo, changes) => {
    expect(judged(slo, changes)).toMatchObject({ held: true, why: null })
  })

  test.each<[string, Changes, string]>([
    ['p99<20ms', {}, 'p99 is 20.0 ms, not <20ms'],
    ['p98<9ms', {}, 'p98 is 9.80 ms, not <9ms'],
    ['p99<1s', { latency: () => null }, 'p99 was not measured, wanted <1000ms'],
    ['lost=0', { arrived: { messages: 3_000, duplicated: 1 } }, 'lost is 1, not =0'],
    ['reordered=0', { arrived: { untracked: 1 } }, 'reordered was not measured, wanted =0'],
    ['rejected=0', { tally: { rejected: 4 } }, 'rejected is 4, not =0'],
    ['lost=0', { tally: { seconds: 10.2 } }, 'the rate was not kept: 98 messages a second'],
    ['lost=0', { arrived: { closed: 2 } }, 'the server closed 2 streams'],
    ['p50<1ms,max<1ms', {}, 'p50 is 1.00 ms, not <1ms; max is 80.0 ms, not <1ms'],
  ])('does not let %p hold with %p: %s', (slo, changes, why) => {
    expect(judged(slo, changes)).toMatchObject({ held: false, why })
  })
})
