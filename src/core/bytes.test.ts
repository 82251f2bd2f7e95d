// Goal: a buffer holds what was appended, byte for byte, though the appended memory is used again.
// Method: a property against Buffer.concat over all operations, and the costs that owners rely on.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { ByteBuffer, latin1Of } from './bytes.ts'

type Step =
  | { readonly append: Uint8Array }
  | { readonly byte: number }
  | { readonly uint32: number; readonly littleEndian: boolean }
  | { readonly consume: number }
  | 'take'
  | 'clear'

const steps = fc.array(
  fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
    { weight: 8, arbitrary: fc.record({ append: fc.uint8Array({ maxLength: 700 }) }) },
    { weight: 3, arbitrary: fc.record({ byte: fc.nat({ max: 255 }) }) },
    {
      weight: 3,
      arbitrary: fc.record({ uint32: fc.nat({ max: 2 ** 32 - 1 }), littleEndian: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ consume: fc.nat({ max: 900 }) }) },
    fc.constantFrom('take', 'clear'),
  ),
  { maxLength: 30 },
)

/** The same on a plain array of bytes. */
function model(bytes: readonly number[], step: Step): readonly number[] {
  if (step === 'take' || step === 'clear') return []
  if ('append' in step) return [...bytes, ...step.append]
  if ('byte' in step) return [...bytes, step.byte]
  if ('consume' in step) return bytes.slice(step.consume)
  const number = Buffer.alloc(4)
  if (step.littleEndian) number.writeUInt32LE(step.uint32)
  else number.writeUInt32BE(step.uint32)
  return [...bytes, ...number]
}

describe('a byte buffer', () => {
  test('holds what was appended and not yet removed, in order', () => {
    const reused = new Uint8Array(700)
    const apply = (buffer: ByteBuffer, step: Step): unknown => {
      if (step === 'take') return buffer.take()
      if (step === 'clear') return buffer.clear()
      if ('byte' in step) return buffer.appendByte(step.byte)
      if ('uint32' in step) return buffer.appendUint32(step.uint32, step.littleEndian)
      if ('consume' in step) return buffer.consume(Math.min(step.consume, buffer.length))
      reused.set(step.append)
      buffer.append(reused.subarray(0, step.append.length))
      return reused.fill(0x21)
    }
    fc.assert(
      fc.property(steps, (steps) => {
        const buffer = new ByteBuffer()
        let expected: readonly number[] = []
        for (const step of steps) {
          apply(buffer, step)
          expected = model(expected, step)
          expect(buffer.length).toBe(expected.length)
          expect(Buffer.compare(buffer.view(), Uint8Array.from(expected))).toBe(0)
        }
      }),
    )
  })

  test('can overwrite a number', () => {
    const buffer = new ByteBuffer().appendUint32(0).appendByte(7)
    buffer.setUint32(0, 0x01020304)
    expect([...buffer.view()]).toEqual([1, 2, 3, 4, 7])
    buffer.setUint32(1, 0x01020304, true)
    expect([...buffer.view()]).toEqual([1, 4, 3, 2, 1])
  })

  test('occupies no memory until something is appended, and none once cleared', () => {
    const buffer = new ByteBuffer(1_000)
    expect([buffer.length, buffer.capacity, buffer.view().length]).toEqual([0, 0, 0])
    buffer.append(Buffer.from('abc'))
    expect([buffer.length, buffer.capacity]).toEqual([3, 1_000])
    buffer.clear()
    expect([buffer.length, buffer.capacity, buffer.view().length]).toEqual([0, 0, 0])
  })

  test('leaves a view as it is when it is cleared and filled again', () => {
    const buffer = new ByteBuffer().append(Buffer.from('ab'))
    const view = buffer.view()
    buffer.clear()
    buffer.append(Buffer.from('cd'))
    expect(Buffer.from(view).toString()).toBe('ab')
  })

  test('keeps its memory when its bytes are taken', () => {
    const buffer = new ByteBuffer().append(new Uint8Array(1_000))
    const { buffer: memory } = buffer.view()
    expect(buffer.take()).toHaveLength(1_000)
    expect(buffer.append(new Uint8Array(1_000)).view().buffer).toBe(memory)
  })

  test('takes a million single bytes without being copied for each', () => {
    const buffer = new ByteBuffer()
    const capacities = new Set<number>()
    for (let at = 0; at < 1_000_000; at++) {
      buffer.append(Uint8Array.of(at % 251))
      capacities.add(buffer.capacity)
    }
    expect(buffer.view().every((byte, at) => byte === at % 251)).toBe(true)
    // 256 bytes doubled twelve times are more than a million.
    expect(capacities.size).toBe(13)
  })
})

test('the text of a part of a piece of memory has a character for each byte', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(20),
      fc.nat(300),
      (all, skipped, count) => {
        const bytes = all.subarray(skipped)
        const end = Math.min(count, bytes.length)
        const start = Math.min(3, end)
        const codes = [...bytes.subarray(start, end)]
        expect(latin1Of(bytes, start, end)).toBe(String.fromCharCode(...codes))
      },
    ),
  )
})
