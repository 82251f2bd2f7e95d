// One turn of one server: it is started, its streams are opened and held in silence, messages flow
// at a steady rate and then as fast as possible, and all of it ends.

import { formatQuantity } from '../../src/core/units.ts'
import type { GenReport } from '../../src/gen/gen-report.ts'
import { type Flood, generate, startFlood } from '../harness/comet.ts'
import {
  type Arrived,
  arrivalsOver,
  arrivedBetween,
  beginFlow,
  drained,
  type Interval,
  latencyOver,
  RATE_KEPT_ABOVE,
} from '../harness/flow.ts'
import { dropCaches } from '../harness/machine.ts'
import {
  cpuSeconds,
  machineCpu,
  machineMemory,
  programMemory,
  residentBytes,
} from '../harness/proc.ts'
import { collected, settled, waitForStreams } from '../harness/wait.ts'
import type { ReportPeer, TurnFigures } from './report.ts'
import type { Serving, Work } from './servers.ts'

/**
 * Streams that come and go before anything is measured, so that the server has done it once: so
 * many that comet collects its garbage, as it does after the streams that are measured. With a
 * hundred it seemed to have less memory with 15,000 streams than before them.
 */
const WARM_STREAMS = 1_500
/** Milliseconds of messages before any are measured, in which programs compile what they run. */
const WARM_MS = 5_000
/** Milliseconds that opening all streams may take. */
const OPEN_MS_MAX = 90_000
/** Milliseconds for the kernel's memory to settle. */
const KERNEL_SETTLE_MS_MAX = 10_000
/** Milliseconds that sending all messages as fast as possible may take. */
const SATURATED_MS_MAX = 60_000
/**
 * Samples without anything new after which missing messages are lost, and to wait for stragglers.
 */
const DRAIN = { stillMax: 3, samplesMax: 30 }
/** After a rate that was not kept, this ratio of what was reached is tried, in whole steps. */
const NEXT_RATE_RATIO = 0.8
const RATE_STEP = 100
/** Rates that are tried, the wanted one included. */
const RATE_TRIES = 3

export type Turn = Awaited<ReturnType<typeof takeTurn>>

export async function takeTurn(start: () => Promise<Serving>, work: Work) {
  await using serving = await start()
  {
    const streams = Math.min(WARM_STREAMS, work.connections)
    await using flood = floodOf(serving, streams)
    await allOpen(flood, streams)
    await flood.stop()
  }
  // So that what the kernel keeps of files is not freed while streams are opened.
  dropCaches()
  const before = await memoryAtRest(serving)
  await using flood = floodOf(serving, work.connections)
  await allOpen(flood, work.connections)
  const held = await memoryAtRest(serving)
  const each = (bytes: number) => bytes / work.connections
  const stage = { serving, flood, users: work.connections }
  const warm = await flow(stage, ['--rate', String(work.ratePerSecond)], WARM_MS)
  const steady = await steadyFlows(stage, work)
  const saturated = await saturatedFlow(stage, work)
  const report = await flood.stop()
  const { failed, closed } = report.connections
  const flows = [warm, ...steady, saturated]
  const figures: TurnFigures = {
    grownPerStream: each(held.ownBytes - before.ownBytes),
    residentPerStream: each(held.residentBytes),
    kernelPerStream: each(held.kernelBytes - before.kernelBytes),
    openedPerSecond: report.connect.perSecond,
    ...saturatedFigures(saturated),
    ...steadyFigures(steady.at(-1)),
  }
  return {
    figures,
    counts: sumOfCounts(flows.map(({ counts }) => counts)),
    /** Requests of the generator that failed, by kind. */
    errors: sumOfErrors(flows.map(({ gen }) => gen.errors)),
    streams: { failed, closed },
  }
}

function floodOf(serving: Serving, connections: number): Flood {
  const { streamUrl, floodArgs, pending, client } = serving
  return startFlood(streamUrl, connections, { args: floodArgs, pending, program: client?.flood })
}

async function allOpen(flood: Flood, connections: number): Promise<void> {
  const wait = { everyMs: 20, mostMs: OPEN_MS_MAX, needs: [flood.program] }
  await waitForStreams(connections, wait, () => {
    const { opened = 0, failed = 0 } = flood.samples.at(-1)?.connections ?? {}
    if (failed > 0) throw flood.program.error(`could not open ${formatQuantity(failed, 'stream')}`)
    return opened
  })
}

/** Once neither the server nor the kernel frees any more. */
async function memoryAtRest({ program, collectsGarbage = false }: Serving) {
  const { pid } = program
  const kernelBytes = () => machineMemory().kernelBytes
  // The kernel's memory is that of the whole machine, on which other programs may keep it moving.
  const kernel = settled(kernelBytes, KERNEL_SETTLE_MS_MAX).catch(() => undefined)
  const ownBytes = collectsGarbage
    ? await collected(() => programMemory(pid).ownBytes)
    : await settled(() => residentBytes(pid)).then(() => programMemory(pid).ownBytes)
  await kernel
  const memory = programMemory(pid)
  // What it holds beyond that by now is garbage again.
  const garbageBytes = memory.ownBytes - ownBytes
  return {
    ownBytes,
    residentBytes: memory.residentBytes - garbageBytes,
    kernelBytes: kernelBytes(),
  }
}

interface Stage {
  readonly serving: Serving
  readonly flood: Flood
  readonly users: number
}

/** Messages through the streams, and what they took. */
interface Flow {
  readonly gen: GenReport
  readonly counts: FlowCounts
  readonly samples: readonly Interval[]
  /** CPU seconds, of both the sending and what came after. */
  readonly serverSeconds: number
  readonly floodSeconds: number
  readonly genSeconds: number
  /** Cores of the whole machine that were busy while the generator ran. */
  readonly machineCores: number
}

/** What became of messages. Every user has one stream, so each message has one receiver. */
type FlowCounts = ReportPeer['counts']

/** @param args of comet gen that say how much to send */
async function flow(
  { serving, flood, users }: Stage,
  args: readonly string[],
  durationMs: number,
): Promise<Flow> {
  const { before, samples } = await beginFlow(flood)
  const used = () => [cpuSeconds(serving.program.pid), cpuSeconds(flood.program.pid)] as const
  const [serverBefore, floodBefore] = used()
  const [busyBefore, startedMs] = [machineCpu().busySeconds, performance.now()]
  const flags = [...serving.genArgs, '--users', String(users), ...args]
  const { report: gen, cpuSeconds: genSeconds } = await generate(flags, durationMs, {
    program: serving.client?.gen,
  })
  const seconds = (performance.now() - startedMs) / 1000
  const machineCores = (machineCpu().busySeconds - busyBefore) / seconds
  const expected = before.received.messages + gen.sent
  const after = await drained(flood, { ...DRAIN, expected })
  const [serverAfter, floodAfter] = used()
  if (serving.program.hasExited) throw serving.program.error('exited while messages flowed')
  if (gen.sent === 0) throw new Error(`no message was answered: ${JSON.stringify(gen.errors)}`)
  return {
    gen,
    counts: countsOf(gen, arrivedBetween(before, after)),
    samples: samples(),
    serverSeconds: serverAfter - serverBefore,
    floodSeconds: floodAfter - floodBefore,
    genSeconds,
    machineCores,
  }
}

/** What became of the messages, from both ends. */
export function countsOf(
  gen: Pick<GenReport, 'sent' | 'rejected' | 'unanswered'>,
  { received, duplicated, reordered, untracked }: Omit<Arrived, 'closed'>,
): FlowCounts {
  const sent = gen.sent - gen.rejected
  // A message without an answer may have come all the same.
  const lost = Math.max(0, sent - (received - duplicated))
  const { rejected, unanswered } = gen
  return { sent, received, lost, duplicated, reordered, untracked, rejected, unanswered }
}

export function sumOfCounts(all: readonly FlowCounts[]): FlowCounts {
  const sum = (name: keyof FlowCounts) => all.reduce((total, of) => total + of[name], 0)
  return {
    sent: sum('sent'),
    received: sum('received'),
    lost: sum('lost'),
    duplicated: sum('duplicated'),
    reordered: sum('reordered'),
    untracked: sum('untracked'),
    rejected: sum('rejected'),
    unanswered: sum('unanswered'),
  }
}

/** Requests that failed, by kind. */
export function sumOfErrors(all: readonly Readonly<Record<string, number>>[]) {
  const sum: Record<string, number> = {}
  for (const [kind, count] of all.flatMap((errors) => Object.entries(errors))) {
    sum[kind] = (sum[kind] ?? 0) + count
  }
  return sum
}

/** The wanted rate, and lower ones as long as none is kept; the last is the one that counts. */
async function steadyFlows(stage: Stage, work: Work): Promise<Flow[]> {
  const flows: Flow[] = []
  let rate = work.ratePerSecond
  while (flows.length < RATE_TRIES) {
    const tried = await flow(stage, ['--rate', String(rate)], work.steadyMs)
    flows.push(tried)
    if (isKept(tried)) break
    rate = nextRate(tried.gen.perSecond)
  }
  return flows
}

/** Below what was reached, so that it is likely to be kept. */
export function nextRate(reachedPerSecond: number): number {
  const rate = reachedPerSecond * NEXT_RATE_RATIO
  return Math.max(RATE_STEP, Math.floor(rate / RATE_STEP) * RATE_STEP)
}

function isKept({ gen }: Flow): boolean {
  return gen.perSecond >= gen.wantedPerSecond * RATE_KEPT_ABOVE
}

/** All messages are due within a millisecond, so that none has to wait for its time. */
function saturatedFlow(stage: Stage, { messages }: Work): Promise<Flow> {
  const args = ['--rate', String(messages * 1_000), '--messages', String(messages)]
  return flow(stage, args, SATURATED_MS_MAX)
}

function steadyFigures(steady: Flow | undefined) {
  // Latency at a rate that is not kept is only how long messages waited to be sent.
  const kept = steady !== undefined && isKept(steady) ? steady : undefined
  const { p50Ms, p99Ms, p999Ms, maxMs } = latencyOver(kept?.samples ?? [])
  return {
    keptPerSecond: kept?.gen.wantedPerSecond ?? null,
    ...{ p50Ms, p99Ms, p999Ms, maxMs },
    steadyMicros: kept === undefined ? null : microsEach(kept),
  }
}

function saturatedFigures(saturated: Flow) {
  const { counts } = saturated
  const arrivals = arrivalsOver(saturated.samples)
  const seconds = arrivals === null ? null : (arrivals.lastMs - arrivals.firstMs) / 1000
  const each = (value: number) => (seconds === null || seconds <= 0 ? null : value / seconds)
  return {
    deliveredPerSecond: each(counts.received - counts.duplicated),
    saturatedMicros: microsEach(saturated),
    serverCores: each(saturated.serverSeconds),
    genCores: each(saturated.genSeconds),
    floodCores: each(saturated.floodSeconds),
    machineCores: saturated.machineCores,
  }
}

/** Microseconds of the server's CPU time for each delivery. */
function microsEach({ serverSeconds, counts }: Flow): number | null {
  return counts.received === 0 ? null : (serverSeconds * 1e6) / counts.received
}
