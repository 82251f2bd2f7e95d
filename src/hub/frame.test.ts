// Goal: a frame holds exactly the body's UTF-8 bytes, and never more than the limit.
// Method: a property for the bytes, and bodies on both sides of the limit counted in bytes.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { messageLimits } from '../core/limits.ts'
import { encodeFrame } from './frame.ts'

const { bodyBytesMax } = messageLimits

describe('encodeFrame', () => {
  test('keeps every body byte for byte', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (body) => {
        const frame = encodeFrame(body)
        expect(frame).toEqual({ ok: true, value: { bytes: Buffer.from(body).subarray() } })
      }),
    )
  })

  test.each([
    ['one-byte characters', 'a'.repeat(bodyBytesMax)],
    ['two-byte characters', 'é'.repeat(bodyBytesMax / 2)],
    ['four-byte characters', '😀'.repeat(bodyBytesMax / 4)],
    ['NUL', '\0'.repeat(bodyBytesMax)],
  ])('takes a body of the largest size in %s', (_, body) => {
    const frame = encodeFrame(body)
    expect(frame.ok && frame.value.bytes.length).toBe(bodyBytesMax)
  })

  test.each([
    ['one-byte characters', 'a'.repeat(bodyBytesMax + 1), bodyBytesMax + 1],
    ['two-byte characters', 'é'.repeat(bodyBytesMax / 2 + 1), bodyBytesMax + 2],
    ['four-byte characters', `${'😀'.repeat(bodyBytesMax / 4)}!`, bodyBytesMax + 1],
  ])('refuses one byte too many in %s, and says how many there are', (_, body, bytes) => {
    expect(encodeFrame(body)).toEqual({
      ok: false,
      why: {
        code: 'message_too_large',
        message: `The body is ${bytes} bytes as UTF-8; at most 65536 are allowed.`,
      },
    })
  })
})
