// Goal: a sample says what the totals are and fits its documented form. Method: whole samples of
// made totals, through JSON, checked against the schema.

import { expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { FloodSample, floodSample } from './sample.ts'
import { newCounters } from './tally.ts'
import { addTimes, newHistogram, percentileMs } from './times.ts'

const MOMENT = { elapsedMs: 2_000.4567, nowMs: Date.UTC(2026, 10, 24, 11, 0, 2, 500) }

test('a sample of nothing has no times', () => {
  expect(floodSample(MOMENT, newCounters(), {}, newHistogram())).toEqual({
    seconds: 2,
    time: '2026-11-24T11:00:02.500Z',
    connections: { opened: 0, failed: 0, closed: 0 },
    open: 0,
    behaviour: { reopened: 0, churned: 0, slow: 0, slowEnded: 0, vanished: 0 },
    errors: {},
    received: { chunks: 0, bytes: 0, messages: 0, duplicated: 0, reordered: 0, untracked: 0 },
    latency: { p50Ms: null, p99Ms: null, p999Ms: null, maxMs: null },
    histogram: null,
  })
})

test('a sample has totals, times in milliseconds, and its schema', () => {
  const counters = { ...newCounters(), opened: 9, failed: 1, closed: 2, chunks: 12, messages: 3 }
  const latency = newHistogram()
  addTimes(latency, [500, 2, 1_500, 1])
  const sample = floodSample({ ...MOMENT, elapsedMs: 3_004.5678 }, counters, { reset: 3 }, latency)
  expect(Value.Check(FloodSample, JSON.parse(JSON.stringify(sample)))).toBe(true)
  expect(sample).toMatchObject({
    seconds: 3.005,
    connections: { opened: 9, failed: 1, closed: 2 },
    open: 7,
    errors: { reset: 3 },
    received: { chunks: 12, messages: 3 },
    latency: { p50Ms: 0.5, p99Ms: 1.5, p999Ms: 1.5, maxMs: 1.5 },
  })
})

test('the histograms of several samples add up to all latencies', () => {
  const one = newHistogram()
  const other = newHistogram()
  addTimes(one, [500, 2])
  addTimes(other, [1_500, 1])
  const both = [one, other].map((latency) => floodSample(MOMENT, newCounters(), {}, latency))
  const sum = newHistogram()
  for (const { histogram } of both) sum.add(decodeFromCompressedBase64(histogram ?? ''))
  expect([sum.totalCount, percentileMs(sum, 50), percentileMs(sum, 100)]).toEqual([3, 0.5, 1.5])
})
