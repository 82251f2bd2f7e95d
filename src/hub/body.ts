// The body of a message, as bytes: within its bounds, and UTF-8.

import { isUtf8 } from 'node:buffer'
import { type Failure, failed } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import { type Result, success } from '../core/result.ts'

const encoder = new TextEncoder()

/** Encodes a body. Hot path: once a message, however many receive it. */
export function encodeBody(text: string): Result<Uint8Array, Failure> {
  const bytes = encoder.encode(text)
  return bytes.length > messageLimits.bodyBytesMax ? bodyTooLarge(bytes.length) : success(bytes)
}

/** Checks a body that came as bytes. Hot path: once a message, however many receive it. */
export function checkBody(bytes: Uint8Array): Result<Uint8Array, Failure> {
  if (bytes.length > messageLimits.bodyBytesMax) return bodyTooLarge(bytes.length)
  if (bytes.length === 0) {
    return failed('message_empty', 'The body is empty; an empty chunk would end the stream.')
  }
  if (!isUtf8(bytes)) return failed('invalid_utf8', 'The body is not UTF-8.')
  return success(bytes)
}

/** @param bytes that the body would have */
export function bodyTooLarge(bytes: number): Result<never, Failure> {
  return failed(
    'message_too_large',
    `The body is ${bytes} bytes as UTF-8; at most ${messageLimits.bodyBytesMax} are allowed.`,
  )
}
