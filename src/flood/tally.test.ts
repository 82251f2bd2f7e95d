// Goal: a tally counts every wrong message and shows the first few, and what it told stays as it was.
// Method: made tallies, read before and after they went on.

import { describe, expect, test } from 'bun:test'
import { floodLimits } from '../core/tool-limits.ts'
import { addCounters, type Counters, newCounters, openCount, Tally, type Wrong } from './tally.ts'

function example(wrong: Wrong, sequence: number) {
  return { wrong, id: 1, generator: 2, sequence }
}

describe('wrong messages', () => {
  test('are all counted, and of each kind the first ones are shown', () => {
    const tally = new Tally()
    for (let sequence = 1; sequence <= 1_000; sequence++) {
      tally.wrong(example('duplicated', sequence))
      if (sequence > 900) tally.wrong(example('reordered', sequence))
    }
    expect(tally.counters).toMatchObject({ duplicated: 1_000, reordered: 100 })
    const shown = (wrong: Wrong) =>
      tally.examples.filter((one) => one.wrong === wrong).map(({ sequence }) => sequence)
    const first = Array.from({ length: floodLimits.examplesMax }, (_, at) => at + 1)
    expect(shown('duplicated')).toEqual(first)
    expect(shown('reordered')).toEqual(first.map((sequence) => sequence + 900))
  })
})

describe('a telling', () => {
  test('does not change when its tally goes on', () => {
    const tally = new Tally()
    tally.error('reset')
    tally.wrong(example('duplicated', 1))
    tally.latency.record(10)
    const told = tally.tell({ cores: 0.5, loopLateMs: 1 })
    const before = structuredClone(told)
    tally.error('reset')
    tally.wrong(example('duplicated', 2))
    tally.latency.record(20)
    tally.counters.chunks++
    expect(told).toEqual(before)
  })

  test('has each time once, and counters from the beginning', () => {
    const tally = new Tally()
    tally.latency.record(10)
    tally.counters.chunks = 5
    tally.tell()
    expect(tally.tell()).toMatchObject({ latency: [], counters: { chunks: 5 }, load: null })
  })
})

test.each<[string, Partial<Counters>, number]>([
  ['none', {}, 0],
  ['those that opened', { opened: 5, failed: 2 }, 5],
  ['those that did not close', { opened: 5, closed: 2 }, 3],
  ['those that came back', { opened: 5, closed: 2, churned: 1, reopened: 3 }, 5],
  ['those that stopped reading and were not ended', { opened: 5, slow: 3, slowEnded: 1 }, 4],
  ['those that vanished, as far as anybody was told', { opened: 5, vanished: 2 }, 5],
])('streams that are there: %s', (_, counters, count) => {
  expect(openCount({ ...newCounters(), ...counters })).toBe(count)
})

test('counters are added one by one', () => {
  const sum = { ...newCounters(), opened: 1, bytes: 2 }
  addCounters(sum, { ...newCounters(), opened: 10, vanished: 3 })
  expect(sum).toEqual({ ...newCounters(), opened: 11, bytes: 2, vanished: 3 })
})
