// Goal: every message that comes due is sent once, in its generator's order, and the tally is
// correct.
// Method: real runs of a few dozen milliseconds against a publish function that records.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { systemClock } from '../core/clock.ts'
import { shareRate } from '../core/pacer.ts'
import { success } from '../core/result.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { genLimits } from '../core/tool-limits.ts'
import { OPTIONS, oneTo, RecordingPublish, start } from './sender.fixture.ts'
import { Sender } from './sender.ts'

describe('a run of generators', () => {
  test("sends each message once, in its generator's order, and no more than are due", async () => {
    const to = new RecordingPublish()
    const tally = await start(to).finished
    const counts = [100, 101, 102, 103].map((generator) => {
      const sequences = to.sequencesOf(generator)
      expect(sequences).toEqual(oneTo(sequences.length))
      return sequences.length
    })
    // A thousand a second for 50 ms, from four who take turns.
    expect(counts).toEqual([13, 13, 12, 12])
    expect(tally).toMatchObject({
      sent: 50,
      rejected: 0,
      delivered: 100,
      unanswered: 0,
      errors: {},
      scheduled: 50,
      plannedSeconds: 0.05,
    })
    expect(tally.seconds).toBeWithin(0.05, 1)
  })

  test('stamps each message with the moment when it was due, not when it was sent', async () => {
    const to = new RecordingPublish()
    const before = systemClock.nowMs() * 1000
    const gen = start(to, { schedules: [{ firstMs: 5, intervalMs: 10 }] })
    const after = systemClock.nowMs() * 1000
    await gen.finished
    const dues = to.sent.map(({ stamp }) => stamp.dueMicros)
    expect(dues).toHaveLength(5)
    const [first = 0] = dues
    expect(first).toBeWithin(Math.floor(before) + 5_000, Math.ceil(after) + 5_001)
    expect(dues.map((due) => due - first)).toEqual([0, 10_000, 20_000, 30_000, 40_000])
  })

  test.each(['to', 'subject'] as const)(
    'addresses users by %s within the range',
    async (address) => {
      const to = new RecordingPublish()
      await start(to, { address, users: 3, schedules: shareRate(4000, 4) }).finished
      const users = to.sent.map(({ message }) => ('to' in message ? message.to : message.subject))
      expect(to.sent.every(({ message }) => address in message)).toBe(true)
      expect(new Set(users)).toEqual(new Set([1, 2, 3]))
    },
  )

  test('repeats its users with the same seed', async () => {
    const users = async () => {
      const to = new RecordingPublish()
      await start(to, { schedules: shareRate(1000, 1), users: 1_000_000 }).finished
      return to.sent.map(({ message }) => ('to' in message ? message.to : 0))
    }
    expect(await users()).toEqual(await users())
  })

  test('sends at most messagesMax messages', async () => {
    const to = new RecordingPublish()
    const tally = await start(to, { messagesMax: 7, durationMs: 60_000 }).finished
    expect([to.sent.length, tally.sent, tally.scheduled]).toEqual([7, 7, 7])
    expect([tally.plannedSeconds, tally.plannedSeconds < 60]).toEqual([tally.seconds, true])
  })

  test('takes its whole duration, though all was sent before', async () => {
    const tally = await start(new RecordingPublish(), {
      schedules: [{ firstMs: 0, intervalMs: 60_000 }],
      durationMs: 30_000,
    }).finished
    expect(tally).toMatchObject({ sent: 1, scheduled: 1, plannedSeconds: 30, seconds: 30 })
  })

  test('takes longer than its duration if the server is slow', async () => {
    const clock = new FakeClock()
    const to = new RecordingPublish()
    to.answer = (lines) => {
      clock.advance(400)
      return success({ accepted: lines.length, delivered: 0 })
    }
    const tally = await start(to, { publishers: 1 }, clock).finished
    // One message is due at the start; the other 49 are all due when it is answered.
    expect(to.batches.map(({ length }) => length)).toEqual([1, 49])
    expect(tally).toMatchObject({ sent: 50, scheduled: 50, plannedSeconds: 0.05, seconds: 0.8 })
  })

  test('sends nothing more once it is a second late', async () => {
    const clock = new FakeClock()
    const to = new RecordingPublish()
    to.answer = (lines) => {
      clock.advance(OPTIONS.durationMs + genLimits.lateMsMax + 1)
      return success({ accepted: lines.length, delivered: 0 })
    }
    const tally = await start(to, { publishers: 1 }, clock).finished
    expect(tally).toMatchObject({ sent: 1, scheduled: 50, plannedSeconds: 0.05, seconds: 1.051 })
  })

  test('sends nothing when nothing comes due', async () => {
    const to = new RecordingPublish()
    const never = [{ firstMs: 51, intervalMs: 51 }]
    expect(await start(to, { schedules: never }).finished).toMatchObject({ sent: 0 })
    expect(to.batches).toEqual([])
  })
})

describe('publishers', () => {
  test('have at most one request each under way', async () => {
    const to = new RecordingPublish()
    await start(to, { schedules: shareRate(10_000, 6), publishers: 2 }).finished
    expect(to.underWayMax).toBeLessThanOrEqual(2)
    expect(to.sent).toHaveLength(500)
  })

  test('send messages of other generators while one waits for its answer', async () => {
    const clock = new FakeClock()
    const to = new RecordingPublish()
    const slow = Promise.withResolvers<void>()
    const [first, second] = [0, 1].map((firstMs) => ({ firstMs, intervalMs: 10 }))
    const schedules = [first, second].filter((schedule) => schedule !== undefined)
    const publish = async (lines: readonly string[]) => {
      const result = await to.publish(lines)
      if (to.batches.length === 1) await slow.promise
      return result
    }
    const gen = new Sender({ ...OPTIONS, schedules }, publish, clock)
    for (let sent = 1; sent < 5; sent++) {
      await until(`${sent} messages were sent`, () => to.sent.length === sent)
      clock.advance(10)
    }
    await until('five messages were sent', () => to.sent.length === 5)
    // The first message of the first is under way all the time, so its others wait behind it.
    expect(to.sequencesOf(100)).toEqual([1])
    expect(to.sequencesOf(101)).toEqual(oneTo(4))
    slow.resolve()
    clock.advance(10)
    await gen.finished
    expect(to.sequencesOf(100)).toEqual(oneTo(5))
    expect(to.sequencesOf(101)).toEqual(oneTo(5))
  })

  test('stay idle if there are more of them than generators', async () => {
    const to = new RecordingPublish()
    await start(to, { schedules: shareRate(2000, 1), publishers: 8 }).finished
    expect([to.underWayMax, to.sent.length]).toEqual([1, 100])
  })

  test('send late messages in batches of the maximum size', async () => {
    const to = new RecordingPublish()
    await start(to, { schedules: shareRate(20_000, 1), batchMax: 16 }).finished
    expect(Math.max(...to.batches.map(({ length }) => length))).toBe(16)
    expect(to.sequencesOf(100)).toEqual(oneTo(1000))
  })

  test.each([
    [1, 3],
    [1, 4],
    [1, 8],
    [2, 4],
  ])(
    '(%p of them) begin batches of %p with each generator in turn',
    async (publishers, batchMax) => {
      const clock = new FakeClock()
      const to = new RecordingPublish()
      to.answer = (lines) => {
        // Far more comes due than can be sent.
        clock.advance(100)
        return success({ accepted: lines.length, delivered: 0 })
      }
      // Due at once, so that all publishers are at work from the start.
      const schedules = Array.from({ length: 4 }, () => ({ firstMs: 0, intervalMs: 4 }))
      const gen = start(to, { schedules, publishers, batchMax, durationMs: 10_000 }, clock)
      await until('full batches were sent', () => to.batches.length > 16)
      gen.stop()
      await gen.finished
      const full = to.batches.filter(({ length }) => length === batchMax).slice(0, 8)
      const begun = full.map(([first]) => first?.stamp.generator)
      expect(new Set(begun)).toEqual(new Set([100, 101, 102, 103]))
    },
  )

  test('keep the order of each generator, for any numbers of both', async () => {
    const counts = fc.integer({ min: 1, max: 5 })
    const rates = fc.integer({ min: 200, max: 5000 })
    await fc.assert(
      fc.asyncProperty(counts, counts, rates, counts, async (parts, publishers, rate, batchMax) => {
        const to = new RecordingPublish()
        const schedules = shareRate(rate, parts)
        await start(to, { schedules, publishers, batchMax, durationMs: 10 }).finished
        for (let generator = 100; generator < 100 + parts; generator++) {
          const sequences = to.sequencesOf(generator)
          expect(sequences).toEqual(oneTo(sequences.length))
        }
        expect(to.sent).toHaveLength(Math.ceil(rate / 100))
      }),
      { numRuns: 20 },
    )
  })
})
