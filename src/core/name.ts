// Names of users, subjects and events, and the patterns of subjects that a token may read.

import { keyLimits } from './history-limits.ts'
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

/** Events that comet itself tells clients of, by server-sent events. No message may have them. */
export const OWN_EVENTS: readonly string[] = ['start', 'gap', 'end']

/** Of the name of an event, as a schema has it. */
export const EVENT_PATTERN = `^(?!(?:${OWN_EVENTS.join('|')})$)${patternOf(messageLimits.eventLengthMax).slice(1)}`
const EVENT = new RegExp(EVENT_PATTERN)

export function isEvent(text: string): boolean {
  return EVENT.test(text)
}

/** What is wrong with an event that is none, for people. */
export const EVENT_RULE =
  `1 to ${messageLimits.eventLengthMax} ${NAME_CHARACTERS}, ` +
  `but not ${OWN_EVENTS.slice(0, -1).join(', ')} or ${OWN_EVENTS.at(-1)}, which are comet's own`

/** Of the key of a message: what a header may have, too (RFC 9110 section 5.5). */
export const KEY_PATTERN = `^[ -~]{1,${keyLimits.lengthMax}}$`
const KEY = new RegExp(KEY_PATTERN)

/** What a key is, as it is said to people. */
export const KEY_RULE = `1 to ${keyLimits.lengthMax} printable characters of ASCII`

export function isKey(text: string): boolean {
  return KEY.test(text)
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
