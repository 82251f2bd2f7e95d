// The body that a term is, by the rule of the real reader and as simple as can be: on a value that is
// there as a whole, with a new piece of bytes for everything in it. It is held against the real one.

import { isUtf8 } from 'node:buffer'
import type { ErrorCode } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import type { Value } from './naive.fixture.ts'

/** The body that a term is, by the rule of the real reader: its bytes, or the code of why not. */
export function bodyNaively(value: Value): Buffer | ErrorCode {
  if (value.kind === 'integer') return 'invalid_message'
  const asBytes = piecesOf(value, (byte) => (byte < 256 ? Buffer.of(byte) : null))
  const asCharacters = piecesOf(value, (character) => {
    if (character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff)) return null
    return Buffer.from(String.fromCodePoint(character))
  })
  const tooLong = (body: Buffer | null) => body !== null && body.length > messageLimits.bodyBytesMax
  if (asBytes?.length === 0) return 'message_empty'
  if (value.kind === 'binary' && asBytes !== null && !isUtf8(asBytes)) {
    return tooLong(asBytes) ? 'message_too_large' : 'invalid_utf8'
  }
  const body = asBytes !== null && (isUtf8(asBytes) || tooLong(asBytes)) ? asBytes : asCharacters
  if (body === null) return 'invalid_message'
  if (tooLong(body)) return 'message_too_large'
  return isUtf8(body) ? body : 'invalid_utf8'
}

/** What a body is made of, one piece behind the other; null if any of it is none of a body. */
function piecesOf(value: Value, pieceOf: (integer: number) => Buffer | null): Buffer | null {
  switch (value.kind) {
    case 'integer':
      return value.value < 0n ? null : pieceOf(Number(value.value))
    case 'nil':
      return Buffer.alloc(0)
    case 'binary':
      return value.bytes
    case 'string':
      return joined([...value.bytes].map(pieceOf))
    case 'list': {
      // No lone integer follows the bar of an improper list.
      const tail = value.tail.kind === 'integer' ? null : piecesOf(value.tail, pieceOf)
      return joined([...value.terms.map((term) => piecesOf(term, pieceOf)), tail])
    }
    default:
      return null
  }
}

function joined(pieces: readonly (Buffer | null)[]): Buffer | null {
  const whole = pieces.filter((piece) => piece !== null)
  return whole.length < pieces.length ? null : Buffer.concat(whole)
}
