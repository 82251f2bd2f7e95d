// Goal: cursors are kept as they came and written as they were read. Method: round trips as a
// property, and the connections of a stream one after another.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { cursorText } from '../core/cursor.ts'
import { readPlace } from './envelope.ts'
import { DONE, Positions } from './positions.ts'

const numbers = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1),
)

describe('positions', () => {
  test('are written as they were read', () => {
    const positions = new Positions(3, true)
    fc.assert(
      fc.property(numbers, numbers, fc.nat({ max: 2 }), (epoch, number, index) => {
        const text = Buffer.from(cursorText({ epoch, number }))
        const place = { epoch: -1, number: -1 }
        expect(readPlace(text, 0, text.length, place)).toBe(true)
        positions.set(index, place)
        expect([positions.epochOf(index), positions.numberOf(index)]).toEqual([epoch, number])
        expect(positions.is(index, place)).toBe(true)
        const into = new Uint8Array(30)
        const end = positions.write(index, into, 2)
        expect(Buffer.from(into.subarray(2, end)).toString()).toBe(text.toString())
      }),
    )
  })

  test('are gone on from by the next connection, which has done nothing yet', () => {
    const positions = new Positions(2, true)
    positions.begin(0)
    expect(positions.has(0, DONE.resuming)).toBe(false)
    positions.set(0, { epoch: 5, number: 0 })
    positions.add(0, DONE.placed)
    positions.setEnd(0, 2)
    expect([positions.has(0, DONE.placed), positions.endOf(0)]).toEqual([true, 2])
    positions.begin(0)
    expect([positions.has(0, DONE.placed), positions.endOf(0)]).toEqual([false, 0])
    expect([positions.has(0, DONE.resuming), positions.has(1, DONE.resuming)]).toEqual([
      true,
      false,
    ])
  })

  test('are not, where streams do not resume', () => {
    const positions = new Positions(1, false)
    positions.set(0, { epoch: 5, number: 0 })
    positions.begin(0)
    expect(positions.has(0, DONE.resuming)).toBe(false)
  })
})
