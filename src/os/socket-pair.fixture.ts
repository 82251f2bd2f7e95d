// Real sockets and system calls, for tests of what waits for them.

import { type DescriptorCalls, descriptorCalls } from './epoll.ts'
import { openCLibrary } from './libc.ts'

const library = openCLibrary({
  socketpair: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
})

const AF_UNIX = 1
const SOCK_STREAM = 1

/** Two sockets that are connected with each other. */
export class SocketPair implements Disposable {
  readonly #calls: DescriptorCalls
  readonly first: number
  readonly second: number

  constructor(calls: DescriptorCalls) {
    this.#calls = calls
    const pair = new Int32Array(2)
    if (library?.symbols.socketpair(AF_UNIX, SOCK_STREAM, 0, pair) !== 0) throw new Error('no pair')
    const [first = -1, second = -1] = pair
    this.first = first
    this.second = second
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
