// Does random things to a log, in memory and in a file that is opened again and again, beside one
// that is too simple to be wrong; damages files of logs; and tells where what is read is not what
// it is to be. An input is a step.
//
//   bun scripts/fuzz/log.ts [--inputs 100000] [--seed N]     exits 1 at the first failure

import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { type RandomBelow, randomFrom } from '../../src/core/random.ts'
import { allOf, LogFolder } from '../../src/log/log.fixture.ts'
import { addNext } from '../../src/log/numbered.fixture.ts'
import { RandomLog } from '../../src/log/random-log.fixture.ts'
import { fuzz } from './fuzz.ts'

/** Steps of one log. */
const STEPS = 500
/** Damages of one file, and entries that it has had at most. */
const DAMAGES = 20
const ENTRIES_MAX = 300
const PAGE_BYTES = 4_096
const [USERS, SUBJECTS] = [
  [1, 2, 3, 4],
  [1_001, 1_002, 1_003],
]

/** What is wrong with a log of a seed; null if nothing is. */
export function failureOf(seed: number, steps: number, path: string): string | null {
  const log = new RandomLog(seed, seed % 2 === 0 ? path : null)
  for (let step = 0; step < steps; step++) {
    const failure = log.step()
    if (failure !== null) return `step ${step}: ${failure}`
  }
  return null
}

/** Damages of a file: all must be found, or change nothing. */
function damageFailureOf(seed: number): string | null {
  using folder = new LogFolder()
  const random = randomFrom(seed)
  const { log } = folder.open()
  for (let entries = random(ENTRIES_MAX); entries > 0; entries--) addNext(log)
  const before = allOf(log, USERS, SUBJECTS)
  const bytes = readFileSync(folder.path)
  // A file may be so damaged that its epoch is not known; but a clock goes on.
  folder.clock.advance(1)
  for (let damage = 0; damage < DAMAGES; damage++) {
    writeFileSync(folder.path, bytes)
    const what = damaged(folder.path, bytes, random)
    const { log: after, note } = folder.open()
    if (note !== null && after.epoch > before.epoch && after.last === 0) continue
    if (!Bun.deepEquals(allOf(after, USERS, SUBJECTS), before)) {
      return `${what} of a file of ${log.last} entries was not found: ${note}`
    }
  }
  return null
}

function damaged(path: string, bytes: Buffer, random: RandomBelow): string {
  const kind = random(10)
  if (kind === 0) {
    const length = random(bytes.length)
    truncateSync(path, length)
    return `cut at ${length}`
  }
  const copy = Buffer.from(bytes)
  if (kind < 3) {
    const start = PAGE_BYTES * random(bytes.length / PAGE_BYTES)
    const isOld = kind === 1
    copy.fill(isOld ? 0 : random(256), start, start + PAGE_BYTES)
    writeFileSync(path, copy)
    return `another page at ${start}`
  }
  const places = Array.from({ length: 1 + random(3) }, () => {
    return random(2) === 0 ? random(PAGE_BYTES) : random(bytes.length)
  })
  for (const at of places) copy[at] = (copy[at] as number) ^ (1 << random(8))
  writeFileSync(path, copy)
  return `a wrong bit at ${places}`
}

/** The first failure among so many steps, each log with the next seed. */
export function firstFailure(
  seed: number,
  inputs: number,
  onSign: (seed: number) => void = () => undefined,
): string | null {
  using folder = new LogFolder()
  const again = (of: number, failure: string) =>
    `seed ${of}, ${failure}\nagain: bun scripts/fuzz/log.ts --inputs ${STEPS} --seed ${of}`
  for (let steps = inputs, of = seed; steps > 0; steps -= STEPS, of++) {
    onSign(of)
    const failure = failureOf(of, Math.min(STEPS, steps), folder.path) ?? damageFailureOf(of)
    if (failure !== null) return again(of, failure)
  }
  return null
}

await fuzz(import.meta, firstFailure)
