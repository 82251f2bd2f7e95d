// The run from the first process to the last: start, open, hold, let messages flow, search, close.
// What is measured goes into the record; what it means is for figures.ts.

import { waitFor } from '../../scripts/support/child-process.ts'
import { formatCount, formatQuantity } from '../../src/core/units.ts'
import type { SearchPlan } from '../../src/gen/search.ts'
import { type Flood, type Server, sizeOf, startFlood, startServer } from '../harness/comet.ts'
import type { Log } from '../harness/command.ts'
import { dropCaches } from '../harness/machine.ts'
import { waitForStreams } from '../harness/wait.ts'
import { cpuBetween, flow, type Stage, search } from './flow.ts'
import { flowsOf, type RunRecord, type Silence } from './record.ts'
import type { Sampler } from './sampler.ts'

/** A million users with a message a minute each, as in 2008; the same at every size. */
export const MESSAGES_PER_SECOND = 16_666

/** About 16 receive each message: the subject and fifteen followers, in the mean. */
const SUBJECT_PLAN: SearchPlan = { start: 2_000, factor: 1.25, bisections: 2, attemptsMax: 14 }
const TO_PLAN: SearchPlan = { start: 30_000, factor: 1.25, bisections: 2, attemptsMax: 12 }

/** Milliseconds of messages before their latency is measured: with a hundred processes on two cores
 * it takes each so long to compile what it runs. */
const WARMING_MS = 45_000

/** Slower than this a second, opening has failed. */
const OPENED_PER_SECOND_MIN = 1_000
/** Milliseconds that opening may take on top, however few the streams. */
const OPEN_MS_EXTRA = 60_000
/** Milliseconds for what opening left behind to settle before memory is read. */
const SETTLE_MS = 5_000
/** Milliseconds that the server may take to see that all streams are closed. */
const EMPTY_MS_MAX = 60_000

export interface RunOptions {
  readonly connections: number
  /** How long messages to one user each flow. */
  readonly holdMs: number
  /** How long all streams are held before the first message. */
  readonly silenceMs: number
  /** How long one attempt of a search lasts. */
  readonly attemptMs: number
  /** Search the highest rate of messages to one user, too? */
  readonly searchesTo: boolean
}

export interface Run {
  readonly options: RunOptions
  readonly database: string
  readonly record: RunRecord
  readonly sampler: Sampler
  readonly log: Log
}

export async function measureRun(run: Run): Promise<void> {
  const { options, record, sampler, log } = run
  const { connections } = options
  record.cacheDropped = dropCaches()
  sampler.start()
  log('comet serve starts')
  await using server = await startServer({ db: run.database, args: sizeOf(connections) })
  sampler.watched.server = server.program.pid
  record.startSeconds = server.startSeconds
  record.emptyMemory = await sampler.memory()
  record.serverWorkers = sampler.processes('serverWorkers')
  // Reading the database left its pages behind, which are no part of what streams take.
  dropCaches()
  phase(run, 'start', 0)

  log(`comet flood opens ${formatCount(connections)} streams`)
  await using flood = startFlood(`${server.publicUrl}/test/{id}`, connections)
  await open(run, server, flood)
  const stage: Stage = { users: connections, server, flood, sampler, record, log }
  await hold(run, server)
  await messages(run, stage)
  await close(run, stage)
}

function phase({ record, sampler }: Run, name: string, fromSeconds: number): void {
  record.phases.push({ name, fromSeconds, toSeconds: sampler.seconds })
}

async function open(run: Run, server: Server, flood: Flood): Promise<void> {
  const { options, record, sampler } = run
  const { connections } = options
  const fromSeconds = sampler.seconds
  const cpuBefore = sampler.cpu()
  sampler.watched.flood = flood.program.pid
  sampler.floodSamples = flood.samples
  const wait = {
    // An answer takes the server time, too, while it has many workers to ask.
    everyMs: connections > 100_000 ? 500 : 50,
    mostMs: OPEN_MS_EXTRA + (connections / OPENED_PER_SECOND_MIN) * 1_000,
    needs: [flood.program, server.program],
  }
  await waitForStreams(connections, wait, async () => {
    const failed = flood.samples.at(-1)?.connections.failed ?? 0
    if (failed > 0) throw flood.program.error(`could not open ${formatQuantity(failed, 'stream')}`)
    return (await server.stats()).streams.open
  })
  const seconds = sampler.seconds - fromSeconds
  record.opening = { seconds, cpuSeconds: cpuBetween(cpuBefore, sampler.cpu()) }
  record.floodProcesses = sampler.processes('flood')
  phase(run, 'open', fromSeconds)
}

/** All streams open and silent: what they cost by being there. */
async function hold(run: Run, server: Server): Promise<void> {
  const { options, record, sampler, log } = run
  log(`all open after ${record.opening?.seconds.toFixed(1)} s; held in silence`)
  await Bun.sleep(SETTLE_MS)
  const fromSeconds = sampler.seconds
  const cpuBefore = sampler.cpu()
  const before = (await server.stats()).streams
  await Bun.sleep(options.silenceMs)
  const after = (await server.stats()).streams
  const cpu = cpuBetween(cpuBefore, sampler.cpu())
  const seconds = sampler.seconds - fromSeconds
  record.silence = {
    seconds,
    openBefore: before.open,
    openAfter: after.open,
    closed: closedBetween(before.closed, after.closed),
    serverCores: (cpu.serverParent + cpu.serverWorkers) / seconds,
    floodCores: cpu.flood / seconds,
  }
  const memory = await sampler.memory()
  const { open } = (await server.stats()).streams
  record.held = { open, memory, ...sampler.taken() }
  phase(run, 'silent', fromSeconds)
  const flaw = silenceFlaw(record.silence)
  if (flaw !== null) throw new Error(flaw)
}

/** Streams that ended between two looks, by reason. */
export function closedBetween(
  before: Silence['closed'],
  after: Silence['closed'],
): Silence['closed'] {
  const reasons = Object.entries(after)
  return Object.fromEntries(
    reasons.map(([reason, count]) => [reason, count - (before[reason] ?? 0)]),
  )
}

/** Why a silence was not held; null if it was. */
export function silenceFlaw({ seconds, openBefore, openAfter, closed }: Silence): string | null {
  const reasons = Object.entries(closed).filter(([, count]) => count > 0)
  if (reasons.length === 0 && openAfter >= openBefore) return null
  const shown = reasons.map(([reason, count]) => `${formatCount(count)} ${reason}`).join(', ')
  return (
    `${formatCount(openAfter)} of ${formatCount(openBefore)} streams are open after ` +
    `${formatCount(Math.round(seconds))} s of silence; closed: ${shown === '' ? 'none' : shown}`
  )
}

async function messages(run: Run, stage: Stage): Promise<void> {
  const { options, record, sampler, log } = run
  // Reading proportional memory stops a process for milliseconds, which latency would show.
  sampler.pssEverySeconds = 60
  const rate = formatCount(MESSAGES_PER_SECOND)
  log(`comet gen sends ${rate} messages a second to one user each, for ${options.holdMs / 1000} s`)
  const steady = { address: 'to', ratePerSecond: MESSAGES_PER_SECOND, publishers: 2 } as const
  record.warming = await flow(stage, { ...steady, name: 'warming up', durationMs: WARMING_MS })
  log(`  warm after ${WARMING_MS / 1000} s, p99 ${record.warming.latency.p99Ms?.toFixed(1)} ms`)
  record.steady = await flow(stage, { ...steady, name: 'to one user', durationMs: options.holdMs })
  log(`  ${record.steady.why ?? `flawless, p99 ${record.steady.latency.p99Ms?.toFixed(1)} ms`}`)
  record.openAfterSteady = (await stage.server.stats()).streams.open
  const durationMs = options.attemptMs
  log('to all friends of a user, at rising rates')
  await search(stage, SUBJECT_PLAN, { address: 'subject', durationMs }, record.subjectSearch)
  if (!options.searchesTo) return
  log('to one user each, at rising rates')
  await search(stage, TO_PLAN, { address: 'to', durationMs }, record.toSearch)
}

async function close(run: Run, { server, flood }: Stage): Promise<void> {
  const { record, sampler, log } = run
  const fromSeconds = sampler.seconds
  log(`${flowsOf(record).length} flows have ended; all streams close`)
  record.flood = await flood.stop()
  const isEmpty = async () => (await server.stats()).streams.open === 0
  await waitFor('an empty server', isEmpty, EMPTY_MS_MAX, { everyMs: 250 })
  record.serverExitCode = await server.stop()
  phase(run, 'close', fromSeconds)
}
