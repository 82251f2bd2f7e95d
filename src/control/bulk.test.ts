// Goal: a bulk change does what its lines say, in order, and its receipt says so, however the bytes
// come. Method: bodies cut at random places, beside a model that takes one line after another.

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { messageLimits, subscriptionLimits } from '../core/limits.ts'
import { Model, openStores, type Pair } from '../subscriptions/model.fixture.ts'
import type { Stores } from '../subscriptions/stores.ts'
import { type SubscriptionRules, subscribe } from '../subscriptions/subscribe.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import { type BulkAction, type BulkReceipt, changeMany } from './bulk.ts'

const RULES: SubscriptionRules = { userIdMax: 1_000_000, perUserMax: 1_000_000 }
const encoder = new TextEncoder()

let stores: Stores
let store: Subscriptions

beforeEach(() => {
  stores = openStores()
  store = stores.subscriptions
})
afterEach(() => store.close())

async function* bodyOf(parts: Iterable<string | Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? encoder.encode(part) : part
}

/** All that a bulk change answers: the progress, and the receipt. */
async function change(
  parts: Iterable<string | Uint8Array>,
  { action = 'add' as BulkAction, rules = RULES, on = stores } = {},
) {
  const items = await Array.fromAsync(changeMany(on, rules, action, bodyOf(parts)))
  return { progress: items.slice(0, -1), receipt: items.at(-1) as BulkReceipt }
}

/** So many different pairs, a line each. */
function linesOf(count: number): string {
  return Array.from({ length: count }, (_, at) => `${at + 11} 10\n`).join('')
}

const NOTHING = { lines: 0, changed: 0, unchanged: 0, rejected: [], rejectedCount: 0 }

describe('a bulk change', () => {
  test('adds and removes, and counts what was so already', async () => {
    const added = await change(['1 2\n1 3\n1 2\n', '4\t 2 \r\n'])
    expect(added.receipt).toEqual({ ...NOTHING, lines: 4, changed: 3, unchanged: 1 })
    expect(store.subscribersPage(2, 0, 10).users).toEqual([1, 4])
    const removed = await change(['1 2\n9 9999\n1 2'], { action: 'remove' })
    expect(removed.receipt).toEqual({ ...NOTHING, lines: 3, changed: 1, unchanged: 2 })
    expect(store.counts()).toEqual({ subscriptions: 2, subjects: 2 })
  })

  test('without a body, or with an empty one, changes nothing', async () => {
    expect((await change([])).receipt).toEqual(NOTHING)
    expect((await change(['', new Uint8Array(0)])).receipt).toEqual(NOTHING)
    expect(await Array.fromAsync(changeMany(stores, RULES, 'add', null))).toEqual([NOTHING])
  })

  test('passes over blank lines, but numbers them', async () => {
    const { receipt } = await change(['\n \t\n1 2\n\r\n\nx\n'])
    expect(receipt).toMatchObject({ lines: 6, changed: 1, unchanged: 0, rejectedCount: 1 })
    expect(receipt.rejected.map(({ line }) => line)).toEqual([6])
  })

  test.each([
    ['1', 'invalid_subscription'],
    ['1 2 3', 'invalid_subscription'],
    ['1,2', 'invalid_subscription'],
    ['a! b', 'invalid_user_id'],
    ['0 1', 'invalid_user_id'],
    ['1 0', 'invalid_user_id'],
    ['.. 2', 'invalid_user_id'],
    ['x*y 2', 'invalid_user_id'],
    ['a a', 'subscription_to_self'],
    ['1 1000001', 'unknown_user'],
    ['99999999999999999999 1', 'unknown_user'],
    ['\0\x01\x02 \x03', 'invalid_user_id'],
    ['١ 2', 'invalid_user_id'],
    ['7 7', 'subscription_to_self'],
    [' '.repeat(1_025), 'invalid_subscription'],
  ] as const)('refuses the line %p by its number: %s', async (line, code) => {
    const { receipt } = await change([`1 2\n${line}\n3 2\n${line}`])
    expect(receipt).toMatchObject({ lines: 4, changed: 2, rejectedCount: 2 })
    expect(receipt.rejected.map(({ line, error }) => [line, error.code])).toEqual([
      [2, code],
      [4, code],
    ])
    expect(store.counts().subscriptions).toBe(2)
  })

  test('names the first refused lines, and counts the others', async () => {
    const { receipt } = await change(['x\n'.repeat(messageLimits.rejectedListedMax + 5)])
    expect(receipt.rejected).toHaveLength(messageLimits.rejectedListedMax)
    expect(receipt.rejected.at(-1)?.line).toBe(messageLimits.rejectedListedMax)
    expect(receipt.rejectedCount).toBe(messageLimits.rejectedListedMax + 5)
  })

  test('refuses a line of 64 megabytes without publicPort it', async () => {
    const part = new Uint8Array(1_048_576).fill(0x31)
    Bun.gc(true)
    const before = process.memoryUsage().rss
    const parts = function* (): Generator<string | Uint8Array> {
      yield '1 2\n'
      for (let megabyte = 0; megabyte < 64; megabyte++) yield part
      yield '\n3 2\n'
    }
    const { receipt } = await change(parts())
    expect((process.memoryUsage().rss - before) / 1_048_576).toBeLessThan(32)
    expect(receipt).toMatchObject({ lines: 3, changed: 2, rejectedCount: 1 })
    expect(receipt.rejected).toMatchObject([{ line: 2, error: { code: 'invalid_subscription' } }])
  })

  test('tells how far it is once so many lines have come', async () => {
    const { progressPairs } = subscriptionLimits
    const part = '\n'.repeat(progressPairs / 4)
    const { progress, receipt } = await change([linesOf(1_000), part, part, part, part, part])
    expect(progress).toEqual([{ lines: 1_000 + progressPairs, changed: 1_000, unchanged: 0 }])
    expect(receipt).toEqual({ ...NOTHING, lines: 1_000 + progressPairs * 1.25, changed: 1_000 })
  })

  test('lets others have a turn between two batches', async () => {
    const seen: number[] = []
    let ended = false
    const turn = () => {
      seen.push(store.counts().subscriptions)
      if (!ended) setImmediate(turn)
    }
    setImmediate(turn)
    const pairs = 20_000
    await change([linesOf(pairs)])
    ended = true
    const steps = seen.map((count, at) => count - (seen[at - 1] ?? 0))
    expect(Math.max(...steps)).toBeLessThanOrEqual(subscriptionLimits.batchPairs)
    expect(seen.length).toBeGreaterThanOrEqual(pairs / subscriptionLimits.batchPairs)
  })

  test('that breaks off leaves the batches until then', async () => {
    const { batchPairs } = subscriptionLimits
    const breaking = async function* () {
      yield encoder.encode(linesOf(batchPairs * 2 + 10))
      throw new Error('gone')
    }
    const items = changeMany(stores, RULES, 'add', breaking())
    await expect(Array.fromAsync(items)).rejects.toThrow('gone')
    expect(store.counts().subscriptions).toBeGreaterThanOrEqual(batchPairs * 2)
  })
})

test.each(['isLate', 'isGone'])('of a body that %s half a line changes nothing', async (end) => {
  const state = { isLate: false, isGone: false }
  const body = {
    get isLate() {
      return state.isLate
    },
    get isGone() {
      return state.isGone
    },
    async *[Symbol.asyncIterator]() {
      yield encoder.encode('1 2\n1 3')
      Object.assign(state, { [end]: true })
    },
  }
  const items = await Array.fromAsync(changeMany(stores, RULES, 'add', body))
  expect(items).toEqual([{ ...NOTHING, lines: 1, changed: 1 }])
  expect(store.subscriptionsPage(1, 0, 10).users).toEqual([2])
})

test('a body whose sender is gone before the next slice is not taken further', async () => {
  const body = {
    isGone: false,
    async *[Symbol.asyncIterator]() {
      setImmediate(() => {
        body.isGone = true
      })
      yield encoder.encode(linesOf(2_000))
    },
  }
  const [receipt] = await Array.fromAsync(changeMany(stores, RULES, 'add', body))
  const { changed } = receipt as BulkReceipt
  expect(changed).toBeWithin(1, 2_000)
  expect(store.counts().subscriptions).toBe(changed)
})

test('the limit holds for what comes in by another way meanwhile', async () => {
  const rules = { ...RULES, perUserMax: 3 }
  const body = async function* () {
    yield encoder.encode('1 2\n1 3\n')
    for (const subject of [4, 5, 6]) await subscribe(stores, rules, 1, subject)
    yield encoder.encode('1 7\n')
  }
  await Array.fromAsync(changeMany(stores, rules, 'add', body()))
  expect(store.countOf(1, 100)).toBe(3)
})

const anyLine = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.nat(12), fc.nat(12)).map(([a, b]) => `${a} ${b}`) },
  fc.constantFrom('', ' ', '1 2\r', '\t3  4', '1', 'x y', '5 6 7', '9'.repeat(1_100), 'é 1'),
)

test('the receipt is the same wherever the bytes are cut', async () => {
  const rules = { ...RULES, perUserMax: 4 }
  const text = fc.tuple(fc.array(anyLine, { maxLength: 40 }), fc.constantFrom('', '\n'))
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat(3_000), { maxLength: 30 }), async ([lines, end], at) => {
      const bytes = encoder.encode(lines.join('\n') + end)
      const cuts = [0, ...at.map((cut) => cut % (bytes.length + 1)), bytes.length].sort(
        (a, b) => a - b,
      )
      const parts = cuts.slice(1).map((cut, index) => bytes.subarray(cuts[index], cut))
      const [whole, cut] = [openStores(), openStores()]
      const expected = await change([bytes], { rules, on: whole })
      expect(await change(parts, { rules, on: cut })).toEqual(expected)
      for (let user = 1; user <= 12; user++) {
        const [got, wanted] = [cut, whole].map((of) =>
          of.subscriptions.subscriptionsPage(user, 0, 20),
        )
        expect(got).toEqual(wanted)
      }
      for (const { subscriptions } of [whole, cut]) subscriptions.close()
    }),
    { numRuns: 60 },
  )
})

test('no user follows more than the limit, and none is refused below it', async () => {
  const perUserMax = 3
  const pair = fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 3, max: 9 }))
  // About a batch of other lines, so that the end of a batch falls anywhere.
  const filler = fc.integer({ min: 985, max: 1_005 })
  const list = fc.array(fc.oneof({ weight: 12, arbitrary: pair }, filler), { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(fc.array(pair, { maxLength: 4 }), list, async (before, list) => {
      const model = new Model()
      const text: string[] = []
      const expected = { lines: 0, changed: 0, unchanged: 0, rejected: [] as number[] }
      const expectLine = ([from, to]: Pair) => {
        text.push(`${from} ${to}\n`)
        expected.lines++
        if (model.has(from, to)) expected.unchanged++
        else if (model.subjectsOf(from).length >= perUserMax) expected.rejected.push(expected.lines)
        else expected.changed += model.add([[from, to]])
      }
      const stores = openStores()
      const store = stores.subscriptions
      for (const [from, to] of before) {
        if (model.subjectsOf(from).length >= perUserMax) continue
        model.add([[from, to]])
        await store.add(Uint32Array.of(from, to))
      }
      // The others follow one subject each, so that they have nothing to do with the limit.
      const others = new Set<number>()
      for (const item of list) {
        if (typeof item !== 'number') expectLine(item)
        else {
          text.push(linesOf(item))
          expected.lines += item
          for (let user = 11; user < item + 11; user++) {
            if (others.has(user)) expected.unchanged++
            else expected.changed++
            others.add(user)
          }
        }
      }
      const { receipt } = await change([text.join('')], {
        rules: { ...RULES, perUserMax },
        on: stores,
      })
      const { lines, changed, unchanged } = receipt
      const rejected = receipt.rejected.map(({ line }) => line)
      expect({ lines, changed, unchanged, rejected }).toEqual(expected)
      for (const user of [1, 2]) {
        expect(store.subscriptionsPage(user, 0, 20).users).toEqual(model.subjectsOf(user))
      }
      store.close()
    }),
    { numRuns: 30 },
  )
})
