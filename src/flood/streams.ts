// What a process knows of its streams: numbers by index in typed arrays, since there are a million
// of them and each object would cost a hundred bytes.

import { ResponseStates } from './response.ts'

/**
 * `connecting` until the first byte of the response; then `open`, or `slow` if it has stopped
 * reading, or `vanished` if it was dropped without FIN or RST. `over` in the end.
 */
export const STREAM = { connecting: 0, open: 1, slow: 2, vanished: 3, over: 4 } as const

type StreamState = (typeof STREAM)[keyof typeof STREAM]

export class Streams {
  /** Those that have been begun: the ones below this index. */
  begun = 0
  readonly count: number
  readonly responses: ResponseStates
  readonly #states: Uint8Array
  readonly #wereOpen: Uint8Array

  constructor(count: number) {
    this.count = count
    this.responses = new ResponseStates(count)
    this.#states = new Uint8Array(count)
    this.#wereOpen = new Uint8Array(count)
  }

  stateOf(index: number): StreamState {
    return this.#states[index] as StreamState
  }

  /** Has the stream been open, since it was begun for the first time? */
  wasOpen(index: number): boolean {
    return this.#wereOpen[index] === 1
  }

  begin(index: number): void {
    this.begun = Math.max(this.begun, index + 1)
    this.set(index, STREAM.connecting)
    this.responses.reset(index)
  }

  set(index: number, state: StreamState): void {
    this.#states[index] = state
    if (state === STREAM.open) this.#wereOpen[index] = 1
    if (state === STREAM.over) this.responses.reset(index)
  }
}
