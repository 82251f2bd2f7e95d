// Real sockets and system calls, for tests of what writes to them and waits for them.

import { type DescriptorCalls, descriptorCalls } from './epoll.ts'
import { openCLibrary } from './libc.ts'

const library = openCLibrary({
  socketpair: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
})

/** Can this system make one here? */
export const hasPairs = library !== null

const AF_UNIX = 1
const SOCK_STREAM = 1

/** The descriptors of two open sockets that are connected with each other. */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2)
  if (library?.symbols.socketpair(AF_UNIX, SOCK_STREAM, 0, pair) !== 0) {
    throw new Error('the system has no socket pair to spare')
  }
  const [one = -1, other = -1] = pair
  return [one, other]
}

/** A socket pair that is closed with its test. */
export class DescriptorPair implements Disposable {
  readonly #calls: DescriptorCalls
  readonly first: number
  readonly second: number

  constructor(calls: DescriptorCalls) {
    this.#calls = calls
    ;[this.first, this.second] = socketPair()
  }

  [Symbol.dispose](): void {
    this.#calls.close(this.first)
    this.#calls.close(this.second)
  }
}

/** The real system calls. */
export function newCalls(eventsMax = 8): DescriptorCalls {
  const calls = descriptorCalls(eventsMax)
  if (calls === null) throw new Error('there are no system calls')
  return calls
}
