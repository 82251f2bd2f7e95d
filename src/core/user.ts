// Users and subjects as people write them: which texts and numbers are one, and which there are.

import type { ErrorCode, Failure } from './errors.ts'
import { isName, NAME_RULE } from './name.ts'
import { type Result, refused, success } from './result.ts'

/** A user or subject as people write it: a whole number, or a name. */
export type Subject = number | string

/** A user or subject, and its name if it has one: handles do not outlive the process. */
export interface NamedUser {
  readonly id: number
  readonly name: string | null
}

/**
 * Reads a positive decimal integer as numbers are written, without sign or leading zero.
 *
 * @returns 0 for any other text; for more digits than a number holds, one that is too high
 */
export function userIdOf(text: string): number {
  return /^[1-9]\d*$/.test(text) ? Number(text) : 0
}

/** Reads a user or subject: a name, or a number up to the highest one. */
export function parseSubject(text: string, userIdMax: number): Result<Subject, Failure> {
  return isName(text) ? success(text) : checkUserId(userIdOf(text), userIdMax)
}

/** Checks one that JSON has as a number or as text. */
export function checkSubject(subject: Subject, userIdMax: number): Result<Subject, Failure> {
  return typeof subject === 'number'
    ? checkUserId(subject, userIdMax)
    : parseSubject(subject, userIdMax)
}

/** @param code the error of a number that is no id, as opposed to one that is too high */
export function checkUserId(
  user: number,
  userIdMax: number,
  code: ErrorCode = 'invalid_user_id',
): Result<number, Failure> {
  if (Number.isInteger(user) && user >= 1 && user <= userIdMax) return success(user)
  if (user > userIdMax) return refused(unknownUser(userIdMax))
  return refused({
    code,
    message: `A user or subject is ${NAME_RULE}, or a whole number from 1 to ${userIdMax}.`,
  })
}

/** Why there is no user with an id above the highest; the same wherever one is named. */
export function unknownUser(userIdMax: number): Failure {
  return { code: 'unknown_user', message: `There is no user above ${userIdMax}, by --max-users.` }
}
