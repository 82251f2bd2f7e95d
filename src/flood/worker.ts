// A flood process that another one started: takes its share over Bun's IPC, tells once a second
// what is new, and all that is left to tell when it is over. Without its parent it ends.

import type { Clock } from '../core/clock.ts'
import { type Load, LoadWatch } from '../core/loop.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { FloodClient } from './client.ts'
import type { IdRange } from './openids.ts'
import type { Share } from './plan.ts'
import type { Telling } from './tally.ts'

export type ToWorker =
  | { readonly start: Share }
  | { readonly listOpen: true }
  | { readonly stop: true }
export type FromWorker =
  | {
      readonly telling: Telling
      /** Nothing more will come. */
      readonly over: boolean
    }
  | { readonly open: readonly IdRange[] }

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
    if ('listOpen' in message) {
      send({ open: client?.listOpen() ?? [] })
      return
    }
    client = new FloodClient(message.start, clock)
    client.start()
    tellParent(client, clock)
  })
  return promise
}

function send(message: FromWorker): void {
  process.send?.(message)
}

function tellParent(client: FloodClient, clock: Clock): void {
  const { tally, finished } = client
  const watch = new LoadWatch(clock, floodLimits.tellEveryMs)
  const tell = (load: Load | null, over: boolean): void => {
    send({ telling: tally.tell(load, over ? client.arrivals : []), over })
  }
  const collector = new Collector(clock)
  let told = 0
  const timer = setInterval(() => {
    // A million silent streams are to cost nothing.
    const load = watch.look()
    if (tally.events === told) return
    told = tally.events
    tell(load, false)
    collector.look(tally.counters.chunks)
  }, floodLimits.tellEveryMs)
  finished.then(() => {
    clearInterval(timer)
    // The parent disconnects once it has this, which ends this process.
    tell(null, true)
  })
}

/**
 * Collects what was read, at rest between two tellings. Left alone the heap grows by a third before
 * it is collected, and fifty processes wait for that at once: 0.4 GiB with a million streams.
 */
class Collector {
  readonly #clock: Clock
  #chunks = 0
  #atMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#atMs = clock.elapsedMs()
  }

  /** @param chunks that have been read in all */
  look(chunks: number): void {
    const nowMs = this.#clock.elapsedMs()
    const { collectChunks, collectMsMin } = floodLimits
    if (chunks - this.#chunks < collectChunks || nowMs - this.#atMs < collectMsMin) return
    this.#chunks = chunks
    this.#atMs = nowMs
    Bun.gc(true)
  }
}
