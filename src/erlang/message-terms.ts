// What a term gives comet to send: one message, or a list of them. Whom it came from, and what that
// one is told, it does not know.

import { type Failure, failed, type Result, success } from '../core/errors.ts'
import { erlangLimits, messageLimits } from '../core/limits.ts'
import { checkUserId } from '../core/user.ts'
import type { Backpressure } from '../hub/backpressure.ts'
import type { Receipt } from '../hub/receipt.ts'
import type { Router } from '../hub/router.ts'
import { readBody } from './body.ts'
import type { TermReader } from './term-reader.ts'

/**
 * Passes `{User, Body}`, `{subject, User, Body}` or `{send, User, Body}` and hands the message on. The
 * second and the third go to the user and all who follow, as the router of 2008 sent. Hot path: once
 * a message.
 *
 * @param receipt is settled once for it, now or later, if it was sent
 */
export function sendOne(reader: TermReader, router: Router, receipt: Receipt): Result<null> {
  const begin = reader.at
  const sent = send(reader, router, receipt)
  if (!sent.ok) {
    reader.at = begin
    reader.pass()
  }
  return sent
}

function send(reader: TermReader, router: Router, receipt: Receipt): Result<null> {
  const terms = reader.tuple()
  const isAbout = terms === 3 && (reader.isAtom('subject') || reader.isAtom('send'))
  if (!isAbout && terms !== 2) return failed('invalid_message', WHAT_A_MESSAGE_IS)
  const user = readUser(reader, router.userIdMax)
  if (!user.ok) return user
  const frame = readBody(reader)
  if (!frame.ok) return frame
  if (isAbout) router.sendAbout(user.value, frame.value, receipt)
  else router.sendTo(user.value, frame.value, receipt)
  return success(null)
}

const WHAT_A_MESSAGE_IS = 'A message is {User, Body} or {subject, User, Body}, or a list of these.'

/** Passes a term that must be a user id. */
export function readUser(reader: TermReader, userIdMax: number): Result<number> {
  return checkUserId(reader.integer(), userIdMax, 'invalid_message')
}

export const IMPROPER: Failure = {
  code: 'invalid_message',
  message: 'The list is improper: it ends in a term that is no list. None of it was sent.',
}

/** Does the list that comes end as one, in `[]`? Stays. What is behind a `|` has no place in a list. */
export function isProper(reader: TermReader): boolean {
  const begin = reader.at
  for (let left = reader.list(); left > 0; left--) reader.pass()
  const isNil = reader.kind === 'nil'
  reader.at = begin
  return isNil
}

/** Messages of a list that were refused. */
export interface Refused {
  /** The first ones, each with its place in the list, from 1 on. */
  readonly listed: { readonly place: number; readonly failure: Failure }[]
  count: number
}

/** Passes a list of messages; a bad one is refused by its place, the others go out. */
export async function sendEach(
  reader: TermReader,
  router: Router,
  receipt: Receipt,
  pace: Backpressure,
): Promise<Refused> {
  const refused: Refused = { listed: [], count: 0 }
  // A list without elements is a term of another kind.
  const messages = reader.list()
  for (let place = 1; place <= messages; place++) {
    if (place % erlangLimits.sliceMessages === 0) await pace.next(receipt)
    const sent = sendOne(reader, router, receipt)
    if (sent.ok) continue
    refused.count++
    if (refused.listed.length < messageLimits.rejectedListedMax) {
      refused.listed.push({ place, failure: sent.why })
    }
  }
  return refused
}
