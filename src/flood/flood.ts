// A whole flood: resolves the server's name, splits the streams over processes, adds up their
// reports.

import { lookup } from 'node:dns/promises'
import type { Histogram } from 'hdr-histogram-js'
import type { Clock } from '../core/clock.ts'
import { settledWithin } from '../core/deadline.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { openFilesLimit } from '../os/descriptors.ts'
import { isCrowd } from '../os/process.ts'
import { subprocessCommand } from '../os/subprocess.ts'
import type { IdRange } from './client.ts'
import { checkDescriptors } from './descriptor-check.ts'
import { childProcess, localProcess, type ProcessListener } from './flood-process.ts'
import { type FloodSample, floodSample } from './flood-report.ts'
import { type FloodOptions, parseTemplate, sharesOf, type Target } from './plan.ts'
import type { Counters } from './process-stats.ts'
import { Totals } from './totals.ts'

/** A flood under way. */
export interface Flood {
  readonly processes: number
  /** Why connections are sockets of Bun, if they are. */
  readonly descriptors: Result<void>
  /** Counters so far; those of child processes may be a second old. */
  counters(): Counters
  /** The same, with the latency of what came since the last call. */
  sample(): FloodSample
  /** The latency alone, of what came since the last call or sample. */
  takeLatency(): Histogram
  /** Ends the run; bytes under way are still read. */
  stop(): void
  /** Resolves when the run is over. */
  readonly totals: Promise<Totals>
}

/** A flood that is about to end, whose streams are still open. */
export interface EndingFlood {
  counters(): Counters
  /** Ids of the streams that the client believes to be open; see `listOpen` of client.ts. */
  listOpen(): Promise<readonly IdRange[]>
}

/** Resolves the host of a URL template. */
export async function findTarget(template: string): Promise<Result<Target>> {
  const parsed = parseTemplate(template)
  if (!parsed.ok) return parsed
  const { hostname, ...rest } = parsed.value
  try {
    const { lookupMsMax } = floodLimits
    const found = await settledWithin(lookup(hostname), lookupMsMax)
    return found === undefined
      ? refused(`${hostname} has not been resolved within ${lookupMsMax} ms`)
      : success({ ...rest, address: found.address })
  } catch (error) {
    return refused(`${hostname} cannot be resolved (${codeOf(error) ?? 'no address'})`)
  }
}

/**
 * Starts a flood: in this process if one is enough, unless it must have its own.
 *
 * @param beforeEnd awaited when the run ends, before any stream is closed
 * @param check do connections work as descriptors?
 */
export async function startFlood(
  options: FloodOptions,
  clock: Clock,
  beforeEnd: ((flood: EndingFlood) => Promise<void>) | null = null,
  check: () => Promise<Result<void>> = () => checkDescriptors(clock),
): Promise<Result<Flood>> {
  // Elsewhere in the range of local ports than the last run, whose ports may linger.
  const portOffset = Math.floor(Math.random() * (floodLimits.portLast - floodLimits.portFirst))
  const descriptors = await check()
  const dealt = sharesOf(options, {
    openFilesLimit: openFilesLimit(),
    portOffset,
    onDescriptors: descriptors.ok,
  })
  if (!dealt.ok) return dealt
  const shares = dealt.value
  const totals = new Totals(shares.length)
  const startedMs = clock.elapsedMs()
  const command = subprocessCommand('flood-worker')
  const isLocal = shares.length === 1 && !options.inOwnProcess
  const processes = shares.map((share, at) => {
    const listener: ProcessListener = {
      onReport: (report) => totals.onReport(at, report),
      onExit: () => totals.onExit(at, share.connections),
    }
    return isLocal
      ? localProcess(share, listener, clock)
      : childProcess(share, listener, command, isCrowd(shares.length))
  })
  const counters = () => {
    for (const process of processes) process.poll()
    return totals.counters
  }
  const listOpen = async () => {
    return (await Promise.all(processes.map((process) => process.listOpen()))).flat()
  }
  const stopProcesses = () => {
    for (const process of processes) process.stop()
  }
  let isEnding = false
  const stop = () => {
    if (isEnding) return
    isEnding = true
    if (beforeEnd === null) stopProcesses()
    else beforeEnd({ counters, listOpen }).finally(stopProcesses)
  }
  const timer = options.durationMs === null ? null : setTimeout(stop, options.durationMs)
  const isSettled = () => counters().settled >= options.connections
  const { storm, holdMs } = options
  let cancelHold = holdMs === null ? null : afterHold(holdMs, isSettled, stop)
  if (storm !== null) {
    const lastMs = holdMs ?? floodLimits.stormHoldMs
    const isOver = () => {
      for (const process of processes) process.poll()
      return totals.storm?.isOver === true
    }
    cancelHold?.()
    cancelHold = afterHold(lastMs, isSettled, () => {
      for (const process of processes) process.storm()
      cancelHold = afterHold(lastMs, isOver, stop)
    })
  }
  const flood: Flood = {
    processes: processes.length,
    descriptors,
    counters,
    sample: () => {
      const moment = { elapsedMs: clock.elapsedMs() - startedMs, nowMs: clock.nowMs() }
      return floodSample(moment, counters(), totals.errors, totals.takeRecentLatency())
    },
    takeLatency: () => {
      counters()
      return totals.takeRecentLatency()
    },
    stop,
    totals: Promise.all(processes.map(({ over }) => over)).then(() => {
      if (timer !== null) clearTimeout(timer)
      cancelHold?.()
      return totals
    }),
  }
  return success(flood)
}

/**
 * Does something some time after a condition is met, as when all streams are open or have failed.
 *
 * @returns cancels it
 */
function afterHold(holdMs: number, isMet: () => boolean, then: () => void): () => void {
  let timer: Timer | null = null
  const check = setInterval(() => {
    if (timer === null && isMet()) timer = setTimeout(then, holdMs)
    if (timer !== null) clearInterval(check)
  }, floodLimits.checkEveryMsMax)
  return () => {
    clearInterval(check)
    if (timer !== null) clearTimeout(timer)
  }
}
