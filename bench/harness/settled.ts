// Memory that has come to rest: read while garbage is still collected, it would be a chance value.

import { until } from './child.ts'

/** Settled: for so long, the memory has moved by less than this part of itself. */
const QUIET_MS = 2_000
const QUIET_RATIO = 0.002
const SETTLE_MS = 60_000

/** The bytes that `read` answers once they no longer move; an error if they never rest. */
export function settled(read: () => number | Promise<number>, mostMs = SETTLE_MS): Promise<number> {
  let sinceMs = performance.now()
  let low = Number.POSITIVE_INFINITY
  let high = 0
  return until(
    'memory that has settled',
    async () => {
      const bytes = await read()
      low = Math.min(low, bytes)
      high = Math.max(high, bytes)
      if (high - low > high * QUIET_RATIO) {
        low = bytes
        high = bytes
        sinceMs = performance.now()
      }
      // Seldom, since to be asked costs the server memory too.
      await Bun.sleep(QUIET_MS / 10)
      return performance.now() - sinceMs >= QUIET_MS ? bytes : undefined
    },
    mostMs,
  )
}
