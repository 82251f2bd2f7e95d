// Goal: a stream begins with what its client has missed, or with a gap, and says where it then is.
// Method: a log that keeps all, or says that something is lost.

import { describe, expect, test } from 'bun:test'
import { ArrayLog, EPOCH } from './array-log.fixture.ts'
import { newFrame } from './frame.ts'
import { resumptionOf } from './resumption.fixture.ts'
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
    expect(begun).toEqual({ start: { cursor: { epoch: EPOCH, number: 2 }, gap: null }, missed: [] })
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
    expect(begun as unknown).toEqual({
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
