// User ids: which texts and numbers are one, and which users there are.

import type { ErrorCode, Failure } from './errors.ts'
import { type Result, refused, success } from './result.ts'

/**
 * Reads a positive decimal integer as numbers are written, without sign or leading zero.
 *
 * @returns 0 for any other text; for more digits than a number holds, one that is too high
 */
export function userIdOf(text: string): number {
  return /^[1-9]\d*$/.test(text) ? Number(text) : 0
}

/** Reads a user id up to the highest one. */
export function parseUserId(text: string, userIdMax: number): Result<number, Failure> {
  return checkUserId(userIdOf(text), userIdMax)
}

/** @param code the error of a number that is no id, as opposed to one that is too high */
export function checkUserId(
  user: number,
  userIdMax: number,
  code: ErrorCode = 'invalid_user_id',
): Result<number, Failure> {
  if (user >= 1 && user <= userIdMax) return success(user)
  if (user > userIdMax) return refused(unknownUser(userIdMax))
  return refused({ code, message: `A user id is a whole number from 1 to ${userIdMax}.` })
}

/** Why there is no user with an id above the highest; the same wherever one is named. */
export function unknownUser(userIdMax: number): Failure {
  return { code: 'unknown_user', message: `There is no user above ${userIdMax}, by --max-users.` }
}
