// Goal: no order of faults leaves anybody who follows the feed with a connection that is not there,
// or without one that is. Method: random faults on a real Redis, small windows, and nodes that die.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS } from '../../scripts/support/redis.ts'
import { RandomFeed, type RandomFeedRun } from './random-feed.fixture.ts'

const STEPS = 120
/** By the last one, connections are opened and closed while a node tells all of them again. */
const SEEDS = [1, 2, 3, 4, 5, 6, 116]

describe.skipIf(!HAS_REDIS)('the feed that nodes share', () => {
  const runs: RandomFeedRun[] = []

  test.each(SEEDS)('is right after random faults, by the seed %d', async (seed) => {
    await using feed = await RandomFeed.start(seed)
    try {
      runs.push(await feed.run(STEPS))
    } catch (error) {
      throw new Error(`after ${feed.done.join(', ')}`, { cause: error })
    }
  })

  test('had gaps, nodes that died and nodes that told all again', () => {
    expect(runs.length).toBe(SEEDS.length)
    const sumOf = (name: keyof RandomFeedRun) => runs.reduce((sum, run) => sum + run[name], 0)
    expect(sumOf('events')).toBeGreaterThan(500)
    expect(sumOf('gaps')).toBeGreaterThan(5)
    expect(sumOf('renewals')).toBeGreaterThan(5)
    expect(sumOf('nodesRemoved')).toBeGreaterThan(0)
  })
})
