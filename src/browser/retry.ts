// When the next connection is tried.

import type { ConnectOptions } from './api.ts'
import { RETRY_AFTER_SECONDS_MAX, RETRY_MS, RETRY_MS_MAX } from './limits.ts'

/** Statuses below 500 of refusals that are none only for now are not among these. */
const FINAL = /^4(?!08|25|29)/

export function isFinal({ status }: { readonly status?: number }): boolean {
  return FINAL.test(`${status}`)
}

/**
 * Milliseconds to wait. Full jitter: clients that were cut together come back one by one, also those
 * that were all told to wait as long.
 *
 * @param tries that failed in a row before
 */
export function waitMsAfter(
  { retryAfterSeconds = 0 }: { readonly retryAfterSeconds?: number },
  { retryMs = RETRY_MS, retryMsMax = RETRY_MS_MAX }: ConnectOptions,
  tries: number,
): number {
  const toldMs = Math.min(retryAfterSeconds, RETRY_AFTER_SECONDS_MAX) * 1_000
  return Math.max(
    Math.random() * Math.min(retryMsMax, retryMs * 2 ** tries),
    toldMs * (1 + Math.random()),
  )
}
