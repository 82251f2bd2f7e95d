// Does random things to the machines that share a feed of connections, and to Redis and the network
// between them. Then everyone who follows it knows who is connected, and so does who comes late. An
// input is a step.
//
//   bun scripts/fuzz/feed.ts [--inputs 100000] [--seed N]     exits 1 at the first failure

import { RandomFeed } from '../../src/bus/random-feed.fixture.ts'
import { HAS_REDIS } from '../support/redis.ts'
import { fuzz } from './fuzz.ts'

/** Steps of one cluster. */
const STEPS = 120

/** What a reader of the cluster of a seed has wrong about who is connected; null for nothing. */
async function failureOf(seed: number, steps: number): Promise<string | null> {
  await using feed = await RandomFeed.start(seed)
  try {
    await feed.run(steps)
    return null
  } catch (error) {
    return `${error}\nafter ${feed.done.join('; ')}`
  }
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
    return `seed ${of}: ${failure}\nagain: bun scripts/fuzz/feed.ts --inputs ${STEPS} --seed ${of}`
  }
  return null
}

await fuzz(import.meta, firstFailure)
