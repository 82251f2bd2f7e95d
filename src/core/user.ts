// A user id as text: in a path, in a line. The one rule of what is one.

import { failed, type Result, success } from './errors.ts'

/** Reads a positive decimal integer up to the highest id there may be. */
export function parseUserId(text: string, userIdMax: number): Result<number> {
  const user = /^\d+$/.test(text) ? Number(text) : 0
  if (user >= 1 && user <= userIdMax) return success(user)
  return failed('invalid_user_id', `A user id is a whole number from 1 to ${userIdMax}.`)
}
