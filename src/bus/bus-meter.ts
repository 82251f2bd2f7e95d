// What became of what this node has published and read since its start: counts that never fall.

import { Histogram } from '../core/histogram.ts'
import { zeroCounts } from '../hub/refusals.ts'
import type { PublishRefusal } from '../log/message-bus.ts'

/** A round trip takes about a millisecond; an outage, as long as a message may wait. */
export const ROUND_TRIP_BOUNDS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/** Why a publication has no place in the log, with what that means. A bus that ends counts none. */
export const BUS_REFUSALS: Readonly<Record<Exclude<PublishRefusal, 'closed'>, string>> = {
  full: 'Refused at once: too many wait for Redis.',
  unavailable: 'Waited for as long as they may, and were not sent.',
  unknown: 'Were sent, and may still come: nobody knows.',
  conflict: 'The key of the message was that of another one.',
  limit: 'The user would follow more subjects than are allowed.',
}

export class BusMeter {
  /** From sending a batch of this node to reading it back. */
  readonly roundTripSeconds = new Histogram(ROUND_TRIP_BOUNDS_SECONDS)
  /** Messages and requests to change subscriptions. */
  readonly refused = zeroCounts(BUS_REFUSALS)
  /** Batches of this node that Redis has taken. */
  added = 0
  /** Entries of all nodes that were read. */
  read = 0

  countRefused(why: PublishRefusal, count: number): void {
    if (why !== 'closed') this.refused[why] += count
  }
}
