// Waits for what grows, and for what settles. Each has a limit, and the error says how far it came.

import { type WaitOptions, waitFor } from '../../scripts/support/child-process.ts'
import { formatCount } from '../../src/core/units.ts'

/** Seconds without progress after which a count is not expected to grow any more. */
const STILL_SECONDS_MAX = 30
/** Memory is settled when for so long it has moved by less than this ratio of itself. */
const SETTLED_MS = 2_000
const SETTLED_RATIO = 0.002
const SETTLE_MS_MAX = 60_000
/**
 * Bun collects garbage within 25 s of a burst, and all of it about every 40 s. Memory is collected
 * when for so long it has not fallen by more than this ratio of itself below the lowest before.
 */
const COLLECTED_MS = 45_000
const COLLECTED_RATIO = 0.005
const COLLECT_MS_MAX = 180_000
const COLLECTED_EVERY_MS = 1_000
/** Milliseconds between two looks, which cost the server whose memory is read CPU time. */
const LOOK_EVERY_MS = 20

/** Waits until so many streams are open, for as long as more of them open. */
export async function waitForStreams(
  wanted: number,
  { mostMs, ...options }: WaitOptions & { readonly mostMs: number },
  read: () => number | Promise<number>,
): Promise<void> {
  const opening = new Opening(wanted)
  const look = async () => opening.isDone(await read())
  await waitFor(`${formatCount(wanted)} open streams`, look, mostMs, options)
}

/** Streams that open; it throws once none has opened for too long. */
export class Opening {
  readonly #wanted: number
  readonly #now: () => number
  #most = -1
  #grownMs = 0

  /** @param now milliseconds of a clock that only goes forward */
  constructor(wanted: number, now: () => number = () => performance.now()) {
    this.#wanted = wanted
    this.#now = now
  }

  isDone(count: number): boolean {
    const nowMs = this.#now()
    if (count > this.#most) {
      this.#most = count
      this.#grownMs = nowMs
    } else if (count < this.#wanted && nowMs - this.#grownMs >= STILL_SECONDS_MAX * 1_000) {
      const open = `${formatCount(count)} of ${formatCount(this.#wanted)} streams open`
      throw new Error(`${open}, no progress for ${STILL_SECONDS_MAX} s`)
    }
    return count >= this.#wanted
  }
}

/**
 * The bytes that `read` returns once they no longer move; before garbage is collected they are
 * chance.
 */
export function settled(
  read: () => number | Promise<number>,
  mostMs = SETTLE_MS_MAX,
): Promise<number> {
  let sinceMs = performance.now()
  let low = Number.POSITIVE_INFINITY
  let high = 0
  const look = async () => {
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
  }
  return waitFor('memory that has settled', look, mostMs, { everyMs: LOOK_EVERY_MS })
}

/**
 * The lowest bytes that `read` returns, once they fall no further. A process that does nothing but
 * note its figures goes up by 30 KB a second and down again, so its memory never settles; what is
 * left when garbage has been collected is the lowest.
 */
export function collected(read: () => number): Promise<number> {
  const lowest = new Lowest()
  const look = () => (lowest.isLowest(read()) ? lowest.bytes : undefined)
  return waitFor('collected garbage', look, COLLECT_MS_MAX, { everyMs: COLLECTED_EVERY_MS })
}

/** Bytes that are looked at again and again, and the lowest of them. */
export class Lowest {
  bytes = Number.POSITIVE_INFINITY
  readonly #now: () => number
  #reference = Number.POSITIVE_INFINITY
  #sinceMs = 0

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Takes what there is now; returns whether the lowest has been so for long enough. */
  isLowest(bytes: number): boolean {
    const nowMs = this.#now()
    this.bytes = Math.min(this.bytes, bytes)
    if (this.bytes < this.#reference * (1 - COLLECTED_RATIO)) {
      this.#reference = this.bytes
      this.#sinceMs = nowMs
    }
    return nowMs - this.#sinceMs >= COLLECTED_MS
  }
}
