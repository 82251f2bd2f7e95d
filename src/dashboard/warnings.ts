// What an operator should look at: a closed table of conditions, each with what is wrong and what
// to do. Pure. None looks back more than a minute, so that a warning goes away once its cause has.

import type { BusFigures } from '../bus/bus-figures.ts'
import type { ServerState } from '../control/stats.ts'
import { busFigureLimits } from '../core/bus-limits.ts'
import { dashboardLimits } from '../core/limits.ts'
import { formatCount, formatQuantity } from '../core/units.ts'
import type { NodeFigures } from '../erlang/node-figures.ts'
import type { WorkerFigures } from '../hub/figures.ts'
import type { HistoryFigures } from '../hub/history.ts'
import type { SystemFigures, TcpFigures } from '../os/proc.ts'
import { formatBulk, formatDuration } from '../report/format.ts'

const { nearRatio, memoryLeftRatio, loopLateMs } = dashboardLimits
const { queueRatio } = busFigureLimits

/** Streams closed as slow in a minute; a few clients on bad networks are nothing to act on. */
const SLOW_STREAMS_MIN = 10

/** The state of the server, and what happened in the last minute. */
export interface Condition {
  readonly state: ServerState
  readonly open: number
  readonly limit: number
  readonly openFiles: number
  readonly openFilesLimit: number
  readonly workers: readonly Pick<WorkerFigures, 'number' | 'state'>[]
  readonly silentWorkers: readonly number[]
  readonly erlang: Pick<NodeFigures, 'peer' | 'registered'> | null
  readonly tcp: Pick<TcpFigures, 'memoryBytes' | 'memoryLimitBytes'> | null
  readonly system: Pick<SystemFigures, 'memoryBytes' | 'memoryAvailableBytes'> | null
  readonly history: Pick<HistoryFigures, 'place' | 'oldestAgeSeconds'>
  readonly bus: Pick<BusFigures, 'connected' | 'seconds' | 'why' | 'queue' | 'redis'> | null
  readonly recent: Recent
}

/** Counts of the last minute, and the longest lag of an event loop. */
export interface Recent {
  readonly refused: number
  /** By the limits of new streams and of one address; not among those above. */
  readonly limited: number
  readonly slow: number
  /** Streams that were told of a gap, since what they had missed had left the window. */
  readonly lostGaps: number
  readonly skipped: number
  readonly rejected: number
  readonly restarted: number
  /** Publications refused because Redis was disconnected or too slow. */
  readonly busRefused: number
  /** Gaps sent to all open streams. */
  readonly busGaps: number
  readonly lateMs: number
}

export interface Warning {
  readonly code: WarningCode
  readonly text: string
  readonly advice: string
}

interface Row {
  /** What is wrong; false if nothing is. */
  readonly text: (condition: Condition) => string | false
  /** What to do, in a sentence. */
  readonly advice: string
}

/** The most important first. */
const TABLE = {
  draining: {
    text: ({ state, open }) =>
      state === 'draining' && `The server is stopping; ${streams(open)} left.`,
    advice: 'Send clients to another server.',
  },
  full: {
    text: ({ state, limit }) =>
      state === 'full' && `The server is full; the limit is ${formatQuantity(limit, 'stream')}.`,
    advice:
      'New clients get 503. Start another server, or raise the limits that comet doctor names.',
  },
  near_limit: {
    text: ({ state, open, limit }) =>
      state !== 'full' &&
      limit > 0 &&
      open >= nearRatio * limit &&
      `${streams(open)} of at most ${formatCount(limit)} are open.`,
    advice: 'Start another server or more workers; comet doctor names the limits.',
  },
  files_short: {
    text: ({ openFiles, openFilesLimit }) =>
      openFiles >= nearRatio * openFilesLimit &&
      `${formatCount(openFiles)} of ${formatCount(openFilesLimit)} files are open in the control process.`,
    advice: 'Raise ulimit -n; without free descriptors the ports stop accepting connections.',
  },
  refused: {
    text: ({ recent }) =>
      recent.refused > 0 && `${streamsWere(recent.refused)} refused in the last minute.`,
    advice: 'Clients arrive faster than the server has room for; check its limits and workers.',
  },
  limited: {
    text: ({ recent }) =>
      recent.limited > 0 &&
      `${streamsWere(recent.limited)} refused in the last minute by --max-new-streams or --max-streams-per-address.`,
    advice:
      'The log names an address. Behind a proxy that is not a --trusted-proxy, all clients share one.',
  },
  workers_down: {
    text: ({ workers }) => {
      const down = workers.filter(({ state }) => state === 'waiting' || state === 'starting')
      return down.length > 0 && `${named(down.map(({ number }) => number))} not running.`
    },
    advice: 'Workers restart automatically; the log has the reason.',
  },
  workers_restarted: {
    text: ({ recent }) =>
      recent.restarted > 0 && `Workers restarted ${times(recent.restarted)} in the last minute.`,
    advice: 'Their streams were lost and may have reconnected; the log has the reason.',
  },
  workers_silent: {
    text: ({ silentWorkers }) =>
      silentWorkers.length > 0 && `${named(silentWorkers)} not answering.`,
    advice: 'A worker that stays silent is replaced; check whether the machine has CPU time left.',
  },
  bus_lost: {
    text: ({ bus }) =>
      bus?.connected === false &&
      `Not connected to Redis for ${formatDuration(bus.seconds)}. ${bus.why ?? ''}`.trimEnd(),
    advice:
      'Streams stay open and publishers wait, then get 503; check that Redis runs and can be reached.',
  },
  bus_refused: {
    text: ({ recent }) =>
      recent.busRefused > 0 &&
      `Publications refused in the last minute, because Redis was disconnected or slow: ${formatCount(recent.busRefused)}.`,
    advice: 'Publishers got an error and can retry; check the queue and Redis.',
  },
  bus_queue_filling: {
    text: ({ bus }) =>
      bus !== null &&
      filledOf(bus.queue) >= queueRatio &&
      `The queue to Redis is ${Math.round(filledOf(bus.queue) * 100)}% full; ${formatQuantity(bus.queue.messages, 'message')} in it.`,
    advice: 'Publishers are refused once it is full; check that Redis runs, and its CPU time.',
  },
  bus_gaps: {
    text: ({ recent }) =>
      recent.busGaps > 0 &&
      `All streams were told of a gap ${times(recent.busGaps)} in the last minute.`,
    advice: 'Redis has lost a part of the log, or this node could not read it in time.',
  },
  bus_not_durable: {
    text: ({ bus }) =>
      bus?.redis?.durable === false &&
      `${bus.redis.product} runs without an append-only file (appendonly no).`,
    advice:
      'A restart loses subscriptions, revocations and tickets, and may lose messages; turn AOF on.',
  },
  bus_evicts: {
    text: ({ bus }) =>
      bus?.redis != null &&
      bus.redis.limitBytes !== null &&
      bus.redis.evictionPolicy !== 'noeviction' &&
      `${bus.redis.product} evicts keys when memory is short (${bus.redis.evictionPolicy}).`,
    advice: 'It may evict the log; set maxmemory-policy to noeviction.',
  },
  redis_memory_short: {
    text: ({ bus }) =>
      bus?.redis?.limitBytes != null &&
      bus.redis.usedBytes >= nearRatio * bus.redis.limitBytes &&
      `${bus.redis.product} uses ${formatBulk(bus.redis.usedBytes)} of ${formatBulk(bus.redis.limitBytes)} (maxmemory).`,
    advice: 'Without memory it refuses messages; raise maxmemory, or lower --history.',
  },
  erlang_down: {
    text: ({ erlang }) =>
      erlang?.peer != null &&
      erlang.peer.state !== 'connected' &&
      `Not connected to the Erlang node ${erlang.peer.name}${because(erlang.peer.why)}.`,
    advice: 'The server keeps trying; check that the node runs and has the same cookie.',
  },
  erlang_unregistered: {
    text: ({ erlang }) =>
      erlang?.registered === false && 'This server is not registered with epmd.',
    advice: 'Erlang nodes cannot find this server; check that epmd runs on this machine.',
  },
  skipped: {
    text: ({ recent }) =>
      recent.skipped > 0 &&
      `Deliveries skipped in the last minute because a worker was too far behind: ${formatCount(recent.skipped)}.`,
    advice: 'Workers lack CPU time; send less, or give the server more cores.',
  },
  slow: {
    text: ({ recent }) =>
      recent.slow >= SLOW_STREAMS_MIN &&
      `${streamsWere(recent.slow)} closed in the last minute for reading too slowly.`,
    advice: 'Send less to each user, or raise --outbox.',
  },
  gaps: {
    text: ({ recent, history }) =>
      recent.lostGaps > 0 &&
      `${streamsWere(recent.lostGaps)} told of a gap in the last minute; ${reachOf(history)}.`,
    advice: 'Clients were away for longer than messages are kept; raise --history.',
  },
  history_in_memory: {
    text: ({ history }) =>
      history.place.reason !== null &&
      `Recent messages are in memory alone${because(history.place.reason)}.`,
    advice: 'No client can resume after a restart; remove the cause and restart the server.',
  },
  loop_late: {
    text: ({ recent }) =>
      recent.lateMs > loopLateMs &&
      `The event loop of a process lagged by up to ${Math.round(recent.lateMs)} ms in the last minute.`,
    advice:
      'All its work is delayed as long; see which worker it is, and what else uses the cores.',
  },
  memory_short: {
    text: ({ system }) =>
      system !== null &&
      system.memoryAvailableBytes < memoryLeftRatio * system.memoryBytes &&
      `${formatBulk(system.memoryAvailableBytes)} of ${formatBulk(system.memoryBytes)} of memory are available.`,
    advice: 'Lower --max-streams or stop other programs, before the kernel kills this one.',
  },
  tcp_memory_short: {
    text: ({ tcp }) =>
      tcp?.memoryLimitBytes != null &&
      tcp.memoryBytes >= nearRatio * tcp.memoryLimitBytes &&
      `TCP buffers use ${formatBulk(tcp.memoryBytes)} of the ${formatBulk(tcp.memoryLimitBytes)} allowed.`,
    advice: 'Raise net.ipv4.tcp_mem, as comet doctor says.',
  },
  rejected: {
    text: ({ recent }) =>
      recent.rejected > 0 &&
      `Invalid messages rejected in the last minute: ${formatCount(recent.rejected)}.`,
    advice: 'A publisher sends invalid messages; the responses name each wrong line.',
  },
} as const satisfies Record<string, Row>

export type WarningCode = keyof typeof TABLE

export const WARNING_CODES = Object.keys(TABLE) as readonly WarningCode[]

export function warningsOf(condition: Condition): Warning[] {
  return WARNING_CODES.flatMap((code) => {
    const { text, advice } = TABLE[code]
    const found = text(condition)
    return found === false ? [] : [{ code, text: found, advice }]
  })
}

function streams(value: number): string {
  return formatQuantity(value, 'stream')
}

/** `1 stream was`, `2 streams were`. */
function streamsWere(value: number): string {
  return `${streams(value)} ${Math.round(value) === 1 ? 'was' : 'were'}`
}

/** How full the queue is, from 0 to 1: of messages or bytes, whichever is fuller. */
function filledOf({ messages, bytes, limitMessages, limitBytes }: BusFigures['queue']): number {
  return Math.max(messages / limitMessages, bytes / limitBytes)
}

function reachOf({ oldestAgeSeconds }: Condition['history']): string {
  if (oldestAgeSeconds === null) return 'no message is kept'
  return `the oldest message kept is ${formatDuration(oldestAgeSeconds)} old`
}

function times(value: number): string {
  return Math.round(value) === 1 ? 'once' : `${formatCount(value)} times`
}

function because(why: string | null): string {
  return why === null ? '' : ` (${why})`
}

/** `Worker 3 is`, or the first few of many. */
function named([first, ...others]: readonly number[]): string {
  if (others.length === 0) return `Worker ${first} is`
  const shown = [first, ...others.slice(0, 4)].join(', ')
  const more = others.length > 4 ? ` and ${formatCount(others.length - 4)} more` : ''
  return `Workers ${shown}${more} are`
}
