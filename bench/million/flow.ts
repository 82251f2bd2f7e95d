// Messages through all open streams: a generator runs, everything it was promised is waited for,
// and what came is compared. One flow is the steady one; searches are flows at rising rates.

import type { FloodSample } from '../../src/flood/sample.ts'
import { nextRate, type SearchPlan } from '../../src/gen/search.ts'
import type { Flood } from '../harness/flood.ts'
import { type GenWish, generate } from '../harness/generator.ts'
import { latencyOver } from '../harness/latency.ts'
import type { Server } from '../harness/server.ts'
import type { Flow, RunRecord } from './record.ts'
import { ROLES } from './sample.ts'
import type { Cpu, Sampler } from './sampler.ts'

/** A rate within two parts in a hundred of the wanted one is kept. */
const RATE_KEPT_ABOVE = 0.98
/** Slower than this, messages queue up, and the rate is not one that lasts. */
const P99_MS_MAX = 1_000
/** Seconds without anything new after which what has not come is missing. */
const STILL_SECONDS = 5
/** Seconds that are waited for stragglers at most. */
const DRAIN_SECONDS_MAX = 60

/** What takes part while all streams are open. */
export interface Stage {
  readonly users: number
  readonly server: Server
  readonly flood: Flood
  readonly sampler: Sampler
  readonly record: RunRecord
  readonly say: (text: string) => void
}

export interface FlowWish extends Omit<GenWish, 'controlUrl' | 'users'> {
  readonly name: string
}

export async function flow(stage: Stage, wish: FlowWish): Promise<Flow> {
  const { server, flood, sampler, users, record } = stage
  // The line after this moment belongs to the flow, and none before.
  const givenUpBefore = await givenUp(server)
  const before = await flood.next()
  const firstLine = flood.lines.length
  const fromSeconds = sampler.seconds
  const cpuBefore = sampler.cpu()
  const { address, ratePerSecond } = wish
  const outcome = await generate({ ...wish, controlUrl: server.controlUrl, users }, (pid) => {
    sampler.watched.gen = pid
  })
  sampler.watched.gen = null
  const after = await drained(stage, before.received.messages + outcome.report.delivered)
  const cpuSeconds = cpuBetween(cpuBefore, sampler.cpu())
  record.phases.push({ name: wish.name, fromSeconds, toSeconds: sampler.seconds })
  const { report } = outcome
  const counts = {
    received: after.received.messages - before.received.messages,
    duplicated: after.received.duplicated - before.received.duplicated,
    reordered: after.received.reordered - before.received.reordered,
    untracked: after.received.untracked - before.received.untracked,
    closed: after.connections.closed - before.connections.closed,
    givenUp: (await givenUp(server)) - givenUpBefore,
  }
  const latency = latencyOver(flood.lines.slice(firstLine))
  const flaw = flawOf({ gen: report, address, ...counts, latency, ratePerSecond })
  return {
    address,
    rate: ratePerSecond,
    gen: report,
    ...counts,
    latency,
    deliveriesPerSecond: report.seconds > 0 ? report.delivered / report.seconds : 0,
    // The generator has ended, so what it used is known to the microsecond.
    cpuSeconds: { ...cpuSeconds, gen: outcome.cpuSeconds },
    held: flaw === null,
    why: flaw,
  }
}

/** Tries rates as the plan says; each attempt is noted as it ends. */
export async function search(
  stage: Stage,
  plan: SearchPlan,
  wish: Pick<FlowWish, 'address' | 'durationMs' | 'publishers'>,
  attempts: Flow[],
): Promise<void> {
  for (;;) {
    const ratePerSecond = nextRate(plan, attempts)
    if (ratePerSecond === null) return
    const whom = wish.address === 'to' ? 'to one' : 'to friends'
    const name = `${whom}, ${ratePerSecond.toLocaleString('en-US')}/s`
    const attempt = await flow(stage, { ...wish, ratePerSecond, name })
    attempts.push(attempt)
    const rate = Math.round(attempt.deliveriesPerSecond).toLocaleString('en-US')
    stage.say(
      `  ${ratePerSecond.toLocaleString('en-US')} messages/s, ${rate} deliveries/s: ` +
        (attempt.why ?? `held, p99 ${attempt.latency.p99Ms?.toFixed(1)} ms`),
    )
  }
}

/** Waits until all that was promised has come, or nothing comes any more; answers the last line. */
async function drained({ server, flood }: Stage, expected: number): Promise<FloodSample> {
  let line = await flood.next()
  for (
    let still = 0, seconds = 0;
    still < STILL_SECONDS && seconds < DRAIN_SECONDS_MAX;
    seconds++
  ) {
    const { queuedBytes } = (await server.figures()).outbox
    const next = await flood.next()
    const isStill = next.received.messages === line.received.messages
    line = next
    // Still for one line at least: what came beyond the promise must be seen, too.
    if (isStill && queuedBytes === 0 && line.received.messages >= expected) break
    still = isStill && queuedBytes === 0 ? still + 1 : 0
  }
  return line
}

async function givenUp(server: Server): Promise<number> {
  const { undelivered, skipped = 0 } = (await server.figures()).deliveries
  return undelivered + skipped
}

/** Why a flow does not count as held; null if it does. */
export function flawOf(
  flow: Omit<Flow, 'rate' | 'held' | 'why' | 'cpuSeconds' | 'deliveriesPerSecond'> & {
    readonly ratePerSecond: number
  },
): string | null {
  const { gen, received, duplicated, reordered, untracked, closed, latency } = flow
  const missing = gen.delivered - (received - duplicated)
  if (missing > 0) return `${missing} deliveries are missing`
  if (gen.unknown > 0) return `of ${gen.unknown} deliveries the server did not know in time`
  if (missing < 0) return `${-missing} deliveries came that nobody promised`
  if (duplicated > 0) return `${duplicated} came twice`
  if (reordered > 0) return `${reordered} came out of order`
  if (untracked > 0) return `the order of ${untracked} could not be checked`
  if (closed > 0) return `${closed} streams were lost`
  if (flow.givenUp > 0) return `the server gave up ${flow.givenUp} deliveries`
  // Every user has a stream, so that each message has somebody to go to.
  const nowhere = flow.address === 'to' ? gen.sent - gen.delivered : 0
  if (nowhere > 0) return `${nowhere} messages found nobody`
  const unsent = gen.rejected + gen.unanswered + Object.keys(gen.errors).length
  if (unsent > 0) return `${unsent} messages were refused or not answered`
  if (gen.perSecond < flow.ratePerSecond * RATE_KEPT_ABOVE) {
    return `the rate was not kept: ${Math.round(gen.perSecond)} messages/s`
  }
  const { p99Ms } = latency
  if (p99Ms === null) return 'nothing was timed'
  return p99Ms > P99_MS_MAX ? `messages queue up: p99 ${Math.round(p99Ms)} ms` : null
}

/** What each role, and the machine, used between two looks. */
export function cpuBetween(before: Cpu, after: Cpu): Flow['cpuSeconds'] {
  const roles = ROLES.map((role) => [role, after.byRole[role] - before.byRole[role]])
  return {
    ...(Object.fromEntries(roles) as Record<(typeof ROLES)[number], number>),
    machine: after.machine - before.machine,
  }
}
