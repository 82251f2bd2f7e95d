// Goal: the limits by place and by second are exact, no matter who holds the streams, and counts
// never go astray. Method: a clock moved by hand; and a model that remembers every stream.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { streamLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import type { Subject } from '../core/user.ts'
import { NameTable, NOBODY } from '../subscriptions/name-table.ts'
import { StreamLimiter, type StreamRequest } from './limiter.ts'
import { CONFIG, settingsOf } from './settings.fixture.ts'
import type { ServerConfig, Settings } from './settings.ts'

function limited(limits: Partial<ServerConfig>) {
  const clock = new FakeClock()
  const settings = settingsOf(limits)
  const change = (others: Partial<ServerConfig>) => settings.replace({ ...CONFIG, ...others })
  return { clock, change, limiter: limiterOf(settings, clock) }
}

function limiterOf(settings: Settings, clock: FakeClock, names = new NameTable({ seed: 1 })) {
  return new StreamLimiter({ settings, clock, revoked: { isRevoked: () => false }, names })
}

/** A stream of a client at a place. */
function streamOf(network: string | null, user: Subject = 7): StreamRequest {
  return { user, subjects: [], network, token: null }
}

/** How many of so many are admitted. */
function admittedOf(limiter: StreamLimiter, count: number): number {
  return Array.from({ length: count }, () => limiter.acquire(0, streamOf(null))).filter(
    (of) => of.admitted,
  ).length
}

describe('the limit of one place', () => {
  test('refuses the next one there, and no other', () => {
    const { limiter } = limited({ streamsPerAddressMax: 2 })
    const ask = (place: string) => limiter.acquire(0, streamOf(place)).admitted
    expect([ask('a'), ask('a'), ask('a'), ask('b')]).toEqual([true, true, false, true])
    expect(limiter.acquire(0, streamOf('a'))).toEqual({
      admitted: false,
      reason: 'address',
      retryAfterSeconds: 5,
    })
    limiter.release(0, 'a')
    expect([ask('a'), ask('a')]).toEqual([true, false])
  })

  test('counts what all processes hold together', () => {
    const { limiter } = limited({ streamsPerAddressMax: 2 })
    expect([0, 1, 2].map((holder) => limiter.acquire(holder, streamOf('a')).admitted)).toEqual([
      true,
      true,
      false,
    ])
  })

  test('is free again when the process is gone that held the streams', () => {
    const { limiter } = limited({ streamsPerAddressMax: 2 })
    limiter.acquire(1, streamOf('a'))
    limiter.acquire(1, streamOf('b'))
    limiter.acquire(2, streamOf('a'))
    limiter.forget(1)
    expect(limiter.networks).toBe(1)
    expect([
      limiter.acquire(2, streamOf('a')).admitted,
      limiter.acquire(2, streamOf('a')).admitted,
    ]).toEqual([true, false])
    limiter.forget(3)
  })

  test('may be raised and lowered; who is there stays', () => {
    const { change, limiter } = limited({ streamsPerAddressMax: 1 })
    limiter.acquire(0, streamOf('a'))
    change({ streamsPerAddressMax: 3 })
    expect([
      limiter.acquire(0, streamOf('a')).admitted,
      limiter.acquire(0, streamOf('a')).admitted,
    ]).toEqual([true, true])
    change({ streamsPerAddressMax: 1 })
    limiter.release(0, 'a')
    limiter.release(0, 'a')
    expect(limiter.acquire(0, streamOf('a')).admitted).toBe(false)
    limiter.release(0, 'a')
    expect(limiter.acquire(0, streamOf('a')).admitted).toBe(true)
  })

  test('takes no place from the rate for who is refused by it', () => {
    const { limiter } = limited({ streamsPerAddressMax: 1, newStreamsPerSecondMax: 2 })
    limiter.acquire(0, streamOf('a'))
    for (let at = 0; at < 10; at++)
      expect(limiter.acquire(0, streamOf('a'))).toMatchObject({ reason: 'address' })
    expect(limiter.acquire(0, streamOf('b')).admitted).toBe(true)
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
          const { limiter } = limited({ streamsPerAddressMax: most })
          let streams: { holder: number; place: string }[] = []
          for (const { kind, holder, place: at } of steps) {
            const place = places[at] ?? ''
            const isIt = (of: (typeof streams)[number]) =>
              of.holder === holder && of.place === place
            if (kind === 'ask') {
              const has = streams.filter((of) => of.place === place).length
              const { admitted } = limiter.acquire(holder, streamOf(place))
              expect(admitted).toBe(has < most)
              if (admitted) streams.push({ holder, place })
            } else if (kind === 'forget') {
              limiter.forget(holder)
              streams = streams.filter((of) => of.holder !== holder)
            } else if (streams.some(isIt)) {
              limiter.release(holder, place)
              streams.splice(streams.findIndex(isIt), 1)
            }
          }
          expect(limiter.networks).toBe(new Set(streams.map(({ place }) => place)).size)
        },
      ),
    )
  })
})

describe('the limit of a second', () => {
  test('lets what comes in a second come at once, and then one at a time', () => {
    const { limiter, clock } = limited({ newStreamsPerSecondMax: 10 })
    expect(admittedOf(limiter, 50)).toBe(10)
    clock.advance(99)
    expect(admittedOf(limiter, 50)).toBe(0)
    clock.advance(1)
    expect(admittedOf(limiter, 50)).toBe(1)
    clock.advance(500)
    expect(admittedOf(limiter, 50)).toBe(5)
    clock.advance(3_600_000)
    expect(admittedOf(limiter, 50)).toBe(10)
  })

  test.each([1, 3, 7, 1_000, 9_999])(
    'of %p is never passed over any ten seconds, nor wasted',
    (rate) => {
      const { limiter, clock } = limited({ newStreamsPerSecondMax: rate })
      admittedOf(limiter, rate)
      let admitted = 0
      for (let ms = 0; ms < 10_000; ms++) {
        clock.advance(1)
        admitted += admittedOf(limiter, Math.ceil(rate / 500))
      }
      expect(admitted).toBeLessThanOrEqual(rate * 10)
      expect(admitted).toBeGreaterThanOrEqual(rate * 10 - 1)
    },
  )

  test('tells those that are refused to come again one after the other, within a bound', () => {
    const { limiter } = limited({ newStreamsPerSecondMax: 10 })
    admittedOf(limiter, 10)
    const most = streamLimits.retryAfterSecondsMax
    const told = Array.from({ length: 20 * most }, () => {
      const verdict = limiter.acquire(0, streamOf(null))
      return verdict.admitted ? 0 : (verdict.retryAfterSeconds ?? 0)
    })
    expect(told.slice(0, 30)).toEqual([1, 2, 3].flatMap((second) => new Array(10).fill(second)))
    const each = told.map((second) => told.filter((of) => of === second).length)
    expect([Math.min(...told), Math.max(...told)]).toEqual([1, most])
    expect(new Set(each)).toEqual(new Set([20]))
  })

  test('tells times by a new rate as soon as there is one', () => {
    const { change, limiter } = limited({ newStreamsPerSecondMax: 1 })
    admittedOf(limiter, 40)
    change({ newStreamsPerSecondMax: 100 })
    const told = Array.from({ length: 200 }, () => limiter.acquire(0, streamOf(null)))
    expect(told[0]).toEqual({ admitted: false, reason: 'rate', retryAfterSeconds: 1 })
    expect(told.at(-1)).toEqual({ admitted: false, reason: 'rate', retryAfterSeconds: 2 })
  })

  test('may change while it is kept', () => {
    const { change, limiter, clock } = limited({ newStreamsPerSecondMax: 1 })
    expect(admittedOf(limiter, 5)).toBe(1)
    change({ newStreamsPerSecondMax: 100 })
    clock.advance(1_000)
    expect(admittedOf(limiter, 500)).toBe(100)
    change({})
    expect(admittedOf(limiter, 500)).toBe(500)
  })
})

describe('a user with a name', () => {
  test('is admitted by the handle that the name has from then on', () => {
    const names = new NameTable({ seed: 1 })
    const limiter = limiterOf(settingsOf(), new FakeClock(), names)
    const first = limiter.acquire(0, streamOf(null, 'alice'))
    expect(first).toEqual({ admitted: true, user: names.find('alice'), subjects: [] })
    expect(limiter.acquire(1, streamOf(null, 'alice'))).toEqual(first)
  })

  test('that is refused leaves no name behind', () => {
    const names = new NameTable({ seed: 1 })
    const limiter = limiterOf(settingsOf({ streamsPerAddressMax: 1 }), new FakeClock(), names)
    limiter.acquire(0, streamOf('a', 'alice'))
    expect(limiter.acquire(0, streamOf('a', 'bob')).admitted).toBe(false)
    expect([names.find('bob'), names.size]).toEqual([NOBODY, 1])
  })

  test('is refused when there is no room for another, and counts nowhere', () => {
    const names = new NameTable({ seed: 1, namesMax: 1 })
    const limiter = limiterOf(settingsOf({ streamsPerAddressMax: 9 }), new FakeClock(), names)
    expect(limiter.acquire(0, streamOf('a', 'alice')).admitted).toBe(true)
    expect(limiter.acquire(0, streamOf('b', 'bob'))).toMatchObject({ reason: 'names' })
    expect(limiter.acquire(0, streamOf('a', 'alice')).admitted).toBe(true)
    expect(limiter.networks).toBe(1)
  })
})
