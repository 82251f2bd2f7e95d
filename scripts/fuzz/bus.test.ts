// Goal: the fuzzer of the bus finds nothing, and would find something. Method: a run with a fixed
// seed in this process, buses with bugs, and the script as people start it.

import { afterEach, expect, spyOn, test } from 'bun:test'
import { Epochs } from '../../src/log/epochs.ts'
import { succeed } from '../support/child-process.ts'
import { HAS_REDIS } from '../support/redis.ts'
import { firstFailure } from './bus.ts'

const SEED = 20_261_130
const STEPS = 1_000
/** Some bugs need a rare turn of events. */
const STEPS_WITH_BUG = 20_000

const spies: { mockRestore(): void }[] = []
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore()
})

test.skipIf(!HAS_REDIS)(
  'a thousand steps of a fixed seed lose, double and reorder nothing',
  async () => {
    expect(await firstFailure(SEED, STEPS)).toBeNull()
  },
  60_000,
)

test
  .skipIf(!HAS_REDIS)
  .each<[string, () => { mockRestore(): void }]>([
    ['each cursor counts', () => spyOn(Epochs.prototype, 'has').mockReturnValue(true)],
  ])(
  'a bus with the bug that %s is found out',
  async (_, bug) => {
    spies.push(bug())
    // It may also never come to rest.
    const failure = await firstFailure(SEED, STEPS_WITH_BUG).catch(String)
    expect(failure).not.toBeNull()
  },
  120_000,
)

test.skipIf(!HAS_REDIS)('the script says what it has done', async () => {
  const script = `${import.meta.dir}/bus.ts`
  const { stdout } = await succeed(['bun', script, '--inputs', '200', '--seed', '1'])
  expect(stdout).toContain('no failure in 200 inputs')
})
