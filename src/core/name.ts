// Names of users, subjects and events, and the patterns of subjects that a token may read.

import { identityLimits } from './identity-limits.ts'
import { messageLimits } from './limits.ts'

/** The pattern of a name; none of its characters needs an escape in JSON or in a URL's path. */
function patternOf(lengthMax: number): string {
  return `^[A-Za-z0-9._:@-]{1,${lengthMax}}$`
}

const NAME_PATTERN = patternOf(identityLimits.nameLengthMax)
const NAME = new RegExp(NAME_PATTERN)

/** What a name consists of, as it is said to people. */
export const NAME_CHARACTERS = 'letters, digits and . _ : @ -'

/** What a name of a user or subject is, as it is said to people. */
export const NAME_RULE = `a name of up to ${identityLimits.nameLengthMax} ${NAME_CHARACTERS}`

/** Of the name of an event, as a schema has it. */
export const EVENT_PATTERN = patternOf(messageLimits.eventLengthMax)
const EVENT = new RegExp(EVENT_PATTERN)

export function isEvent(text: string): boolean {
  return EVENT.test(text)
}

/**
 * Is it a name: 1 to 64 of `A–Z a–z 0–9 . _ : @ -`, and not a number? Nor `.` or `..`, which stand
 * for others in the path of a URL (RFC 3986 section 5.2.4).
 */
export function isName(text: string): boolean {
  return NAME.test(text) && !/^(?:\d+|\.{1,2})$/.test(text)
}

/** Of a user or subject as text: a name, or a whole number without sign or leading zero. */
export const SUBJECT_PATTERN = `^[1-9][0-9]{0,9}$|^(?!(?:[0-9]+|\\.{1,2})$)${NAME_PATTERN.slice(1)}`
const SUBJECT = new RegExp(SUBJECT_PATTERN)

export function isSubject(text: string): boolean {
  return SUBJECT.test(text)
}

/** Is it a subject, or the beginning of subjects with `*` after it, or `*` for all of them? */
export function isPattern(text: string): boolean {
  if (!text.endsWith('*')) return isSubject(text)
  const prefix = text.slice(0, -1)
  return prefix === '' || NAME.test(prefix)
}
