// The run of a soak: server, streams, two generators side by side, and what each process takes,
// every few seconds.

import type { GenReport } from '../../src/gen/gen-report.ts'
import {
  type Flood,
  generate,
  type Server,
  sizeOf,
  startFlood,
  startServer,
} from '../harness/comet.ts'
import type { Log } from '../harness/command.ts'
import { drained, latencyOver } from '../harness/flow.ts'
import { cpuSeconds, machineMemory, programMemory } from '../harness/proc.ts'
import { waitForStreams } from '../harness/wait.ts'

/** Milliseconds between two samples; a short run is sampled more often. */
const SAMPLE_EVERY_MS = { min: 1_000, max: 10_000 }
const SAMPLES_WANTED = 360
/** Milliseconds for all streams to open. */
const OPEN_MS_MAX = 120_000
/**
 * Samples of the flood, one a second, to wait for messages on their way when the generators have
 * ended.
 */
const DRAIN = { stillMax: 30, samplesMax: 30 }
/** One stream in so many never gets a message: it is silent, and must stay open all the same. */
const SILENT_EACH = 10
/** One message in so many is about a user, and goes to all who follow: about 17 each. */
const ABOUT_EACH = 20

export interface Load {
  readonly connections: number
  readonly ratePerSecond: number
  readonly durationMs: number
}

export type Soak = Awaited<ReturnType<typeof soak>>

export async function soak(load: Load, database: string, log: Log) {
  const { connections, ratePerSecond, durationMs } = load
  await using server = await startServer({ db: database, args: sizeOf(connections) })
  log(`comet serve listens; the dashboard is at ${server.controlUrl}/`)
  const url = `${server.publicUrl}/test/{id}`
  const { active, silent } = sharesOf(connections)
  await using flood = startFlood(url, active)
  await using silentFlood = startFlood(url, silent, { firstUser: active + 1 })
  const needs = [server.program, flood.program, silentFlood.program]
  const wait = { everyMs: 100, mostMs: OPEN_MS_MAX, needs }
  await waitForStreams(connections, wait, async () => {
    return (await server.stats()).streams.open
  })
  log(`${connections} streams are open; messages flow for ${durationMs / 1000} s`)
  const pids: number[] = []
  const sampler = new SoakSampler(server, flood, pids, sampleEveryMs(durationMs))
  const generated = await Promise.all(
    generatorArgs(ratePerSecond, active).map((args) =>
      generate([server.controlUrl, ...args], durationMs, (pid) => pids.push(pid)),
    ),
  ).finally(() => sampler.stop())
  const sum = (read: (report: GenReport) => number) =>
    generated.reduce((total, { report }) => total + read(report), 0)
  const promised = sum(({ delivered }) => delivered)
  await drained(flood, { ...DRAIN, expected: promised })
  const latency = latencyOver(flood.samples)
  const stats = await server.stats()
  const { received, connections: streams } = await flood.stop()
  const quiet = await silentFlood.stop()
  return {
    samples: sampler.samples,
    sent: sum(({ sent }) => sent),
    perSecond: sum(({ perSecond }) => perSecond),
    promised,
    received: received.messages,
    duplicated: received.duplicated,
    reordered: received.reordered,
    closed: streams.closed,
    /** Streams that get no message, those of them that ended, and what came on them. */
    silent: {
      streams: silent,
      // By the server's count, too: a client may not notice that it was cut.
      closed: Math.max(quiet.connections.closed, connections - stats.streams.open),
      received: quiet.received.messages,
    },
    /** Refused, not answered or failed. */
    unsent: sum(({ rejected, unanswered, errors }) =>
      Object.values(errors).reduce((a, b) => a + b, rejected + unanswered),
    ),
    undelivered: stats.deliveries.undelivered,
    latency,
    serverExitCode: await server.stop(),
  }
}

/** The users who get messages come first, and only they follow others. */
export function sharesOf(connections: number): { active: number; silent: number } {
  const silent = Math.floor(connections / SILENT_EACH)
  return { active: connections - silent, silent }
}

/** Most messages go to one user each, some to all who follow one. */
function generatorArgs(ratePerSecond: number, users: number): string[][] {
  const about = Math.round(ratePerSecond / ABOUT_EACH)
  return [
    ['--address', 'to', '--rate', String(ratePerSecond - about), '--users', String(users)],
    ['--address', 'subject', '--rate', String(about), '--users', String(users)],
  ]
}

function sampleEveryMs(durationMs: number): number {
  const { min, max } = SAMPLE_EVERY_MS
  return Math.min(max, Math.max(min, Math.floor(durationMs / SAMPLES_WANTED)))
}

/** Takes a sample again and again until it is stopped. */
class SoakSampler {
  readonly samples: ReturnType<SoakSampler['sample']>[] = []
  readonly #server: Server
  readonly #flood: Flood
  /** Of the generators. */
  readonly #pids: readonly number[]
  readonly #startMs = performance.now()
  readonly #timer: Timer
  #cpuSeconds: number
  #seconds = 0
  #flooded: number

  constructor(server: Server, flood: Flood, pids: readonly number[], everyMs: number) {
    this.#server = server
    this.#flood = flood
    this.#pids = pids
    this.#cpuSeconds = cpuSeconds(server.program.pid)
    this.#flooded = flood.samples.length
    this.#timer = setInterval(() => this.samples.push(this.sample()), everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  sample() {
    const { pid } = this.#server.program
    const seconds = (performance.now() - this.#startMs) / 1000
    const used = cpuSeconds(pid)
    const flooded = this.#flood.samples.slice(this.#flooded)
    const cores = (used - this.#cpuSeconds) / (seconds - this.#seconds)
    this.#cpuSeconds = used
    this.#seconds = seconds
    this.#flooded = this.#flood.samples.length
    /** Of all processes of a program: what belongs to no file. */
    const ownBytes = (root: number) => programMemory(root).ownBytes
    return {
      seconds: Number(seconds.toFixed(1)),
      serverBytes: ownBytes(pid),
      floodBytes: ownBytes(this.#flood.program.pid),
      genBytes: this.#pids.reduce((sum, of) => sum + ownBytes(of), 0),
      kernelBytes: machineMemory().kernelBytes,
      streamsOpen: flooded.at(-1)?.open ?? 0,
      /** Since the last sample, as is the latency. */
      serverCores: Number(cores.toFixed(3)),
      p99Ms: latencyOver(flooded).p99Ms,
    }
  }
}
