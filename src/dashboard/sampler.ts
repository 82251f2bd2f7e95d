// Takes a sample of the server once a second, in the process of the control port. It waits for no
// process: it takes what the workers reported last, and the counters of messages are in this
// process.

import type { BusFigures } from '../bus/bus-figures.ts'
import { ROUND_TRIP_BOUNDS_SECONDS } from '../bus/bus-meter.ts'
import type { StatsSource } from '../control/stats.ts'
import {
  addHistograms,
  type HistogramFigures,
  quantileOf,
  recordedSince,
} from '../core/histogram.ts'
import { dashboardLimits } from '../core/limits.ts'
import { cpuSeconds } from '../core/loop.ts'
import type { HostFigures } from '../hub/figures.ts'
import { DELIVERY_BOUNDS_SECONDS } from '../hub/receipt.ts'
import { totalOf } from '../hub/refusals.ts'
import type { Input } from '../hub/router.ts'
import {
  anonymousBytes,
  type NetworkFigures,
  networkFigures,
  type SystemFigures,
  systemFigures,
  type TcpFigures,
  tcpFigures,
} from '../os/proc.ts'
import type { ColumnName, Sample } from './columns.ts'
import { History } from './history.ts'
import { ProcessMeter, WorkerMeters } from './processes.ts'

export interface SamplerSource extends StatsSource {
  /** The figures of all streams as they were reported last. */
  readonly latest: () => HostFigures
}

export const THIS_MACHINE = {
  tcp: tcpFigures,
  network: networkFigures,
  system: systemFigures,
  anonymousBytes,
  cpuSeconds,
}

/** What is read from the operating system. */
export type Machine = Readonly<typeof THIS_MACHINE>

/** All that was read at one moment; the next sample needs the counters in it. */
export interface Reading {
  readonly timeMs: number
  readonly host: HostFigures
  readonly counters: Counters
  readonly deliverySeconds: HistogramFigures | null
  readonly bus: BusFigures | null
  readonly tcp: TcpFigures | null
  readonly system: SystemFigures | null
}

type Counters = ReturnType<typeof countersOf>

export class Sampler {
  readonly source: SamplerSource
  readonly history = new History()
  readonly parent = new ProcessMeter()
  readonly workers: WorkerMeters
  /** When the server was started, since 1970: distinguishes one start from another. */
  readonly startedMs: number
  readonly #machine: Machine
  #reading: Reading | null = null

  constructor(source: SamplerSource, machine: Machine = THIS_MACHINE) {
    this.source = source
    this.#machine = machine
    this.workers = new WorkerMeters(machine.anonymousBytes)
    const { clock, startedMs } = source
    this.startedMs = Math.round(clock.nowMs() - (clock.elapsedMs() - startedMs))
  }

  /** Takes samples until the returned function is called; the timers keep no process alive. */
  start(): () => void {
    // The first one a moment later, so that it does not delay the start of the server.
    const first = setTimeout(() => this.take(), 0)
    const timer = setInterval(() => this.take(), dashboardLimits.sampleEveryMs)
    first.unref()
    timer.unref()
    return () => {
      clearTimeout(first)
      clearInterval(timer)
    }
  }

  /** The last one; the first one if none was taken yet. */
  get reading(): Reading {
    this.#reading ??= this.#read(this.#nowMs())
    return this.#reading
  }

  /**
   * One sample: what has changed since the reading before. The first has nothing to compare with.
   */
  take(): void {
    const earlier = this.#reading
    const timeMs = this.#nowMs()
    if (earlier !== null && timeMs <= earlier.timeMs) return
    const reading = this.#read(timeMs)
    this.#reading = reading
    if (earlier === null) return
    const { host, tcp, system, bus } = reading
    this.history.push(timeMs, {
      ...ratesOf(reading, earlier),
      ...latencyOf(reading, earlier),
      ...this.#useOf(host),
      streams: host.open,
      users: host.users,
      queuedBytes: host.queuedBytes,
      tcpBytes: tcp?.memoryBytes ?? null,
      kernelBytes: system?.kernelBytes ?? null,
      load: system?.load ?? null,
      busQueued: bus?.queue.messages ?? null,
      busBehind: bus?.behind ?? null,
      redisBytes: bus?.connected === true ? (bus.redis?.usedBytes ?? null) : null,
    })
  }

  #nowMs(): number {
    return Math.round(this.source.clock.nowMs())
  }

  #read(timeMs: number): Reading {
    const { source } = this
    const machine = this.#machine
    const host = source.latest()
    const loopLag = source.loop.figures()
    this.parent.take(timeMs, { cpuSeconds: machine.cpuSeconds(), loopLag })
    this.parent.takeBytes(machine.anonymousBytes(process.pid))
    this.workers.take(timeMs, host.workers)
    const [system, bus] = [machine.system(), source.bus()]
    const [first, ...others] = source.inputs.map(({ router }) => router.deliverySeconds.figures())
    return {
      timeMs,
      host,
      counters: countersOf({ source, host, bus, network: machine.network(), system }),
      deliverySeconds: first === undefined ? null : others.reduce(addHistograms, first),
      tcp: machine.tcp(),
      ...{ system, bus },
    }
  }

  /** What the processes use, each and together. */
  #useOf({ workers }: HostFigures) {
    const parent = this.parent.use
    const uses = workers.map(({ number }) => this.workers.useOf(number))
    const cores = uses.map((use) => use.cores ?? 0)
    const lates = [parent, ...uses].map(({ lateMs }) => lateMs).filter((ms) => ms !== null)
    const hasWorkers = uses.length > 0
    // Workers are read in turns: before all were read once, a part would look like growth.
    const isKnown = workers.every(({ pid }, at) => pid === null || uses[at]?.bytes != null)
    return {
      loopLateMs: lates.length === 0 ? null : Math.max(...lates),
      parentCores: parent.cores,
      workersCores: hasWorkers ? cores.reduce((sum, each) => sum + each, 0) : null,
      busiestCores: hasWorkers ? Math.max(...cores) : null,
      parentBytes: parent.bytes,
      workersBytes:
        hasWorkers && isKnown ? uses.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0) : null,
    } satisfies Partial<Sample>
  }
}

interface Counted {
  readonly source: SamplerSource
  readonly host: HostFigures
  readonly bus: BusFigures | null
  readonly network: NetworkFigures | null
  readonly system: SystemFigures | null
}

/**
 * What only grows, by the column that has its growth per second; undefined if it is not available.
 */
function countersOf({ source, host, bus, network, system }: Counted) {
  const { inputs, history } = source
  const { totals, lost, workers } = host
  const { opened, undelivered, closed, refused } = totals
  const { resumed, gaps } = history()
  const sum = (of: (input: Input) => number) => inputs.reduce((all, input) => all + of(input), 0)
  return {
    openedRate: opened,
    closedRate: closed.client + closed.slow + closed.drained + lost,
    refusedRate: totalOf(refused),
    limitedRate: refused.rate + refused.address,
    slowRate: closed.slow,
    resumedRate: resumed,
    lostGapRate: gaps.lost,
    messageRate: sum(({ router }) => router.accepted),
    deliveryRate: sum(({ router }) => router.deliveries),
    droppedRate: sum(({ router }) => router.dropped),
    rejectedRate: sum(({ rejected }) => rejected),
    skippedRate: sum(({ router }) => router.skipped),
    undeliveredRate: undelivered,
    restartRate: workers.reduce((all, { restarts }) => all + restarts, 0),
    userCores: system?.userSeconds,
    systemCores: system?.systemSeconds,
    receivedBytesRate: network?.outside.receivedBytes,
    sentBytesRate: network?.outside.sentBytes,
    loopbackBytesRate: network?.loopback.sentBytes,
    receivedPacketRate: network?.outside.receivedPackets,
    sentPacketRate: network?.outside.sentPackets,
    loopbackPacketRate: network?.loopback.sentPackets,
    busRefusedRate: bus === null ? undefined : refusedByRedis(bus),
    busGapRate: bus?.gaps,
  } satisfies Partial<Record<ColumnName, number | undefined>>
}

/** Without those that are the fault of who publishes. */
function refusedByRedis({ refused }: BusFigures): number {
  return refused.full + refused.unavailable + refused.unknown
}

function ratesOf(now: Reading, earlier: Reading): Record<keyof Counters, number | null> {
  const seconds = (now.timeMs - earlier.timeMs) / 1000
  const rates = (Object.keys(now.counters) as (keyof Counters)[]).map((name) => {
    const [value, before] = [now.counters[name], earlier.counters[name]]
    if (value === undefined || before === undefined) return [name, null]
    // A network device that went away took its count with it, which is no growth.
    return [name, Math.max(0, value - before) / seconds]
  })
  return Object.fromEntries(rates)
}

/** Of the messages, and of the batches of the bus, since the earlier reading. */
function latencyOf(now: Reading, earlier: Reading) {
  const delivery = quantilesOf(
    DELIVERY_BOUNDS_SECONDS,
    now.deliverySeconds,
    earlier.deliverySeconds,
  )
  const trip = quantilesOf(ROUND_TRIP_BOUNDS_SECONDS, tripsOf(now), tripsOf(earlier))
  return {
    ...{ deliveryP50Ms: delivery.p50Ms, deliveryP99Ms: delivery.p99Ms },
    ...{ tripP50Ms: trip.p50Ms, tripP99Ms: trip.p99Ms },
  } satisfies Partial<Sample>
}

function tripsOf({ bus }: Reading): HistogramFigures | null {
  return bus === null ? null : { counts: bus.roundTrip.counts, sum: bus.roundTrip.sumSeconds }
}

function quantilesOf(
  boundsSeconds: readonly number[],
  now: HistogramFigures | null,
  earlier: HistogramFigures | null,
) {
  const recorded = now === null ? [] : recordedSince(now, earlier)
  const ms = (share: number) => {
    const seconds = quantileOf(boundsSeconds, recorded, share)
    return seconds === null ? null : seconds * 1000
  }
  return { p50Ms: ms(0.5), p99Ms: ms(0.99) }
}
