// What the store needs of a connection, and nothing more: a place for bytes, and a way to end it.
// Each transport fulfils it; another kind of connection can be put under the same store.

import type { Frame } from '../core/frame.ts'

/**
 * What became of a frame: `sent` to the kernel; `queued`, all or in part, because the socket is
 * full; or `gone`, because the client is.
 */
export type WriteResult = 'sent' | 'queued' | 'gone'

/** Why a stream ended: the client left, it read too slowly, or the server drained. */
export type CloseReason = 'client' | 'slow' | 'drained'

export interface Sink {
  /**
   * Hands one frame over, as one message of its own. Hot path: once a delivery.
   * After it answered `queued`, the sink calls {@link StreamStore.flushed} once all is out.
   */
  write(frame: Frame): WriteResult

  /** Ends the connection: a `slow` one at once, any other after what is queued, with a proper end. */
  close(reason: CloseReason): void
}
