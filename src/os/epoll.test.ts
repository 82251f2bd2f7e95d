// Goal: the system calls answer as the kernel does, and Bun's loop wakes for an epoll, each time
// and only then.

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { until } from '../core/time.fixture.ts'
import { descriptors } from './descriptors.ts'
import { EPOLL, LoopWaker, Poller } from './epoll.ts'
import { ERRNO } from './libc.ts'
import { PollSignal } from './poll-signal.ts'
import { DescriptorPair, newCalls } from './socket-pair.fixture.ts'

const bytes = Buffer.from('hello')

describe.if(process.platform === 'linux')('system calls on descriptors', () => {
  test('answer a negative error, and never wait', () => {
    const calls = newCalls()
    using pair = new DescriptorPair(calls)
    const free = 1_000_000
    expect([calls.send(free, bytes, 5), calls.close(free), calls.duplicate(free)]).toEqual([
      -ERRNO.EBADF,
      -ERRNO.EBADF,
      -ERRNO.EBADF,
    ])
    const full = Buffer.alloc(1_048_576)
    let taken = calls.send(pair.first, full, full.length)
    while (taken > 0) taken = calls.send(pair.first, full, full.length)
    expect(taken).toBe(-ERRNO.EAGAIN)
    calls.close(pair.second)
    // Without a signal, which would end this process.
    expect(calls.send(pair.first, bytes, 5)).toBe(-ERRNO.EPIPE)
  })

  test('send as many of the bytes as they are told, the first ones', () => {
    const calls = newCalls()
    using pair = new DescriptorPair(calls)
    const lengths = [3, 0, 5, 1]
    expect(lengths.map((length) => calls.send(pair.first, bytes, length))).toEqual(lengths)
    calls.shutdown(pair.first)
    expect(readFileSync(pair.second, 'utf8')).toBe('helhelloh')
  })

  test('report events with what was said about them, as edges', () => {
    const calls = newCalls()
    using a = new DescriptorPair(calls)
    using b = new DescriptorPair(calls)
    const epoll = calls.openEpoll()
    const events = EPOLL.in | EPOLL.readHangUp | EPOLL.edge
    for (const [descriptor, generation] of [
      [a.first, 7],
      [b.first, 2 ** 29 - 1],
    ] as const) {
      expect(calls.watch(epoll, true, descriptor, generation, events)).toBe(0)
    }
    expect(calls.wait(epoll)).toBe(0)
    calls.send(a.second, bytes, 5)
    calls.shutdown(b.second)
    expect(calls.wait(epoll)).toBe(2)
    const seen = [0, 1].map((at) => [
      calls.descriptorAt(at),
      calls.generationAt(at),
      calls.eventsAt(at),
    ])
    expect(seen.toSorted((one, other) => Number(one[0]) - Number(other[0]))).toEqual([
      [a.first, 7, EPOLL.in],
      [b.first, 2 ** 29 - 1, EPOLL.in | EPOLL.readHangUp],
    ])
    expect(calls.wait(epoll)).toBe(0)
    expect(calls.watch(epoll, false, a.first, 8, EPOLL.out | EPOLL.edge)).toBe(0)
    expect([calls.wait(epoll), calls.generationAt(0), calls.eventsAt(0)]).toEqual([1, 8, EPOLL.out])
    calls.close(epoll)
  })

  test('report no more events than there is room for, and the others next', () => {
    const calls = newCalls(2)
    const pairs = Array.from({ length: 5 }, () => new DescriptorPair(calls))
    const epoll = calls.openEpoll()
    for (const { first } of pairs) calls.watch(epoll, true, first, 1, EPOLL.out | EPOLL.edge)
    expect([1, 2, 3, 4].map(() => calls.wait(epoll))).toEqual([2, 2, 1, 0])
    calls.close(epoll)
    for (const pair of pairs) pair[Symbol.dispose]()
  })
})

describe.if(process.platform === 'linux')('Bun', () => {
  test.each([
    ['by the epoll itself', () => null],
    ['by a signal', PollSignal.open],
  ])(
    'wakes for each event of an epoll, for nothing else, and not once stopped, %s',
    async (_, signalOf) => {
      const calls = newCalls()
      using pair = new DescriptorPair(calls)
      const before = descriptors().length
      const epoll = calls.openEpoll()
      calls.watch(epoll, true, pair.first, 1, EPOLL.in | EPOLL.edge)
      let events = 0
      const onReady = () => {
        events += calls.wait(epoll)
        waker.arm()
      }
      const waker = new LoopWaker(calls, epoll, onReady, signalOf(epoll))
      waker.arm()
      const open = descriptors().length
      for (let round = 1; round <= 100; round++) {
        calls.send(pair.second, bytes, 5)
        await until('Bun wakes', () => events === round)
      }
      expect(descriptors().length).toBe(open)
      await Bun.sleep(50)
      expect([waker.wakes, waker.isArmed]).toEqual([100, true])
      waker.stop()
      calls.send(pair.second, bytes, 5)
      await Bun.sleep(50)
      expect(waker.wakes).toBe(100)
      calls.close(epoll)
      expect(descriptors().length).toBe(before)
    },
  )

  test.each([
    ['is not asked while many events keep coming, and again once they do not', 1, 1],
    ['is asked again after each poll with few events', 2, 10],
  ])('%s', async (_, manyEvents, wakes) => {
    const calls = newCalls()
    using pair = new DescriptorPair(calls)
    const epoll = calls.openEpoll()
    calls.watch(epoll, true, pair.first, 1, EPOLL.in | EPOLL.edge)
    let events = 0
    const poll = () => {
      const count = calls.wait(epoll)
      events += count
      return count
    }
    const pace = { everyMs: 100, manyEvents, emptyWakesMax: 3, retryMs: 20 }
    const poller = new Poller({ calls, epoll, poll, ...pace })
    poller.start()
    for (let round = 1; round <= 10; round++) {
      calls.send(pair.second, bytes, 5)
      await until('the event is handled', () => events === round)
    }
    expect(poller.wakes).toBe(wakes)
    await Bun.sleep(300)
    calls.send(pair.second, bytes, 5)
    await until('the event is handled', () => events === 11)
    expect(poller.wakes).toBe(wakes + 1)
    poller.stop()
    calls.close(epoll)
  })

  test('is not asked for a while when it calls again and again for nothing', async () => {
    const calls = newCalls()
    using pair = new DescriptorPair(calls)
    const epoll = calls.openEpoll()
    // Not as an edge, so that Bun calls as long as nothing is read.
    calls.watch(epoll, true, pair.first, 1, EPOLL.in)
    calls.send(pair.second, bytes, 5)
    let polls = 0
    const pace = { everyMs: 1, manyEvents: 4, emptyWakesMax: 3, retryMs: 1_000 }
    const poll = () => {
      polls++
      return 0
    }
    const poller = new Poller({ calls, epoll, poll, ...pace })
    poller.start()
    await until('it has called', () => polls === 3)
    await Bun.sleep(50)
    expect([polls, poller.wakes]).toEqual([3, 3])
    await until('it calls again', () => poller.wakes > 3)
    poller.stop()
    calls.close(epoll)
  })

  test('is not asked when there is no descriptor left', () => {
    const waker = new LoopWaker({ duplicate: () => -ERRNO.EMFILE }, 0, () => undefined)
    waker.arm()
    expect(waker.isArmed).toBe(false)
  })
})
