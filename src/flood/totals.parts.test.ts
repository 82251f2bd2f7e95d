// Goal: examples, load, lateness and arrivals of several processes are those of the run.
// Method: tellings of two processes in turn, and the death of one.

import { describe, expect, test } from 'bun:test'
import { floodLimits } from '../core/tool-limits.ts'
import { Arrivals } from './arrivals.ts'
import { openCount, Tally, type Wrong } from './tally.ts'
import { Totals } from './totals.ts'

function wrongOf(tally: Tally, wrong: Wrong, count: number, generator: number): void {
  for (let sequence = 1; sequence <= count; sequence++) {
    tally.wrong({ wrong, id: 1, generator, sequence })
  }
}

describe('examples', () => {
  test('are of all processes and no more of a kind than are shown', () => {
    const totals = new Totals(2)
    const [first, second] = [new Tally(), new Tally()]
    wrongOf(first, 'reordered', 2, 1)
    wrongOf(second, 'reordered', 9, 2)
    wrongOf(second, 'duplicated', 1, 2)
    totals.hear(1, second.tell())
    totals.hear(0, first.tell())
    // A process tells them again each time.
    totals.hear(0, first.tell())
    const reordered = totals.examples.filter(({ wrong }) => wrong === 'reordered')
    expect(reordered.length).toBe(floodLimits.examplesMax)
    expect(reordered.filter(({ generator }) => generator === 1).length).toBe(2)
    expect(totals.examples.filter(({ wrong }) => wrong === 'duplicated').length).toBe(1)
  })
})

describe('load', () => {
  const idle = { cores: 0.1, loopLateMs: 1 }

  test('is that of the busiest process, and busy seconds are of one process', () => {
    const totals = new Totals(2)
    const hear = (process: number, cores: number, loopLateMs: number) =>
      totals.hear(process, new Tally().tell({ cores, loopLateMs }))
    hear(0, floodLimits.busyCores, 0)
    hear(1, 0, floodLimits.loopLateMs)
    hear(1, 0.99, 250)
    hear(0, 0.5, 20)
    expect(totals.load).toEqual({ coresMax: 0.99, loopLateMsMax: 250, busySeconds: 2 })
  })

  test('is none where none was told', () => {
    const totals = new Totals(3)
    totals.hear(0, new Tally().tell())
    totals.hear(1, new Tally().tell(idle))
    expect(totals.load).toEqual({ coresMax: 0.1, loopLateMsMax: 1, busySeconds: 0 })
  })
})

test('arrivals are those of any process', () => {
  const totals = new Totals(2)
  for (const [process, sequences] of [[1, 2, 6], [4]].entries()) {
    const arrivals = new Arrivals()
    for (const sequence of sequences) arrivals.note(7, sequence)
    const told = new Tally().tell(null, arrivals.all())
    totals.hear(process, structuredClone(told))
  }
  expect(totals.arrivals.missing(9)).toEqual([
    { generator: 7, sequence: 3 },
    { generator: 7, sequence: 5 },
  ])
})

describe('the death of a process', () => {
  test('leaves no stream of it open, however often they had returned', () => {
    const totals = new Totals(1)
    const tally = new Tally()
    const counters = { opened: 8, failed: 1, closed: 4, churned: 5, reopened: 6, slowEnded: 1 }
    Object.assign(tally.counters, counters)
    expect(openCount(tally.counters)).toBe(4)
    totals.hear(0, tally.tell())
    totals.hearOfDeath(0, 10)
    expect(openCount(totals.counters)).toBe(0)
    expect(totals.counters).toMatchObject({ opened: 8, failed: 2, closed: 8, reopened: 6 })
  })

  test('leaves what it had told of wrong messages and of lateness', () => {
    const totals = new Totals(2)
    const tally = new Tally()
    wrongOf(tally, 'duplicated', 1, 3)
    tally.lateMsMax = 123
    tally.counters.late = 1
    totals.hear(1, tally.tell())
    totals.hearOfDeath(1, 5)
    expect(totals.counters).toMatchObject({ duplicated: 1, late: 1 })
    expect([totals.examples.length, totals.lateMsMax]).toEqual([1, 123])
  })
})
