// What an operator should look at: a closed table of conditions, each with what is so and what to do.
// Pure: the figures are arguments. All look back a minute at most, so that a warning goes away by itself.

import type { ServerState } from '../control/stats.ts'
import { dashboardLimits } from '../core/limits.ts'
import { formatCount, formatStreams } from '../core/units.ts'
import type { NodeFigures } from '../erlang/node-figures.ts'
import type { TcpFigures } from '../os/memory.ts'
import type { SystemFigures } from '../os/system.ts'
import { formatBulk } from '../report/format.ts'
import type { WorkerFigures } from '../workers/supervisor.ts'
import type { Warning } from './view.ts'

const { nearRatio, memoryLeftRatio, loopLateMs } = dashboardLimits

/** How the server is, and what happened in the last minute. */
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
  readonly recent: Recent
}

/** Of the last minute: counts, and the worst of the loops' lateness. */
export interface Recent {
  readonly refused: number
  /** The same by the limits of new streams and of one address, which the others are without. */
  readonly limited: number
  readonly slow: number
  readonly skipped: number
  readonly rejected: number
  readonly restarted: number
  readonly lateMs: number
}

interface Row {
  /** What is so; null if all is well. */
  readonly text: (condition: Condition) => string | null
  readonly advice: string
}

/** In order of how much it matters. */
const TABLE = {
  draining: {
    text: ({ state, open }) =>
      state === 'draining' ? `The server is stopping; ${streams(open)} left.` : null,
    advice: 'Send clients to another server.',
  },
  full: {
    text: ({ state, limit }) =>
      state === 'full'
        ? `There is no room for another stream; the limit is ${count(limit)}.`
        : null,
    advice: 'New clients get 503: start another server, or raise what comet doctor names.',
  },
  near_limit: {
    text: ({ state, open, limit }) =>
      state !== 'full' && limit > 0 && open >= nearRatio * limit
        ? `${streams(open)} of at most ${count(limit)} are open.`
        : null,
    advice:
      'Start another server or more workers before it is full; comet doctor names the limits.',
  },
  files_short: {
    text: ({ openFiles, openFilesLimit }) =>
      openFiles >= nearRatio * openFilesLimit
        ? `${count(openFiles)} of ${count(openFilesLimit)} open files are in use by the process with the control port.`
        : null,
    advice: 'Raise ulimit -n; until then the ports stop accepting now and then.',
  },
  refused: {
    text: ({ recent }) =>
      recent.refused > 0
        ? `${streams(recent.refused)} ${were(recent.refused)} refused in the last minute.`
        : null,
    advice:
      'Clients come faster than there is room for them: look at the limits, and at the workers.',
  },
  limited: {
    text: ({ recent }) =>
      recent.limited > 0
        ? `${streams(recent.limited)} ${were(recent.limited)} refused in the last minute, for --max-new-streams or --max-streams-per-address.`
        : null,
    advice:
      'The log names an address; behind a proxy that is no --trusted-proxy, all clients have the same.',
  },
  workers_down: {
    text: ({ workers }) => {
      const down = workers.filter(({ state }) => state === 'waiting' || state === 'starting')
      return down.length === 0 ? null : `${named(down)} not running.`
    },
    advice: 'Each is started again by itself; the log tells why it ended.',
  },
  workers_restarted: {
    text: ({ recent }) =>
      recent.restarted > 0 ? `Workers were started again, ${times(recent.restarted)}.` : null,
    advice: 'Their streams were lost and may have come back; the log tells why a worker ended.',
  },
  workers_silent: {
    text: ({ silentWorkers }) =>
      silentWorkers.length === 0
        ? null
        : `${named(silentWorkers.map((number) => ({ number })))} not answering.`,
    advice: 'Each is replaced if it stays so; see whether the machine has processor time left.',
  },
  erlang_down: {
    text: ({ erlang }) =>
      erlang?.peer != null && erlang.peer.state !== 'connected'
        ? `There is no connection with the Erlang node ${erlang.peer.name}${because(erlang.peer.why)}.`
        : null,
    advice: 'It is tried again by itself; see that the node runs and has the same cookie.',
  },
  erlang_unregistered: {
    text: ({ erlang }) =>
      erlang?.registered === false ? 'The Erlang port mapper does not know this server.' : null,
    advice: 'Erlang nodes cannot find it: see that epmd runs on this machine.',
  },
  skipped: {
    text: ({ recent }) =>
      recent.skipped > 0
        ? `Deliveries passed over in the last minute, since a worker was too far behind: ${count(recent.skipped)}.`
        : null,
    advice: 'Workers lack processor time: send less, or give the server more cores.',
  },
  slow: {
    text: ({ recent }) =>
      recent.slow > 0
        ? `${streams(recent.slow)} ${were(recent.slow)} closed in the last minute for reading too slowly.`
        : null,
    advice: 'A few are normal; if they are many, send less to each user or raise --outbox.',
  },
  loop_late: {
    text: ({ recent }) =>
      recent.lateMs > loopLateMs
        ? `A process was up to ${Math.round(recent.lateMs)} ms late in the last minute.`
        : null,
    advice:
      'All that it does waits as long: see which worker it is, and what else needs the cores.',
  },
  memory_short: {
    text: ({ system }) =>
      system !== null && system.memoryAvailableBytes < memoryLeftRatio * system.memoryBytes
        ? `${formatBulk(system.memoryAvailableBytes)} of ${formatBulk(system.memoryBytes)} memory are left.`
        : null,
    advice: 'Lower --max-streams or end other programs, before the kernel ends this one.',
  },
  tcp_memory_short: {
    text: ({ tcp }) =>
      tcp?.memoryLimitBytes != null && tcp.memoryBytes >= nearRatio * tcp.memoryLimitBytes
        ? `The buffers of TCP take ${formatBulk(tcp.memoryBytes)} of ${formatBulk(tcp.memoryLimitBytes)} that they may.`
        : null,
    advice: 'Raise net.ipv4.tcp_mem, as comet doctor says.',
  },
  rejected: {
    text: ({ recent }) =>
      recent.rejected > 0
        ? `Messages that were refused as wrong in the last minute: ${count(recent.rejected)}.`
        : null,
    advice: 'A publisher sends what is no message; its answers name each line that is wrong.',
  },
} as const satisfies Record<string, Row>

export type WarningCode = keyof typeof TABLE

export const WARNING_CODES = Object.keys(TABLE) as readonly WarningCode[]

export function warningsOf(condition: Condition): Warning[] {
  return WARNING_CODES.flatMap((code) => {
    const { text, advice } = TABLE[code]
    const is = text(condition)
    return is === null ? [] : [{ code, text: is, advice }]
  })
}

function count(value: number): string {
  return formatCount(Math.round(value))
}

function streams(value: number): string {
  return formatStreams(Math.round(value))
}

function were(value: number): string {
  return Math.round(value) === 1 ? 'was' : 'were'
}

function times(value: number): string {
  return value === 1 ? 'once' : `${count(value)} times`
}

function because(why: string | null): string {
  return why === null ? '' : ` (${why})`
}

/** `Worker 3 is`, or the first few of many. */
function named(workers: readonly { readonly number: number }[]): string {
  const [first, ...others] = workers.map(({ number }) => number)
  if (others.length === 0) return `Worker ${first} is`
  const shown = [first, ...others.slice(0, 4)].join(', ')
  const more = others.length > 4 ? ` and ${count(others.length - 4)} more` : ''
  return `Workers ${shown}${more} are`
}
