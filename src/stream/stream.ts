// One open response of one user. Plain data: the store alone changes it.

import type { CloseReason, Sink } from './sink.ts'

/** Fields only, so that a stream costs one small object; a million of them must be affordable. */
export class Stream {
  readonly user: number
  readonly sink: Sink
  readonly openedAtMs: number
  state: 'open' | CloseReason = 'open'
  /** Bytes and frames handed to the sink since it last had nothing queued. */
  queuedBytes = 0
  queuedFrames = 0
  /** The same user's other streams, as a chain that begins in the store's table. */
  next: Stream | null = null
  previous: Stream | null = null

  constructor(user: number, sink: Sink, openedAtMs: number) {
    this.user = user
    this.sink = sink
    this.openedAtMs = openedAtMs
  }
}
