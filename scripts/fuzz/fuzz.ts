// What the scripts of this folder share: inputs by seed, one after the other, in a thread that is
// watched; the command line; and what is told at the end.

import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** Milliseconds that one input may take: most take a hundredth of one, connections some. */
export const INPUT_MS_MAX = 5_000
/** Inputs between two signs of life. */
export const BETWEEN_SIGNS = 100

/**
 * The first failure among so many inputs, one for each seed from the first on.
 *
 * @param failureAt what is wrong with the input of a seed, and how to see it again; or null
 */
export function bySeed(failureAt: (seed: number) => string | null) {
  return (
    seed: number,
    inputs: number,
    onSign: (seed: number) => void = () => undefined,
  ): string | null => {
    for (let at = seed; at < seed + inputs; at++) {
      if ((at - seed) % BETWEEN_SIGNS === 0) onSign(at)
      const failure = failureAt(at)
      if (failure !== null) return failure
    }
    return null
  }
}

/**
 * Tells the first failure among so many inputs, from a seed on, and from time to time how far it
 * is.
 */
type FirstFailure = (
  seed: number,
  inputs: number,
  onSign: (seed: number) => void,
) => string | null | Promise<string | null>

interface Run {
  /** The script that is run. */
  readonly url: string
  readonly seed: number
  readonly inputs: number
}

/** Reads in a thread of its own, so that one that hangs is told of too. */
function watched(run: Run): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const worker = new Worker(new URL(run.url), { workerData: run })
  let last = run.seed
  const end = (how: string) =>
    resolve(`${how} at one of the seeds ${last} to ${last + BETWEEN_SIGNS - 1}`)
  const hang = () => end('hung')
  let watch = setTimeout(hang, INPUT_MS_MAX * 2)
  worker.on('error', (error) => end(`threw ${Bun.inspect(error)}\n`))
  worker.on('message', (told: number | string | null) => {
    if (typeof told !== 'number') return resolve(told)
    last = told
    clearTimeout(watch)
    watch = setTimeout(hang, INPUT_MS_MAX * 2)
  })
  return promise
}

/** Runs a script of this kind, if it is one that was started and none that another one imports. */
export async function fuzz({ url, main }: ImportMeta, firstFailure: FirstFailure): Promise<void> {
  if (!isMainThread && parentPort !== null) {
    const port = parentPort
    const run = workerData as Run
    if (run.url !== url) return
    port.postMessage(await firstFailure(run.seed, run.inputs, (at) => port.postMessage(at)))
  } else if (main) {
    const { values } = parseArgs({
      options: { inputs: { type: 'string', default: '100000' }, seed: { type: 'string' } },
    })
    const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
    const inputs = Number(values.inputs)
    if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(inputs)) {
      console.error('--inputs and --seed take whole numbers')
      process.exit(2)
    }
    console.error(`${basename(url)}: ${inputs} inputs from seed ${seed} on`)
    const beganMs = performance.now()
    const failure = await watched({ url, seed, inputs })
    const seconds = ((performance.now() - beganMs) / 1000).toFixed(1)
    console.log(failure ?? `no failure in ${inputs} inputs, ${seconds} s`)
    process.exit(failure === null ? 0 : 1)
  }
}
