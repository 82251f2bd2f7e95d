// A flood process that another one started: takes its share over Bun's IPC, says once a second how
// far it is, and answers with its tally. Without its parent it ends.

import type { Clock } from '../core/clock.ts'
import { FloodClient } from './client.ts'
import type { Share } from './plan.ts'
import { type Counters, type PackedTally, packTally } from './tally.ts'

export type ToWorker = { readonly start: Share } | { readonly stop: true }
export type FromWorker = { readonly counters: Counters } | { readonly tally: PackedTally }

/** How often a worker tells its counters; what is shown once a second should not be older. */
const TELL_EVERY_MS = 250

/** Runs one share; settles when its tally has been sent or the parent is gone. */
export function runFloodWorker(clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let client: FloodClient | null = null
  const send = (message: FromWorker): void => {
    process.send?.(message)
  }
  process.on('disconnect', resolve)
  process.on('message', (message: ToWorker) => {
    if ('stop' in message) {
      client?.stop()
      return
    }
    const started = new FloodClient(message.start, clock)
    client = started
    started.start()
    const timer = setInterval(() => send({ counters: started.tally.counters }), TELL_EVERY_MS)
    started.finished.then(() => {
      clearInterval(timer)
      send({ tally: packTally(started.tally) })
      // The parent disconnects once it has the tally, which ends this process.
    })
  })
  return promise
}
