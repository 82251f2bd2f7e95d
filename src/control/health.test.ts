// Goal: a server whose loop or workers do not do their work is not alive, and says which. Method: a
// loop by a clock that is moved by hand, and workers that are silent because the test says so.

import { expect, test } from 'bun:test'
import { figureLimits } from '../core/limits.ts'
import { LoopWatch } from '../core/loop.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { stuckProcesses } from './metrics.ts'

test('a loop that is late counts as stuck, until it has looked again', () => {
  const clock = new FakeClock()
  const loop = new LoopWatch(clock)
  const stuck = () => stuckProcesses({ loop, silentWorkers: () => [] })
  clock.advance(figureLimits.loopCheckMs + figureLimits.loopLateMsMax)
  expect(stuck()).toEqual([])
  clock.advance(1)
  expect(stuck()).toEqual(['parent'])
  loop.look()
  expect(stuck()).toEqual([])
})

test('silent workers are named as in the metrics', () => {
  const loop = new LoopWatch(new FakeClock())
  expect(stuckProcesses({ loop, silentWorkers: () => [0, 12] })).toEqual(['worker-0', 'worker-12'])
})
