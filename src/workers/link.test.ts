// Goal: what one end writes the other reads, in order and whole, however much waits; each turn of
// the loop costs one flush; the end of the other is told once. Method: both ends over a real socket
// pair, the second of which begins to read when the test says so.

import { describe, expect, test } from 'bun:test'
import { closeSync } from 'node:fs'
import { until } from '../core/time.fixture.ts'
import { hasPairs, socketPair } from '../os/socket-pair.fixture.ts'
import { End, Pair } from './link.fixture.ts'
import { jsonOf } from './link.ts'

const MIB = 1024 * 1024

function turn(): Promise<void> {
  return new Promise(setImmediate)
}

describe.if(hasPairs)('a link', () => {
  test('carries records both ways', async () => {
    using pair = await Pair.open()
    const [left, right] = [pair.left, await pair.openRight()]
    left.write(1, 'there')
    right.write(2, 'back')
    expect([left.link.flush(), right.link.flush()]).toEqual([true, true])
    await until('both have come', () => left.records.length + right.records.length === 2)
    expect([left.records, right.records]).toEqual([[[2, 'back']], [[1, 'there']]])
  })

  test('has what was sent before the other end was open', async () => {
    using pair = await Pair.open()
    pair.left.write(1, 'early')
    pair.left.link.flush()
    const right = await pair.openRight()
    await until('it has come', () => right.records.length === 1)
    expect(right.records).toEqual([[1, 'early']])
  })

  test('carries numbers and JSON, and sends them by itself', async () => {
    using pair = await Pair.open()
    const right = await pair.openRight()
    const seen: unknown[] = []
    right.onRecord = (record) => {
      seen.push(record.kind, record.view.getUint32(0, true), jsonOf(record, 4))
    }
    pair.left.link.json(5, { text: 'é', none: null }, 4_294_967_295)
    await until('it has come', () => seen.length > 0)
    expect(seen).toEqual([5, 4_294_967_295, { text: 'é', none: null }])
  })

  test('flushes once a turn, at its end, whatever has been written', async () => {
    using pair = await Pair.open()
    const [left, right] = [pair.left, await pair.openRight()]
    left.onFlush = () => left.write(9, `turn ${left.flushes}`)
    for (const round of [1, 2]) {
      for (const text of ['a', 'b', 'c']) {
        left.write(round, text)
        left.link.flushSoon()
      }
      expect([left.flushes, left.link.out.length > 0]).toEqual([round - 1, true])
      await turn()
      expect([left.flushes, left.link.out.length]).toEqual([round, 0])
    }
    await until('all have come', () => right.records.length === 8)
    const written = (round: number) => [
      ...['a', 'b', 'c'].map((text) => [round, text]),
      [9, `turn ${round}`],
    ]
    expect(right.records as unknown[]).toEqual([...written(1), ...written(2)])
    await turn()
    expect(left.flushes).toBe(2)
  })

  test('says once that all records of a read were passed on', async () => {
    using pair = await Pair.open()
    for (const text of ['a', 'b', 'c']) pair.left.write(1, text)
    pair.left.link.flush()
    const right = await pair.openRight()
    await until('all have come', () => right.records.length === 3)
    expect(right.reads).toEqual([3])
  })

  test('tells its owner at the end of a turn that all was sent', async () => {
    using pair = await Pair.open()
    const { left } = pair
    left.link.flushSoon()
    left.onFlush = () => left.write(1, 'a')
    await turn()
    expect([left.flushes, left.sents, left.link.out.length]).toEqual([1, 1, 0])
  })

  test('has nothing to send when nothing is written, and says so', async () => {
    using pair = await Pair.open()
    expect([pair.left.link.flush(), pair.left.sents]).toEqual([true, 0])
  })
})

describe.if(hasPairs)('while the other end does not read', () => {
  /** As many records as fill the socket many times over. */
  const texts = Array.from({ length: 1_000 }, (_, at) => `${at} `.repeat(2_000))
  const bytes = texts.reduce((sum, text) => sum + text.length + 8, 0)

  test('what is written piles up, and then arrives in order', async () => {
    using pair = await Pair.open()
    const { left } = pair
    for (const [at, text] of texts.entries()) {
      left.write(at + 1, text)
      if (at % 10 === 0) left.link.flush()
    }
    expect(bytes).toBeGreaterThan(5 * MIB)
    expect([left.link.flush(), left.sents]).toEqual([false, 0])
    const waits = left.link.out.length
    expect(waits).toBeWithin(4 * MIB, bytes)
    // Looking again changes nothing: the socket tells when it has room.
    await turn()
    expect([left.link.flush(), left.link.out.length]).toEqual([false, waits])
    const right = await pair.openRight()
    await until('all have come', () => right.records.length === texts.length)
    expect(right.records.every(([kind, text], at) => kind === at + 1 && text === texts[at])).toBe(
      true,
    )
  })

  test('its owner is told when all has been sent, once', async () => {
    using pair = await Pair.open()
    const { left } = pair
    for (const [at, text] of texts.entries()) left.write(at + 1, text)
    expect(left.link.flush()).toBe(false)
    const right = await pair.openRight()
    await until('all is sent', () => left.sents > 0)
    expect(left.link.out.length).toBe(0)
    left.write(5_000, 'next')
    expect(left.link.flush()).toBe(true)
    await until('all have come', () => right.records.length === texts.length + 1)
    expect([left.sents, right.records.at(-1)]).toEqual([1, [5_000, 'next']])
  })

  test('it can still read what the other sends', async () => {
    using pair = await Pair.open()
    const [left, right] = [pair.left, await pair.openRight()]
    for (const [at, text] of texts.entries()) {
      left.write(at + 1, text)
      right.write(at + 1, text)
    }
    expect([left.link.flush(), right.link.flush()]).toEqual([false, false])
    const all = () => left.records.length + right.records.length === 2 * texts.length
    await until('all have come', all)
    expect(left.records.map(([, text]) => text)).toEqual(texts)
    expect(right.records.map(([, text]) => text)).toEqual(texts)
  })
})

describe.if(hasPairs)('the end', () => {
  test('of one is told to both, once', async () => {
    using pair = await Pair.open()
    const [left, right] = [pair.left, await pair.openRight()]
    left.link.close()
    await until('both know', () => left.closes + right.closes === 2)
    left.link.close()
    right.link.close()
    await turn()
    expect([left.closes, right.closes]).toEqual([1, 1])
  })

  test('of a process that never read is told too', async () => {
    using pair = await Pair.open()
    pair.loseRight()
    await until('it is known', () => pair.left.closes > 0)
    expect(pair.left.closes).toBe(1)
  })

  test('that came before the link was open is told once it is', async () => {
    const [one, other] = socketPair()
    closeSync(other)
    const end = await End.of(one)
    await until('it is known', () => end.closes > 0)
    expect(end.closes).toBe(1)
  })

  test('discards what is written later, without an error', async () => {
    using pair = await Pair.open()
    const { left } = pair
    pair.loseRight()
    left.write(1, 'x'.repeat(MIB))
    expect(left.link.flush()).toBe(false)
    await until('it is known', () => left.closes > 0)
    left.write(2, 'y')
    left.link.flushSoon()
    await turn()
    expect([left.link.flush(), left.closes, left.sents]).toEqual([false, 1, 0])
  })

  test('comes after what was sent', async () => {
    using pair = await Pair.open()
    pair.left.write(1, 'last')
    pair.left.link.flush()
    pair.left.link.close()
    const right = await pair.openRight()
    await until('it is known', () => right.closes > 0)
    expect(right.records).toEqual([[1, 'last']])
  })

  test('comes after what waits to be sent at the end of the turn', async () => {
    using pair = await Pair.open()
    const right = await pair.openRight()
    pair.left.write(1, 'last')
    pair.left.link.flushSoon()
    pair.left.link.close()
    await until('it is known', () => right.closes > 0)
    expect(right.records).toEqual([[1, 'last']])
  })
})
