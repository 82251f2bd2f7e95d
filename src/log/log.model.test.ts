// Goal: whatever happens to a log, readers get what they should, and gaps are told exactly. Method:
// random steps beside a log that is too simple to be wrong; scripts/fuzz/log.ts makes more of them.

import { expect, test } from 'bun:test'
import { LogFolder } from './log.fixture.ts'
import { RandomLog } from './random-log.fixture.ts'

const STEPS = 400

function failureOf(
  seed: number,
  path: string | null,
  onEnd: (log: RandomLog) => void = () => undefined,
): string | null {
  const log = new RandomLog(seed, path)
  for (let step = 0; step < STEPS; step++) {
    const failure = log.step()
    if (failure !== null) return `seed ${seed}, step ${step}: ${failure}`
  }
  onEnd(log)
  return null
}

test('a log in memory is the same as a simple one after random steps', () => {
  for (let seed = 1; seed <= 40; seed++) expect(failureOf(seed, null)).toBeNull()
}, 30_000)

test('a log in a file is the same as a simple one, which starts again now and then', () => {
  using folder = new LogFolder()
  let keptOverKills = 0
  for (let seed = 101; seed <= 120; seed++) {
    expect(failureOf(seed, folder.path, (log) => (keptOverKills += log.keptOverKills))).toBeNull()
  }
  expect(keptOverKills).toBeGreaterThan(20)
}, 30_000)
