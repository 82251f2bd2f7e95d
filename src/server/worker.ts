// A worker process: holds streams like a server of one process, but shares the public port, and has
// its parent where that has router and control port.

import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { capacityOf } from '../http/capacity.ts'
import { openFilesLimit } from '../os/descriptors.ts'
import { endWithParent, yieldToOthers } from '../os/process.ts'
import { openPublicPort } from '../public/port.ts'
import { type Held, runWorkerEnd, type ToParent } from '../workers/child.ts'
import type { WorkerStart } from '../workers/protocol.ts'

/** Runs until the parent has drained it, or is gone. */
export async function runWorker(log: Log, clock: Clock): Promise<void> {
  // The link tells too, but only a process that still runs.
  endWithParent()
  const { promise, resolve } = Promise.withResolvers<void>()
  await runWorkerEnd({
    onEnd: resolve,
    logLinesDropped: () => log.dropped,
    hold: (start, to) => hold(start, to, log, clock),
  })
  return promise
}

function hold(start: WorkerStart, to: ToParent, log: Log, clock: Clock): Held | string {
  if (start.sharesCores) yieldToOthers()
  const filesLimit = openFilesLimit()
  const result = openPublicPort({
    addresses: start.addresses,
    isShared: true,
    capacity: capacityOf(filesLimit, start.streamsMax),
    openFilesLimit: filesLimit,
    rules: start.rules,
    headTimeoutMs: start.headTimeoutMs,
    keepaliveMs: start.keepaliveMs,
    log,
    clock,
    onBug: (error) => log.bug(error),
    pendingStreams: to.pendingStreamsOf,
    limiter: to.limiter,
  })
  if (!result.ok) return `the public port ${result.why}`
  const { publicPort } = result
  const { pendingStreams } = publicPort
  if (pendingStreams === null) throw new Error('a worker holds streams without pending streams')
  publicPort.watch(null)
  return {
    store: publicPort.streams,
    pendingStreams,
    figures: () => publicPort.figures(),
    drain: (pace) => publicPort.drain(pace),
    change: (rules) => {
      const why = publicPort.change(rules)
      if (why !== null) log.error('renew_failed', `The public port cannot be opened again: ${why}.`)
    },
  }
}
