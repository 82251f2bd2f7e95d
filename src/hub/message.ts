// A message: its receiver and its body. The schema is the one source for validation, type and
// documentation.

import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type Failure, failed } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import { type Result, refused, success } from '../core/result.ts'

const UserId = Type.Integer({ minimum: 1, maximum: messageLimits.userIdMax })

const Body = Type.String({
  minLength: 1,
  description: `What every receiver gets as one chunk: 1 to ${messageLimits.bodyBytesMax} bytes as UTF-8.`,
})

/**
 * A message about a subject goes to the subject and its subscribers; one `to` a user, to
 * that user alone.
 */
export const Message = Type.Union([
  Type.Object(
    { subject: UserId, body: Body },
    { additionalProperties: false, title: 'About a subject' },
  ),
  Type.Object({ to: UserId, body: Body }, { additionalProperties: false, title: 'To one user' }),
])
export type Message = Static<typeof Message>

const compiled = TypeCompiler.Compile(Message)

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
  if (!value.body.isWellFormed()) {
    return failed(
      'invalid_utf8',
      'The body holds half of a surrogate pair, which has no UTF-8 form.',
    )
  }
  return success(value)
}

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
  if (typeof fields['body'] !== 'string') return invalid('"body" is missing or is not a string.')
  const targets = ['subject', 'to'].filter((name) => name in fields)
  if (targets.length !== 1) {
    return invalid('A message has exactly one of "subject" and "to".')
  }
  const stranger = Object.keys(fields).find((name) => !['subject', 'to', 'body'].includes(name))
  if (stranger !== undefined) {
    return invalid(`A message has no field ${JSON.stringify(short(stranger))}.`)
  }
  return invalid(
    `"${targets[0]}" is a user id, a whole number from 1 to ${messageLimits.userIdMax}.`,
  )
}

/** What a publisher sent, quoted back to it, but not all of a megabyte. */
function short(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
