// One open response of one user: what the store keeps of it, and what a transport adds. They are
// one object, since each object more is one more place in memory that a delivery has to visit.

import type { Frame } from './frame.ts'
import type { Outbox } from './outbox.ts'
import type { CloseReason, Sink, WriteResult } from './sink.ts'

/**
 * What every transport's streams extend. The fields are the store's: it alone changes them, from
 * `add` on. A million of these must be affordable.
 */
export abstract class Stream implements Sink {
  user = 0
  openedAtMs = 0
  state: 'opening' | 'open' | CloseReason = 'opening'
  /** What waits because the socket is full; null as long as everything is sent at once. */
  outbox: Outbox | null = null
  /** The same user's other streams, as a chain that begins in the store's table. */
  next: Stream | null = null
  previous: Stream | null = null

  /** Sends what a transport sends before all frames, once, when the stream is known to the router. */
  abstract welcome(): void
  abstract write(frame: Frame): WriteResult
  abstract close(reason: CloseReason): void
}
