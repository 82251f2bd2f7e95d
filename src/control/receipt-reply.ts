// The answer to a request that published one message. Nearly all say the same but for two numbers,
// so they are written as bytes, into one buffer for all.

import { DECIMAL_DIGITS_MAX, writeDecimal } from '../core/bytes.ts'
import { CURSOR_LENGTH, writeCursor } from '../core/cursor.ts'
import type { Reply } from '../http/response.ts'
import type { Receipt } from '../hub/receipt.ts'
import { JSON_TYPE, jsonReply } from './answer.ts'
import { countsOf } from './publish.ts'

/** The body is valid until the next one. Hot path: once a request. */
export function receiptReply(receipt: Receipt): Reply {
  const { delivered, skipped, unknown, restored, missing } = receipt
  if (skipped + unknown + restored + missing.length > 0) return jsonReply(countsOf(receipt))
  const idStart = writeDecimal(bytes, BEFORE_COUNT.length, delivered) + BETWEEN.length
  bytes.set(BETWEEN, idStart - BETWEEN.length)
  writeCursor(bytes, idStart, receipt)
  bytes.set(BEHIND, idStart + CURSOR_LENGTH)
  return { status: 200, headers: JSON_TYPE, body: bodyOf(idStart + CURSOR_LENGTH + BEHIND.length) }
}

const BEFORE_COUNT = Buffer.from('{"delivered":')
const BETWEEN = Buffer.from(',"id":"')
const BEHIND = Buffer.from('"}')

const bytes = new Uint8Array(
  BEFORE_COUNT.length + DECIMAL_DIGITS_MAX + BETWEEN.length + CURSOR_LENGTH + BEHIND.length,
)
bytes.set(BEFORE_COUNT)

/** Views of the buffer by their length: as many as there are digits. */
const bodies: (Uint8Array | undefined)[] = []

function bodyOf(length: number): Uint8Array {
  const known = bodies[length]
  if (known !== undefined) return known
  const body = bytes.subarray(0, length)
  bodies[length] = body
  return body
}
