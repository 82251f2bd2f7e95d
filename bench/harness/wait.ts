// Waits for what grows, and for what settles. Each has a limit, and the error says how far it came.

import { type WaitOptions, waitFor } from '../../scripts/support/child-process.ts'
import { formatCount } from '../../src/core/units.ts'

/** Seconds without progress after which a count is not expected to grow any more. */
const STILL_SECONDS_MAX = 30
/** Memory is settled when for so long it has moved by less than this ratio of itself. */
const SETTLED_MS = 2_000
const SETTLED_RATIO = 0.002
const SETTLE_MS_MAX = 60_000
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
