// Does random things to the machines that share a log, and to Redis and the network between them:
// kills, freezes, empties, cuts, delays, swallows. Then each stream has had all that was accepted,
// once and in order, or was told of a gap. An input is a step.
//
//   bun scripts/fuzz/bus.ts [--inputs 100000] [--seed N]     exits 1 at the first failure

import { RandomFaults } from '../../src/bus/random-faults.fixture.ts'
import { HAS_REDIS } from '../support/redis.ts'
import { fuzz } from './fuzz.ts'

/** Steps of one cluster. */
const STEPS = 200

/** What is wrong with the cluster of a seed; null if nothing is. */
async function failureOf(seed: number, steps: number): Promise<string | null> {
  await using faults = await RandomFaults.start(seed)
  const { wrong } = await faults.run(steps)
  return wrong.length === 0 ? null : `${wrong.join('\n')}\nafter ${faults.done.join('; ')}`
}

/** The first failure among so many steps, each cluster with the next seed. */
export async function firstFailure(
  seed: number,
  inputs: number,
  onSign: (seed: number) => void = () => undefined,
): Promise<string | null> {
  if (!HAS_REDIS) return null
  for (let steps = inputs, of = seed; steps > 0; steps -= STEPS, of++) {
    onSign(of)
    const failure = await failureOf(of, Math.min(STEPS, steps))
    if (failure === null) continue
    // Timing is not repeatable: some need many tries.
    return `seed ${of}: ${failure}\nagain: bun scripts/fuzz/bus.ts --inputs ${STEPS} --seed ${of}`
  }
  return null
}

await fuzz(import.meta, firstFailure)
