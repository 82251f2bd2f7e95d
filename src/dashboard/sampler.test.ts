// Goal: a sample has what happened to streams, processes and machine since the one before. Method:
// a server and a machine whose figures and clock are set by hand.

import { describe, expect, test } from 'bun:test'
import { BusMeter } from '../bus/bus-meter.ts'
import { dashboardLimits } from '../core/limits.ts'
import { NONE_CLOSED } from '../hub/stream.fixture.ts'
import type { ColumnName } from './columns.ts'
import { busOf, FakeServer, workerOf } from './sample.fixture.ts'
import { Sampler } from './sampler.ts'

function sampling() {
  const server = new FakeServer()
  const sampler = new Sampler(server.source, server.machine)
  sampler.take()
  const take = (ms = 1_000) => {
    server.clock.advance(ms)
    sampler.take()
  }
  const newest = (name: ColumnName) => sampler.history.seconds.since(0).values[name].at(-1)
  return { server, sampler, take, newest }
}

describe('figures of streams and messages', () => {
  test('are rates over the time that has passed', () => {
    const { server, take, newest } = sampling()
    const { router } = server.input
    router.accepted = 1_000
    router.deliveries = 3_000
    router.dropped = 10
    server.input.rejected = 4
    const closed = { ...NONE_CLOSED, client: 20, slow: 2 }
    server.host = {
      ...server.host,
      ...{ open: 100, users: 90, lost: 3 },
      totals: { ...server.host.totals, opened: 125, closed },
    }
    server.history = { ...server.history, resumed: 6, gaps: { lost: 4, too_many: 9, unknown: 9 } }
    take(2_000)
    const names = ['messageRate', 'deliveryRate', 'droppedRate', 'rejectedRate'] as const
    expect(names.map(newest)).toEqual([500, 1_500, 5, 2])
    expect(newest('openedRate')).toBe(62.5)
    expect([newest('closedRate'), newest('slowRate')]).toEqual([12.5, 1])
    expect([newest('resumedRate'), newest('lostGapRate')]).toEqual([3, 2])
    expect([newest('streams'), newest('users')]).toEqual([100, 90])
    take()
    expect([newest('messageRate'), newest('openedRate')]).toEqual([0, 0])
  })

  test('have a latency only in seconds with messages, and only of those messages', () => {
    const { server, take, newest } = sampling()
    server.input.router.deliverySeconds.record(2)
    take()
    expect(newest('deliveryP99Ms')).toBeGreaterThan(1_000)
    take()
    expect([newest('deliveryP50Ms'), newest('deliveryP99Ms')]).toEqual([null, null])
    for (let at = 0; at < 100; at++) server.input.router.deliverySeconds.record(0.0004)
    take()
    expect(newest('deliveryP99Ms')).toBeWithin(0.25, 0.5001)
  })
})

describe('figures of processes', () => {
  test('are the growth of their totals, and null for workers if there are none', () => {
    const { server, take, newest } = sampling()
    server.cpuSeconds = 0.5
    server.loopLag.record(0.02)
    take()
    expect([newest('parentCores'), newest('loopLateMs')]).toEqual([0.5, 25])
    expect([newest('workersCores'), newest('workersBytes')]).toEqual([null, null])
    expect(newest('parentBytes')).toBe(1_000)
  })

  test('of workers are over the time between two of their reports', () => {
    const { server, take, newest } = sampling()
    const report = (cpuSeconds: number[]) => {
      const workers = cpuSeconds.map((seconds, at) => {
        const { spent } = workerOf(at)
        return workerOf(at, { spent: { ...spent, cpuSeconds: seconds } })
      })
      server.host = { ...server.host, workers }
    }
    report([1, 1])
    take()
    report([1.5, 1.25])
    take()
    expect([newest('workersCores'), newest('busiestCores')]).toEqual([0.75, 0.5])
    // The second one reports a second late, of two seconds.
    report([2, 1.25])
    take()
    report([2.5, 2.25])
    take()
    expect([newest('workersCores'), newest('busiestCores')]).toEqual([1, 0.5])
    expect(newest('workersBytes')).toBe(100 + 101)
  })

  test('read the memory of very many workers in turns', () => {
    const { server, sampler, take } = sampling()
    const { memoryReadsMax } = dashboardLimits
    const count = memoryReadsMax * 2 + 1
    server.host = {
      ...server.host,
      workers: Array.from({ length: count }, (_, at) => workerOf(at)),
    }
    for (let round = 0; round < 3; round++) {
      server.asked.length = 0
      take()
      expect(server.asked.length).toBe(1 + memoryReadsMax)
    }
    expect(server.asked).toContain(100 + count - 1)
    const values = sampler.history.seconds.since(0).values.workersBytes
    expect(values.slice(0, 2).every((value) => value === null)).toBe(true)
    expect(values.at(-1)).toBe(count * 100 + (count * (count - 1)) / 2)
  })
})

describe('figures of the machine', () => {
  test('are null where they are not available, and do not fall when a device goes away', () => {
    const { server, take, newest } = sampling()
    take()
    expect([newest('load'), newest('userCores'), newest('tcpBytes')]).toEqual([null, null, null])
    const traffic = { receivedBytes: 5, sentBytes: 6, receivedPackets: 7, sentPackets: 8 }
    server.network = { outside: traffic, loopback: traffic }
    take()
    expect(newest('receivedBytesRate')).toBe(5)
    expect(newest('loopbackPacketRate')).toBe(8)
    server.network = {
      outside: { receivedBytes: 0, sentBytes: 0, receivedPackets: 0, sentPackets: 0 },
      loopback: traffic,
    }
    take()
    expect(newest('receivedBytesRate')).toBe(0)
  })
})

describe('figures of the bus', () => {
  test('are null without one', () => {
    const { take, newest } = sampling()
    take()
    const names = ['tripP50Ms', 'busQueued', 'busBehind', 'busRefusedRate', 'redisBytes'] as const
    expect(names.map(newest)).toEqual([null, null, null, null, null])
  })

  test('are of the time since the sample before, without what is the fault of publishers', () => {
    const { server, take, newest } = sampling()
    const meter = new BusMeter()
    server.bus = busOf(meter)
    take()
    meter.roundTripSeconds.record(0.7)
    meter.countRefused('unavailable', 4)
    meter.countRefused('conflict', 9)
    server.bus = busOf(meter, { gaps: 2, behind: 7 })
    take(2_000)
    expect(newest('tripP99Ms')).toBeWithin(500, 1_000)
    expect([newest('busRefusedRate'), newest('busGapRate')]).toEqual([2, 1])
    expect([newest('busQueued'), newest('busBehind'), newest('redisBytes')]).toEqual([3, 7, 80])
    meter.roundTripSeconds.record(0.0002)
    server.bus = busOf(meter, { gaps: 2, connected: false, behind: null })
    take()
    expect(newest('tripP99Ms')).toBeWithin(0.1, 0.2501)
    // What a server that is away has said is not so any more.
    expect([newest('busGapRate'), newest('busBehind'), newest('redisBytes')]).toEqual([
      0,
      null,
      null,
    ])
  })
})

test('no sample is taken while the clock stands still or goes back', () => {
  const { sampler, take } = sampling()
  take(0)
  expect(sampler.history.seconds.length).toBe(0)
  take()
  take(-500)
  expect(sampler.history.seconds.length).toBe(1)
})
