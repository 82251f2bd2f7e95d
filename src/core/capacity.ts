// How many streams a process can hold and why, and how many processes a server takes. Pure: the
// open-files limit is an argument.

import { descriptorLimits, workerLimits } from './limits.ts'
import { formatCount } from './units.ts'

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
 * How many workers it takes to hold so many streams, when each has room for `perWorker`; infinitely
 * many where there is no room at all. The kernel distributes connections by a hash, so some workers
 * get more than their share, and there must be room for that: of n connections each, a worker gets
 * n give or take the square root of n.
 */
export function workersFor(connections: number, perWorker: number): number {
  // One process gets all of them, so there is nothing to be uneven.
  if (connections <= perWorker) return 1
  const deviations = workerLimits.spreadDeviations
  const most = (workers: number) => {
    const share = connections / workers
    return share + deviations * Math.sqrt(share)
  }
  // The share s with s + d * sqrt(s) = perWorker, as exact as rounding allows.
  const share = ((Math.sqrt(deviations ** 2 + 4 * perWorker) - deviations) / 2) ** 2
  let workers = Math.max(2, Math.floor(connections / share))
  while (most(workers) > perWorker) workers++
  return workers
}
