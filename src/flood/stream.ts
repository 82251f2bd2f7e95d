// One stream of a flood as its process knows it. Fields only, and few: there are a million of them.
// What is done with it is the client's.

import type { Socket } from 'bun'
import { ResponseReader } from './response.ts'

/**
 * `connecting` until the first byte of the answer; then `open`, or what it was chosen to be: `slow`
 * reads no more, `vanished` is gone without the server being told. `over` in the end.
 */
export type StreamState = 'connecting' | 'open' | 'slow' | 'vanished' | 'over'

export class FloodStream extends ResponseReader {
  readonly index: number
  /** It was open, or one of the same index was before it. */
  wasOpen: boolean
  state: StreamState = 'connecting'
  socket: Socket<FloodStream> | null = null

  constructor(index: number, wasOpen: boolean) {
    super()
    this.index = index
    this.wasOpen = wasOpen
  }
}
