// Goal: no order of faults loses, doubles or reorders a message without a gap. Method: random
// faults on a real Redis; a seed that fails is tried again with `bun scripts/fuzz/bus.ts --seed`.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS } from '../../scripts/support/redis.ts'
import { RandomFaults } from './random-faults.fixture.ts'

const STEPS = 120

describe.skipIf(!HAS_REDIS)('the bus under random faults', () => {
  test.each([1, 2, 3, 4, 5, 6])('has exact accounts, by the seed %d', async (seed) => {
    await using faults = await RandomFaults.start(seed)
    const { wrong, accepted, repeated, changed } = await faults.run(STEPS)
    expect({ wrong, done: faults.done }).toEqual({ wrong: [], done: faults.done })
    expect(accepted).toBeGreaterThan(50)
    expect(repeated).toBeGreaterThan(10)
    expect(changed).toBeGreaterThan(5)
  })
})
