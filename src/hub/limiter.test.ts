// Goal: the limits by place and by second are exact, no matter who holds the streams, and counts never go
// astray. Method: a clock moved by hand; and a model that remembers every stream.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { streamLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { Doorman, type DoorRules } from './limiter.ts'

const NO_RULES: DoorRules = { perAddressMax: null, newPerSecondMax: null }

function doorman(rules: Partial<DoorRules>) {
  const clock = new FakeClock()
  return { clock, door: new Doorman({ ...NO_RULES, ...rules }, clock) }
}

/** How many of so many are admitted. */
function admittedOf(door: Doorman, count: number): number {
  return Array.from({ length: count }, () => door.ask(0, null)).filter((of) => of.admitted).length
}

describe('the limit of one place', () => {
  test('refuses the next one there, and nobody else', () => {
    const { door } = doorman({ perAddressMax: 2 })
    const ask = (place: string) => door.ask(0, place).admitted
    expect([ask('a'), ask('a'), ask('a'), ask('b')]).toEqual([true, true, false, true])
    expect(door.ask(0, 'a')).toEqual({ admitted: false, reason: 'address', retryAfterSeconds: 5 })
    door.left(0, 'a')
    expect([ask('a'), ask('a')]).toEqual([true, false])
  })

  test('counts what all processes hold together', () => {
    const { door } = doorman({ perAddressMax: 2 })
    expect([0, 1, 2].map((holder) => door.ask(holder, 'a').admitted)).toEqual([true, true, false])
  })

  test('is free again when the process is gone that held the streams', () => {
    const { door } = doorman({ perAddressMax: 2 })
    door.ask(1, 'a')
    door.ask(1, 'b')
    door.ask(2, 'a')
    door.forget(1)
    expect(door.places).toBe(1)
    expect([door.ask(2, 'a').admitted, door.ask(2, 'a').admitted]).toEqual([true, false])
    door.forget(3)
  })

  test('may be raised and lowered; who is there stays', () => {
    const { door } = doorman({ perAddressMax: 1 })
    door.ask(0, 'a')
    door.change({ ...NO_RULES, perAddressMax: 3 })
    expect([door.ask(0, 'a').admitted, door.ask(0, 'a').admitted]).toEqual([true, true])
    door.change({ ...NO_RULES, perAddressMax: 1 })
    door.left(0, 'a')
    door.left(0, 'a')
    expect(door.ask(0, 'a').admitted).toBe(false)
    door.left(0, 'a')
    expect(door.ask(0, 'a').admitted).toBe(true)
  })

  test('takes no place from the rate for who is refused by it', () => {
    const { door } = doorman({ perAddressMax: 1, newPerSecondMax: 2 })
    door.ask(0, 'a')
    for (let at = 0; at < 10; at++) expect(door.ask(0, 'a')).toMatchObject({ reason: 'address' })
    expect(door.ask(0, 'b').admitted).toBe(true)
  })

  test('holds whatever comes, leaves and dies', () => {
    const places = ['a', 'b', 'c']
    const step = fc.record({
      kind: fc.constantFrom('ask', 'ask', 'ask', 'left', 'forget'),
      holder: fc.nat(2),
      place: fc.nat(places.length - 1),
    })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 1, max: 4 }),
        (steps, most) => {
          const { door } = doorman({ perAddressMax: most })
          let streams: { holder: number; place: string }[] = []
          for (const { kind, holder, place: at } of steps) {
            const place = places[at] ?? ''
            const isIt = (of: (typeof streams)[number]) =>
              of.holder === holder && of.place === place
            if (kind === 'ask') {
              const has = streams.filter((of) => of.place === place).length
              const { admitted } = door.ask(holder, place)
              expect(admitted).toBe(has < most)
              if (admitted) streams.push({ holder, place })
            } else if (kind === 'forget') {
              door.forget(holder)
              streams = streams.filter((of) => of.holder !== holder)
            } else if (streams.some(isIt)) {
              door.left(holder, place)
              streams.splice(streams.findIndex(isIt), 1)
            }
          }
          expect(door.places).toBe(new Set(streams.map(({ place }) => place)).size)
        },
      ),
    )
  })
})

describe('the limit of a second', () => {
  test('lets what comes in a second come at once, and then one at a time', () => {
    const { door, clock } = doorman({ newPerSecondMax: 10 })
    expect(admittedOf(door, 50)).toBe(10)
    clock.advance(99)
    expect(admittedOf(door, 50)).toBe(0)
    clock.advance(1)
    expect(admittedOf(door, 50)).toBe(1)
    clock.advance(500)
    expect(admittedOf(door, 50)).toBe(5)
    clock.advance(3_600_000)
    expect(admittedOf(door, 50)).toBe(10)
  })

  test.each([1, 3, 7, 1_000, 9_999])(
    'of %p is never passed over any ten seconds, nor wasted',
    (rate) => {
      const { door, clock } = doorman({ newPerSecondMax: rate })
      admittedOf(door, rate)
      let admitted = 0
      for (let ms = 0; ms < 10_000; ms++) {
        clock.advance(1)
        admitted += admittedOf(door, Math.ceil(rate / 500))
      }
      expect(admitted).toBeLessThanOrEqual(rate * 10)
      expect(admitted).toBeGreaterThanOrEqual(rate * 10 - 1)
    },
  )

  test('tells those that are refused to come again one after the other, within a bound', () => {
    const { door } = doorman({ newPerSecondMax: 10 })
    admittedOf(door, 10)
    const most = streamLimits.retryAfterSecondsMax
    const told = Array.from({ length: 20 * most }, () => {
      const verdict = door.ask(0, null)
      return verdict.admitted ? 0 : verdict.retryAfterSeconds
    })
    expect(told.slice(0, 30)).toEqual([1, 2, 3].flatMap((second) => new Array(10).fill(second)))
    const each = told.map((second) => told.filter((of) => of === second).length)
    expect([Math.min(...told), Math.max(...told)]).toEqual([1, most])
    expect(new Set(each)).toEqual(new Set([20]))
  })

  test('tells times by a new rate as soon as there is one', () => {
    const { door } = doorman({ newPerSecondMax: 1 })
    admittedOf(door, 40)
    door.change({ ...NO_RULES, newPerSecondMax: 100 })
    const told = Array.from({ length: 200 }, () => door.ask(0, null))
    expect(told[0]).toEqual({ admitted: false, reason: 'rate', retryAfterSeconds: 1 })
    expect(told.at(-1)).toEqual({ admitted: false, reason: 'rate', retryAfterSeconds: 2 })
  })

  test('may change while it is kept', () => {
    const { door, clock } = doorman({ newPerSecondMax: 1 })
    expect(admittedOf(door, 5)).toBe(1)
    door.change({ ...NO_RULES, newPerSecondMax: 100 })
    clock.advance(1_000)
    expect(admittedOf(door, 500)).toBe(100)
    door.change(NO_RULES)
    expect(admittedOf(door, 500)).toBe(500)
  })
})
