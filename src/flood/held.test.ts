// Goal: held bytes are those that came, whatever becomes of the buffers that they came in.
// Method: a property over pieces from reused buffers, against plain concatenation.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Holder, hold, release } from './held.ts'

const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1 })

describe('what is held', () => {
  test('is all pieces in order, each copied before its buffer is used again', () => {
    fc.assert(
      fc.property(pieces, fc.nat({ max: 5 }), (parts, margin) => {
        const holder: Holder = { held: null }
        for (const part of parts) {
          const buffer = Buffer.alloc(part.length + 2 * margin, 0x21)
          buffer.set(part, margin)
          hold(holder, buffer, margin, margin + part.length)
          buffer.fill(0x3f)
        }
        const whole = Buffer.concat(parts)
        expect(holder.held?.length).toBe(whole.length)
        expect(Buffer.from(release(holder) ?? []).equals(whole)).toBe(true)
      }),
    )
  })

  test('is nothing once it was released', () => {
    const holder: Holder = { held: null }
    hold(holder, Buffer.from('ab'), 0, 2)
    const first = release(holder)
    expect([holder.held, release(holder)]).toEqual([null, null])
    hold(holder, Buffer.from('cd'), 1, 2)
    // What was given away is not written to again.
    expect(Buffer.from(first ?? []).toString()).toBe('ab')
    expect(Buffer.from(release(holder) ?? []).toString()).toBe('d')
  })

  test('takes a megabyte in pieces of a hundred bytes in few copies', () => {
    const holder: Holder = { held: null }
    const buffers = new Set<Uint8Array>()
    const piece = new Uint8Array(100)
    for (let bytes = 0; bytes < 1024 * 1024; bytes += piece.length) {
      hold(holder, piece, 0, piece.length)
      if (holder.held !== null) buffers.add(holder.held.bytes)
    }
    expect(buffers.size).toBeLessThan(20)
  })
})
