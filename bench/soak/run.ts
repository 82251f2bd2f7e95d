// The run of a soak: server, streams, generators side by side, clients with faults, and what each
// process takes, every few seconds.

import { waitFor } from '../../scripts/support/child-process.ts'
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
import { cpuSeconds, machineMemory, openFiles, programMemory } from '../harness/proc.ts'
import { waitForStreams } from '../harness/wait.ts'
import { cycleTimes, listUsers, runFaults, startChurn, type Users } from './faults.ts'

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
/** Milliseconds for the server to see that streams are closed. */
const CLOSE_MS_MAX = 60_000
/** One stream in so many never gets a message: it is silent, and must stay open all the same. */
const SILENT_EACH = 10
/** One stream in so many belongs to those that close and come back. */
const CHURNING_EACH = 10
/** One message in so many is about a user, and goes to all who follow: about 17 each. */
const ABOUT_EACH = 20

export interface Load {
  readonly connections: number
  readonly ratePerSecond: number
  readonly durationMs: number
  /** Streams that close and open again a second. */
  readonly churnPerSecond: number
  /** Clients that stop reading, and that vanish, in each cycle; on top of the connections. */
  readonly slow: number
  readonly vanishing: number
}

export type Soak = Awaited<ReturnType<typeof soak>>

/** What a run has to do, and where. */
export interface SoakOptions {
  readonly load: Load
  /** Of the run, for the lists of users that messages go to. */
  readonly folder: string
  readonly database: string
  readonly log: Log
}

export async function soak(options: SoakOptions) {
  const { connections, durationMs, slow, vanishing } = options.load
  const { keepaliveMs, cycleMs } = cycleTimes(durationMs)
  const size = sizeOf(connections + slow + vanishing)
  const args = [...size, '--keepalive', `${keepaliveMs}ms`]
  await using server = await startServer({ db: options.database, args })
  const { pid } = server.program
  const descriptorsBefore = openFiles(pid)
  options.log(`comet serve listens; the dashboard is at ${server.controlUrl}/`)
  await using streams = await openStreams(server, options.load)
  options.log(`${connections} streams are open; messages flow for ${durationMs / 1000} s`)
  const { samples, generated, faults } = await flow(options, server, streams, cycleMs)
  const sum = (read: (report: GenReport) => number) =>
    generated.reduce((total, { report }) => total + read(report), 0)
  const promised = sum(({ delivered }) => delivered)
  await drained(streams.flood, { ...DRAIN, expected: promised })
  const latency = latencyOver(streams.flood.samples)
  const stopped = await stopStreams(server, streams)
  return {
    samples,
    sent: sum(({ sent }) => sent),
    perSecond: sum(({ perSecond }) => perSecond),
    promised,
    ...stopped,
    faults: { ...faults, keepaliveMs },
    /** Refused, not answered or failed. */
    unsent: sum(({ rejected, unanswered, errors }) =>
      Object.values(errors).reduce((a, b) => a + b, rejected + unanswered),
    ),
    latency,
    descriptors: { before: descriptorsBefore, after: openFiles(pid) },
    serverExitCode: await server.stop(),
  }
}

/** The streams that are there all the time. */
interface Streams extends AsyncDisposable {
  readonly users: Record<Kind, Users>
  readonly url: string
  readonly flood: Flood
  readonly silent: Flood
  /** Null without churn. */
  readonly churning: Flood | null
  /** Streams that do not churn. */
  readonly steady: number
}

async function openStreams(server: Server, load: Load): Promise<Streams> {
  const users = usersOf(load)
  const url = `${server.publicUrl}/test/{id}`
  const parts = new AsyncDisposableStack()
  try {
    const flood = parts.use(startFlood(url, users.active.count))
    const silent = parts.use(startFlood(url, users.silent.count, { firstUser: users.silent.first }))
    const steady = users.active.count + users.silent.count
    const needs = [server.program, flood.program, silent.program]
    const wait = { everyMs: 100, mostMs: OPEN_MS_MAX, needs }
    await waitForStreams(steady, wait, () => openOf(server))
    const { count } = users.churning
    const churning = count === 0 ? null : parts.use(startChurn(url, users.churning, load))
    await waitForStreams(count, wait, () => churning?.samples.at(-1)?.connections.opened ?? 0)
    const dispose = () => parts.disposeAsync()
    return { users, url, flood, silent, churning, steady, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

async function openOf(server: Server): Promise<number> {
  return (await server.stats()).streams.open
}

/** Messages to all but the silent streams, while clients with faults come and go. */
async function flow(
  { load, folder, log }: SoakOptions,
  server: Server,
  { users, url, flood }: Streams,
  cycleMs: number,
) {
  const { ratePerSecond, durationMs } = load
  const { active, churning, slow, vanishing } = users
  const pids: number[] = []
  const sampler = new SoakSampler(server, flood, pids, sampleEveryMs(durationMs))
  const send = (args: readonly string[]) =>
    generate([server.controlUrl, ...args], durationMs, { onStart: (pid) => pids.push(pid) })
  const list = await listUsers(churning, `${folder}/churning.txt`)
  const faultsOptions = { server, url, slow, vanishing, cycleMs, folder, log }
  const [generated, faults] = await Promise.all([
    Promise.all(generatorArgs(ratePerSecond, active.count).map(send)),
    runFaults(faultsOptions, performance.now() + durationMs),
    // Some come while their stream is closed, so they are not compared.
    churning.count === 0 ? null : send(churningArgs(ratePerSecond, list)),
  ]).finally(() => sampler.stop())
  return { samples: sampler.samples, generated, faults }
}

/** Closes the streams, kind by kind; what each had received, and what the server still counts. */
async function stopStreams(server: Server, streams: Streams) {
  const { users, steady } = streams
  const churned = (await streams.churning?.stop()) ?? null
  await closed('churning', async () => (await openOf(server)) <= steady)
  const stats = await server.stats()
  const { received, connections } = await streams.flood.stop()
  const quiet = await streams.silent.stop()
  await closed('all', async () => (await openOf(server)) === 0)
  return {
    received: received.messages,
    duplicated: received.duplicated,
    reordered: received.reordered,
    closed: connections.closed,
    /** Streams that get no message, those of them that ended, and what came on them. */
    silent: {
      streams: users.silent.count,
      // By the server's count, too: a client may not notice that it was cut.
      closed: Math.max(quiet.connections.closed, steady - stats.streams.open),
      received: quiet.received.messages,
    },
    churning: {
      streams: users.churning.count,
      churned: churned?.behaviour.churned ?? 0,
      reopened: churned?.behaviour.reopened ?? 0,
      /** Ended by the server, or refused. */
      lost: churned === null ? 0 : churned.connections.closed + churned.connections.failed,
      received: churned?.received.messages ?? 0,
      /** Twice or out of order. */
      wrong: churned === null ? 0 : churned.received.duplicated + churned.received.reordered,
    },
    /** Of clients that did not read, or closed, too. */
    undelivered: stats.deliveries.undelivered,
  }
}

async function closed(which: string, isClosed: () => Promise<boolean>): Promise<void> {
  await waitFor(`${which} streams to be closed`, isClosed, CLOSE_MS_MAX, { everyMs: 250 })
}

type Kind = 'active' | 'silent' | 'churning' | 'slow' | 'vanishing'

/** The users who get messages come first, and only they follow others. */
export function usersOf(load: Load): Record<Kind, Users> {
  const { connections } = load
  const silent = Math.floor(connections / SILENT_EACH)
  const churning = load.churnPerSecond === 0 ? 0 : Math.floor(connections / CHURNING_EACH)
  const active = connections - silent - churning
  return {
    active: { first: 1, count: active },
    silent: { first: active + 1, count: silent },
    churning: { first: active + silent + 1, count: churning },
    slow: { first: connections + 1, count: load.slow },
    vanishing: { first: connections + load.slow + 1, count: load.vanishing },
  }
}

/** Most messages go to one user each, some to all who follow one. */
function generatorArgs(ratePerSecond: number, users: number): string[][] {
  const about = Math.round(ratePerSecond / ABOUT_EACH)
  return [
    ['--address', 'to', '--rate', String(ratePerSecond - about), '--users', String(users)],
    ['--address', 'subject', '--rate', String(about), '--users', String(users)],
  ]
}

/** As many for each of the churning streams as the others get; some come when it is closed. */
function churningArgs(ratePerSecond: number, list: string): string[] {
  const rate = Math.max(1, Math.round(ratePerSecond / CHURNING_EACH))
  return ['--address', 'to', '--rate', String(rate), '--subjects', `file:${list}`]
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
      serverOpenFiles: openFiles(pid),
      streamsOpen: flooded.at(-1)?.open ?? 0,
      /** Since the last sample, as is the latency. */
      serverCores: Number(cores.toFixed(3)),
      p99Ms: latencyOver(flooded).p99Ms,
    }
  }
}
