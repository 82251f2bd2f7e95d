// Goal: a signal comes once for each request, whether the events are there before or after it, and
// leaves nothing behind. Method: a real epoll and sockets, with the kernel's asynchronous I/O.

import { describe, expect, test } from 'bun:test'
import { descriptors } from './descriptors.ts'
import { EPOLL } from './epoll.ts'
import { PollSignal } from './poll-signal.ts'
import { DescriptorPair, newCalls } from './socket-pair.fixture.ts'

/** An epoll of one socket, and its signal. */
class Watching implements Disposable {
  readonly calls = newCalls()
  readonly pair = new DescriptorPair(this.calls)
  readonly epoll = this.calls.openEpoll()
  /** One that watches the signal's descriptor, as Bun does. */
  readonly #outer = this.calls.openEpoll()
  readonly signal: PollSignal

  constructor() {
    this.calls.watch(this.epoll, true, this.pair.first, 1, EPOLL.in | EPOLL.edge)
    const signal = PollSignal.open(this.epoll)
    if (signal === null) throw new Error('this system has no asynchronous I/O')
    this.signal = signal
    this.calls.watch(this.#outer, true, signal.descriptor, 1, EPOLL.in)
  }

  get isSignalled(): boolean {
    return this.calls.wait(this.#outer) === 1
  }

  /** The other end sends something. */
  send(): void {
    this.calls.send(this.pair.second, new Uint8Array(1), 1)
  }

  [Symbol.dispose](): void {
    this.signal.close()
    for (const epoll of [this.epoll, this.#outer]) this.calls.close(epoll)
    this.pair[Symbol.dispose]()
  }
}

/** A sandbox may forbid what it takes. */
const hasSignals = (() => {
  if (process.platform !== 'linux') return false
  const calls = newCalls()
  const epoll = calls.openEpoll()
  const signal = PollSignal.open(epoll)
  signal?.close()
  calls.close(epoll)
  return signal !== null
})()

describe.if(hasSignals)('a signal', () => {
  test('comes for an event that follows its request, until it is cleared', () => {
    using watching = new Watching()
    const { signal } = watching
    expect([signal.request(), watching.isSignalled]).toEqual([true, false])
    watching.send()
    expect([watching.isSignalled, watching.isSignalled]).toEqual([true, true])
    signal.clear()
    expect(watching.isSignalled).toBe(false)
  })

  test('comes at once where events wait', () => {
    using watching = new Watching()
    const { signal } = watching
    watching.send()
    signal.clear()
    expect([watching.isSignalled, signal.request(), watching.isSignalled]).toEqual([
      false,
      true,
      true,
    ])
  })

  test('comes for no event without a request, and once for one that was asked for twice', () => {
    using watching = new Watching()
    const { signal, calls, epoll } = watching
    watching.send()
    signal.clear()
    calls.wait(epoll)
    watching.send()
    expect(watching.isSignalled).toBe(false)
    expect([signal.request(), signal.request()]).toEqual([true, true])
    expect(watching.isSignalled).toBe(true)
    signal.clear()
    expect(watching.isSignalled).toBe(false)
  })

  test('comes as often as it is asked for', () => {
    using watching = new Watching()
    const { signal, calls, epoll } = watching
    for (let round = 0; round < 250; round++) {
      watching.send()
      if (!watching.isSignalled) throw new Error(`there is no signal in round ${round}`)
      signal.clear()
      calls.wait(epoll)
      if (!signal.request()) throw new Error(`there is no request in round ${round}`)
      if (watching.isSignalled) throw new Error(`there is a signal in round ${round}`)
    }
  })

  test('leaves no descriptor behind, and may be closed twice', () => {
    const before = descriptors().length
    for (let round = 0; round < 20; round++) {
      using watching = new Watching()
      watching.signal.close()
    }
    expect(descriptors().length).toBe(before)
  })
})
