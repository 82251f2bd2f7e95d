// Waits of the benches. Each has a limit, and the error says what was missing.

import { withTimeout } from '../../src/core/deadline.ts'
import { formatCount } from '../../src/core/units.ts'
import type { Program } from './process.ts'

/** Milliseconds between two looks, unless more are given: looking costs the measured process time. */
const EVERY_MS = 20
/** Milliseconds for one look at least, however little of the wait is left. */
const LOOK_MS_MIN = 1_000
/** Seconds without progress after which a count is not expected to grow any more. */
const STILL_SECONDS_MAX = 30
/** Memory is settled when for so long it has moved by less than this ratio of itself. */
const SETTLED_MS = 2_000
const SETTLED_RATIO = 0.002
const SETTLE_MS_MAX = 60_000

export interface Wait {
  readonly what: string
  readonly mostMs: number
  readonly everyMs?: number
  /** Programs whose end ends the wait. */
  readonly needs?: readonly Program[]
}

/** Looks again and again until there is a value; an error once it takes too long. */
export async function waitFor<T>(
  { what, mostMs, everyMs = EVERY_MS, needs = [] }: Wait,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = performance.now() + mostMs
  for (;;) {
    const looked = look()
    const leftMs = Math.max(LOOK_MS_MIN, deadlineMs - performance.now())
    const found = looked instanceof Promise ? await withTimeout(what, looked, leftMs) : looked
    if (found !== undefined) return found
    for (const program of needs) {
      if (program.hasEnded) throw program.error(`ended while we waited for ${what}`)
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`${Math.round(mostMs / 1000)} s passed without ${what}`)
    }
    await Bun.sleep(everyMs)
  }
}

/** Waits until the count is exactly or more than wanted, for as long as it grows. */
export async function waitForCount(
  wanted: number,
  noun: string,
  wait: Omit<Wait, 'what'>,
  read: () => number | Promise<number>,
): Promise<void> {
  const progress = new Progress(wanted, noun)
  await waitFor({ ...wait, what: `${formatCount(wanted)} ${noun}` }, async () => {
    return progress.isDone(await read()) || undefined
  })
}

/** Throws once a count has not grown for too long. */
export class Progress {
  readonly #wanted: number
  readonly #noun: string
  readonly #now: () => number
  #most = -1
  #grownMs = 0

  /** @param now milliseconds of a clock that only goes forward */
  constructor(wanted: number, noun: string, now: () => number = () => performance.now()) {
    this.#wanted = wanted
    this.#noun = noun
    this.#now = now
  }

  isDone(count: number): boolean {
    const nowMs = this.#now()
    if (count > this.#most) {
      this.#most = count
      this.#grownMs = nowMs
    } else if (count < this.#wanted && nowMs - this.#grownMs >= STILL_SECONDS_MAX * 1_000) {
      throw new Error(
        `${formatCount(count)} of ${formatCount(this.#wanted)} ${this.#noun}, ` +
          `no progress for ${STILL_SECONDS_MAX} s`,
      )
    }
    return count >= this.#wanted
  }
}

/** The bytes that `read` returns once they no longer move; before garbage is collected they are chance. */
export function settled(
  read: () => number | Promise<number>,
  mostMs = SETTLE_MS_MAX,
): Promise<number> {
  let sinceMs = performance.now()
  let low = Number.POSITIVE_INFINITY
  let high = 0
  return waitFor({ what: 'memory that has settled', mostMs }, async () => {
    const bytes = await read()
    low = Math.min(low, bytes)
    high = Math.max(high, bytes)
    if (high - low > high * SETTLED_RATIO) {
      low = bytes
      high = bytes
      sinceMs = performance.now()
    }
    // Seldom, since an answer costs the server memory too.
    await Bun.sleep(SETTLED_MS / 10)
    return performance.now() - sinceMs >= SETTLED_MS ? bytes : undefined
  })
}
