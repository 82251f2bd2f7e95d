// Goal: a page's samples never become too many, and no slow second and no total is lost with them.
// Method: runs of all lengths against what they must add up to.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { KeptSamples } from './kept.ts'
import type { FloodSample } from './sample.ts'

function sampleOf(seconds: number, maxMs: number | null = seconds): FloodSample {
  return {
    seconds,
    time: '2026-11-24T11:00:02.500Z',
    open: 7 * seconds,
    behaviour: { reopened: 0, churned: 0, slow: 0, slowEnded: 0, vanished: 0 },
    errors: {},
    connections: { opened: 10 * seconds, failed: 2 * seconds, closed: seconds },
    received: {
      chunks: 0,
      bytes: 100 * seconds,
      messages: 5 * seconds,
      duplicated: 0,
      reordered: 0,
      untracked: 0,
    },
    latency: { p50Ms: 1, p99Ms: 2, p999Ms: 3, maxMs },
    histogram: 'a long text',
  }
}

describe('kept samples', () => {
  test('are numbers alone while they are few', () => {
    const kept = new KeptSamples()
    kept.hear(sampleOf(1))
    expect(kept.list).toEqual([
      {
        seconds: 1,
        open: 7,
        opened: 10,
        failed: 2,
        closed: 1,
        messages: 5,
        bytes: 100,
        p50Ms: 1,
        p99Ms: 2,
        p999Ms: 3,
        maxMs: 1,
      },
    ])
  })

  test('become one with their neighbours where they are many, at the last one’s second', () => {
    const kept = new KeptSamples(4)
    for (let second = 1; second <= 7; second++) kept.hear(sampleOf(second, second === 3 ? 99 : 1))
    expect(kept.list.map(({ seconds, messages, maxMs }) => [seconds, messages, maxMs])).toEqual([
      [2, 10, 1],
      [4, 20, 99],
      [6, 30, 1],
      [7, 35, 1],
    ])
  })

  test('have no latency where no neighbour has', () => {
    const kept = new KeptSamples(2)
    kept.hear(sampleOf(1, null))
    kept.hear(sampleOf(2, null))
    expect(kept.list.map(({ maxMs }) => maxMs)).toEqual([null])
  })

  test('are never more than asked, evenly far apart, and end with the last', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 500 }), (half, all) => {
        const kept = new KeptSamples(2 * half)
        for (let second = 1; second <= all; second++) {
          kept.hear(sampleOf(second))
          expect(kept.list.length).toBeLessThanOrEqual(2 * half)
        }
        const seconds = kept.list.map((of) => of.seconds)
        expect(seconds.at(-1)).toBe(all)
        const gaps = new Set(
          seconds.slice(0, -1).map((at, index) => at - (seconds[index - 1] ?? 0)),
        )
        expect(gaps.size).toBeLessThanOrEqual(1)
        expect(Math.max(...kept.list.map(({ maxMs }) => maxMs ?? 0))).toBe(all)
      }),
    )
  })
})
