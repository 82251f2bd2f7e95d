// Goal: a stream begins with what its client has missed, or with a gap, and says where it then is.
// Method: a log that keeps all, or says that something is lost.

import { describe, expect, test } from 'bun:test'
import type { Cursor } from '../core/cursor.ts'
import { LocalBus } from '../log/local-bus.ts'
import { ArrayLog, EPOCH } from './array-log.fixture.ts'
import { newFrame } from './frame.ts'
import { resumptionOf } from './resumption.fixture.ts'
import { Resumption } from './resumption.ts'
import type { StreamBeginning } from './stream.ts'

const encoder = new TextEncoder()

/** A log of messages to users, or about subjects below 0. */
function logOf(...targets: number[]): ArrayLog {
  const log = new ArrayLog()
  for (const [at, target] of targets.entries()) {
    log.append(newFrame(encoder.encode(`${at + 1}`), target < 0, Math.abs(target)))
  }
  return log
}

function messagesOf({ missed }: StreamBeginning): string[] {
  return missed.map(({ bytes }) => Buffer.from(bytes).toString())
}

const after = (number: number, epoch = EPOCH) => ({ after: { epoch, number } })

describe('a stream', () => {
  test('that is live begins at the end of the log', () => {
    const begun = resumptionOf(logOf(7, 7)).begin(7, [], 'live')
    const start = { cursor: { epoch: EPOCH, number: 2 }, gap: null }
    expect(begun).toEqual({ start, missed: [], upTo: start.cursor, isAll: true })
  })

  test('begins behind the last message that its client had', () => {
    const log = logOf(7, 8, -5, -6, -9, 7)
    const begun = resumptionOf(log, { 7: [5] }).begin(7, [6], after(1))
    expect(messagesOf(begun)).toEqual(['3', '4', '6'])
    // As long as it has had none of them, it is still there.
    expect(begun.start).toEqual({ cursor: { epoch: EPOCH, number: 1 }, gap: null })
    expect(begun.missed.map(({ number, epoch }) => [number, epoch])).toEqual([
      [3, EPOCH],
      [4, EPOCH],
      [6, EPOCH],
    ])
  })

  test('begins with the oldest message that is kept', () => {
    const log = logOf(7, 7, 7)
    log.oldest = 2
    const begun = resumptionOf(log).begin(7, [], 'oldest')
    expect([messagesOf(begun), begun.start.cursor.number]).toEqual([['2', '3'], 1])
  })

  describe('in pages', () => {
    const log = logOf(7, 7, 8, 7, 7)
    log.pageMax = 2
    const page = (from: number | null) => {
      const begun = resumptionOf(log).begin(7, [], {
        page: from === null ? null : { epoch: EPOCH, number: from },
      })
      return { messages: messagesOf(begun), upTo: begun.upTo.number, isAll: begun.isAll }
    }

    test('gets the oldest ones first, and then those behind them', () => {
      expect(page(null)).toEqual({ messages: ['1', '2'], upTo: 2, isAll: false })
      expect(page(2)).toEqual({ messages: ['4', '5'], upTo: 5, isAll: true })
      expect(page(5)).toEqual({ messages: [], upTo: 5, isAll: true })
    })

    test('is told of a gap like any other', () => {
      const from = (number: number, epoch = EPOCH) =>
        resumptionOf(log).begin(7, [], { page: { epoch, number } })
      expect(from(6).start.gap?.reason).toBe('unknown')
      expect(from(1, 1).start.gap?.reason).toBe('unknown')
      log.oldest = 3
      expect(from(1).start.gap?.reason).toBe('lost')
      expect(from(2).start.gap).toBeNull()
      log.oldest = 1
    })
  })

  test('begins with the oldest of a log that has kept none', () => {
    const log = logOf(7, 7)
    log.oldest = 3
    const begun = resumptionOf(log).begin(7, [], 'oldest')
    expect([messagesOf(begun), begun.start]).toEqual([
      [],
      { cursor: { epoch: EPOCH, number: 2 }, gap: null },
    ])
  })

  test('begins with the newest so many, behind the one before them', () => {
    const log = logOf(7, 7, 8, 7, 8)
    const begun = resumptionOf(log).begin(7, [], { last: 2 })
    expect([messagesOf(begun), begun.start.cursor.number]).toEqual([['2', '4'], 1])
    const none = resumptionOf(log).begin(9, [], { last: 2 })
    expect([messagesOf(none), none.start.cursor.number]).toEqual([[], 5])
  })
})

describe('a gap', () => {
  test('is told when a message is lost, and the stream goes on live', () => {
    const log = logOf(7, 7, 7)
    log.oldest = 3
    const begun = resumptionOf(log).begin(7, [], after(1))
    const gap = { after: { epoch: EPOCH, number: 1 }, reason: 'lost' }
    expect(begun as unknown).toMatchObject({
      start: { cursor: { epoch: EPOCH, number: 3 }, gap },
      missed: [],
    })
  })

  test.each([
    ['of another log', after(1, EPOCH - 1)],
    ['of a later log', after(1, EPOCH + 1)],
    ['above the end', after(4)],
  ])('is told of a place %s', (_, from) => {
    const resumption = resumptionOf(logOf(7, 7, 7))
    expect(resumption.begin(7, [], from).start.gap?.reason).toBe('unknown')
    expect(resumption.gaps).toEqual({ lost: 0, too_many: 0, unknown: 1 })
  })

  test('is none at the end of the log itself', () => {
    const begun = resumptionOf(logOf(7, 7, 7)).begin(7, [], after(3))
    expect([begun.start.gap, begun.missed]).toEqual([null, []])
  })
})

test('streams that have missed the same message share its frame', () => {
  const resumption = resumptionOf(logOf(-5))
  const [one] = resumption.begin(7, [5], after(0)).missed
  const [other] = resumption.begin(8, [5], after(0)).missed
  expect(one).toBe(other as NonNullable<typeof other>)
  expect([resumption.resumed, resumption.replayed]).toEqual([2, 2])
})

describe('in a log that several servers share', () => {
  const log = new LocalBus(logOf(7, 7, 7), { onItem: () => undefined, onGap: () => undefined })

  /** Of a log that has gone on under another epoch behind its first entry. */
  function sharedResumption(settled: (behind?: Cursor) => Promise<boolean> | null) {
    const bus = {
      window: log.window,
      cursor: { epoch: EPOCH + 1, number: 3 },
      numberOf: ({ number }: Cursor) => number,
      cursorOf: (number: number) => ({ epoch: EPOCH + Number(number > 1), number }),
      settled,
    }
    return new Resumption({ bus, subscriptions: { subjectsOf: () => new Uint32Array(0) } })
  }

  test('a stream that was further than this server waits, however often that is to be asked', async () => {
    const asked: (Cursor | undefined)[] = []
    const waits = [1, 2, 3, 4].map(() => Promise.withResolvers<boolean>())
    const resumption = sharedResumption((behind) => waits[asked.push(behind) - 1]?.promise ?? null)
    expect(resumption.settledFor('live')).toBeNull()
    let isSettled = false
    const waiting = resumption.settledFor(after(2))?.then(() => {
      isSettled = true
    })
    for (const { resolve } of waits.slice(0, 3)) {
      expect(isSettled).toBe(false)
      resolve(true)
      await Bun.sleep(0)
    }
    expect(isSettled).toBe(false)
    // There is no such place; a fifth question would not wait.
    waits[3]?.resolve(false)
    await waiting
    expect(asked).toEqual(Array.from({ length: 4 }, () => after(2).after))
  })

  test('one that resumes under an older epoch has everything up to a place of the newest', () => {
    const last = { epoch: EPOCH + 1, number: 3 }
    const resumption = sharedResumption(() => null)
    for (const from of [after(1), { page: after(1).after }]) {
      expect(resumption.begin(7, [], from)).toMatchObject({ start: { gap: null }, upTo: last })
    }
    expect(resumption.begin(7, [], { page: last }).upTo).toEqual(last)
  })

  test('one that waits no longer for what the log has lost is told a gap, wherever it was', () => {
    const resumption = sharedResumption(() => Promise.resolve(true))
    for (const from of [after(1), { page: after(1).after }, 'oldest', { last: 2 }] as const) {
      const { start, missed } = resumption.begin(7, [], from)
      expect([start.gap?.reason, start.cursor.number, missed]).toEqual(['unknown', 3, []])
    }
    expect(resumption.begin(7, [], 'live').start.gap).toBeNull()
  })
})
