// When the next connection is tried.

import { CometError, type ConnectOptions } from './api.ts'
import { RETRY_AFTER_SECONDS_MAX, RETRY_MS, RETRY_MS_MAX } from './limits.ts'

/** Why a connection is over; with what the server answered, if it was that. */
export type FailureReason = Error & {
  readonly status?: number
  readonly retryAfterSeconds?: number
}

/** The connection was ended so that the next one begins now. */
export const AT_ONCE = new CometError('at once')

/** Statuses of refusals that are not only for now. */
const FINAL = /^4(?!08|25|29)/

export function isFinal({ status }: FailureReason): boolean {
  return FINAL.test(`${status}`)
}

/**
 * Milliseconds to wait. Full jitter: clients that were cut together come back one by one, and so do
 * those that were all told to wait as long.
 *
 * @param tries that failed in a row before
 */
export function waitMsAfter(
  { retryAfterSeconds = 0 }: FailureReason,
  { retryMs = RETRY_MS, retryMsMax = RETRY_MS_MAX }: ConnectOptions,
  tries: number,
): number {
  const toldMs = Math.min(retryAfterSeconds, RETRY_AFTER_SECONDS_MAX) * 1_000
  return Math.max(
    Math.random() * Math.min(retryMsMax, retryMs * 2 ** tries),
    toldMs * (1 + Math.random()),
  )
}
