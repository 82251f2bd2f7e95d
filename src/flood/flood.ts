// A whole flood: resolves the server's name, splits the work over processes, adds up what they
// have seen. If one process will do, the work is done here, unless it is to be apart.

import { lookup } from 'node:dns/promises'
import type { Clock } from '../core/clock.ts'
import { settledWithin } from '../core/deadline.ts'
import { type Load, LoadWatch } from '../core/loop.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { SUBPROCESS_ENVIRONMENT, SUBPROCESS_SESSION } from '../os/subprocess.ts'
import { FloodClient } from './client.ts'
import type { IdRange } from './openids.ts'
import { type FloodOptions, parseTemplate, type Share, sharesOf, type Target } from './plan.ts'
import { type FloodSample, floodSample } from './sample.ts'
import type { Counters, Telling } from './tally.ts'
import { Totals } from './totals.ts'
import type { FromWorker, ToWorker } from './worker.ts'

/** A flood under way. */
export interface Flood {
  readonly processes: number
  /** What has been seen so far; of other processes it may be a second old. */
  counters(): Counters
  /** The same, with the latency of what came since the last call. */
  sample(): FloodSample
  /** Ends the run; what is under way is still read. */
  stop(): void
  /** Settles when the run is over. */
  readonly totals: Promise<Totals>
}

/** A flood that is to end, and whose streams are still open. */
export interface EndingFlood {
  counters(): Counters
  /** Ids of the streams that it believes to be open; see {@link FloodClient.listOpen}. */
  listOpen(): Promise<readonly IdRange[]>
}

/** One process of a flood, here or elsewhere. */
interface Part {
  /** Has it tell what is new, if that can be had at once. */
  ask(): void
  /** None of a process that has ended or does not answer. */
  listOpen(): Promise<readonly IdRange[]>
  stop(): void
  readonly over: Promise<void>
}

/** Where a part's tellings go. */
interface Ear {
  hear(telling: Telling): void
  hearOfDeath(): void
}

/** Finds the server that a URL template names; answers why not otherwise. */
export async function findTarget(template: string): Promise<Target | string> {
  const parsed = parseTemplate(template)
  if (typeof parsed === 'string') return parsed
  const { hostname, ...rest } = parsed
  try {
    const { lookupMsMax } = floodLimits
    const found = await settledWithin(lookup(hostname), lookupMsMax)
    return found === undefined
      ? `${hostname} has not been resolved for ${lookupMsMax} ms`
      : { ...rest, address: found.address }
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
 * @param beforeEnd done when the run is to end, before any stream is closed; null for nothing
 * @returns the flood, or why it cannot be had
 */
export function startFlood(
  options: FloodOptions,
  openFilesLimit: number,
  portOffset: number,
  command: readonly string[],
  clock: Clock,
  beforeEnd: ((flood: EndingFlood) => Promise<void>) | null = null,
): Flood | string {
  const shares = sharesOf(options, openFilesLimit, portOffset)
  if (typeof shares === 'string') return shares
  const totals = new Totals(shares.length)
  const startedMs = clock.elapsedMs()
  const isLocal = shares.length === 1 && !options.apart
  const parts = shares.map((share, at) => {
    const ear: Ear = {
      hear: (telling) => totals.hear(at, telling),
      hearOfDeath: () => totals.hearOfDeath(at, share.connections),
    }
    return isLocal ? localPart(share, ear, clock) : remotePart(share, ear, command)
  })
  const counters = () => {
    for (const part of parts) part.ask()
    return totals.counters
  }
  const listOpen = async () => {
    return (await Promise.all(parts.map((part) => part.listOpen()))).flat()
  }
  const stopParts = () => {
    for (const part of parts) part.stop()
  }
  let isEnding = false
  const stop = () => {
    if (isEnding) return
    isEnding = true
    if (beforeEnd === null) stopParts()
    else beforeEnd({ counters, listOpen }).finally(stopParts)
  }
  const timer = options.durationMs === null ? null : setTimeout(stop, options.durationMs)
  const settled = () => counters().settled >= options.connections
  const hold = options.holdMs === null ? null : holdFor(options.holdMs, settled, stop)
  return {
    processes: parts.length,
    counters,
    sample: () => {
      const moment = { elapsedMs: clock.elapsedMs() - startedMs, nowMs: clock.nowMs() }
      return floodSample(moment, counters(), totals.errors, totals.takeRecentLatency())
    },
    stop,
    totals: Promise.all(parts.map(({ over }) => over)).then(() => {
      if (timer !== null) clearTimeout(timer)
      hold?.()
      return totals
    }),
  }
}

/**
 * Stops the run some time after all streams are open or have failed.
 *
 * @returns gives up waiting
 */
function holdFor(holdMs: number, settled: () => boolean, stop: () => void): () => void {
  let timer: Timer | null = null
  const look = setInterval(() => {
    if (timer === null && settled()) timer = setTimeout(stop, holdMs)
    if (timer !== null) clearInterval(look)
  }, floodLimits.lookEveryMsMax)
  return () => {
    clearInterval(look)
    if (timer !== null) clearTimeout(timer)
  }
}

function localPart(share: Share, ear: Ear, clock: Clock): Part {
  const client = new FloodClient(share, clock)
  client.start()
  const watch = new LoadWatch(clock, floodLimits.tellEveryMs)
  const tell = (load: Load | null) => ear.hear(client.tally.tell(load))
  const timer = setInterval(() => tell(watch.look()), floodLimits.tellEveryMs)
  return {
    ask: () => tell(null),
    listOpen: async () => client.listOpen(),
    stop: () => {
      client.stop()
    },
    over: client.finished.then(() => {
      clearInterval(timer)
      ear.hear(client.tally.tell(null, client.arrivals))
    }),
  }
}

function remotePart(share: Share, ear: Ear, command: readonly string[]): Part {
  const { promise, resolve } = Promise.withResolvers<void>()
  let isOver = false
  let isConnected = true
  let listed = Promise.withResolvers<readonly IdRange[]>()
  const child = Bun.spawn([...command], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
    env: { ...process.env, ...SUBPROCESS_ENVIRONMENT },
    ...SUBPROCESS_SESSION,
    ipc(message: FromWorker) {
      if ('open' in message) {
        listed.resolve(message.open)
        return
      }
      ear.hear(message.telling)
      if (!message.over) return
      isOver = true
      resolve()
      child.disconnect()
    },
    onDisconnect() {
      isConnected = false
    },
    onExit() {
      if (!isOver) ear.hearOfDeath()
      resolve()
    },
  })
  // A worker that has told all, or has ended, can no longer be told anything.
  const send = (message: ToWorker): void => {
    const hasEnded = child.exitCode !== null || child.signalCode !== null
    if (!isOver && isConnected && !hasEnded) child.send(message)
  }
  send({ start: share })
  const stop = () => {
    send({ stop: true })
    // One that hangs must not keep the others' report; its end is told as a worker's death.
    const { settleMsMax, reportMsMax } = floodLimits
    const timer = setTimeout(() => child.kill('SIGKILL'), settleMsMax + reportMsMax)
    promise.finally(() => clearTimeout(timer))
  }
  const listOpen = async () => {
    listed = Promise.withResolvers()
    send({ listOpen: true })
    const ended = promise.then(() => [])
    return (await settledWithin(Promise.race([listed.promise, ended]), floodLimits.listMsMax)) ?? []
  }
  // Another process tells by itself.
  return { ask: () => undefined, listOpen, stop, over: promise }
}
