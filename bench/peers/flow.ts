// Messages through the streams of one server: a generator runs to its end, what is under way is
// waited for, and what came is compared with what was sent.

import type { FloodSample } from '../../src/flood/sample.ts'
import type { GenReport } from '../../src/gen/gen-report.ts'
import type { Flood } from '../harness/flood.ts'
import { runGenerator } from '../harness/generator.ts'
import { cpuSeconds } from '../harness/memory.ts'
import { parseMachineCpu, readProc, ticksPerSecond } from '../harness/proc.ts'
import type { Serving } from './servers.ts'

/** Lines of the flood, a second each, without anything new after which what is missing is lost. */
const STILL_LINES = 3
/** Lines that stragglers are waited for at most. */
const DRAIN_LINES_MAX = 30

export interface Stage {
  readonly serving: Serving
  readonly flood: Flood
  readonly users: number
}

/** Processor time that a flow took. */
export interface FlowCpu {
  /** Seconds, of both the sending and what came after. */
  readonly server: number
  readonly flood: number
  readonly gen: number
  /** Cores of the whole machine that were busy while the generator ran. */
  readonly machineCores: number
}

export interface Flow {
  readonly gen: GenReport
  readonly counts: FlowCounts
  /** What the flood said each second meanwhile. */
  readonly lines: readonly FloodSample[]
  readonly cpu: FlowCpu
}

/** What became of messages. Every user has one stream, so each message has one receiver. */
export interface FlowCounts {
  /** Answered and not refused. */
  readonly sent: number
  readonly received: number
  readonly lost: number
  readonly duplicated: number
  readonly reordered: number
  /** Came, but their order could not be checked. */
  readonly untracked: number
  readonly rejected: number
  readonly unanswered: number
}

/** @param flags of comet gen that say how much to send */
export async function flow(
  { serving, flood, users }: Stage,
  flags: readonly string[],
  durationMs: number,
): Promise<Flow> {
  // The line after this moment belongs to the flow, and none before.
  const before = await flood.next()
  const firstLine = flood.lines.length
  const looked = () => ({
    server: cpuSeconds(serving.program.pid),
    flood: cpuSeconds(flood.program.pid),
  })
  const cpuBefore = looked()
  const machine = busyCores()
  const args = [...serving.genFlags, '--users', String(users), ...flags]
  const { report: gen, cpuSeconds: genSeconds } = await runGenerator(args, durationMs)
  const machineCores = machine()
  const after = await drained(flood, before.received.messages + gen.sent)
  const cpuAfter = looked()
  if (serving.program.hasEnded) throw serving.program.error('ended while messages flowed')
  if (gen.sent === 0) throw new Error(`no message was answered: ${JSON.stringify(gen.errors)}`)
  return {
    gen,
    counts: countsOf(gen, before, after),
    lines: flood.lines.slice(firstLine),
    cpu: {
      server: cpuAfter.server - cpuBefore.server,
      flood: cpuAfter.flood - cpuBefore.flood,
      gen: genSeconds,
      machineCores,
    },
  }
}

/** Begins to count; the function it answers tells how many cores of the machine were busy since. */
function busyCores(): () => number {
  const ticks = () => parseMachineCpu(readProc('stat')).busyTicks
  const [ticksBefore, startedMs] = [ticks(), performance.now()]
  return () => {
    const seconds = (performance.now() - startedMs) / 1000
    return (ticks() - ticksBefore) / ticksPerSecond / seconds
  }
}

type Before = Pick<FloodSample, 'received'>

/** What the flood has received between two lines, and what of the messages it has not. */
export function countsOf(
  gen: Pick<GenReport, 'sent' | 'rejected' | 'unanswered'>,
  before: Before,
  after: Before,
): FlowCounts {
  const since = (name: keyof FloodSample['received']) =>
    after.received[name] - before.received[name]
  const sent = gen.sent - gen.rejected
  const [received, duplicated] = [since('messages'), since('duplicated')]
  return {
    sent,
    received,
    // What was not answered may have come all the same.
    lost: Math.max(0, sent - (received - duplicated)),
    duplicated,
    reordered: since('reordered'),
    untracked: since('untracked'),
    rejected: gen.rejected,
    unanswered: gen.unanswered,
  }
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

/** Waits until all has come, and a line longer for what nobody sent; answers the last line. */
async function drained(flood: Flood, expected: number): Promise<FloodSample> {
  let line = await flood.next()
  for (let still = 0, lines = 0; still < STILL_LINES && lines < DRAIN_LINES_MAX; lines++) {
    const next = await flood.next()
    const isStill = next.received.messages === line.received.messages
    line = next
    if (isStill && line.received.messages >= expected) break
    still = isStill ? still + 1 : 0
  }
  return line
}
