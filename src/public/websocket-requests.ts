// What clients of WebSocket streams ask for, as JSON: to follow subjects on this stream, or to do
// so no longer; and what they are answered. Checked by hand: every worker would load a library.

import { identityLimits } from '../core/identity-limits.ts'
import { websocketLimits } from '../core/limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { checkSubject, type Subject } from '../core/user.ts'
import type { SubjectsRequest } from '../hub/subject-changes.ts'

/** Why a request was not done, as its client is told. */
export interface RequestFailure {
  readonly code:
    | 'invalid_json'
    | 'invalid_message'
    | 'subject_not_allowed'
    | 'too_many_subjects'
    | 'too_many_names'
    | 'too_often'
    | 'busy'
  readonly message: string
}

const { subjectsMax } = identityLimits
const { subjectsPerWindowMax } = websocketLimits

/** Those that do not come of the text of a request. */
export const REQUEST_FAILURES = {
  subject_not_allowed: {
    code: 'subject_not_allowed',
    message: 'The token does not allow to read all of these subjects.',
  },
  too_many_subjects: {
    code: 'too_many_subjects',
    message: `A stream follows ${subjectsMax} subjects at most.`,
  },
  too_many_names: {
    code: 'too_many_names',
    message: 'There is no room for another name.',
  },
  too_often: {
    code: 'too_often',
    message: `A stream may ask to follow ${subjectsPerWindowMax} subjects a minute.`,
  },
  busy: { code: 'busy', message: 'The server is busy; ask again later.' },
} as const satisfies Record<string, RequestFailure>

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
    if (subjects.size > subjectsMax) return refused(REQUEST_FAILURES.too_many_subjects)
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
