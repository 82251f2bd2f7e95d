// A worker process: the public port like that of a server of one process, but shared, with its
// router in the parent.

import { capacityOf } from '../core/capacity.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { recentLogLimits } from '../core/recent-log-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { CurrentSettings } from '../hub/settings.ts'
import { openFilesLimit } from '../os/descriptors.ts'
import { endWithParent, runAfterOthers, yieldToOthers } from '../os/process.ts'
import { openPublicPort, type PublicPortOptions } from '../public/port.ts'
import { isHandle } from '../subscriptions/name-table.ts'
import { type Parent, runChild, type WorkerPort } from '../workers/child.ts'
import type { WorkerStart } from '../workers/protocol.ts'
import { openStreamWire } from './stream-wire.ts'

/** Runs until the parent has drained it, or has ended. */
export async function runWorker(log: Log, clock: Clock): Promise<void> {
  // The end of the link is seen only by a process whose loop still turns.
  endWithParent()
  const { promise, resolve } = Promise.withResolvers<void>()
  let reported = 0
  await runChild({
    onEnd: resolve,
    logLinesDropped: () => log.dropped,
    newLogLines: () => {
      const { lines, last } = log.recent.after(reported, recentLogLimits.workerLinesMax)
      reported = last
      return lines
    },
    open: (start, parent) => open(start, parent, { log, clock }),
  })
  return promise
}

type WorkerProcess = Pick<PublicPortOptions, 'log' | 'clock'>

async function open(
  start: WorkerStart,
  parent: Parent,
  { log, clock }: WorkerProcess,
): Promise<Result<WorkerPort>> {
  const { addresses, sharesCores, isOfCrowd } = start
  log.change(start.config)
  if (sharesCores) yieldToOthers()
  if (isOfCrowd) runAfterOthers()
  const filesLimit = openFilesLimit()
  const settings = new CurrentSettings(start.config)
  const opened = openPublicPort({
    ...{ addresses, isShared: true, isOfCrowd, settings, openFilesLimit: filesLimit },
    capacity: capacityOf(filesLimit, start.config.streamsMax),
    ...(await openStreamWire(start.config, log, clock)),
    ...{ log, clock, onBug: (error) => log.bug(error) },
    limiter: parent.limiter,
    // The parent has the names.
    subjectOf: (user) => (isHandle(user) ? 'with a name' : user),
    redeem: parent.redeem,
    refreshKeys: parent.refreshKeys,
    // The parent has it, too.
    feed: null,
    router: { registryOf: parent.registryOf },
  })
  if (!opened.ok) return refused(`the public port ${opened.why}`)
  const port = opened.value
  port.watch(null)
  return success({
    store: port.streams,
    figures: () => port.processFigures(),
    drain: (pace) => port.drain(pace),
    ready: (isReady) => {
      port.isReady = isReady
    },
    change: (config) => {
      log.change(config)
      const prepared = port.prepare(config)
      if (prepared.ok) settings.replace(config)
      else log.error('renew_failed', `The public port cannot be opened again: ${prepared.why}.`)
    },
  })
}
