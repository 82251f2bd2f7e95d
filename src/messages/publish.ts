// What a publisher sends, byte by byte, to messages in the router: one JSON object, or many, a line
// each, taken as they come and never held whole. It knows no HTTP.

import { type Static, Type } from '@sinclair/typebox'
import type { Clock } from '../core/clock.ts'
import { failed, type Result } from '../core/errors.ts'
import { HeldBytes } from '../core/held.ts'
import { messageLimits } from '../core/limits.ts'
import { LineSplitter } from '../core/lines.ts'
import { parseMessage } from '../core/message.ts'
import { RejectedLines, rejectLine } from '../core/refusal.ts'
import type { Router } from '../router/router.ts'

/** The answer to one message. */
export const Receipt = Type.Object({
  delivered: Type.Integer({ description: 'How many connections the message was handed to.' }),
})

/** The answer to many messages. */
export const BatchReceipt = Type.Object({
  accepted: Type.Integer({ description: 'How many lines were messages and went out.' }),
  delivered: Type.Integer({ description: 'How many connections they were handed to, added up.' }),
  ...RejectedLines.properties,
})
export type BatchReceipt = Static<typeof BatchReceipt>

export type Body = AsyncIterable<Uint8Array> | null

// Fatal, because a replacement character would not be the bytes as they were published.
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Publishes the one message that the body holds. */
export async function publishOne(router: Router, body: Body): Promise<Result<number>> {
  const held = new HeldBytes()
  for await (const part of body ?? []) {
    if (held.length + part.length > messageLimits.requestBytesMax) return tooLarge('request')
    held.add(part)
  }
  return publishJson(router, held.view())
}

/**
 * Publishes a message a line, in order; a bad line is refused by its number, the others go out. A
 * batch, however long, leaves the loop to everybody else every few milliseconds.
 */
export async function publishLines(
  router: Router,
  body: Body,
  clock: Clock,
): Promise<BatchReceipt> {
  const receipt: BatchReceipt = { accepted: 0, delivered: 0, rejected: [], rejectedCount: 0 }
  const lines = new LineSplitter(messageLimits.requestBytesMax, (line, number) => {
    if (line !== null && isBlank(line)) return
    const result = line === null ? tooLarge('line') : publishJson(router, line)
    if (result.ok) {
      receipt.accepted++
      receipt.delivered += result.value
      return
    }
    rejectLine(receipt, number, result.failure)
  })
  let turnEndsMs = clock.elapsedMs() + messageLimits.turnMsMax
  for await (const part of body ?? []) {
    for (let at = 0; at < part.length; at += messageLimits.sliceBytes) {
      lines.push(part.subarray(at, at + messageLimits.sliceBytes))
      if (clock.elapsedMs() < turnEndsMs) continue
      await new Promise(setImmediate)
      turnEndsMs = clock.elapsedMs() + messageLimits.turnMsMax
    }
  }
  lines.end()
  return receipt
}

/** Hot path: once a message. */
function publishJson(router: Router, bytes: Uint8Array): Result<number> {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    // The decoder's own words say nothing of where; the code says it all.
    return failed('invalid_utf8', 'The message is not UTF-8.')
  }
  const message = parseMessage(text)
  return message.ok ? router.publish(message.value) : message
}

function tooLarge(what: string): Result<number> {
  return failed(
    'request_too_large',
    `The ${what} is over ${messageLimits.requestBytesMax} bytes, longer than any message can be.`,
  )
}

/** A line of white space only, which NDJSON lets a reader pass over. */
function isBlank(line: Uint8Array): boolean {
  for (const byte of line) {
    if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return false
  }
  return true
}
