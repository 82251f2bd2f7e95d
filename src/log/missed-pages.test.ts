// Goal: a reader that has missed too much gets all of it in pages of the sizes that servers have.
// Method: random logs against a list; gaps are those of the random log beside a simple one.

import { describe, expect, test } from 'bun:test'
import { historyLimits } from '../core/history-limits.ts'
import { memoryLog, type RingLog } from './ring-log.ts'

const READER = 1
const SUBJECTS = 8
const BYTES = 64 * 1024 * 1024

interface Entry {
  readonly number: number
  readonly isMine: boolean
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A log, what the reader follows in the end, and what it would have got as a stream. */
function fill(log: RingLog, random: () => number, messages: number, bodyBytes: number) {
  const follows = new Set([READER + 1, READER + 2])
  const entries: Entry[] = []
  const body = Buffer.alloc(bodyBytes, 'x')
  for (let sent = 0; sent < messages; sent++) {
    if (random() < 0.01) {
      const subject = READER + 1 + Math.floor(random() * SUBJECTS)
      const isFollowed = !follows.delete(subject)
      if (isFollowed) follows.add(subject)
      log.appendFollow({ id: READER, name: null }, { id: subject, name: null }, isFollowed)
    }
    const target = Math.floor(random() * (SUBJECTS + 2))
    const isAbout = target !== 0 && random() < 0.8
    const message = { bytes: body, isAbout, target, event: null, isJson: false, name: null }
    const number = log.append({ ...message, key: null })
    const isMine = isAbout
      ? target === READER || follows.has(target)
      : target === 0 || target === READER
    entries.push({ number, isMine })
  }
  const reader = { user: READER, follows: Uint32Array.from(follows), subjects: [] }
  return { reader, entries }
}

/** All pages after an entry. */
function pagesAfter(log: RingLog, reader: Parameters<RingLog['pageFor']>[0], after: number) {
  const numbers: number[] = []
  for (let at = after, pages = 1; ; pages++) {
    const page = log.pageFor(reader, at)
    if ('gap' in page) throw new Error(`there is a gap: ${page.gap}`)
    numbers.push(...page.numbers)
    if (page.upTo === log.last) return { numbers, pages }
    expect(page.upTo).toBeGreaterThan(at)
    expect(page.numbers.length).toBeLessThanOrEqual(historyLimits.messagesMax)
    at = page.upTo
  }
}

describe.each([
  ['of many small messages', 40_000, 10],
  ['of large ones', 1_500, 4_000],
] as const)('a log %s', (_, messages, bodyBytes) => {
  test.each([1, 2, 3])('comes in pages whole, seed %p', (seed) => {
    const random = randomOf(seed)
    const log = memoryLog({ bytes: BYTES })
    const { reader, entries } = fill(log, random, messages, bodyBytes)
    const places = Array.from({ length: 30 }, () => Math.floor(random() * (log.last + 1)))
    let paged = 0
    for (const after of [0, log.last, ...places]) {
      const mine = entries.filter(({ number, isMine }) => isMine && number > after)
      const { numbers, pages } = pagesAfter(log, reader, after)
      expect(numbers).toEqual(mine.map(({ number }) => number))
      paged += pages - 1
    }
    expect(paged).toBeGreaterThan(0)
    log.close()
  })
})

test('a page ends where so much was read that others are to have their turn', () => {
  const log = memoryLog({ bytes: BYTES })
  const send = (target: number, count: number) => {
    for (let sent = 0; sent < count; sent++) {
      log.append({
        ...{ bytes: Buffer.from('x'), isAbout: false, target, event: null, isJson: false },
        ...{ name: null, key: null },
      })
    }
  }
  const { messagesMax, pageEntriesMax } = historyLimits
  send(READER, 1)
  send(READER + 1, pageEntriesMax)
  send(READER, messagesMax)
  const reader = { user: READER, follows: new Uint32Array(0), subjects: [] }
  const first = log.pageFor(reader, 0)
  expect(first).toEqual({ numbers: [1], upTo: pageEntriesMax })
  const second = log.pageFor(reader, pageEntriesMax)
  expect('numbers' in second && [second.numbers.length, second.upTo]).toEqual([
    messagesMax,
    log.last,
  ])
})
