// How many streams this process can hold, and why. Pure: the open-files limit is an argument.

import { descriptorLimits, workerLimits } from '../core/limits.ts'
import { formatCount } from '../core/units.ts'

export interface Capacity {
  /** Streams that may be open at once. */
  readonly streamsMax: number
  /** Open files at which new streams are refused, however few there are. */
  readonly refuseAtFiles: number
  /** Open files at which the public port stops accepting connections, for a while. */
  readonly pauseAtFiles: number
  /** Open files at which a paused port accepts again. */
  readonly resumeAtFiles: number
  /** Open files at which the control port stops accepting too, and at which it accepts again. */
  readonly pauseControlAtFiles: number
  readonly resumeControlAtFiles: number
  /** Open files to hold back while the port accepts. */
  readonly reservedFiles: number
  /** One sentence for the person who starts the server. */
  readonly why: string
}

/**
 * Streams get what the limit leaves after a reserve, whose first three eighths are for the server's
 * own files and the connections of publishers. Connections that send no request are not streams yet
 * hold files, so there is a second line: half-way into the reserve the public port stops accepting,
 * and after three quarters the control port, because Bun would spin on `accept` once no file is
 * left.
 */
export function capacityOf(openFilesLimit: number, wanted: number | null): Capacity {
  const { reserveRatio, reserveMin, reserveMax, reservedRatio } = descriptorLimits
  const reserve = Math.min(
    reserveMax,
    Math.max(reserveMin, Math.ceil(openFilesLimit * reserveRatio)),
  )
  const possible = Math.max(0, openFilesLimit - reserve)
  const files = `${formatCount(openFilesLimit)} open files less ${formatCount(reserve)} in reserve`
  const why =
    wanted === null
      ? files
      : wanted <= possible
        ? 'as --max-streams says'
        : `--max-streams asks for ${formatCount(wanted)}, but there are only ${files}`
  return {
    streamsMax: Math.min(wanted ?? possible, possible),
    refuseAtFiles: possible + Math.floor((reserve * 3) / 8),
    pauseAtFiles: possible + Math.floor(reserve / 2),
    resumeAtFiles: possible + Math.floor((reserve * 3) / 8),
    pauseControlAtFiles: possible + Math.floor((reserve * 3) / 4),
    resumeControlAtFiles: possible + Math.floor((reserve * 5) / 8),
    reservedFiles: Math.floor(reserve * reservedRatio),
    why,
  }
}

/**
 * How many workers it takes to hold so many streams, when each has room for `perWorker`. The kernel
 * deals connections out by a hash, so some workers get more than their share, and there must be
 * room for that: of n connections each, a worker gets n give or take the square root of n.
 *
 * @returns at most one more than `workerLimits.countMax`
 */
export function workersFor(connections: number, perWorker: number): number {
  // One process gets all of them, so there is nothing to be uneven.
  if (connections <= perWorker) return 1
  let workers = Math.max(2, Math.ceil(connections / Math.max(1, perWorker)))
  const most = () => {
    const share = connections / workers
    return share + workerLimits.spreadDeviations * Math.sqrt(share)
  }
  while (workers <= workerLimits.countMax && most() > perWorker) workers++
  return Math.min(workers, workerLimits.countMax + 1)
}
