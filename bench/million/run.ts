// The run from the first process to the last: start, open, hold, let messages flow, search, close.
// It notes what it measures in the record, and says each step; what it means is others'.

import { writeFileSync } from 'node:fs'
import type { SearchPlan } from '../../src/gen/search.ts'
import { type Flood, startFlood } from '../harness/flood.ts'
import { waitFor } from '../harness/program.ts'
import { Progress } from '../harness/progress.ts'
import { type Server, startServer } from '../harness/server.ts'
import { cpuBetween, flow, type Stage, search } from './flow.ts'
import type { Options } from './options.ts'
import { flowsOf, type RunRecord } from './record.ts'
import type { Sampler } from './sampler.ts'
import { closedBetween, silenceFlaw } from './silence.ts'

/** A million users with a message a minute each, as in the reference; the same at every size. */
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
/** Milliseconds for what opening left behind to come to rest before memory is read. */
const SETTLE_MS = 5_000
/** Milliseconds that the server may take to see that all streams have gone. */
const EMPTY_MS_MAX = 60_000

export interface RunParts {
  readonly options: Options
  readonly database: string
  readonly record: RunRecord
  readonly sampler: Sampler
  /** The sampler reads the flood's lines from here once there is a flood. */
  readonly onFlood: (flood: Flood) => void
  readonly say: (text: string) => void
}

export async function run(parts: RunParts): Promise<void> {
  const { options, record, sampler, say } = parts
  record.cacheDropped = dropCaches()
  sampler.start()
  say('comet serve starts')
  await using server = await startServer(options.connections, parts.database)
  sampler.watched.server = server.program.pid
  record.startSeconds = server.startSeconds
  record.emptyMemory = await sampler.memory()
  record.serverWorkers = sampler.processes('serverWorkers')
  // Reading the database left its pages behind, for which no stream is to blame.
  dropCaches()
  phase(parts, 'start', 0)

  say(`comet flood opens ${options.connections.toLocaleString('en-US')} streams`)
  await using flood = await open(parts, server)
  const stage: Stage = { users: options.connections, server, flood, sampler, record, say }
  await hold(parts, server)
  await messages(parts, stage)
  await close(parts, stage)
}

function phase({ record, sampler }: RunParts, name: string, fromSeconds: number): void {
  record.phases.push({ name, fromSeconds, toSeconds: sampler.seconds })
}

/** So that files read long ago are not taken for free memory that the streams took. */
function dropCaches(): boolean {
  try {
    Bun.spawnSync(['sync'])
    writeFileSync('/proc/sys/vm/drop_caches', '3')
    return true
  } catch {
    // Not allowed here: its growth is all that can be told.
    return false
  }
}

async function open(parts: RunParts, server: Server): Promise<Flood> {
  const { options, record, sampler, onFlood } = parts
  const { connections } = options
  const fromSeconds = sampler.seconds
  const cpuBefore = sampler.cpu()
  const flood = startFlood(`${server.publicUrl}/test/{id}`, connections)
  try {
    sampler.watched.flood = flood.program.pid
    onFlood(flood)
    const wait = {
      what: `${connections} open streams`,
      // Asking takes the server time, too, while it has many workers to ask.
      everyMs: connections > 100_000 ? 500 : 50,
      mostMs: OPEN_MS_EXTRA + (connections / OPENED_PER_SECOND_MIN) * 1_000,
      needs: [flood.program, server.program],
    }
    const progress = new Progress(connections, 'streams open')
    await waitFor(wait, async () => {
      const failed = flood.lines.at(-1)?.connections.failed ?? 0
      if (failed > 0) throw flood.program.error(`could not open ${failed} streams`)
      return progress.isDone((await server.figures()).streams.open) || undefined
    })
    const seconds = sampler.seconds - fromSeconds
    record.opening = { seconds, cpuSeconds: cpuBetween(cpuBefore, sampler.cpu()) }
    record.floodProcesses = sampler.processes('flood')
    phase(parts, 'open', fromSeconds)
    return flood
  } catch (error) {
    await flood[Symbol.asyncDispose]()
    throw error
  }
}

/** All streams open and silent: what they cost by being there. */
async function hold(parts: RunParts, server: Server): Promise<void> {
  const { options, record, sampler, say } = parts
  say(`all open after ${record.opening?.seconds.toFixed(1)} s; held in silence`)
  await Bun.sleep(SETTLE_MS)
  const fromSeconds = sampler.seconds
  const cpuBefore = sampler.cpu()
  const before = (await server.figures()).streams
  await Bun.sleep(options.silenceMs)
  const after = (await server.figures()).streams
  const { cpuSeconds, seconds } = {
    cpuSeconds: cpuBetween(cpuBefore, sampler.cpu()),
    seconds: sampler.seconds - fromSeconds,
  }
  record.silence = {
    seconds,
    openBefore: before.open,
    openAfter: after.open,
    closed: closedBetween(before.closed, after.closed),
    serverCores: (cpuSeconds.serverParent + cpuSeconds.serverWorkers) / seconds,
    floodCores: cpuSeconds.flood / seconds,
  }
  const memory = await sampler.memory()
  const { open } = (await server.figures()).streams
  record.held = { open, memory, ...sampler.taken() }
  phase(parts, 'silent', fromSeconds)
  const flaw = silenceFlaw(record.silence)
  if (flaw !== null) throw new Error(flaw)
}

async function messages(parts: RunParts, stage: Stage): Promise<void> {
  const { options, record, sampler, say } = parts
  // Reading proportional memory stops a process for milliseconds, which latency would show.
  sampler.pssEverySeconds = 60
  const rate = MESSAGES_PER_SECOND.toLocaleString('en-US')
  say(`comet gen sends ${rate} messages a second to one user each, for ${options.holdMs / 1000} s`)
  const wish = { address: 'to', ratePerSecond: MESSAGES_PER_SECOND, publishers: 2 } as const
  record.warming = await flow(stage, { ...wish, name: 'warming up', durationMs: WARMING_MS })
  say(`  warm after ${WARMING_MS / 1000} s, p99 ${record.warming.latency.p99Ms?.toFixed(1)} ms`)
  record.steady = await flow(stage, { ...wish, name: 'to one user', durationMs: options.holdMs })
  say(`  ${record.steady.why ?? `flawless, p99 ${record.steady.latency.p99Ms?.toFixed(1)} ms`}`)
  record.openAfterSteady = (await stage.server.figures()).streams.open
  const durationMs = options.attemptMs
  say('about users, to all their friends, at rising rates')
  // Each has one request under way, of a thousand messages at most, and waits for its answer.
  const publishers = 4
  const subject = { address: 'subject', durationMs, publishers } as const
  await search(stage, SUBJECT_PLAN, subject, record.subjectSearch)
  if (!options.searchesTo) return
  say('to one user each, at rising rates')
  await search(stage, TO_PLAN, { address: 'to', durationMs, publishers }, record.toSearch)
}

async function close(parts: RunParts, { server, flood }: Stage): Promise<void> {
  const { record, sampler, say } = parts
  const fromSeconds = sampler.seconds
  say(`${flowsOf(record).length} flows are over; all streams close`)
  record.flood = await flood.stop()
  const wait = { what: 'an empty server', everyMs: 250, mostMs: EMPTY_MS_MAX, needs: [] }
  await waitFor(wait, async () => (await server.figures()).streams.open === 0 || undefined)
  record.serverExitCode = await server.stop()
  phase(parts, 'close', fromSeconds)
}
