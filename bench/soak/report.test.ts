// Memory that grows is distinguished from memory that goes up and down, in synthetic samples of an
// hour.

import { expect, test } from 'bun:test'
import { levelOf, type MemorySample } from './report.ts'

const MIB = 1024 * 1024

function hour(bytesAt: (seconds: number) => number): MemorySample[] {
  return Array.from({ length: 360 }, (_, at) => ({ seconds: at * 10, bytes: bytesAt(at * 10) }))
}

test('memory that stays is level', () => {
  const level = levelOf(hour(() => 80 * MIB))
  expect(level).toEqual({
    quarterBytes: [80 * MIB, 80 * MIB, 80 * MIB, 80 * MIB],
    lastToThird: 1,
    bytesPerHour: 0,
  })
})

test('a leak is seen, with its size', () => {
  const level = levelOf(hour((seconds) => 80 * MIB + (seconds / 3600) * 40 * MIB))
  expect(level?.bytesPerHour).toBeCloseTo(40 * MIB, 0)
  expect(level?.lastToThird).toBeCloseTo(115 / 105, 3)
})

test('growth at the start that ends is level', () => {
  const level = levelOf(hour((seconds) => 80 * MIB + Math.min(seconds, 1_500) * 10_000))
  expect(level?.lastToThird).toBe(1)
  expect(level?.bytesPerHour).toBe(0)
})

test('a heap that is collected each few minutes is level, and a leak below it is seen', () => {
  const sawtooth = (seconds: number) => 80 * MIB + (seconds % 240) * 20_000
  expect(Math.abs((levelOf(hour(sawtooth))?.lastToThird ?? 0) - 1)).toBeLessThan(0.005)
  const leaking = levelOf(hour((seconds) => sawtooth(seconds) + seconds * 5_000))
  expect(leaking?.lastToThird).toBeGreaterThan(1.03)
  expect(leaking?.bytesPerHour).toBeGreaterThan(10 * MIB)
})

test('too few samples tell nothing', () => {
  expect(levelOf(hour(() => MIB).slice(0, 7))).toBeNull()
})
