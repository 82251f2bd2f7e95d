// Goal: the fuzzer of the log finds nothing, and would find something. Method: a run with a fixed
// seed in this process, a log with bugs, and the script as people start it.

import { afterEach, expect, spyOn, test } from 'bun:test'
import { TableWalk } from '../../src/core/table-walk.ts'
import { Chains } from '../../src/log/chains.ts'
import { EntryRing } from '../../src/log/entry-ring.ts'
import { FollowChanges } from '../../src/log/follow-changes.ts'
import { GoneHeads } from '../../src/log/gone-heads.ts'
import { LogHeader } from '../../src/log/log-header.ts'
import { succeed } from '../support/child-process.ts'
import { firstFailure } from './log.ts'

const SEED = 20_261_130
const STEPS = 10_000
/** Some bugs need a rare turn of events. */
const STEPS_WITH_BUG = 200_000

const spies: { mockRestore(): void }[] = []
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore()
})

test('ten thousand steps of a fixed seed are as those of the simple log', () => {
  expect(firstFailure(SEED, STEPS)).toBeNull()
}, 60_000)

test.each<[string, () => { mockRestore(): void }]>([
  [
    'a user never ceases to follow',
    () => spyOn(FollowChanges.prototype, 'followedAt').mockReturnValue(true),
  ],
  [
    'what a freed handle had is forgotten',
    () => spyOn(GoneHeads.prototype, 'keep').mockReturnValue(),
  ],
  [
    'the file of heads has none of them',
    () => spyOn(TableWalk.prototype, 'step').mockReturnValue('over'),
  ],
  [
    'nothing refers to a subject of a change',
    () => spyOn(Chains.prototype, 'mention').mockReturnValue(),
  ],
  [
    'an entry without room has no number',
    () => spyOn(EntryRing.prototype, 'advance').mockReturnValue(),
  ],
  [
    'the file is not told of the oldest entry',
    () => spyOn(LogHeader.prototype, 'setOldest').mockReturnValue(),
  ],
])(
  'a log is found in which %s',
  (_, spy) => {
    spies.push(spy())
    let failure: string | null
    try {
      failure = firstFailure(SEED, STEPS_WITH_BUG)
    } catch (error) {
      failure = String(error)
    }
    expect(failure).not.toBeNull()
  },
  60_000,
)

test('the script says how many steps it made', async () => {
  const script = `${import.meta.dir}/log.ts`
  const command = [process.execPath, script, '--inputs', '1000', '--seed', '5']
  expect((await succeed(command)).stdout).toMatch(/^no failure in 1000 inputs, [\d.]+ s\n$/)
})
