// Reads random and damaged responses, cut anywhere, with the reader of `comet flood` and with one
// that is too simple to be wrong, and tells where they differ, throw or take too long.
//
//   bun scripts/fuzz/responses.ts [--inputs 100000] [--seed N]     exits 1 at the first failure

import { randomFrom } from '../../src/core/random.ts'
import type { CutFraming } from '../../src/flood/framing.ts'
import { readNaively } from '../../src/flood/naive.fixture.ts'
import { cutAt, readInPieces } from '../../src/flood/pieces.fixture.ts'
import { damaged, FRAMINGS, responseOf } from '../../src/flood/wire.fixture.ts'
import { bySeed, fuzz, INPUT_MS_MAX } from './fuzz.ts'

interface Input {
  readonly framing: CutFraming
  readonly wire: Uint8Array
  readonly cuts: readonly number[]
}

/** The input of a seed: a response whole, damaged, or no response at all. */
export function inputOf(seed: number): Input {
  const random = randomFrom(seed)
  const framing = FRAMINGS[random(FRAMINGS.length)] as CutFraming
  const other = responseOf(random, FRAMINGS[random(FRAMINGS.length)] as CutFraming)
  const whole = responseOf(random, framing)
  const kind = random(10)
  const noise = Uint8Array.from({ length: random(60) }, () => random(256))
  const wire = kind === 0 ? noise : kind < 3 ? whole : damaged(random, whole, other)
  const cuts =
    random(8) === 0
      ? Array.from(wire, (_, at) => at)
      : Array.from({ length: random(8) }, () => random(wire.length + 1))
  return { framing, wire, cuts }
}

/** What is wrong with how an input is read; null if nothing is. */
export function failureOf({ framing, wire, cuts }: Input, read = readInPieces): string | null {
  const beganMs = performance.now()
  try {
    const expected = Bun.inspect(readNaively(wire, framing))
    const { seen } = read(cutAt(wire, cuts), framing)
    const found = Bun.inspect(seen)
    if (found !== expected) return `read as ${found}\nand not as ${expected}`
  } catch (error) {
    return `threw ${Bun.inspect(error)}`
  }
  const tookMs = performance.now() - beganMs
  return tookMs > INPUT_MS_MAX ? `took ${Math.round(tookMs)} ms` : null
}

/** All that it takes to see a failure again. */
function described(seed: number, failure: string): string {
  const { framing, wire, cuts } = inputOf(seed)
  const text = JSON.stringify(Buffer.from(wire).toString('latin1'))
  const again = `bun scripts/fuzz/responses.ts --inputs 1 --seed ${seed}`
  return `${failure}\nframing ${framing}, cut at ${cuts.join(' ')}, of latin1 ${text}\nagain: ${again}`
}

export const firstFailure = bySeed((seed) => {
  const failure = failureOf(inputOf(seed))
  return failure === null ? null : described(seed, failure)
})

await fuzz(import.meta, firstFailure)
