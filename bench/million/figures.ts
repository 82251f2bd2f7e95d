// What a run reached, figure by figure, and what each is held to. Pure: made of the record alone.
// Names are stable, so that runs of different sizes and dates can be set beside each other.

import { highestHeld } from '../../src/gen/search.ts'
import type { Target } from '../harness/case.ts'
import { count, type Figure, figure } from './figure.ts'
import { type Flow, flowsOf, type Memory, promised, type RunRecord, unknownIn } from './record.ts'
import type { Sample } from './sample.ts'

const GIB = 1024 ** 3
const MILLION = 1_000_000

export interface Measured {
  readonly connections: number
  readonly record: RunRecord
  readonly samples: readonly Sample[]
}

export function figuresOf(measured: Measured): Figure[] {
  return [
    ...streamFigures(measured),
    ...memoryFigures(measured),
    ...steadyFigures(measured),
    ...searchFigures('subject', measured.record.subjectSearch, { atLeast: 50_000 }),
    ...searchFigures('to', measured.record.toSearch, null),
    ...faultFigures(measured),
    ...otherFigures(measured),
  ]
}

/** A target that only a run of a million has: at fewer streams it would say nothing. */
function ofMillion(connections: number, target: Target): Target | null {
  return connections >= MILLION ? target : null
}

function streamFigures({ connections, record }: Measured): Figure[] {
  const { opening, held, steady, openAfterSteady, flood } = record
  const lost = openAfterSteady === null || held === null ? null : held.open - openAfterSteady
  const rate = opening === null ? null : connections / opening.seconds
  return [
    figure('streamsOpen', 'streams open at once', '', 0, held?.open, { atLeast: connections }),
    figure('streamsLost', 'streams lost while messages flowed', '', 0, lost, { atMost: 0 }),
    ...silenceFigures(record),
    figure(
      'steadySeconds',
      'for which messages flowed',
      's',
      0,
      steady?.gen.seconds,
      // Of ten minutes the generator may miss the last messages' round trip.
      ofMillion(connections, { atLeast: 599 }),
    ),
    figure(
      'openedPerSecond',
      'opened a second, in the mean',
      '/s',
      0,
      rate,
      // Starting the processes takes a second or two, which a small run is over in.
      connections >= 100_000 ? { atLeast: 10_000 } : null,
    ),
    figure('openingSeconds', 'from starting the client to all open', 's', 1, opening?.seconds),
    figure('connectP99Ms', 'connecting to first byte, p99', 'ms', 1, flood?.connect.p99Ms),
  ]
}

function silenceFigures({ silence }: RunRecord): Figure[] {
  const closed = silence && Object.values(silence.closed).reduce((sum, count) => sum + count, 0)
  return [
    count('silentSeconds', 'held in silence, before the messages, in seconds', silence?.seconds),
    count('silentOpenBefore', '  streams open before', silence?.openBefore),
    count('silentOpenAfter', '  streams open after', silence?.openAfter),
    count('silentClosed', '  streams closed meanwhile', closed, { atMost: 0 }),
  ]
}

function ofServer(memory: Memory['anonymous'] | null | undefined): number | null {
  return memory == null ? null : memory.serverParent + memory.serverWorkers
}

function memoryFigures({ connections, record, samples }: Measured): Figure[] {
  const { held, emptyMemory } = record
  const open = held?.open ?? Number.NaN
  const server = ofServer(held?.memory)
  const empty = ofServer(emptyMemory)
  const [heldOwn, emptyOwn] = [held, { memory: emptyMemory }].map((of) =>
    ofServer(of?.memory?.anonymous),
  )
  const above = heldOwn == null || emptyOwn == null ? null : (heldOwn - emptyOwn) / open
  const most = (bytes: (of: Sample) => number): number | null =>
    held === null ? null : samples.reduce((max, of) => Math.max(max, bytes(of)), 0) / GIB
  const perStream = (bytes: number | null | undefined) => (bytes == null ? null : bytes / open)
  return [
    figure(
      'takenGib',
      'memory taken from the machine, both ends, at most',
      'GiB',
      2,
      most((of) => of.takenBytes),
      ofMillion(connections, { atMost: 15 }),
    ),
    figure(
      'fallGib',
      '  with pages of files that nobody maps',
      'GiB',
      2,
      most((of) => of.takenBytes + of.pageCacheBytes),
      ofMillion(connections, { atMost: 15 }),
    ),
    figure('takenSilentGib', '  while silent', 'GiB', 2, (held?.takenBytes ?? Number.NaN) / GIB),
    figure('takenPerStream', '  a stream', 'bytes', 0, perStream(held?.takenBytes)),
    figure(
      'kernelPerStream',
      '  of it the kernel, two sockets',
      'bytes',
      0,
      perStream(held?.kernelBytes),
    ),
    figure(
      'serverPerStream',
      'server processes, a stream, all in',
      'bytes',
      0,
      perStream(server),
      ofMillion(connections, { atMost: 4_300 }),
    ),
    figure(
      'serverAbovePerStream',
      '  growth since it had no streams, heap only',
      'bytes',
      0,
      above,
    ),
    figure(
      'serverEmptyMib',
      '  the server without streams',
      'MiB',
      0,
      empty === null ? null : empty / 2 ** 20,
    ),
    figure(
      'floodPerStream',
      'client processes, a stream',
      'bytes',
      0,
      perStream(held?.memory.flood),
    ),
  ]
}

/** Microseconds of processor time that one delivery took. */
function micros(flow: Flow | null, seconds: (cpu: Flow['cpuSeconds']) => number): number | null {
  return flow === null ? null : (seconds(flow.cpuSeconds) * 1e6) / flow.received
}

function costFigures(name: string, flow: Flow | null): Figure[] {
  return [
    figure(
      `${name}ServerMicros`,
      '  processor time of the server, a delivery',
      'µs',
      1,
      micros(flow, (cpu) => cpu.serverParent + cpu.serverWorkers),
    ),
    figure(
      `${name}MachineMicros`,
      '  of the whole machine, a delivery',
      'µs',
      1,
      micros(flow, (cpu) => cpu.machine),
    ),
  ]
}

function steadyFigures({ record: { steady } }: Measured): Figure[] {
  const latency = steady?.latency
  return [
    figure(
      'steadyPerSecond',
      'messages a second, one to a random user each',
      '/s',
      0,
      steady?.gen.perSecond,
      {
        atLeast: 16_500,
      },
    ),
    figure('steadyP50Ms', '  publish to receive, p50', 'ms', 2, latency?.p50Ms),
    figure('steadyP99Ms', '  publish to receive, p99', 'ms', 2, latency?.p99Ms, { atMost: 20 }),
    figure('steadyP999Ms', '  publish to receive, p99.9', 'ms', 2, latency?.p999Ms, {
      atMost: 100,
    }),
    figure('steadyMaxMs', '  publish to receive, slowest', 'ms', 1, latency?.maxMs),
    ...costFigures('steady', steady),
  ]
}

function searchFigures(
  address: 'subject' | 'to',
  attempts: readonly Flow[],
  target: Target | null,
): Figure[] {
  if (attempts.length === 0 && address === 'to') return []
  const best = highestHeld(attempts)
  const what = address === 'subject' ? 'to friends' : 'to one user each'
  // Of attempts that were made, none may have held: that is a rate of zero, not an unknown one.
  const rate = attempts.length === 0 ? null : (best?.deliveriesPerSecond ?? 0)
  return [
    figure(
      `${address}DeliveriesPerSecond`,
      `deliveries a second ${what}, highest that held`,
      '/s',
      0,
      rate,
      target,
    ),
    figure(`${address}MessagesPerSecond`, '  of messages a second', '/s', 0, best?.gen.perSecond),
    figure(
      `${address}P99Ms`,
      '  publish to receive at that rate, p99',
      'ms',
      2,
      best?.latency.p99Ms,
    ),
    ...costFigures(address, best),
  ]
}

function faultFigures({ record }: Measured): Figure[] {
  const { flood, steady } = record
  const none = { atMost: 0 }
  const all = flowsOf(record).length > 0 ? promised(record) : null
  const received = flood?.received
  const missing = received && all !== null ? all - (received.messages - received.duplicated) : null
  // A request that was never answered promised nothing, and may yet have been carried out; so may
  // deliveries of which the server did not know in time.
  const unanswered = flowsOf(record).some(({ gen }) => gen.unanswered > 0)
  const lost = flood === null ? null : flood.connections.closed + flood.connections.failed
  return [
    count('promised', 'deliveries promised in all', all),
    count('missing', '  promised and not received', missing && Math.max(0, missing), none),
    count(
      'unpromised',
      '  received and not promised',
      missing && Math.max(0, -missing - unknownIn(record)),
      unanswered ? null : none,
    ),
    count('duplicated', '  received twice', received?.duplicated, none),
    count('reordered', '  out of order', received?.reordered, none),
    count('unchecked', '  whose order could not be checked', received?.untracked, none),
    count('givenUp', 'given up by the server at 16,666 messages a second', steady?.givenUp, none),
    count(
      'unanswered',
      'messages refused or not answered, at that rate',
      steady && steady.gen.rejected + steady.gen.unanswered,
      none,
    ),
    count('closedEarly', 'streams closed early or failed, whole run', lost, none),
    count('serverExitCode', 'exit code of the server', record.serverExitCode, none),
  ]
}

function otherFigures({ record }: Measured): Figure[] {
  const { prepared, silence } = record
  return [
    figure('subscriptions', 'subscriptions held', '', 0, prepared?.subscriptions),
    figure('loadSeconds', '  loading them', 's', 1, prepared?.loadSeconds),
    figure('startSeconds', 'from start to listening, with them', 's', 2, record.startSeconds),
    figure('serverWorkers', 'server processes below the parent', '', 0, record.serverWorkers),
    figure('floodProcesses', 'client processes', '', 0, record.floodProcesses),
    figure(
      'silentServerCores',
      'cores that the server uses in silence',
      'cores',
      3,
      silence?.serverCores,
    ),
  ]
}
