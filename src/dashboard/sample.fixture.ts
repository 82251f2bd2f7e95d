// Samples for tests, in which all figures are the same number except those that a test names, and a
// server whose figures are variables.

import type { BusFigures } from '../bus/bus-figures.ts'
import type { BusMeter } from '../bus/bus-meter.ts'
import { Histogram } from '../core/histogram.ts'
import { LAG_BOUNDS_SECONDS } from '../core/loop.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { type HostFigures, NO_TOTALS, type WorkerFigures } from '../hub/figures.ts'
import type { HistoryFigures } from '../hub/history.ts'
import { zeroCounts } from '../hub/refusals.ts'
import { GAPS } from '../hub/resumption.ts'
import { routerOf } from '../hub/router.fixture.ts'
import { Input } from '../hub/router.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import type { NetworkFigures, SystemFigures, TcpFigures } from '../os/proc.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { COLUMN_NAMES, type Sample } from './columns.ts'
import type { Machine, SamplerSource } from './sampler.ts'

export function sampleOf(value: number | null, others: Partial<Sample> = {}): Sample {
  return { ...(Object.fromEntries(COLUMN_NAMES.map((name) => [name, value])) as Sample), ...others }
}

export function workerOf(number: number, others: Partial<WorkerFigures> = {}): WorkerFigures {
  return {
    ...{ number, state: 'running', pid: 100 + number, restarts: 0, unackedBytes: 0, silentMs: 0 },
    spent: {
      cpuSeconds: 0,
      loopLag: new Histogram(LAG_BOUNDS_SECONDS).figures(),
      logLinesDropped: 0,
    },
    streams: null,
    ...others,
  }
}

/** Of a server that is alone at its Redis, and has published what the meter has. */
export function busOf(meter: BusMeter, others: Partial<BusFigures> = {}): BusFigures {
  const { counts, sum: sumSeconds } = meter.roundTripSeconds.figures()
  return {
    ...{ connected: true, seconds: 60, why: null, ready: true, epoch: 1, behind: 0, nodes: [] },
    queue: {
      ...{ messages: 3, bytes: 30, limitMessages: 100, limitBytes: 1_000, oldestAgeSeconds: 0.1 },
    },
    refused: { ...meter.refused },
    roundTrip: { batches: 0, p50Seconds: null, p99Seconds: null, sumSeconds, counts: [...counts] },
    ...{ added: meter.added, read: meter.read, forks: 0, gaps: 0, foreign: 0, doubled: 0 },
    ...{ unsent: 0, reloading: false },
    redis: {
      product: 'Redis',
      ...{ version: '7.0.15', durable: true, evictionPolicy: 'noeviction' },
      ...{ usedBytes: 80, limitBytes: null },
    },
    ...others,
  }
}

const NO_TRAFFIC = { receivedBytes: 0, sentBytes: 0, receivedPackets: 0, sentPackets: 0 }

/** Its figures and clock are set by tests. */
export class FakeServer {
  readonly clock = new FakeClock()
  readonly loopLag = new Histogram(LAG_BOUNDS_SECONDS)
  readonly input = new Input(
    'http',
    routerOf(
      { ready: () => null, deliver: () => undefined } as never,
      { subscribersOf: () => new Uint32Array(0) } as never,
      settingsOf(),
    ),
  )
  host: HostFigures = {
    ...{ open: 0, limit: 1_000, users: 0, queuedBytes: 0, lost: 0, wire: null, workers: [] },
    totals: NO_TOTALS,
  }
  history: HistoryFigures = {
    ...{ epoch: 1, last: '', oldest: null, entries: 0, bytes: 0, limitBytes: 1_000 },
    ...{ oldestAgeSeconds: null, place: { kind: 'memory', reason: null } },
    ...{ resumed: 0, replayed: 0, gaps: zeroCounts(GAPS) },
  }
  bus: BusFigures | null = null
  cpuSeconds = 0
  tcp: TcpFigures | null = null
  network: NetworkFigures | null = { outside: NO_TRAFFIC, loopback: NO_TRAFFIC }
  system: SystemFigures | null = null
  /** Processes whose memory was read. */
  readonly asked: number[] = []

  readonly source: SamplerSource = {
    clock: this.clock,
    startedMs: 0,
    history: () => this.history,
    feed: () => null,
    streams: () => Promise.reject(new Error('the sampler must not ask the workers')),
    latest: () => this.host,
    subscriptions: { counts: () => ({ subscriptions: 3, subjects: 2 }) },
    names: new NameTable({ seed: 1 }),
    inputs: [this.input],
    lookups: { lookups: 0, followersFound: 0 },
    loop: { lateMs: 0, figures: () => this.loopLag.figures() },
    silentWorkers: () => [],
    openFilesLimit: 1_024,
    openFiles: () => 20,
    logLinesDropped: () => 0,
    state: () => 'ready',
    erlang: () => null,
    bus: () => this.bus,
  }

  readonly machine: Machine = {
    tcp: () => this.tcp,
    network: () => this.network,
    system: () => this.system,
    cpuSeconds: () => this.cpuSeconds,
    anonymousBytes: (pid) => {
      this.asked.push(pid)
      return pid === process.pid ? 1_000 : pid
    },
  }
}
