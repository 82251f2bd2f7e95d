// Goal: a process counts every wrong message and shows the first few, and a report stays as it was.
// Method: statistics read before and after they go on.

import { describe, expect, test } from 'bun:test'
import { floodLimits } from '../core/tool-limits.ts'
import {
  addCounters,
  type Counters,
  newCounters,
  openCount,
  ProcessStats,
  type Wrong,
} from './process-stats.ts'

function example(wrong: Wrong, sequence: number) {
  return { wrong, id: 1, generator: 2, sequence }
}

describe('wrong messages', () => {
  test('are all counted, and of each kind the first ones are shown', () => {
    const stats = new ProcessStats()
    for (let sequence = 1; sequence <= 1_000; sequence++) {
      stats.countWrong(example('duplicated', sequence))
      if (sequence > 900) stats.countWrong(example('reordered', sequence))
    }
    expect(stats.counters).toMatchObject({ duplicated: 1_000, reordered: 100 })
    const shown = (wrong: Wrong) =>
      stats.examples.filter((one) => one.wrong === wrong).map(({ sequence }) => sequence)
    const first = Array.from({ length: floodLimits.examplesMax }, (_, at) => at + 1)
    expect(shown('duplicated')).toEqual(first)
    expect(shown('reordered')).toEqual(first.map((sequence) => sequence + 900))
  })
})

describe('a report', () => {
  test('does not change when counting goes on', () => {
    const stats = new ProcessStats()
    stats.countError('reset')
    stats.countWrong(example('duplicated', 1))
    stats.latency.record(10)
    const report = stats.report({ cores: 0.5, loopLateMs: 1 })
    const before = structuredClone(report)
    stats.countError('reset')
    stats.countWrong(example('duplicated', 2))
    stats.latency.record(20)
    stats.counters.chunks++
    expect(report).toEqual(before)
  })

  test('has each time once, and counters from the beginning', () => {
    const stats = new ProcessStats()
    stats.latency.record(10)
    stats.counters.chunks = 5
    stats.report()
    expect(stats.report()).toMatchObject({ latency: [], counters: { chunks: 5 }, load: null })
  })
})

test.each<[string, Partial<Counters>, number]>([
  ['none', {}, 0],
  ['those that opened', { opened: 5, failed: 2 }, 5],
  ['those that did not close', { opened: 5, closed: 2 }, 3],
  ['those that came back', { opened: 5, closed: 2, churned: 1, reopened: 3 }, 5],
  ['those that stopped reading and were not ended', { opened: 5, slow: 3, slowEnded: 1 }, 4],
  ['those that vanished, which the server does not notice', { opened: 5, vanished: 2 }, 5],
])('open streams are %s', (_, counters, count) => {
  expect(openCount({ ...newCounters(), ...counters })).toBe(count)
})

test('counters are added one by one', () => {
  const sum = { ...newCounters(), opened: 1, bytes: 2 }
  addCounters(sum, { ...newCounters(), opened: 10, vanished: 3 })
  expect(sum).toEqual({ ...newCounters(), opened: 11, bytes: 2, vanished: 3 })
})

test('there is something new to report when a connection or a chunk was counted', () => {
  const stats = new ProcessStats()
  const before = stats.events
  stats.counters.chunks++
  expect(stats.events).toBeGreaterThan(before)
})
