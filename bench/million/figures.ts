// What a run reached, figure by figure, and what each must reach. Made from the record alone. Names
// are stable, so that runs of different sizes and dates can be compared.

import { highestHeld } from '../../src/gen/search.ts'
import type { Target } from '../harness/report.ts'
import {
  type CpuSeconds,
  type Flow,
  flowsOf,
  type Memory,
  promised,
  type RunRecord,
  unknownIn,
} from './record.ts'
import type { Sample } from './sampler.ts'

const GIB_BYTES = 1024 ** 3
const MIB_BYTES = 1024 ** 2
const MILLION = 1_000_000

/** Units, each with the digits after the point that are worth reading. */
const COUNT = ['', 0] as const
const RATE = ['/s', 0] as const
const SECONDS = ['s', 1] as const
const BYTES = ['bytes', 0] as const
const GIB = ['GiB', 2] as const
const MS = ['ms', 2] as const
const MICROS = ['µs', 1] as const

const NONE: Target = { atMost: 0 }

export interface Measured {
  readonly connections: number
  readonly record: RunRecord
  readonly samples: readonly Sample[]
}

export interface Figure {
  readonly figure: string
  /** Two blanks in front: it belongs to the figure before it. */
  readonly title: string
  readonly unit: string
  readonly digits: number
  /** Null if the run did not come so far. */
  readonly value: number | null
  readonly target: Target | null
}

function figure(
  name: string,
  title: string,
  [unit, digits]: readonly [string, number],
  value: number | null | undefined,
  target: Target | null = null,
): Figure {
  const found = value == null || !Number.isFinite(value) ? null : value
  return { figure: name, title, unit, digits, value: found, target }
}

export function figuresOf(measured: Measured): Figure[] {
  const { record } = measured
  return [
    ...streamFigures(measured),
    ...silenceFigures(record),
    ...openingFigures(measured),
    ...memoryFigures(measured),
    ...steadyFigures(record),
    ...searchFigures('subject', record.subjectSearch, { atLeast: 50_000 }),
    ...(record.toSearch.length === 0 ? [] : searchFigures('to', record.toSearch, null)),
    ...faultFigures(record),
    ...otherFigures(record),
  ]
}

/** A target that only a run of a million has: at fewer streams it would say nothing. */
function ofMillion(connections: number, target: Target): Target | null {
  return connections >= MILLION ? target : null
}

function streamFigures({ connections, record: { held, openAfterSteady } }: Measured): Figure[] {
  const lost = openAfterSteady === null || held === null ? null : held.open - openAfterSteady
  return [
    figure('streamsOpen', 'streams open at once', COUNT, held?.open, { atLeast: connections }),
    figure('streamsLost', 'streams lost while messages flowed', COUNT, lost, NONE),
  ]
}

function silenceFigures({ silence }: RunRecord): Figure[] {
  const closed = silence && Object.values(silence.closed).reduce((sum, count) => sum + count, 0)
  const title = 'held in silence, before the messages, in seconds'
  return [
    figure('silentSeconds', title, COUNT, silence?.seconds),
    figure('silentOpenBefore', '  streams open before', COUNT, silence?.openBefore),
    figure('silentOpenAfter', '  streams open after', COUNT, silence?.openAfter),
    figure('silentClosed', '  streams closed meanwhile', COUNT, closed, NONE),
  ]
}

function openingFigures({ connections, record: { opening, steady, flood } }: Measured): Figure[] {
  const rate = opening === null ? null : connections / opening.seconds
  // Starting the processes takes a second or two, which is most of a small run.
  const rateTarget = connections >= 100_000 ? { atLeast: 10_000 } : null
  // Of ten minutes the generator may miss the round trip of the last messages.
  const steadyTarget = ofMillion(connections, { atLeast: 599 })
  const flowed = steady?.gen.seconds
  const opened = 'from starting the client to all open'
  return [
    figure('steadySeconds', 'for which messages flowed', ['s', 0], flowed, steadyTarget),
    figure('openedPerSecond', 'opened a second, mean', RATE, rate, rateTarget),
    figure('openingSeconds', opened, SECONDS, opening?.seconds),
    figure('connectP99Ms', 'connecting to first byte, p99', ['ms', 1], flood?.connect.p99Ms),
  ]
}

/** Both the parent and the workers. */
function ofServer(memory: Memory['anonymous'] | null | undefined): number {
  return memory == null ? Number.NaN : memory.serverParent + memory.serverWorkers
}

function memoryFigures({ connections, record, samples }: Measured): Figure[] {
  const { held, emptyMemory } = record
  const open = held?.open ?? Number.NaN
  const above = ofServer(held?.memory.anonymous) - ofServer(emptyMemory?.anonymous)
  const mostGib = (bytes: (of: Sample) => number): number | null =>
    held === null ? null : samples.reduce((max, of) => Math.max(max, bytes(of)), 0) / GIB_BYTES
  const taken = mostGib((of) => of.takenBytes)
  const fall = mostGib((of) => of.takenBytes + of.pageCacheBytes)
  const silentGib = held && held.takenBytes / GIB_BYTES
  const server = ofServer(held?.memory) / open
  const ofKernel = held && held.kernelBytes / open
  const emptyMib = ofServer(emptyMemory) / MIB_BYTES
  const most = ofMillion(connections, { atMost: 11.5 })
  const mostEach = ofMillion(connections, { atMost: 1_100 })
  return [
    figure('takenGib', 'memory taken from the machine, both ends, at most', GIB, taken, most),
    figure('fallGib', '  with pages of files that no process maps', GIB, fall, most),
    figure('takenSilentGib', '  while silent', GIB, silentGib),
    figure('takenPerStream', '  a stream', BYTES, held && held.takenBytes / open),
    figure('kernelPerStream', '  of it the kernel, two sockets', BYTES, ofKernel),
    figure('serverPerStream', 'server processes, a stream, all in', BYTES, server, mostEach),
    figure(
      'serverAbovePerStream',
      '  growth since it had no streams, heap only',
      BYTES,
      above / open,
    ),
    figure('serverEmptyMib', '  the server without streams', ['MiB', 0], emptyMib),
    figure('floodPerStream', 'client processes, a stream', BYTES, held && held.memory.flood / open),
  ]
}

/** Microseconds of CPU time that one delivery took. */
function costFigures(name: string, flow: Flow | null): Figure[] {
  const micros = (seconds: (cpu: CpuSeconds) => number) =>
    flow && (seconds(flow.cpuSeconds) * 1e6) / flow.received
  const server = micros((cpu) => cpu.serverParent + cpu.serverWorkers)
  const machine = micros((cpu) => cpu.machine)
  return [
    figure(`${name}ServerMicros`, '  CPU time of the server, a delivery', MICROS, server),
    figure(`${name}MachineMicros`, '  of the whole machine, a delivery', MICROS, machine),
  ]
}

function steadyFigures({ steady }: RunRecord): Figure[] {
  const { p50Ms, p99Ms, p999Ms, maxMs } = steady?.latency ?? {}
  const title = 'messages a second, one to a random user each'
  return [
    figure('steadyPerSecond', title, RATE, steady?.gen.perSecond, { atLeast: 16_500 }),
    figure('steadyP50Ms', '  publish to receive, p50', MS, p50Ms),
    figure('steadyP99Ms', '  publish to receive, p99', MS, p99Ms, { atMost: 20 }),
    figure('steadyP999Ms', '  publish to receive, p99.9', MS, p999Ms, { atMost: 100 }),
    figure('steadyMaxMs', '  publish to receive, slowest', ['ms', 1], maxMs),
    ...costFigures('steady', steady),
  ]
}

function searchFigures(
  address: 'subject' | 'to',
  attempts: readonly Flow[],
  target: Target | null,
): Figure[] {
  const best = highestHeld(attempts)
  const whom = address === 'subject' ? 'to friends' : 'to one user each'
  const title = `deliveries a second ${whom}, highest that held`
  // If none of the attempts held, that is a rate of zero, not an unknown one.
  const rate = attempts.length === 0 ? null : (best?.deliveriesPerSecond ?? 0)
  const p99 = '  publish to receive at that rate, p99'
  return [
    figure(`${address}DeliveriesPerSecond`, title, RATE, rate, target),
    figure(`${address}MessagesPerSecond`, '  of messages a second', RATE, best?.gen.perSecond),
    figure(`${address}P99Ms`, p99, MS, best?.latency.p99Ms),
    ...costFigures(address, best),
  ]
}

function faultFigures(record: RunRecord): Figure[] {
  const { flood, steady } = record
  const flows = flowsOf(record)
  const all = flows.length > 0 ? promised(record) : null
  const received = flood?.received
  const missing = received && all !== null ? all - (received.messages - received.duplicated) : null
  const lost = missing && Math.max(0, missing)
  const extra = missing && Math.max(0, -missing - unknownIn(record))
  // A request without an answer promised nothing, and may yet have been carried out; so may
  // deliveries of which the server did not know in time.
  const hasUnanswered = flows.some(({ gen }) => gen.unanswered > 0)
  const unsent = steady && steady.gen.rejected + steady.gen.unanswered
  const ended = flood && flood.connections.closed + flood.connections.failed
  const givenUp = 'given up by the server at 16,666 messages a second'
  return [
    figure('promised', 'deliveries promised in all', COUNT, all),
    figure('missing', '  promised and not received', COUNT, lost, NONE),
    figure('unpromised', '  received and not promised', COUNT, extra, hasUnanswered ? null : NONE),
    figure('duplicated', '  received twice', COUNT, received?.duplicated, NONE),
    figure('reordered', '  out of order', COUNT, received?.reordered, NONE),
    figure('unchecked', '  whose order could not be checked', COUNT, received?.untracked, NONE),
    figure('givenUp', givenUp, COUNT, steady?.givenUp, NONE),
    figure('unanswered', 'messages refused or not answered, at that rate', COUNT, unsent, NONE),
    figure('closedEarly', 'streams closed early or failed, whole run', COUNT, ended, NONE),
    figure('serverExitCode', 'exit code of the server', COUNT, record.serverExitCode, NONE),
  ]
}

function otherFigures(record: RunRecord): Figure[] {
  const { prepared, silence, startSeconds, serverWorkers, floodProcesses } = record
  const cores = 'cores that the server uses in silence'
  return [
    figure('subscriptions', 'subscriptions held', COUNT, prepared?.subscriptions),
    figure('loadSeconds', '  loading them', SECONDS, prepared?.loadSeconds),
    figure('startSeconds', 'from start to listening, with them', ['s', 2], startSeconds),
    figure('serverWorkers', 'server processes below the parent', COUNT, serverWorkers),
    figure('floodProcesses', 'client processes', COUNT, floodProcesses),
    figure('silentServerCores', cores, ['cores', 3], silence?.serverCores),
  ]
}
