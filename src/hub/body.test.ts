// Goal: a body is exactly its text's UTF-8 bytes, and never more than the limit.
// Method: a property for the bytes, and bodies on both sides of the limit counted in bytes.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { messageLimits } from '../core/limits.ts'
import { encodeBody } from './body.ts'

const { bodyBytesMax } = messageLimits

describe('encodeBody', () => {
  test('keeps every body byte for byte', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (body) => {
        expect(encodeBody(body)).toEqual({ ok: true, value: new TextEncoder().encode(body) })
      }),
    )
  })

  test.each([
    ['one-byte characters', 'a'.repeat(bodyBytesMax)],
    ['two-byte characters', 'é'.repeat(bodyBytesMax / 2)],
    ['four-byte characters', '😀'.repeat(bodyBytesMax / 4)],
    ['NUL', '\0'.repeat(bodyBytesMax)],
  ])('takes a body of the largest size in %s', (_, body) => {
    const encoded = encodeBody(body)
    expect(encoded.ok && encoded.value.length).toBe(bodyBytesMax)
  })

  test.each([
    ['one-byte characters', 'a'.repeat(bodyBytesMax + 1), bodyBytesMax + 1],
    ['two-byte characters', 'é'.repeat(bodyBytesMax / 2 + 1), bodyBytesMax + 2],
    ['four-byte characters', `${'😀'.repeat(bodyBytesMax / 4)}!`, bodyBytesMax + 1],
  ])('refuses one byte too many in %s, and says how many there are', (_, body, bytes) => {
    expect(encodeBody(body)).toEqual({
      ok: false,
      why: {
        code: 'message_too_large',
        message: `The body is ${bytes} bytes as UTF-8; at most 65536 are allowed.`,
      },
    })
  })
})
