// One turn of one server: it is started, its streams are opened and held in silence, messages flow
// at a steady rate and then as fast as they go, and all of it ends. What that means is report.ts's.

import { writeFileSync } from 'node:fs'
import { type Flood, startFlood } from '../harness/flood.ts'
import { arrivalsOver, latencyOver } from '../harness/latency.ts'
import { residentBytes, serverMemory } from '../harness/memory.ts'
import { machineMemory, readProc } from '../harness/proc.ts'
import { waitFor } from '../harness/program.ts'
import { Progress } from '../harness/progress.ts'
import { settled } from '../harness/settled.ts'
import type { TurnFigures } from './figures.ts'
import { type Flow, type FlowCounts, flow, type Stage, sumOfCounts, sumOfErrors } from './flow.ts'
import type { Work } from './options.ts'
import type { Serving, Start } from './servers.ts'

/** Streams that come and go before anything is measured, so that the server has done it once. */
const WARM_STREAMS = 100
/** Milliseconds of messages before any are measured, in which programs compile what they run. */
const WARM_MS = 5_000
/** Milliseconds that opening all streams may take. */
const OPEN_MS_MAX = 90_000
/** Milliseconds that the kernel's memory is given to come to rest. */
const KERNEL_REST_MS_MAX = 10_000
/** Milliseconds that sending all messages as fast as they go may take. */
const SATURATED_MS_MAX = 60_000
/** A rate within two parts in a hundred of the wanted one is kept. */
const RATE_KEPT_ABOVE = 0.98
/** Of a rate that was not kept, what was reached is tried next, less so much; rounded down. */
const NEXT_RATE_RATIO = 0.8
const RATE_STEP = 100
/** Rates that are tried, the wanted one included. */
const RATE_TRIES = 3

export interface Turn {
  readonly figures: TurnFigures
  readonly counts: FlowCounts
  /** Requests of the generator that failed, by kind. */
  readonly errors: Readonly<Record<string, number>>
  readonly streams: { readonly failed: number; readonly closed: number }
}

export async function takeTurn(start: Start, work: Work): Promise<Turn> {
  await using serving = await start()
  {
    await using flood = floodOf(serving, Math.min(WARM_STREAMS, work.connections))
    await allOpen(flood, Math.min(WARM_STREAMS, work.connections))
    await flood.stop()
  }
  const { flood: opened, memory } = await openAll(serving, work.connections)
  await using flood = opened
  const stage = { serving, flood, users: work.connections }
  const warm = await flow(stage, ['--rate', String(work.ratePerSecond)], WARM_MS)
  const steady = await steadyFlows(stage, work)
  const saturated = await saturatedFlow(stage, work)
  const report = await flood.stop()
  const { failed, closed } = report.connections
  const flows = [warm, ...steady, saturated]
  return {
    figures: {
      ...memory,
      openedPerSecond: report.connect.perSecond,
      ...saturatedFigures(saturated),
      ...steadyFigures(steady.at(-1)),
    },
    counts: sumOfCounts(flows.map(({ counts }) => counts)),
    errors: sumOfErrors(flows.map(({ gen }) => gen.errors)),
    streams: { failed, closed },
  }
}

function floodOf({ streamUrl, floodFlags }: Serving, connections: number): Flood {
  return startFlood(streamUrl, connections, floodFlags)
}

type MemoryFigures = Pick<TurnFigures, 'grownPerStream' | 'residentPerStream' | 'kernelPerStream'>

/** Opens all streams; tells what they cost by being there, before any message. */
async function openAll(
  serving: Serving,
  connections: number,
): Promise<{ flood: Flood; memory: MemoryFigures }> {
  const { pid } = serving.program
  dropCaches()
  await atRest(pid)
  const before = { ...serverMemory(pid), kernelBytes: kernelBytes() }
  const flood = floodOf(serving, connections)
  try {
    await allOpen(flood, connections)
    await atRest(pid)
    const after = { ...serverMemory(pid), kernelBytes: kernelBytes() }
    return {
      flood,
      memory: {
        grownPerStream: (after.ownBytes - before.ownBytes) / connections,
        residentPerStream: after.residentBytes / connections,
        kernelPerStream: (after.kernelBytes - before.kernelBytes) / connections,
      },
    }
  } catch (error) {
    await flood[Symbol.asyncDispose]()
    throw error
  }
}

function kernelBytes(): number {
  return machineMemory(readProc('meminfo')).kernelBytes
}

/** Once neither the server nor the kernel has anything left to give back. */
async function atRest(pid: number): Promise<void> {
  // The kernel's memory is that of the whole machine, on which others may keep it moving.
  const kernel = settled(kernelBytes, KERNEL_REST_MS_MAX).catch(() => undefined)
  await Promise.all([settled(() => residentBytes(pid)), kernel])
}

/** So that what the kernel keeps of files is not freed while streams are opened. */
function dropCaches(): void {
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3')
  } catch {
    // Not allowed here: the kernel's figure is less exact.
  }
}

async function allOpen(flood: Flood, connections: number): Promise<void> {
  const wait = {
    what: `${connections} open streams`,
    everyMs: 20,
    mostMs: OPEN_MS_MAX,
    needs: [flood.program],
  }
  const progress = new Progress(connections, 'streams open')
  await waitFor(wait, () => {
    const { opened = 0, failed = 0 } = flood.lines.at(-1)?.connections ?? {}
    if (failed > 0) throw flood.program.error(`could not open ${failed} streams`)
    return progress.isDone(opened) || undefined
  })
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

/** All messages are due within a millisecond, so that none is ever waited for. */
function saturatedFlow(stage: Stage, { messages }: Work): Promise<Flow> {
  const flags = ['--rate', String(messages * 1_000), '--messages', String(messages)]
  return flow(stage, flags, SATURATED_MS_MAX)
}

function steadyFigures(steady: Flow | undefined) {
  // Latency at a rate that is not kept only tells how long messages waited to be sent.
  const kept = steady !== undefined && isKept(steady) ? steady : undefined
  const { p50Ms, p99Ms, p999Ms, maxMs } = latencyOver(kept?.lines ?? [])
  return {
    keptPerSecond: kept?.gen.wantedPerSecond ?? null,
    p50Ms,
    p99Ms,
    p999Ms,
    maxMs,
    steadyMicros: kept === undefined ? null : microsEach(kept),
  }
}

function saturatedFigures(saturated: Flow) {
  const { cpu, lines, counts } = saturated
  const arrivals = arrivalsOver(lines)
  const seconds = arrivals === null ? null : (arrivals.lastMs - arrivals.firstMs) / 1000
  const each = (value: number) => (seconds === null || seconds <= 0 ? null : value / seconds)
  return {
    deliveredPerSecond: each(counts.received - counts.duplicated),
    saturatedMicros: microsEach(saturated),
    serverCores: each(cpu.server),
    genCores: each(cpu.gen),
    floodCores: each(cpu.flood),
    machineCores: cpu.machineCores,
  }
}

function microsEach({ cpu, counts }: Flow): number | null {
  return counts.received === 0 ? null : (cpu.server * 1e6) / counts.received
}
