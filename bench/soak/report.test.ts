// Memory that grows is distinguished from memory that goes up and down, in synthetic samples of an
// hour; and what a run found decides whether it is held.

import { expect, test } from 'bun:test'
import { type Found, isHeld, levelOf, type MemorySample } from './report.ts'
import { usersOf } from './run.ts'

const MIB = 1024 * 1024

function hour(bytesAt: (seconds: number) => number): MemorySample[] {
  return Array.from({ length: 360 }, (_, at) => ({ seconds: at * 10, bytes: bytesAt(at * 10) }))
}

test('memory that stays is level', () => {
  const level = levelOf(hour(() => 80 * MIB))
  expect(level).toEqual({
    quarterBytes: [80 * MIB, 80 * MIB, 80 * MIB, 80 * MIB],
    lastToHighest: 1,
    bytesPerHour: 0,
  })
})

test('a leak is seen, with its size', () => {
  const level = levelOf(hour((seconds) => 80 * MIB + (seconds / 3600) * 40 * MIB))
  expect(level?.bytesPerHour).toBeCloseTo(40 * MIB, 0)
  expect(level?.lastToHighest).toBeCloseTo(115 / 105, 3)
})

test('growth at the start that ends is level', () => {
  const level = levelOf(hour((seconds) => 80 * MIB + Math.min(seconds, 1_500) * 10_000))
  expect(level?.lastToHighest).toBe(1)
  expect(level?.bytesPerHour).toBe(0)
})

test('a heap that is collected each few minutes is level, and a leak below it is seen', () => {
  const sawtooth = (seconds: number) => 80 * MIB + (seconds % 240) * 20_000
  expect(Math.abs((levelOf(hour(sawtooth))?.lastToHighest ?? 0) - 1)).toBeLessThan(0.005)
  const leaking = levelOf(hour((seconds) => sawtooth(seconds) + seconds * 5_000))
  expect(leaking?.lastToHighest).toBeGreaterThan(1.03)
  expect(leaking?.bytesPerHour).toBeGreaterThan(10 * MIB)
})

test('garbage that comes and goes over a quarter is level', () => {
  const quarters = [36.8, 35.4, 34.3, 36.2]
  const level = levelOf(hour((seconds) => (quarters[Math.floor(seconds / 900)] ?? 0) * MIB))
  expect(level?.lastToHighest).toBeLessThan(1)
})

test('too few samples tell nothing', () => {
  expect(levelOf(hour(() => MIB).slice(0, 7))).toBeNull()
})

const OUTCOME: Partial<Found['outcome']> = {
  ...{ promised: 1_000, received: 1_000, duplicated: 0, reordered: 0, closed: 0, unsent: 0 },
  silent: { streams: 1_000, closed: 0, received: 0 },
  churning: { streams: 1_000, churned: 500, reopened: 500, lost: 0, received: 90, wrong: 0 },
  faults: {
    cycles: 2,
    keepaliveMs: 10_000,
    slow: { streams: 20, left: 0 },
    vanished: { streams: 200, left: 0 },
  },
  descriptors: { before: 260, after: 275 },
  serverExitCode: 0,
}

function soakWith(outcome: Partial<Found['outcome']>, openFilesRatio = 1): Found {
  return {
    server: levelOf(hour(() => 80 * MIB)),
    openFiles: { quarters: [1, 1, 1, 1], lastToHighest: openFilesRatio },
    outcome: { ...OUTCOME, ...outcome } as Found['outcome'],
  }
}

test('a soak is held when all is level and no client with a fault is left', () => {
  expect(isHeld(soakWith({}))).toBe(true)
  const { churning, faults } = soakWith({}).outcome
  const left = { streams: 20, left: 1 }
  for (const outcome of [
    { received: 999 },
    { churning: { ...churning, lost: 1 } },
    { churning: { ...churning, wrong: 1 } },
    { faults: { ...faults, slow: left } },
    { faults: { ...faults, vanished: left } },
    { descriptors: { before: 260, after: 293 } },
  ]) {
    expect(isHeld(soakWith(outcome))).toBe(false)
  }
  expect(isHeld(soakWith({}, 1.03))).toBe(false)
})

test('each kind of client has users of its own', () => {
  const load = { connections: 10_000, ratePerSecond: 1, durationMs: 1, churnPerSecond: 50 }
  const users = Object.values(usersOf({ ...load, slow: 10, vanishing: 100 }))
  expect(users.map(({ first, count }) => [first, first + count - 1])).toEqual([
    [1, 8_000],
    [8_001, 9_000],
    [9_001, 10_000],
    [10_001, 10_010],
    [10_011, 10_110],
  ])
  const still = usersOf({ ...load, churnPerSecond: 0, slow: 0, vanishing: 0 })
  expect([still.active.count, still.churning.count]).toEqual([9_000, 0])
})
