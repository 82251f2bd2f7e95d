// Goal: every message that comes due is sent once, in its generator's order, and the tally is true.
// Method: real runs of a few dozen milliseconds against a publish function that remembers.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { systemClock } from '../core/clock.ts'
import { genLimits } from '../core/limits.ts'
import { type Message, parseMessage } from '../core/message.ts'
import { shareRate } from '../core/pacer.ts'
import { randomFrom } from '../core/random.ts'
import { readStamp, type Stamp } from '../core/stamp.ts'
import { until } from '../core/time.fixture.ts'
import { type Gen, type GenOptions, startGen } from './gen.ts'
import type { BatchResult } from './publisher.ts'

interface Sent {
  readonly message: Message
  readonly stamp: Stamp
}

/** Takes every batch, remembers it, and says how many requests were under way at once. */
class RecordingPublish {
  readonly batches: Sent[][] = []
  underWayMax = 0
  #underWay = 0

  /** What it answers to a batch. */
  answer: (lines: readonly string[]) => BatchResult = (lines) => ({
    ok: true,
    accepted: lines.length,
    delivered: 2 * lines.length,
  })

  readonly publish = async (lines: readonly string[]): Promise<BatchResult> => {
    this.underWayMax = Math.max(this.underWayMax, ++this.#underWay)
    this.batches.push(lines.map(read))
    // An answer takes at least a turn of the loop.
    await new Promise(setImmediate)
    this.#underWay--
    return this.answer(lines)
  }

  get sent(): Sent[] {
    return this.batches.flat()
  }

  sequencesOf(generator: number): number[] {
    const mine = this.sent.filter(({ stamp }) => stamp.generator === generator)
    return mine.map(({ stamp }) => stamp.sequence)
  }
}

function read(line: string): Sent {
  const parsed = parseMessage(line)
  if (!parsed.ok) throw new Error(`${parsed.failure.message}: ${line}`)
  const bytes = Buffer.from(parsed.value.body)
  const stamp = { generator: 0, sequence: 0, dueMicros: 0 }
  if (!readStamp(bytes, 0, bytes.length, stamp)) throw new Error(`no stamp: ${line}`)
  return { message: parsed.value, stamp }
}

const OPTIONS: GenOptions = {
  schedules: shareRate(1000, 4),
  publishers: 4,
  users: 10,
  address: 'to',
  durationMs: 50,
  messagesMax: null,
  batchMax: 1000,
  firstGenerator: 100,
}

function start(to: RecordingPublish, options: Partial<GenOptions> = {}): Gen {
  return startGen({ ...OPTIONS, ...options }, to.publish, randomFrom(1), systemClock)
}

function oneTo(last: number): number[] {
  return Array.from({ length: last }, (_, at) => at + 1)
}

describe('a run', () => {
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
    })
    expect(tally.seconds).toBeWithin(0.04, 1)
  })

  test('stamps each message with the moment when it was due, whenever it went out', async () => {
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

  test.each(['to', 'subject'] as const)('addresses users %s within the range', async (address) => {
    const to = new RecordingPublish()
    await start(to, { address, users: 3, schedules: shareRate(4000, 4) }).finished
    const users = to.sent.map(({ message }) => ('to' in message ? message.to : message.subject))
    expect(to.sent.every(({ message }) => address in message)).toBe(true)
    expect(new Set(users)).toEqual(new Set([1, 2, 3]))
  })

  test('repeats its users with the same seed', async () => {
    const users = async () => {
      const to = new RecordingPublish()
      await start(to, { schedules: shareRate(1000, 1), users: 1_000_000 }).finished
      return to.sent.map(({ message }) => ('to' in message ? message.to : 0))
    }
    expect(await users()).toEqual(await users())
  })

  test('sends at most as many messages as it was told', async () => {
    const to = new RecordingPublish()
    const tally = await start(to, { messagesMax: 7, durationMs: 60_000 }).finished
    expect([to.sent.length, tally.sent]).toEqual([7, 7])
  })

  test('sends nothing when nothing comes due', async () => {
    const to = new RecordingPublish()
    const never = [{ firstMs: 51, intervalMs: 51 }]
    expect(await start(to, { schedules: never }).finished).toMatchObject({ sent: 0 })
    expect(to.batches).toEqual([])
  })
})

describe('publishers', () => {
  test('share the generators, each with one request under way', async () => {
    const to = new RecordingPublish()
    await start(to, { schedules: shareRate(10_000, 6), publishers: 2 }).finished
    // Generators 100, 102, 104 are the first's, the others the second's; no batch mixes them.
    for (const batch of to.batches) {
      expect(new Set(batch.map(({ stamp }) => stamp.generator % 2)).size).toBe(1)
    }
    expect(to.underWayMax).toBeLessThanOrEqual(2)
    expect(to.sent).toHaveLength(500)
  })

  test('that are more than the generators have nothing to do', async () => {
    const to = new RecordingPublish()
    await start(to, { schedules: shareRate(2000, 1), publishers: 8 }).finished
    expect([to.underWayMax, to.sent.length]).toEqual([1, 100])
  })

  test('send late messages in batches of the largest size', async () => {
    const to = new RecordingPublish()
    await start(to, { schedules: shareRate(20_000, 1), batchMax: 16 }).finished
    expect(Math.max(...to.batches.map(({ length }) => length))).toBe(16)
    expect(to.sequencesOf(100)).toEqual(oneTo(1000))
  })

  test('keep every order, however they are dealt', async () => {
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

describe('what fails', () => {
  test('is counted by kind, and not sent again', async () => {
    const to = new RecordingPublish()
    let batches = 0
    to.answer = (lines) =>
      batches++ % 2 === 0
        ? { ok: false, kind: 'reset' }
        : { ok: true, accepted: lines.length - 1, delivered: 5 }
    const options = { schedules: shareRate(1000, 1), batchMax: 10, messagesMax: 40 }
    const tally = await start(to, { ...options, durationMs: 500 }).finished
    const failed = to.batches.filter((_, at) => at % 2 === 0)
    const answered = to.batches.filter((_, at) => at % 2 === 1)
    expect(to.sequencesOf(100)).toEqual(oneTo(40))
    expect(tally).toMatchObject({
      sent: answered.flat().length,
      rejected: answered.length,
      delivered: 5 * answered.length,
      unanswered: failed.flat().length,
      errors: { reset: failed.length },
    })
  })

  test('too often in a row makes its publisher give up', async () => {
    const to = new RecordingPublish()
    to.answer = () => ({ ok: false, kind: 'refused' })
    const options = { schedules: shareRate(1000, 2), publishers: 2, durationMs: 60_000 }
    const tally = await start(to, options).finished
    expect(tally).toMatchObject({ sent: 0, errors: { refused: 2 * genLimits.failuresInARowMax } })
    expect(tally.unanswered).toBe(to.sent.length)
  })
})

describe('stop', () => {
  test('sends nothing more, and what is under way is still answered', async () => {
    const to = new RecordingPublish()
    const gen = start(to, { durationMs: 60_000 })
    await until('something was sent', () => to.batches.length > 0)
    gen.stop()
    const begun = to.sent.length
    const tally = await gen.finished
    expect([to.sent.length, tally.sent]).toEqual([begun, begun])
  })

  test('does not wait for the next message to come due', async () => {
    const gen = start(new RecordingPublish(), {
      schedules: [{ firstMs: 1_500, intervalMs: 60_000 }],
      durationMs: 60_000,
    })
    gen.stop()
    expect((await gen.finished).seconds).toBeLessThan(1)
  })
})
