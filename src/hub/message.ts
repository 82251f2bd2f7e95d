// A message: its receiver and its body. The schema is the one source for validation, type and
// documentation.

import { Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type Failure, failed } from '../core/errors.ts'
import { rawField } from '../core/json.ts'
import { messageLimits } from '../core/limits.ts'
import {
  EVENT_PATTERN,
  EVENT_RULE,
  KEY_PATTERN,
  KEY_RULE,
  NAME_RULE,
  SUBJECT_PATTERN,
} from '../core/name.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { Subject } from '../core/user.ts'

/** A user or subject: a number, which may be written as text, or a name. */
export const SubjectSchema = Type.Union([
  Type.Integer({ minimum: 1, maximum: messageLimits.userIdMax }),
  Type.String({ pattern: SUBJECT_PATTERN }),
])

/** Everyone who is connected. */
const Everyone = Type.Literal('*', { description: 'Everyone who is connected.' })

const To = Type.Union([...SubjectSchema.anyOf, Everyone])

const Body = Type.String({
  minLength: 1,
  description: `What every receiver gets: 1 to ${messageLimits.bodyBytesMax} bytes as UTF-8.`,
})

const Data = Type.Unknown({
  description: 'Any JSON instead of a body. It is passed on as it is written, on one line.',
})

const Event = Type.Optional(
  Type.String({
    pattern: EVENT_PATTERN,
    description: `What kind of message it is, for its receivers: ${EVENT_RULE}.`,
  }),
)

const Key = Type.Optional(
  Type.String({
    pattern: KEY_PATTERN,
    description:
      'Sent again with the same key within five minutes, the message goes out once, and each time ' +
      `the answer is that of the first. It is ${KEY_RULE}.`,
  }),
)

const OTHERS = { event: Event, key: Key } as const

const CLOSED = { additionalProperties: false } as const

/**
 * A message about a subject goes to the subject and its subscribers; one `to` a user, to that user
 * alone, or to everyone who is connected.
 */
export const MessageRequest = Type.Union([
  Type.Object({ subject: SubjectSchema, body: Body, ...OTHERS }, { ...CLOSED, title: 'About' }),
  Type.Object({ to: To, body: Body, ...OTHERS }, { ...CLOSED, title: 'To one user' }),
  Type.Object(
    { subject: SubjectSchema, data: Data, ...OTHERS },
    { ...CLOSED, title: 'About, JSON' },
  ),
  Type.Object({ to: To, data: Data, ...OTHERS }, { ...CLOSED, title: 'To one user, JSON' }),
])

/** A message as it was read: `data` is the text of the JSON. */
export type Message = ({ readonly to: Subject } | { readonly subject: Subject }) &
  ({ readonly body: string } | { readonly data: string }) & {
    readonly event?: string
    readonly key?: string
  }

const compiled = TypeCompiler.Compile(MessageRequest)

/**
 * Reads one message from JSON text. Hot path: called once a message.
 *
 * @returns the message, or the failure that names the field at fault
 */
export function parseMessage(json: string): Result<Message, Failure> {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    return failed('invalid_json', `This is not JSON: ${short((error as SyntaxError).message)}`)
  }
  if (!compiled.Check(value)) return refused(whyNot(value))
  const message = 'data' in value ? { ...value, data: rawField(json, 'data') } : value
  const text = 'data' in message ? message.data : message.body
  if (!text.isWellFormed()) {
    return failed(
      'invalid_utf8',
      'The body holds half of a surrogate pair, which has no UTF-8 form.',
    )
  }
  return success(message)
}

const FIELDS = ['subject', 'to', 'body', 'data', 'event', 'key']

/** Says in one sentence why a JSON value is no message; not on the hot path. */
function whyNot(value: unknown): { code: 'invalid_message' | 'message_empty'; message: string } {
  const invalid = (message: string) => ({ code: 'invalid_message' as const, message })
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return invalid('A message is a JSON object, like {"subject": 123, "body": "Hello"}.')
  }
  const fields = value as Record<string, unknown>
  if (fields['body'] === '') {
    return {
      code: 'message_empty',
      message: 'The body is empty; an empty chunk would end the stream. Send at least one byte.',
    }
  }
  if ('body' in fields && 'data' in fields) {
    return invalid('A message has exactly one of "body" and "data".')
  }
  if (typeof fields['body'] !== 'string' && !('data' in fields)) {
    return invalid('"body" is missing or is not a string; any other JSON goes into "data".')
  }
  const targets = ['subject', 'to'].filter((name) => name in fields)
  if (targets.length !== 1) {
    return invalid('A message has exactly one of "subject" and "to".')
  }
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) {
    return invalid(`A message has no field ${JSON.stringify(short(unknown))}.`)
  }
  if ('event' in fields && !compiledEvent.Check(fields['event'])) {
    return invalid(`"event" is ${EVENT_RULE}.`)
  }
  if ('key' in fields && !compiledKey.Check(fields['key'])) {
    return invalid(`"key" is ${KEY_RULE}.`)
  }
  const everyone = targets[0] === 'to' ? ', or "*" for everyone' : ''
  return invalid(
    `"${targets[0]}" is a whole number from 1 to ${messageLimits.userIdMax}, ` +
      `or ${NAME_RULE}${everyone}.`,
  )
}

const compiledEvent = TypeCompiler.Compile(Event)
const compiledKey = TypeCompiler.Compile(Key)

/** What a publisher sent, quoted back to it, but not all of a megabyte. */
function short(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
