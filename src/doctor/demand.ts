// What so many streams need of a machine: processes, open files, memory. Pure arithmetic on what
// was measured.

import { capacityOf, workersFor } from '../core/capacity.ts'
import { descriptorLimits, workerLimits } from '../core/limits.ts'
import { floodLimits } from '../core/tool-limits.ts'

/** Which ends of the connections are on this machine. */
export type End = 'server' | 'client' | 'both'

export const ENDS = ['server', 'client', 'both'] as const satisfies readonly End[]

/** What this machine is to hold. */
export interface Demand {
  readonly connections: number
  readonly end: End
  /**
   * Local addresses that connections are made from: 0 if the kernel chooses, null for all there
   * are.
   */
  readonly sources: number | null
}

/** Measured, see the manual: of the kernel for one silent socket. */
const SOCKET_BYTES = 5_200

/** Measured, see the page "million" of the manual: what one stream adds to the processes of an end
 * before garbage is collected, and one more process. That run came to less, with its graph of
 * friends. */
const SERVER_STREAM_BYTES = 600
const CLIENT_STREAM_BYTES = 250
const PROCESS_BYTES = 8e6
/** Once for each end: the program's own pages, and the process that starts the others. */
const END_BYTES = 50e6

/**
 * The share of available memory that streams may take. The rest is for messages under way, for
 * heaps between two collections, and for other programs.
 */
const MEMORY_SHARE = 0.9

/** Sockets on this machine. */
export function socketsFor({ connections, end }: Demand): number {
  return end === 'both' ? 2 * connections : connections
}

/** Processes of all ends on this machine; infinite where one has no room at all. */
export function processesFor(demand: Demand, openFiles: number): number {
  return endsOf(demand).reduce((sum, { processes }) => sum + processes(openFiles), 0)
}

/** Bytes that have to be available. */
export function memoryFor(demand: Demand, openFiles: number): number {
  const ends = endsOf(demand).map(({ streamBytes, processes }) => {
    return demand.connections * streamBytes + processes(openFiles) * PROCESS_BYTES + END_BYTES
  })
  const bytes = ends.reduce((sum, of) => sum + of, socketsFor(demand) * SOCKET_BYTES)
  return Math.ceil(bytes / MEMORY_SHARE)
}

/** The limit of open files with which no end takes more than so many processes. */
export function filesFor(demand: Demand, processesMax = Number.POSITIVE_INFINITY): number {
  const isEnough = (openFiles: number) =>
    endsOf(demand).every(({ processes, reserve, processesMax: possible }) => {
      const ofChildren = Math.floor((openFiles - reserve) / workerLimits.parentFilesEach)
      const count = processes(openFiles)
      return count === 1 || count <= Math.min(possible, processesMax, ofChildren)
    })
  return leastThat(isEnough, 2 * demand.connections + descriptorLimits.reserveMax)
}

interface OneEnd {
  readonly streamBytes: number
  readonly processesMax: number
  /** Open files that a process does not use for its children. */
  readonly reserve: number
  /** How many there are when each may have so many files open. */
  readonly processes: (openFiles: number) => number
}

function endsOf({ connections, end }: Demand): OneEnd[] {
  const server: OneEnd = {
    streamBytes: SERVER_STREAM_BYTES,
    processesMax: workerLimits.countMax,
    reserve: descriptorLimits.reserveMin,
    processes: (openFiles) => workersFor(connections, capacityOf(openFiles, null).streamsMax),
  }
  const client: OneEnd = {
    streamBytes: CLIENT_STREAM_BYTES,
    processesMax: floodLimits.processesMax,
    reserve: floodLimits.reserveDescriptors,
    processes: (openFiles) => {
      const each = openFiles - floodLimits.reserveDescriptors
      return each < floodLimits.connectionsPerProcessMin ? Infinity : Math.ceil(connections / each)
    },
  }
  return end === 'both' ? [server, client] : end === 'server' ? [server] : [client]
}

/** The least integer from 0 to `max` for which `isTrue` holds, as it must for all above it. */
export function leastThat(isTrue: (value: number) => boolean, max: number): number {
  let [low, high] = [0, max]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (isTrue(middle)) high = middle
    else low = middle + 1
  }
  return low
}
