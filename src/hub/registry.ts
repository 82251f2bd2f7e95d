// Where a transport brings its streams, and tells what becomes of them. The store is one, when the
// router is in the same process; in a worker a stream waits first until the router knows of it.

import type { Stream } from './stream.ts'

export interface StreamRegistry {
  /**
   * Takes a new stream of a user. It is welcomed once the router knows of it, now or a moment
   * later; so a client that has read its welcome gets everything that is published from then on.
   */
  enter(user: number, stream: Stream): void
  /** The sink has sent the frame that it had queued. */
  flushed(stream: Stream): void
  /** The client has gone away, before or after it was welcomed. */
  left(stream: Stream): void
}
