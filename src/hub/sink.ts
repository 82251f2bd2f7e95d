// What the store needs of a connection, and nothing more: a place for bytes, and a way to end it.
// Each transport fulfils it; another kind of connection can be put under the same store.

import type { Frame } from './frame.ts'

/**
 * What became of a frame: `sent` to the kernel; `queued`, all or in part, because the socket is
 * full; or `gone`, because the client is.
 */
export type WriteResult = 'sent' | 'queued' | 'gone'

/** Why a stream ended: the client left, it read too slowly, or the server drained. */
export type CloseReason = 'client' | 'slow' | 'drained'

export interface Sink {
  /**
   * Takes one frame, as one message of its own. Hot path: once a delivery. After it answered
   * `queued`, the sink tells the store by `flushed` once the frame is out, and until then gets no
   * other, but for what waits when the stream is drained.
   */
  write(frame: Frame): WriteResult

  /** Ends the connection: a `slow` one at once, any other after what it took, with a proper end. */
  close(reason: CloseReason): void
}
