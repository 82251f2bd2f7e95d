// Goal: what is held is what was added, byte for byte, whatever becomes of the buffers it came in.
// Method: a property against Buffer.concat, with one buffer that is used for every part.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { HeldBytes } from './bytes.ts'

describe('held bytes', () => {
  test('are all that was added since the last time they were let go, in order', () => {
    const part = fc.uint8Array({ maxLength: 700 })
    fc.assert(
      fc.property(fc.array(fc.option(part, { freq: 8 }), { maxLength: 30 }), (steps) => {
        const held = new HeldBytes()
        const reused = new Uint8Array(700)
        let parts: Uint8Array[] = []
        for (const step of steps) {
          if (step === null) {
            held.clear()
            parts = []
          } else {
            reused.set(step)
            held.add(reused.subarray(0, step.length))
            reused.fill(0x21)
            parts.push(step)
          }
          const expected = Buffer.concat(parts)
          expect(held.length).toBe(expected.length)
          expect(Buffer.compare(held.view(), expected)).toBe(0)
        }
      }),
    )
  })

  test('are none at first, and none once they were let go', () => {
    const held = new HeldBytes()
    expect([held.length, held.view()]).toEqual([0, new Uint8Array(0)])
    held.add(Buffer.from('abc'))
    held.clear()
    expect([held.length, held.view()]).toEqual([0, new Uint8Array(0)])
  })

  test('take a million single bytes without being copied for each', () => {
    const held = new HeldBytes()
    const buffers = new Set<ArrayBufferLike>()
    for (let at = 0; at < 1_000_000; at++) {
      held.add(Uint8Array.of(at % 251))
      buffers.add(held.view().buffer)
    }
    expect(held.view().every((byte, at) => byte === at % 251)).toBe(true)
    // 256 bytes doubled twelve times are more than a million.
    expect(buffers.size).toBe(13)
  })
})
