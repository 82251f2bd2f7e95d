// A frame: a message's bytes, encoded once and shared by every stream that gets them.
// Nobody may change a frame's bytes. How a transport wraps them is the transport's business.

import { failed, type Result, success } from './errors.ts'
import { messageLimits } from './limits.ts'

export interface Frame {
  /** The body as it was published, as UTF-8; never empty. */
  readonly bytes: Uint8Array
}

const encoder = new TextEncoder()

/** Encodes a message's body. Hot path: once a message, however many receive it. */
export function encodeFrame(body: string): Result<Frame> {
  const bytes = encoder.encode(body)
  if (bytes.length > messageLimits.bodyBytesMax) {
    return failed(
      'message_too_large',
      `The body is ${bytes.length} bytes as UTF-8; at most ${messageLimits.bodyBytesMax} are allowed.`,
    )
  }
  return success({ bytes })
}
