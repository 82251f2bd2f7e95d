// A whole flood: resolves the server's name, splits the work over processes, adds up what they
// have seen. With one process there is no other: the work is done here.

import { lookup } from 'node:dns/promises'
import type { Clock } from '../core/clock.ts'
import { floodLimits } from '../core/limits.ts'
import { FloodClient } from './client.ts'
import { type FloodOptions, parseTemplate, type Share, sharesOf, type Target } from './plan.ts'
import {
  addCounters,
  addTally,
  type Counters,
  newCounters,
  newTally,
  type Tally,
  unpackTally,
} from './tally.ts'
import type { FromWorker, ToWorker } from './worker.ts'

/** A flood under way. */
export interface Flood {
  readonly processes: number
  /** What has been seen so far; of other processes it may be a quarter of a second old. */
  counters(): Counters
  /** Ends the run; what is under way is still read. */
  stop(): void
  /** Settles when the run is over. */
  readonly tally: Promise<Tally>
}

/** One process of a flood, here or elsewhere. */
interface Part {
  counters(): Counters
  stop(): void
  readonly tally: Promise<Tally>
}

/** Finds the server that a URL template names; answers why not otherwise. */
export async function findTarget(template: string): Promise<Target | string> {
  const parsed = parseTemplate(template)
  if (typeof parsed === 'string') return parsed
  const { hostname, port, host, pathTemplate } = parsed
  try {
    const { address } = await lookup(hostname)
    return { host, address, port, pathTemplate }
  } catch (error) {
    return `${hostname} cannot be resolved (${(error as { code?: string }).code ?? 'no address'})`
  }
}

/**
 * Starts a flood.
 *
 * @param portOffset where in the range of local ports to begin; elsewhere than the last run, whose
 * ports may linger
 * @param command how to start another process of this program as a flood worker
 * @returns the flood, or why it cannot be had
 */
export function startFlood(
  options: FloodOptions,
  openFilesLimit: number,
  portOffset: number,
  command: readonly string[],
  clock: Clock,
): Flood | string {
  const shares = sharesOf(options, openFilesLimit, portOffset)
  if (typeof shares === 'string') return shares
  const parts =
    shares.length === 1
      ? shares.map((share) => localPart(share, clock))
      : shares.map((share) => remotePart(share, command))
  const stop = () => {
    for (const part of parts) part.stop()
  }
  const timer = options.durationMs === null ? null : setTimeout(stop, options.durationMs)
  return {
    processes: parts.length,
    counters: () => {
      const sum = newCounters()
      for (const part of parts) addCounters(sum, part.counters())
      return sum
    },
    stop,
    tally: Promise.all(parts.map(({ tally }) => tally)).then((tallies) => {
      if (timer !== null) clearTimeout(timer)
      const sum = newTally()
      for (const tally of tallies) addTally(sum, tally)
      return sum
    }),
  }
}

function localPart(share: Share, clock: Clock): Part {
  const client = new FloodClient(share, clock)
  client.start()
  return {
    counters: () => client.tally.counters,
    stop: () => {
      client.stop()
    },
    tally: client.finished.then(() => client.tally),
  }
}

function remotePart(share: Share, command: readonly string[]): Part {
  let counters = newCounters()
  const { promise: tally, resolve } = Promise.withResolvers<Tally>()
  const child = Bun.spawn([...command], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
    ipc(message: FromWorker) {
      if ('counters' in message) {
        counters = message.counters
        return
      }
      counters = message.tally.counters
      resolve(unpackTally(message.tally))
      child.disconnect()
    },
    onExit() {
      // Too late to matter after a tally; before it, its streams are lost and are counted so.
      const lost = newTally()
      addCounters(lost.counters, counters)
      lost.counters.closed = counters.opened
      lost.counters.failed = share.connections - counters.opened
      lost.errors['worker_died'] = share.connections
      resolve(lost)
    },
  })
  // A worker that has ended, with or without a tally, can no longer be told anything.
  const send = (message: ToWorker): void => {
    if (child.exitCode === null && child.signalCode === null) child.send(message)
  }
  send({ start: share })
  const stop = () => {
    send({ stop: true })
    // One that hangs must not keep the others' report; its end is told as a worker's death.
    const { settleMsMax, reportMsMax } = floodLimits
    const timer = setTimeout(() => child.kill('SIGKILL'), settleMsMax + reportMsMax)
    tally.finally(() => clearTimeout(timer))
  }
  return { counters: () => counters, stop, tally }
}
