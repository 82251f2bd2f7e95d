// A user id as text: in a path, in a line. The one rule of what is one, and of which there are.

import { type Failure, failed, type Result, success } from './errors.ts'

/** Reads a positive decimal integer up to the highest id there may be. */
export function parseUserId(text: string, userIdMax: number): Result<number> {
  const user = /^[1-9]\d*$/.test(text) ? Number(text) : 0
  if (user >= 1 && user <= userIdMax) return success(user)
  if (user > userIdMax) return { ok: false, failure: unknownUser(userIdMax) }
  return failed('invalid_user_id', `A user id is a whole number from 1 to ${userIdMax}.`)
}

/** Why there is no user with an id above the highest; the same wherever one is named. */
export function unknownUser(userIdMax: number): Failure {
  return { code: 'unknown_user', message: `There is no user above ${userIdMax}, by --max-users.` }
}
