// A frame: a message's bytes, encoded once and shared by every stream that gets them.
// A frame's bytes must not be changed; a transport that wraps them keeps its own copy.

import { isUtf8 } from 'node:buffer'
import { type Failure, failed } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import { type Result, success } from '../core/result.ts'

export interface Frame {
  /** The body as it was published, as UTF-8; never empty. */
  readonly bytes: Uint8Array
  /** The same as a chunk of HTTP/1.1, once a stream needed it. */
  chunk?: Uint8Array
}

const encoder = new TextEncoder()

/** Encodes a message's body. Hot path: once a message, however many receive it. */
export function encodeFrame(body: string): Result<Frame, Failure> {
  const bytes = encoder.encode(body)
  return bytes.length > messageLimits.bodyBytesMax ? bodyTooLarge(bytes.length) : success({ bytes })
}

/**
 * A message's body that came as bytes, checked. Hot path: once a message, however many receive it.
 *
 * @param bytes are the frame's from now on
 */
export function frameOf(bytes: Uint8Array): Result<Frame, Failure> {
  if (bytes.length > messageLimits.bodyBytesMax) return bodyTooLarge(bytes.length)
  if (bytes.length === 0) {
    return failed('message_empty', 'The body is empty; an empty chunk would end the stream.')
  }
  if (!isUtf8(bytes)) return failed('invalid_utf8', 'The body is not UTF-8.')
  return success({ bytes })
}

/** @param bytes that the body would have */
export function bodyTooLarge(bytes: number): Result<never, Failure> {
  return failed(
    'message_too_large',
    `The body is ${bytes} bytes as UTF-8; at most ${messageLimits.bodyBytesMax} are allowed.`,
  )
}
