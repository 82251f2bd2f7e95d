// Says how the server is, for the page: the last reading of the sampler in words and rows, and the
// samples that the page does not have yet. Nothing is read here that costs more than a look.

import { build } from '../core/build.ts'
import { dashboardLimits } from '../core/limits.ts'
import type { NodeFigures } from '../erlang/node-figures.ts'
import type { WorkerFigures } from '../workers/supervisor.ts'
import type { ColumnName } from './columns.ts'
import type { Reading, Sampler } from './sampler.ts'
import type { ErlangView, Live, Now, WorkerRow } from './view.ts'
import { type Recent, warningsOf } from './warnings.ts'

/** All that is newer than that time. */
export function liveOf(sampler: Sampler, sinceMs: number): Live {
  const { reading, history } = sampler
  return {
    now: nowOf(sampler, reading),
    seconds: history.seconds.since(sinceMs),
    tens: history.tens.since(sinceMs),
  }
}

function nowOf(sampler: Sampler, reading: Reading): Now {
  const { source } = sampler
  const { host, tcp, system, totals } = reading
  const { clock } = source
  const uptimeSeconds = (clock.elapsedMs() - source.startedMs) / 1000
  const [openFiles, erlang, state] = [source.openFiles(), source.erlang(), source.state()]
  const { openFilesLimit } = source
  return {
    startedMs: sampler.startedMs,
    timeMs: reading.timeMs,
    version: build.version,
    ...{ state, uptimeSeconds, openFiles, openFilesLimit },
    limit: host.limit,
    pid: process.pid,
    subscriptions: source.subscriptions.counts().subscriptions,
    socketsInUse: tcp?.socketsInUse ?? null,
    memoryBytes: system?.memoryBytes ?? null,
    memoryAvailableBytes: system?.memoryAvailableBytes ?? null,
    totals: { messages: totals.accepted, deliveries: totals.delivered, opened: totals.opened },
    warnings: warningsOf({
      ...{ state, openFiles, openFilesLimit, erlang, tcp, system },
      open: host.open,
      limit: host.limit,
      workers: host.workers,
      silentWorkers: source.silentWorkers(),
      recent: recentOf(sampler),
    }),
    workers: host.workers.map((worker) => workerRow(sampler, worker)),
    erlang: erlang === null ? null : erlangView(erlang),
  }
}

/** What the last minute brought. A rate of one second is a count. */
function recentOf({ history }: Sampler): Recent {
  const last = (name: ColumnName) => history.seconds.last(name, dashboardLimits.recentSamples)
  const sum = (name: ColumnName) => last(name).reduce((total, value) => total + value, 0)
  return {
    refused: sum('refusedRate') - sum('limitedRate'),
    limited: sum('limitedRate'),
    slow: sum('slowRate'),
    skipped: sum('skippedRate'),
    rejected: sum('rejectedRate'),
    restarted: sum('restartRate'),
    lateMs: Math.max(0, ...last('loopLateMs')),
  }
}

function workerRow(sampler: Sampler, worker: WorkerFigures): WorkerRow {
  const { number, state, pid, restarts, unackedBytes, silentMs, streams } = worker
  return {
    ...{ number, state, pid, restarts, unackedBytes, silentMs },
    ...sampler.workers.useOf(number),
    open: streams?.open ?? 0,
    limit: streams?.limit ?? 0,
    queuedBytes: streams?.queuedBytes ?? 0,
  }
}

function erlangView({ name, registered, messages, peer, connections }: NodeFigures): ErlangView {
  return { ...{ name, messages, peer, connections }, isRegistered: registered }
}
