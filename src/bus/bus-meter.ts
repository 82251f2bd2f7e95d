// Counters of what this node has published and read since its start.

import { Histogram } from '../core/histogram.ts'
import { zeroCounts } from '../hub/refusals.ts'
import type { PublishRefusal } from '../log/message-bus.ts'

/** Up to the longest wait in the queue; a usual round trip takes about a millisecond. */
export const ROUND_TRIP_BOUNDS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/** Why a publication is not added to the log, with its description. `closed` is not counted. */
export const BUS_REFUSALS: Readonly<Record<Exclude<PublishRefusal, 'closed'>, string>> = {
  full: 'Refused at once: the publish queue is full.',
  unavailable: 'Waited for the time limit, and were not sent.',
  unknown: 'Were sent without an answer; they may be in the log.',
  conflict: 'The key is that of another message.',
  limit: 'The user would follow more subjects than are allowed.',
}

export class BusMeter {
  /** From sending a batch of this node to reading it back. */
  readonly roundTripSeconds = new Histogram(ROUND_TRIP_BOUNDS_SECONDS)
  /** Messages and requests to change subscriptions. */
  readonly refused = zeroCounts(BUS_REFUSALS)
  /** Batches of this node that Redis has accepted. */
  added = 0
  /** Entries of all nodes that were read. */
  read = 0

  countRefused(why: PublishRefusal, count: number): void {
    if (why !== 'closed') this.refused[why] += count
  }
}
