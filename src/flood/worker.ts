// A flood process that another one started: takes its share over Bun's IPC, tells once a second
// what is new, and all that is left to tell when it is over. Without its parent it ends.

import type { Clock } from '../core/clock.ts'
import { floodLimits } from '../core/limits.ts'
import { FloodClient } from './client.ts'
import type { Share } from './plan.ts'
import type { Telling } from './tally.ts'

export type ToWorker = { readonly start: Share } | { readonly stop: true }
export interface FromWorker {
  readonly telling: Telling
  /** Nothing more will come. */
  readonly over: boolean
}

/** Runs one share; settles when all has been told or the parent is gone. */
export function runFloodWorker(clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let client: FloodClient | null = null
  process.on('disconnect', resolve)
  process.on('message', (message: ToWorker) => {
    if ('stop' in message) {
      client?.stop()
      return
    }
    client = new FloodClient(message.start, clock)
    client.start()
    tellParent(client)
  })
  return promise
}

function tellParent({ tally, finished }: FloodClient): void {
  const send = (over: boolean): void => {
    const message: FromWorker = { telling: tally.tell(), over }
    process.send?.(message)
  }
  let told = 0
  const timer = setInterval(() => {
    // A million silent streams are to cost nothing.
    if (tally.events === told) return
    told = tally.events
    send(false)
  }, floodLimits.tellEveryMs)
  finished.then(() => {
    clearInterval(timer)
    // The parent disconnects once it has this, which ends this process.
    send(true)
  })
}
