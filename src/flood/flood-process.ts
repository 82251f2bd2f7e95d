// One process of a flood, which runs a share of it: this process, or a child process that gets its
// share over Bun's IPC, reports once a second, and ends without its parent.

import type { Clock } from '../core/clock.ts'
import { settledWithin } from '../core/deadline.ts'
import { type Load, LoadWatch } from '../core/loop.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { runAfterOthers } from '../os/process.ts'
import { SUBPROCESS_ENVIRONMENT, SUBPROCESS_SESSION } from '../os/subprocess.ts'
import { FloodClient, type IdRange } from './client.ts'
import type { Share } from './plan.ts'
import type { ProcessReport } from './process-stats.ts'

/** One process of a flood as the flood sees it. */
export interface FloodProcess {
  /** Requests a report now, where that is possible at once. */
  poll(): void
  /** Cuts its share of a storm's streams. */
  storm(): void
  /** Ids of its open streams; none of a process that has ended or does not reply. */
  listOpen(): Promise<readonly IdRange[]>
  stop(): void
  readonly over: Promise<void>
}

export interface ProcessListener {
  onReport(report: ProcessReport): void
  /** It ended without its last report. */
  onExit(): void
}

type ToWorker =
  | { readonly start: Share; readonly isOfCrowd: boolean }
  | { readonly listOpen: true }
  | { readonly storm: true }
  | { readonly stop: true }
type FromWorker =
  | {
      readonly report: ProcessReport
      /** It is the last one. */
      readonly isLast: boolean
    }
  | { readonly open: readonly IdRange[] }

/** Runs a share in this process. */
export function localProcess(share: Share, listener: ProcessListener, clock: Clock): FloodProcess {
  const client = new FloodClient(share, clock)
  client.start()
  const watch = new LoadWatch(clock, floodLimits.reportEveryMs)
  const report = (load: Load | null) => listener.onReport(client.stats.report(load))
  const timer = setInterval(() => report(watch.look()), floodLimits.reportEveryMs)
  return {
    poll: () => report(null),
    storm: () => client.storm(),
    listOpen: async () => client.listOpen(),
    stop: () => {
      client.stop()
    },
    over: client.finished.then(() => {
      clearInterval(timer)
      listener.onReport(client.stats.report(null, client.arrivals))
    }),
  }
}

/**
 * Runs a share in a child process.
 *
 * @param command starts this program as a flood worker
 * @param isOfCrowd are there very many of them?
 */
export function childProcess(
  share: Share,
  listener: ProcessListener,
  command: readonly string[],
  isOfCrowd: boolean,
): FloodProcess {
  const { promise: over, resolve } = Promise.withResolvers<void>()
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
      listener.onReport(message.report)
      if (!message.isLast) return
      isOver = true
      resolve()
      child.disconnect()
    },
    onDisconnect() {
      isConnected = false
    },
    onExit() {
      if (!isOver) listener.onExit()
      resolve()
    },
  })
  // Nothing can be sent to a worker that has sent its last report, or has ended.
  const send = (message: ToWorker): void => {
    const hasEnded = child.exitCode !== null || child.signalCode !== null
    if (!isOver && isConnected && !hasEnded) child.send(message)
  }
  send({ start: share, isOfCrowd })
  return {
    // It reports by itself.
    poll: () => undefined,
    storm: () => send({ storm: true }),
    listOpen: async () => {
      listed = Promise.withResolvers()
      send({ listOpen: true })
      const none = over.then(() => [])
      return (
        (await settledWithin(Promise.race([listed.promise, none]), floodLimits.listMsMax)) ?? []
      )
    },
    stop: () => {
      send({ stop: true })
      // One that hangs must not delay the report of the others; it counts as a worker that died.
      const { returnMsMax, settleMsMax, reportMsMax } = floodLimits
      const endMsMax = returnMsMax + settleMsMax + reportMsMax
      const timer = setTimeout(() => child.kill('SIGKILL'), endMsMax)
      over.finally(() => clearTimeout(timer))
    },
    over,
  }
}

/** The child process: runs its share, and resolves when all is reported or the parent is gone. */
export function runFloodWorker(clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let client: FloodClient | null = null
  process.on('disconnect', resolve)
  process.on('message', (message: ToWorker) => {
    if ('stop' in message) {
      client?.stop()
      return
    }
    if ('storm' in message) {
      client?.storm()
      return
    }
    if ('listOpen' in message) {
      send({ open: client?.listOpen() ?? [] })
      return
    }
    if (message.isOfCrowd) runAfterOthers()
    client = new FloodClient(message.start, clock)
    client.start()
    reportToParent(client, clock)
  })
  return promise
}

function send(message: FromWorker): void {
  process.send?.(message)
}

function reportToParent(client: FloodClient, clock: Clock): void {
  const { stats, finished } = client
  const watch = new LoadWatch(clock, floodLimits.reportEveryMs)
  let reported = 0
  let collected = { chunks: 0, atMs: clock.elapsedMs() }
  // Otherwise the heap grows by a third before it is collected, in fifty processes at once: 0.4 GiB
  // with a million streams.
  const collectGarbage = () => {
    const { chunks } = stats.counters
    const atMs = clock.elapsedMs()
    const { collectChunks, collectMsMin } = floodLimits
    if (chunks - collected.chunks < collectChunks || atMs - collected.atMs < collectMsMin) return
    collected = { chunks, atMs }
    Bun.gc(true)
  }
  const timer = setInterval(() => {
    const load = watch.look()
    // A million silent streams must cost nothing.
    if (stats.events === reported) return
    reported = stats.events
    send({ report: stats.report(load), isLast: false })
    collectGarbage()
  }, floodLimits.reportEveryMs)
  finished.then(() => {
    clearInterval(timer)
    // The parent disconnects once it has this, which ends this process.
    send({ report: stats.report(null, client.arrivals), isLast: true })
  })
}
