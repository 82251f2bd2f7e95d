// The answer of `/dashboard/live`: the last reading of the sampler with warnings and rows of
// workers, and the samples that the page does not have yet. Nothing here is expensive to read.

import type { BusFigures } from '../bus/bus-figures.ts'
import { build } from '../core/build.ts'
import { busFigureLimits } from '../core/bus-limits.ts'
import { dashboardLimits } from '../core/limits.ts'
import type { WorkerFigures } from '../hub/figures.ts'
import type { ColumnName } from './columns.ts'
import type { Reading, Sampler } from './sampler.ts'
import { type Recent, warningsOf } from './warnings.ts'

export type Live = ReturnType<typeof liveOf>

/** With the samples that are newer than that time. */
export function liveOf(sampler: Sampler, sinceMs: number) {
  const { reading, history } = sampler
  return {
    now: nowOf(sampler, reading),
    seconds: history.seconds.since(sinceMs),
    tens: history.tens.since(sinceMs),
  }
}

function nowOf(sampler: Sampler, reading: Reading) {
  const { source } = sampler
  const { host, tcp, system, counters, bus } = reading
  const { clock } = source
  const uptimeSeconds = (clock.elapsedMs() - source.startedMs) / 1000
  const [openFiles, erlang, state] = [source.openFiles(), source.erlang(), source.state()]
  const { openFilesLimit } = source
  const history = source.history()
  return {
    // Another number is another start of the server.
    startedMs: sampler.startedMs,
    timeMs: reading.timeMs,
    version: build.version,
    ...{ state, uptimeSeconds, openFiles, openFilesLimit, erlang, history },
    limit: host.limit,
    pid: process.pid,
    subscriptions: source.subscriptions.counts(),
    socketsInUse: tcp?.socketsInUse ?? null,
    memoryBytes: system?.memoryBytes ?? null,
    memoryAvailableBytes: system?.memoryAvailableBytes ?? null,
    totals: {
      opened: counters.openedRate,
      deliveries: counters.deliveryRate,
      // Frames that a stream took and did not send, and those that none was handed.
      lost: counters.undeliveredRate + counters.skippedRate,
    },
    lostLately: Math.round(lately(sampler, 'undeliveredRate') + lately(sampler, 'skippedRate')),
    bus: bus === null ? null : shownOf(bus),
    warnings: warningsOf({
      ...{ state, openFiles, openFilesLimit, erlang, tcp, system, history, bus },
      open: host.open,
      limit: host.limit,
      workers: host.workers,
      silentWorkers: source.silentWorkers(),
      recent: recentOf(sampler),
    }),
    workers: host.workers.map((worker) => workerRow(sampler, worker)),
  }
}

/** What a rate of the last minute adds up to, with a sample a second. */
function lately({ history }: Pick<Sampler, 'history'>, name: ColumnName): number {
  const rates = history.seconds.last(name, dashboardLimits.recentSamples)
  return rates.reduce((total, value) => total + value, 0)
}

function recentOf({ history }: Sampler): Recent {
  const last = (name: ColumnName) => history.seconds.last(name, dashboardLimits.recentSamples)
  const sum = (name: ColumnName) => lately({ history }, name)
  return {
    refused: sum('refusedRate') - sum('limitedRate'),
    limited: sum('limitedRate'),
    slow: sum('slowRate'),
    lostGaps: sum('lostGapRate'),
    skipped: sum('skippedRate'),
    rejected: sum('rejectedRate'),
    restarted: sum('restartRate'),
    busRefused: sum('busRefusedRate'),
    busGaps: sum('busGapRate'),
    lateMs: Math.max(0, ...last('loopLateMs')),
  }
}

/** With as many nodes as are listed, this one first. */
function shownOf({ roundTrip: _, ...bus }: BusFigures) {
  const nodes = bus.nodes.toSorted((left, right) => Number(right.own) - Number(left.own))
  const { nodesShownMax } = busFigureLimits
  return { ...bus, nodes: nodes.slice(0, nodesShownMax), nodeCount: nodes.length }
}

function workerRow(sampler: Sampler, worker: WorkerFigures) {
  const { number, state, pid, restarts, unackedBytes, silentMs, streams } = worker
  return {
    ...{ number, state, pid, restarts, unackedBytes, silentMs },
    ...sampler.workers.useOf(number),
    open: streams?.open ?? 0,
    limit: streams?.limit ?? 0,
    queuedBytes: streams?.queuedBytes ?? 0,
  }
}
