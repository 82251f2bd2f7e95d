// Goal: a wait lasts its time, and ends at once when its owner stops.

import { expect, test } from 'bun:test'
import { Sleeper } from './sleeper.ts'

const LONG_MS = 60_000

test('a wait lasts as long as was asked', async () => {
  const startedMs = performance.now()
  await new Sleeper().sleep(20)
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(19)
})

test('a wait that is under way ends when it is stopped, and later ones end at once', async () => {
  const sleeper = new Sleeper()
  const startedMs = performance.now()
  const sleeping = sleeper.sleep(LONG_MS)
  sleeper.stop()
  await sleeping
  await sleeper.sleep(LONG_MS)
  expect(performance.now() - startedMs).toBeLessThan(LONG_MS)
})
