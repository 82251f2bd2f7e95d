// Goal: a chain names the last message that was sent to its user, and none that may not have been.
// Method: pairs one after another, to their limit; whole runs with requests that fail.

import { describe, expect, test } from 'bun:test'
import { shareRate } from '../core/pacer.ts'
import { refused, success } from '../core/result.ts'
import { readChain } from '../core/stamp.ts'
import { MessageChains } from './message-chains.ts'
import { lineOf } from './publisher.ts'
import { RecordingPublish, start } from './sender.fixture.ts'

describe('chains', () => {
  test('name the message before of the same generator to the same user', () => {
    const chains = new MessageChains()
    const [a, b] = [chains.pairOf(1, 0), chains.pairOf(1, 1)]
    expect(new Set([a, b, chains.pairOf(2, 0), chains.pairOf(2 ** 31 - 1, 65_535)]).size).toBe(4)
    expect([chains.next(a, 1), chains.next(b, 1), chains.next(a, 4)]).toEqual([0, 0, 1])
    expect([chains.next(a, 5), chains.next(b, 9)]).toEqual([4, 1])
  })

  test('name none after a message that may not have been taken', () => {
    const chains = new MessageChains()
    chains.next(1, 1)
    chains.forget([1, 2])
    expect([chains.next(1, 2), chains.next(1, 3), chains.next(2, 1)]).toEqual([null, 2, 0])
  })

  test('are of no more pairs than there is room for', () => {
    const chains = new MessageChains(1)
    expect([chains.next(1, 1), chains.next(2, 1), chains.next(2, 2)]).toEqual([0, null, null])
    expect(chains.next(1, 2)).toBe(1)
  })
})

interface Chained {
  readonly user: number
  readonly sequence: number
  readonly before: number | null
}

function chained(to: RecordingPublish): Chained[] {
  return to.sent.map(({ message, stamp }) => {
    const body = Buffer.from('body' in message ? message.body : '')
    const chain = { target: 0, sequence: 0, dueMicros: 0 }
    const user = 'to' in message ? Number(message.to) : 0
    const isChained = readChain(body, 0, body.length, chain)
    if (isChained) expect(chain.target).toBe(user)
    return { user, sequence: stamp.sequence, before: isChained ? chain.sequence : null }
  })
}

describe('the messages of a run', () => {
  test('name those before them to the same user', async () => {
    const to = new RecordingPublish()
    const schedules = shareRate(2_000, 1)
    await start(to, { schedules, users: 3, chains: new MessageChains() }).finished
    const last = new Map<number, number>()
    for (const { user, sequence, before } of chained(to)) {
      expect(before).toBe(last.get(user) ?? 0)
      last.set(user, sequence)
    }
    expect(last.size).toBe(3)
  })

  test('name none after a request that was not answered', async () => {
    const to = new RecordingPublish()
    to.answer = (lines) =>
      to.batches.length === 2
        ? refused('reset')
        : success({ accepted: lines.length, delivered: lines.length })
    const schedules = shareRate(200, 1)
    await start(to, { schedules, users: 1, batchMax: 1, chains: new MessageChains() }).finished
    const before = chained(to).map((one) => one.before)
    expect(before.slice(0, 5)).toEqual([0, 1, null, 3, 4])
  })

  test('with keys are sent again until they are answered, and some of them once more', async () => {
    const to = new RecordingPublish()
    to.answer = (lines) =>
      to.batches.length === 2
        ? refused('reset')
        : success({ accepted: lines.length, delivered: lines.length })
    const randoms = [0.9, 0.9, 0.05]
    const keys = { repeat: 0.1, random: () => randoms.shift() ?? 0.9 }
    const write = lineOf('to')
    const lines: string[] = []
    const noted = (user: number | string, text: string, key?: string | null) => {
      lines.push(String(key))
      return write(user, text)
    }
    const schedules = shareRate(200, 1)
    const wanted = { schedules, users: 1, batchMax: 1, messagesMax: 5, keys, write: noted }
    const tally = await start(to, { ...wanted, durationMs: 10_000 }).finished
    expect(tally).toMatchObject({ sent: 5, delivered: 5, retried: 1, repeated: 1, errors: {} })
    expect(to.sent.map(({ stamp }) => stamp.sequence)).toEqual([1, 2, 2, 3, 3, 4, 5])
    expect(lines).toEqual(['100-1', '100-2', '100-3', '100-4', '100-5'])
  })
})

test('a key stands behind the text of a line', () => {
  expect(lineOf('to')(7, 'text', '5-1')).toBe('{"to":7,"body":"text","key":"5-1"}')
  expect(lineOf('subject')('room', 'text', '5-1')).toBe(
    '{"subject":"room","body":"text","key":"5-1"}',
  )
})
