// Messages through all open streams: a flow runs, everything that it was promised is waited for,
// and what came is compared. One flow is the steady one; searches are flows at rising rates.

import { formatCount, formatQuantity } from '../../src/core/units.ts'
import { nextRate, type SearchPlan } from '../../src/gen/search.ts'
import { type Flood, generate, type Server } from '../harness/comet.ts'
import type { Log } from '../harness/command.ts'
import {
  arrivedBetween,
  beginFlow,
  drained,
  latencyOver,
  RATE_KEPT_ABOVE,
} from '../harness/flow.ts'
import type { CpuSeconds, Flow, RunRecord } from './record.ts'
import { ROLES, type Sampler } from './sampler.ts'

/** Slower than this, messages queue up, and the rate is not one that lasts. */
const P99_MS_MAX = 1_000
/**
 * Samples without anything new after which missing messages are lost, and to wait for stragglers.
 */
const DRAIN = { stillMax: 5, samplesMax: 60 }

/** What takes part while all streams are open. */
export interface Stage {
  readonly users: number
  readonly server: Server
  readonly flood: Flood
  readonly sampler: Sampler
  readonly record: RunRecord
  readonly log: Log
}

export interface FlowOptions {
  /** Of the phase in the charts. */
  readonly name: string
  readonly address: 'to' | 'subject'
  readonly ratePerSecond: number
  readonly durationMs: number
  /** Generators, each with a publisher of its own. */
  readonly publishers: number
}

export async function flow(stage: Stage, options: FlowOptions): Promise<Flow> {
  const { server, flood, sampler, users, record } = stage
  const { address, ratePerSecond, durationMs, publishers } = options
  const givenUpBefore = await givenUp(server)
  const { before, samples } = await beginFlow(flood)
  const fromSeconds = sampler.seconds
  const cpuBefore = sampler.cpu()
  const numbers = { generators: publishers, publishers, rate: ratePerSecond, users, address }
  const flags = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)])
  const { report: gen, cpuSeconds: genSeconds } = await generate(
    [server.controlUrl, ...flags],
    durationMs,
    {
      onStart: (pid) => {
        sampler.watched.gen = pid
      },
    },
  )
  sampler.watched.gen = null
  const after = await drained(flood, {
    ...DRAIN,
    expected: before.received.messages + gen.delivered,
    queuedBytes: async () => (await server.stats()).outbox.queuedBytes,
  })
  const cpuSeconds = cpuBetween(cpuBefore, sampler.cpu())
  record.phases.push({ name: options.name, fromSeconds, toSeconds: sampler.seconds })
  const measured = {
    address,
    rate: ratePerSecond,
    gen,
    ...arrivedBetween(before, after),
    givenUp: (await givenUp(server)) - givenUpBefore,
    latency: latencyOver(samples()),
  }
  const why = flawOf(measured)
  return {
    ...measured,
    deliveriesPerSecond: gen.seconds > 0 ? gen.delivered / gen.seconds : 0,
    // The generator has ended, so what it used is known to the microsecond.
    cpuSeconds: { ...cpuSeconds, gen: genSeconds },
    held: why === null,
    why,
  }
}

/** Tries rates as the plan says; each attempt is recorded as it ends. */
export async function search(
  stage: Stage,
  plan: SearchPlan,
  options: Pick<FlowOptions, 'address' | 'durationMs'>,
  attempts: Flow[],
): Promise<void> {
  for (;;) {
    const ratePerSecond = nextRate(plan, attempts)
    if (ratePerSecond === null) return
    const shown = formatCount(ratePerSecond)
    const name = `${options.address === 'to' ? 'to one' : 'to friends'}, ${shown}/s`
    // Each has one request under way, of a thousand messages at most, and waits for its answer.
    const attempt = await flow(stage, { ...options, ratePerSecond, name, publishers: 4 })
    attempts.push(attempt)
    const deliveries = formatCount(attempt.deliveriesPerSecond)
    const result = attempt.why ?? `held, p99 ${attempt.latency.p99Ms?.toFixed(1)} ms`
    stage.log(`  ${shown} messages/s, ${deliveries} deliveries/s: ${result}`)
  }
}

async function givenUp(server: Server): Promise<number> {
  const { undelivered, skipped } = (await server.stats()).deliveries
  return undelivered + skipped
}

/** Why a flow does not count as held; null if it does. */
export function flawOf(
  flow: Omit<Flow, 'held' | 'why' | 'cpuSeconds' | 'deliveriesPerSecond'>,
): string | null {
  const { gen, received, duplicated, reordered, untracked, closed, latency } = flow
  const missing = gen.delivered - (received - duplicated)
  if (missing > 0) return formatQuantity(missing, 'missing delivery', 'missing deliveries')
  if (gen.unknown > 0) return `${deliveries(gen.unknown)} with unknown outcome`
  if (missing < 0) return formatQuantity(-missing, 'unpromised delivery', 'unpromised deliveries')
  if (duplicated > 0) return `${duplicated} came twice`
  if (reordered > 0) return `${reordered} came out of order`
  if (untracked > 0) return `the order of ${untracked} could not be checked`
  if (closed > 0) return formatQuantity(closed, 'lost stream')
  if (flow.givenUp > 0) return `the server gave up ${deliveries(flow.givenUp)}`
  // Every user has a stream, so each message has a receiver.
  const dropped = flow.address === 'to' ? gen.sent - gen.delivered : 0
  if (dropped > 0) return `${formatQuantity(dropped, 'message')} without a receiver`
  const unsent = gen.rejected + gen.unanswered + Object.keys(gen.errors).length
  if (unsent > 0) return `${formatQuantity(unsent, 'message')} refused or not answered`
  if (gen.perSecond < flow.rate * RATE_KEPT_ABOVE) {
    return `the rate was not kept: ${Math.round(gen.perSecond)} messages/s`
  }
  const { p99Ms } = latency
  if (p99Ms === null) return 'nothing was timed'
  return p99Ms > P99_MS_MAX ? `messages queue up: p99 ${Math.round(p99Ms)} ms` : null
}

function deliveries(count: number): string {
  return formatQuantity(count, 'delivery', 'deliveries')
}

/** What each role, and the machine, used between two looks. */
export function cpuBetween(before: CpuSeconds, after: CpuSeconds): CpuSeconds {
  const names = [...ROLES, 'machine'] as const
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as CpuSeconds
}
