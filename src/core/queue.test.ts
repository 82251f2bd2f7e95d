// Goal: a queue returns what was pushed, once and in order. Method: a property against an array,
// with enough items that the head moves far.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Queue } from './queue.ts'

describe('a queue', () => {
  test('holds the items of an array that are pushed and shifted alike', () => {
    const steps = fc.array(fc.record({ push: fc.nat({ max: 200 }), shift: fc.nat({ max: 200 }) }))
    fc.assert(
      fc.property(steps, (steps) => {
        const queue = new Queue<number>()
        const expected: number[] = []
        let item = 0
        for (const { push, shift } of steps) {
          for (let count = 0; count < push; count++) {
            queue.push(item)
            expected.push(item++)
          }
          for (let count = 0; count < shift; count++) expect(queue.shift()).toBe(expected.shift())
          expect(queue.length).toBe(expected.length)
          const held = Array.from({ length: expected.length + 1 }, (_, at) => queue.at(at))
          expect(held).toEqual([...expected, undefined])
        }
      }),
    )
  })

  test('is empty once it is cleared, and takes items again', () => {
    const queue = new Queue<string>()
    for (const item of ['a', 'b', 'c']) queue.push(item)
    queue.shift()
    queue.clear()
    expect([queue.length, queue.at(0), queue.shift()]).toEqual([0, undefined, undefined])
    queue.push('d')
    expect([queue.length, queue.shift()]).toEqual([1, 'd'])
  })

  test('lets a removed item be collected while others wait', async () => {
    const queue = new Queue<object>()
    const collected = Promise.withResolvers<void>()
    const registry = new FinalizationRegistry(() => collected.resolve())
    const fill = () => {
      for (let count = 0; count < 32; count++) {
        const item = { count }
        registry.register(item, null)
        queue.push(item)
      }
      for (let count = 0; count < 16; count++) queue.shift()
    }
    fill()
    const timer = setInterval(() => Bun.gc(true), 10)
    await collected.promise
    clearInterval(timer)
    expect(queue.length).toBe(16)
  })
})
