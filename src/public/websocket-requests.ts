// What clients of WebSocket streams ask for, as JSON: to follow subjects on this stream, or to do so
// no longer; and what they are answered. Checked by hand, since every worker would load a library.

import { identityLimits } from '../core/identity-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { checkSubject, type Subject } from '../core/user.ts'

/** What a client asks for. */
export interface SubjectsRequest {
  readonly kind: 'subscribe' | 'unsubscribe'
  /** Each once. */
  readonly subjects: readonly Subject[]
}

/** Why a request was not done, as its client is told. */
export interface RequestFailure {
  readonly code:
    | 'invalid_json'
    | 'invalid_message'
    | 'subject_not_allowed'
    | 'too_many_subjects'
    | 'too_many_names'
    | 'busy'
  readonly message: string
}

const { subjectsMax } = identityLimits

export const TOO_MANY_SUBJECTS: RequestFailure = {
  code: 'too_many_subjects',
  message: `A stream follows ${subjectsMax} subjects at most.`,
}

const NO_REQUEST =
  'A message is {"subscribe":[…]} or {"unsubscribe":[…]}, with one subject or more.'

/** Reads a message of a client. */
export function parseSubjectsRequest(
  text: string,
  userIdMax: number,
): Result<SubjectsRequest, RequestFailure> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Where it is wrong is in the client's own words, which it knows.
    return refused({ code: 'invalid_json', message: 'The message is not JSON.' })
  }
  if (typeof value !== 'object' || value === null) return invalid(NO_REQUEST)
  const fields = Object.entries(value)
  const [kind, list] = fields[0] ?? []
  if (fields.length !== 1 || (kind !== 'subscribe' && kind !== 'unsubscribe')) {
    return invalid(NO_REQUEST)
  }
  if (!Array.isArray(list) || list.length === 0) return invalid(NO_REQUEST)
  const subjects = new Set<Subject>()
  for (const item of list as readonly unknown[]) {
    const isOne = typeof item === 'string' || typeof item === 'number'
    const subject = isOne ? checkSubject(item, userIdMax) : null
    if (subject === null) return invalid('A subject is a name or a number.')
    if (!subject.ok) return invalid(subject.why.message)
    subjects.add(subject.value)
    if (subjects.size > subjectsMax) return refused(TOO_MANY_SUBJECTS)
  }
  return success({ kind, subjects: [...subjects] })
}

function invalid(message: string): Result<never, RequestFailure> {
  return refused({ code: 'invalid_message', message })
}

/**
 * The answer to a request that was done.
 *
 * @param cursor where in the log that was: what is behind it is sent, or is no longer
 */
export function doneText({ kind, subjects }: SubjectsRequest, cursor: string): string {
  const done = kind === 'subscribe' ? { subscribed: subjects } : { unsubscribed: subjects }
  return JSON.stringify({ ...done, id: cursor })
}

export function failureText(error: RequestFailure): string {
  return JSON.stringify({ error })
}
