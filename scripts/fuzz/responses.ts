// Reads random and damaged responses, cut anywhere, with the reader of `comet flood` and with one
// that is too simple to be wrong, and tells where they differ, throw or take too long.
//
//   bun scripts/fuzz/responses.ts [--inputs 100000] [--seed N]     exits 1 at the first failure

import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { randomFrom } from '../../src/core/random.ts'
import type { CutFraming } from '../../src/flood/framing.ts'
import { readNaively } from '../../src/flood/naive.fixture.ts'
import { cutAt, readInPieces } from '../../src/flood/pieces.fixture.ts'
import { damaged, FRAMINGS, responseOf } from '../../src/flood/wire.fixture.ts'

/** Milliseconds that one input may take; most take a hundredth of one. */
const INPUT_MS_MAX = 5_000
/** Inputs between two signs of life. */
export const BETWEEN_SIGNS = 100

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

/** The first failure among so many inputs, one for each seed from the first on. */
export function firstFailure(
  seed: number,
  inputs: number,
  onSign: (seed: number) => void = () => undefined,
): string | null {
  for (let at = seed; at < seed + inputs; at++) {
    if ((at - seed) % BETWEEN_SIGNS === 0) onSign(at)
    const failure = failureOf(inputOf(at))
    if (failure !== null) return described(at, failure)
  }
  return null
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

await fuzz(import.meta, firstFailure)
