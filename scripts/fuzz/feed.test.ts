// Goal: the fuzzer of the shared feed finds nothing, and would find something. Method: a run with a
// fixed seed in this process, nodes with bugs, and the script as people start it.

import { afterEach, expect, spyOn, test } from 'bun:test'
import { FeedScripts } from '../../src/bus/feed-scripts.ts'
import { success } from '../../src/core/result.ts'
import { succeed } from '../support/child-process.ts'
import { HAS_REDIS } from '../support/redis.ts'
import { firstFailure } from './feed.ts'

const SEED = 20_261_130
const STEPS = 600
const STEPS_WITH_BUG = 6_000

const spies: { mockRestore(): void }[] = []
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore()
})

test.skipIf(!HAS_REDIS)(
  'after some hundred steps of a fixed seed all readers are right',
  async () => {
    expect(await firstFailure(SEED, STEPS)).toBeNull()
  },
  60_000,
)

test
  .skipIf(!HAS_REDIS)
  .each<[string, () => { mockRestore(): void }]>([
    [
      'nobody tells of those that died',
      () => spyOn(FeedScripts.prototype, 'remove').mockResolvedValue(success('nothing')),
    ],
  ])(
  'a node with the bug that %s is found out',
  async (_, bug) => {
    spies.push(bug())
    expect(await firstFailure(SEED, STEPS_WITH_BUG)).not.toBeNull()
  },
  120_000,
)

test.skipIf(!HAS_REDIS)('the script says what it has done', async () => {
  const script = `${import.meta.dir}/feed.ts`
  const { stdout } = await succeed(['bun', script, '--inputs', '120', '--seed', '1'])
  expect(stdout).toContain('no failure in 120 inputs')
})
