// Takes a sample of the server once a second, in the process that has the control port. It asks nobody:
// what workers told last is what it takes, and the counters lie in this process.

import type { HostFigures, StatsSource } from '../control/stats.ts'
import { addHistograms, type HistogramFigures } from '../core/histogram.ts'
import { dashboardLimits } from '../core/limits.ts'
import { allRefused } from '../hub/figures.ts'
import { DELIVERY_BOUNDS_SECONDS } from '../hub/receipt.ts'
import { anonymousBytes, type TcpFigures, tcpFigures } from '../os/memory.ts'
import { type NetworkFigures, networkFigures } from '../os/network.ts'
import { type SystemFigures, systemFigures } from '../os/system.ts'
import { History } from './history.ts'
import { Meter, WorkerMeters } from './processes.ts'
import { quantileOf, recordedSince } from './quantile.ts'
import type { Sample } from './view.ts'

export interface SamplerSource extends StatsSource {
  /** The figures of all streams as they were told last, without asking. */
  readonly told: () => HostFigures
}

/** What is read of the machine. Tests have one of their own. */
export interface Machine {
  readonly tcp: () => TcpFigures | null
  readonly network: () => NetworkFigures | null
  readonly system: () => SystemFigures | null
  readonly anonymousBytes: (pid: number) => number | null
  /** Processor seconds of this process. */
  readonly cpuSeconds: () => number
}

export const THIS_MACHINE: Machine = {
  tcp: tcpFigures,
  network: networkFigures,
  system: systemFigures,
  anonymousBytes,
  cpuSeconds: () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  },
}

/** All that was read at one moment; the next sample needs the totals in it. */
export interface Reading {
  readonly timeMs: number
  readonly host: HostFigures
  readonly totals: Totals
  readonly deliverySeconds: HistogramFigures | null
  readonly tcp: TcpFigures | null
  readonly network: NetworkFigures | null
  readonly system: SystemFigures | null
}

/** What only ever grows. */
type Totals = Readonly<
  Record<
    | 'opened'
    | 'closed'
    | 'refused'
    | 'limited'
    | 'slow'
    | 'accepted'
    | 'delivered'
    | 'dropped'
    | 'rejected'
    | 'skipped'
    | 'undelivered'
    | 'restarts',
    number
  >
>

export class Sampler {
  readonly source: SamplerSource
  readonly history = new History()
  readonly parent = new Meter()
  readonly workers: WorkerMeters
  /** When the server was started, since 1970: tells one start from another. */
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

  /** Takes samples until the returned function is called; the timer keeps no process alive. */
  start(): () => void {
    // The first in a moment, so that the server does not start later for it.
    const first = setTimeout(() => this.take(), 0)
    const timer = setInterval(() => this.take(), dashboardLimits.sampleEveryMs)
    first.unref()
    timer.unref()
    return () => {
      clearTimeout(first)
      clearInterval(timer)
    }
  }

  /** The last one. */
  get reading(): Reading {
    return this.#reading ?? this.#begin()
  }

  /** One sample: what has changed since the reading before. The first has nothing to compare with. */
  take(): void {
    const earlier = this.#reading
    if (earlier === null) {
      this.#begin()
      return
    }
    const reading = this.#read()
    if (reading.timeMs <= earlier.timeMs) return
    this.#reading = reading
    this.#meter(reading)
    this.history.push(reading.timeMs, {
      ...flowOf(reading, earlier),
      ...this.#useOf(reading),
      ...machineOf(reading, earlier),
    })
  }

  #begin(): Reading {
    const reading = this.#read()
    this.#reading = reading
    this.#meter(reading)
    return reading
  }

  #meter({ timeMs, host }: Reading): void {
    const machine = this.#machine
    const loopLag = this.source.loop.figures()
    this.parent.take(timeMs, { cpuSeconds: machine.cpuSeconds(), loopLag })
    this.parent.takeBytes(machine.anonymousBytes(process.pid))
    this.workers.take(timeMs, host.workers)
  }

  #read(): Reading {
    const { source } = this
    const host = source.told()
    return {
      timeMs: Math.round(source.clock.nowMs()),
      host,
      totals: totalsOf(source, host),
      deliverySeconds: source.inputs
        .map(({ router }) => router.deliverySeconds.figures())
        .reduce<HistogramFigures | null>(
          (sum, figures) => (sum === null ? figures : addHistograms(sum, figures)),
          null,
        ),
      tcp: this.#machine.tcp(),
      network: this.#machine.network(),
      system: this.#machine.system(),
    }
  }

  /** What the processes use, each and together. */
  #useOf({ host }: Reading) {
    const parent = this.parent.use
    const uses = host.workers.map(({ number }) => this.workers.useOf(number))
    const cores = uses.map((use) => use.cores ?? 0)
    const lates = [parent, ...uses].map(({ lateMs }) => lateMs).filter((ms) => ms !== null)
    const hasWorkers = uses.length > 0
    // Not before all were read once, in turns: a part would look like growth.
    const isKnown = host.workers.every(({ pid }, at) => pid === null || uses[at]?.bytes != null)
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

function totalsOf({ inputs }: SamplerSource, { totals, lost, workers }: HostFigures): Totals {
  let [accepted, delivered, dropped, rejected, skipped] = [0, 0, 0, 0, 0]
  for (const input of inputs) {
    accepted += input.router.accepted
    delivered += input.router.deliveries
    dropped += input.router.dropped
    skipped += input.router.skipped
    rejected += input.rejected
  }
  const { opened, undelivered, closed } = totals
  return {
    ...{ accepted, delivered, dropped, rejected, skipped, opened, undelivered },
    refused: allRefused(totals.refused),
    limited: totals.refused.rate + totals.refused.address,
    slow: closed.slow,
    restarts: workers.reduce((sum, { restarts }) => sum + restarts, 0),
    closed: closed.client + closed.slow + closed.drained + lost,
  }
}

/** Streams and messages. */
function flowOf(now: Reading, earlier: Reading) {
  const rate = (name: keyof Totals) => rateOf(now, earlier, ({ totals }) => totals[name])
  const delivered =
    now.deliverySeconds === null ? [] : recordedSince(now.deliverySeconds, earlier.deliverySeconds)
  const deliveryMs = (share: number) => {
    const seconds = quantileOf(DELIVERY_BOUNDS_SECONDS, delivered, share)
    return seconds === null ? null : seconds * 1000
  }
  return {
    streams: now.host.open,
    users: now.host.users,
    openedRate: rate('opened'),
    closedRate: rate('closed'),
    refusedRate: rate('refused'),
    limitedRate: rate('limited'),
    slowRate: rate('slow'),
    messageRate: rate('accepted'),
    deliveryRate: rate('delivered'),
    droppedRate: rate('dropped'),
    rejectedRate: rate('rejected'),
    skippedRate: rate('skipped'),
    undeliveredRate: rate('undelivered'),
    restartRate: rate('restarts'),
    deliveryP50Ms: deliveryMs(0.5),
    deliveryP99Ms: deliveryMs(0.99),
    queuedBytes: now.host.queuedBytes,
  } satisfies Partial<Sample>
}

/** The kernel and the network. */
function machineOf(now: Reading, earlier: Reading) {
  const rate = (of: (reading: Reading) => number | undefined) => rateOf(now, earlier, of)
  return {
    tcpBytes: now.tcp?.memoryBytes ?? null,
    kernelBytes: now.system?.kernelBytes ?? null,
    load: now.system?.load ?? null,
    userCores: rate(({ system }) => system?.userSeconds),
    systemCores: rate(({ system }) => system?.systemSeconds),
    receivedBytesRate: rate(({ network }) => network?.outside.receivedBytes),
    sentBytesRate: rate(({ network }) => network?.outside.sentBytes),
    loopbackBytesRate: rate(({ network }) => network?.loopback.sentBytes),
    receivedPacketRate: rate(({ network }) => network?.outside.receivedPackets),
    sentPacketRate: rate(({ network }) => network?.outside.sentPackets),
    loopbackPacketRate: rate(({ network }) => network?.loopback.sentPackets),
  } satisfies Partial<Sample>
}

/** Growth a second. A device that went away took its count with it, which is no growth. */
function rateOf(
  now: Reading,
  earlier: Reading,
  of: (reading: Reading) => number | undefined,
): number | null {
  const [value, before] = [of(now), of(earlier)]
  if (value === undefined || before === undefined) return null
  return Math.max(0, value - before) / ((now.timeMs - earlier.timeMs) / 1000)
}
