// Goal: a stream that is silent gets a heartbeat before the silence is too long, and no other gets
// one. Method: a model in whole steps of time, and streams that are sent something at random.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Heartbeats } from './heartbeats.ts'

const BEAT = Buffer.from('\n')

/** Steps of the longest silence. */
const STEPS = 100

function run(slots: number, steps: number, sends: (step: number, slot: number) => boolean) {
  const heartbeats = new Heartbeats()
  /** By slot: the steps at which it was sent something, a heartbeat or a message. */
  const sentAt = Array.from({ length: slots + 1 }, () => [0])
  const beats: [step: number, slot: number][] = []
  for (let slot = 1; slot <= slots; slot++) heartbeats.begin(slot, BEAT)
  for (let step = 1; step <= steps; step++) {
    for (let slot = 1; slot <= slots; slot++) {
      if (!sends(step, slot)) continue
      heartbeats.sent(slot)
      sentAt[slot]?.push(step)
    }
    heartbeats.look(1 / STEPS, slots, (slot) => {
      beats.push([step, slot])
      sentAt[slot]?.push(step)
    })
  }
  return { beats, sentAt }
}

test('no stream is silent for longer than that, whatever it is sent', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(), (slots, seed) => {
      const random = (step: number, slot: number) =>
        Math.imul(seed + step * 31 + slot * 7_919, 0x9e3779b1) >>> 24 < slot
      const { sentAt } = run(slots, 5 * STEPS, random)
      for (const times of sentAt.slice(1)) {
        for (const [at, time] of [...times, 5 * STEPS].entries()) {
          // A step is the pace at which it is looked.
          if (at > 0) expect(time - (times[at - 1] as number)).toBeLessThanOrEqual(STEPS + 2)
        }
      }
    }),
    { numRuns: 30 },
  )
})

test('a stream that is sent something all the time gets no heartbeat', () => {
  const { beats } = run(20, 10 * STEPS, (step, slot) => slot <= 10 && step % 50 === 0)
  // The first one comes sooner, before the stream was sent anything.
  const late = beats.filter(([step, slot]) => step > 50 && slot <= 10)
  expect(late).toEqual([])
  expect(beats.some(([, slot]) => slot > 10)).toBe(true)
})

test('streams that opened together get theirs spread evenly, and not too often', () => {
  const slots = 8_000
  const { beats } = run(slots, 10 * STEPS, () => false)
  const perStep = Array.from({ length: 10 * STEPS + 1 }, () => 0)
  for (const [step] of beats) perStep[step] = (perStep[step] as number) + 1
  // As if one came every seven eighths of the longest silence.
  const even = slots / ((STEPS * 7) / 8)
  expect(Math.max(...perStep)).toBeLessThan(2 * even)
  expect(beats.length).toBeLessThan((slots * 10 * 8) / 7 + slots)
})

test('after a pause of the process a stream gets one, and not all that were missed', () => {
  const heartbeats = new Heartbeats()
  heartbeats.begin(1, BEAT)
  let beats = 0
  heartbeats.look(100, 1, () => beats++)
  expect(beats).toBeLessThanOrEqual(1)
})
