// The run of a soak: server, streams, two generators side by side, and what each process takes, every few
// seconds. It measures; what the samples mean is others'.

import type { GenReport } from '../../src/gen/gen-report.ts'
import { type Flood, startFlood } from '../harness/flood.ts'
import { runGenerator } from '../harness/generator.ts'
import { type LatencySummary, latencyOver } from '../harness/latency.ts'
import { cpuSeconds, serverMemory } from '../harness/memory.ts'
import { machineMemory, readProc } from '../harness/proc.ts'
import { waitFor } from '../harness/program.ts'
import { Progress } from '../harness/progress.ts'
import { type Server, startServer } from '../harness/server.ts'
import type { Options } from './options.ts'

/** Milliseconds between two samples at most; a short run is looked at more often. */
const SAMPLE_EVERY_MS_MAX = 10_000
const SAMPLE_EVERY_MS_MIN = 1_000
const SAMPLES_WANTED = 360
/** Milliseconds for all streams to open. */
const OPEN_MS_MAX = 120_000
/** Milliseconds for what is still on its way when the generators have ended. */
const ARRIVE_MS_MAX = 30_000
/** One stream in so many never gets a message: being silent, it must be left alone all the same. */
const SILENT_EACH = 10
/** Of the messages that so many are about a user, and go to all who follow: about 17 each. */
const ABOUT_EACH = 20

export interface SoakSample {
  readonly seconds: number
  /** Of all processes of the server: what belongs to no file. */
  readonly serverBytes: number
  readonly floodBytes: number
  readonly genBytes: number
  readonly kernelBytes: number
  readonly streamsOpen: number
  /** Processor time of the server since the last sample, by its length. */
  readonly serverCores: number
  /** Since the last sample. */
  readonly p99Ms: number | null
}

export interface Soak {
  readonly samples: readonly SoakSample[]
  readonly sent: number
  readonly perSecond: number
  readonly promised: number
  readonly received: number
  readonly duplicated: number
  readonly reordered: number
  readonly closed: number
  /** Streams that were to get no message, those of them that ended, and what came on them. */
  readonly silent: { readonly streams: number; readonly closed: number; readonly received: number }
  /** Refused, not answered or failed. */
  readonly unsent: number
  readonly undelivered: number
  readonly latency: LatencySummary
  readonly serverExitCode: number
}

export async function soak(
  options: Options,
  database: string,
  say: (text: string) => void,
): Promise<Soak> {
  await using server = await startServer(options.connections, database)
  say(`comet serve listens; the dashboard is at ${server.controlUrl}/`)
  const url = `${server.publicUrl}/test/{id}`
  const { active, silent } = sharesOf(options.connections)
  await using flood = startFlood(url, active)
  await using silentFlood = startFlood(url, silent, [], active + 1)
  await open(server, [flood, silentFlood], options.connections)
  say(`${options.connections} streams are open; messages flow for ${options.durationMs / 1000} s`)
  const pids: number[] = []
  const watch = new Watch(server, flood, pids, sampleEveryMs(options))
  const [one, all] = await Promise.all(
    generatorFlags(options.ratePerSecond, active).map((flags) =>
      runGenerator([server.controlUrl, ...flags], options.durationMs, (pid) => pids.push(pid)),
    ),
  ).finally(() => watch.stop())
  const reports = [one?.report, all?.report].filter((of) => of !== undefined)
  const sum = (read: (report: GenReport) => number) => reports.map(read).reduce((a, b) => a + b)
  const promised = sum(({ delivered }) => delivered)
  await arrived(flood, promised)
  const latency = latencyOver(flood.lines)
  const figures = await server.figures()
  const { undelivered } = figures.deliveries
  const { received, connections } = await flood.stop()
  const quiet = await silentFlood.stop()
  return {
    samples: watch.samples,
    sent: sum(({ sent }) => sent),
    perSecond: sum(({ perSecond }) => perSecond),
    promised,
    received: received.messages,
    duplicated: received.duplicated,
    reordered: received.reordered,
    closed: connections.closed,
    silent: {
      streams: silent,
      // The server's word, too: a client may not notice that it was cut.
      closed: Math.max(quiet.connections.closed, options.connections - figures.streams.open),
      received: quiet.received.messages,
    },
    unsent: sum(({ rejected, unanswered, errors }) =>
      Object.values(errors).reduce((a, b) => a + b, rejected + unanswered),
    ),
    undelivered,
    latency,
    serverExitCode: await server.stop(),
  }
}

/** The users who get messages come first, and they alone follow anybody. */
export function sharesOf(connections: number): { active: number; silent: number } {
  const silent = Math.floor(connections / SILENT_EACH)
  return { active: connections - silent, silent }
}

/** Most messages go to one user each, some to all who follow one. */
function generatorFlags(ratePerSecond: number, users: number): string[][] {
  const about = Math.round(ratePerSecond / ABOUT_EACH)
  return [
    ['--address', 'to', '--rate', String(ratePerSecond - about), '--users', String(users)],
    ['--address', 'subject', '--rate', String(about), '--users', String(users)],
  ]
}

function sampleEveryMs({ durationMs }: Options): number {
  return Math.min(
    SAMPLE_EVERY_MS_MAX,
    Math.max(SAMPLE_EVERY_MS_MIN, Math.floor(durationMs / SAMPLES_WANTED)),
  )
}

async function open(server: Server, floods: readonly Flood[], connections: number): Promise<void> {
  const needs = [server.program, ...floods.map(({ program }) => program)]
  const wait = { what: 'all streams', everyMs: 100, mostMs: OPEN_MS_MAX, needs }
  const progress = new Progress(connections, 'streams open')
  await waitFor(wait, async () => {
    return progress.isDone((await server.figures()).streams.open) || undefined
  })
}

/** Once all that was promised has come, or nothing comes any more; what is missing is told at the end. */
async function arrived(flood: Flood, promised: number): Promise<void> {
  const deadlineMs = performance.now() + ARRIVE_MS_MAX
  let messages = 0
  do {
    messages = (await flood.next()).received.messages
  } while (messages < promised && performance.now() < deadlineMs)
  // A line more, so that what comes beyond the promise is seen, too.
  await flood.next()
}

/** Looks again and again until it is stopped. */
class Watch {
  readonly samples: SoakSample[] = []
  readonly #server: Server
  readonly #flood: Flood
  /** Of the generators. */
  readonly #pids: readonly number[]
  readonly #startMs = performance.now()
  readonly #timer: Timer
  #cpuSeconds: number
  #seconds = 0
  #lines: number

  constructor(server: Server, flood: Flood, pids: readonly number[], everyMs: number) {
    this.#server = server
    this.#flood = flood
    this.#pids = pids
    this.#cpuSeconds = cpuSeconds(server.program.pid)
    this.#lines = flood.lines.length
    this.#timer = setInterval(() => this.#look(), everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const { pid } = this.#server.program
    const seconds = (performance.now() - this.#startMs) / 1000
    const used = cpuSeconds(pid)
    const lines = this.#flood.lines.slice(this.#lines)
    this.samples.push({
      seconds: Number(seconds.toFixed(1)),
      serverBytes: serverMemory(pid).ownBytes,
      floodBytes: serverMemory(this.#flood.program.pid).ownBytes,
      genBytes: this.#pids.reduce((sum, of) => sum + serverMemory(of).ownBytes, 0),
      kernelBytes: machineMemory(readProc('meminfo')).kernelBytes,
      streamsOpen: lines.at(-1)?.open ?? 0,
      serverCores: Number(((used - this.#cpuSeconds) / (seconds - this.#seconds)).toFixed(3)),
      p99Ms: latencyOver(lines).p99Ms,
    })
    this.#cpuSeconds = used
    this.#seconds = seconds
    this.#lines = this.#flood.lines.length
  }
}
