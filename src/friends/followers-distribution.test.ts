// Goal: the figures are those of the followers, in their documented form, and the charts show them.
// Method: small distributions with known figures, properties against plain counting, and the text
// of one chart as a whole.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import { openDatabase } from '../subscriptions/database.ts'
import { flat, Model, type Pair, USERS } from '../subscriptions/model.fixture.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { storesOf } from '../subscriptions/stores.ts'
import {
  FriendsStats,
  followersDistribution,
  followersPerUser,
  friendsSummary,
  friendsSvg,
} from './followers-distribution.ts'

/** 100 users: 60 have one follower, 30 have ten, 5 have a hundred, 5 have none. */
const MADE = [...of(60, 1), ...of(30, 10), ...of(5, 100), ...of(5, 0)]

function of(users: number, followers: number): number[] {
  return new Array<number>(users).fill(followers)
}

describe('followersDistribution', () => {
  test('computes the figures of a known distribution', () => {
    const stats = followersDistribution(MADE, 100)
    expect(stats).toMatchObject({
      users: 100,
      subscriptions: 60 + 300 + 500,
      followers: { mean: 8.6, median: 1, p99: 100, max: 100 },
    })
    expect(stats.histogram.filter(({ users }) => users > 0)).toEqual([
      { from: 0, to: 0, users: 5, atLeast: 100 },
      { from: 1, to: 1, users: 60, atLeast: 95 },
      { from: 10, to: 12, users: 30, atLeast: 35 },
      { from: 100, to: 125, users: 5, atLeast: 5 },
    ])
  })

  test('counts users that are missing as users without followers', () => {
    expect(followersDistribution(new Set([7]), 3)).toEqual(followersDistribution([0, 7, 0], 3))
    expect(followersDistribution(Uint32Array.of(0, 7), 3).followers.median).toBe(0)
  })

  test('uses the nearest rank: the median of two is the lower', () => {
    expect(followersDistribution([3, 9], 2).followers).toEqual({
      mean: 6,
      median: 3,
      p99: 9,
      max: 9,
    })
  })

  test('gives only zeros for no users', () => {
    expect(followersDistribution([], 0)).toEqual({
      users: 0,
      subscriptions: 0,
      followers: { mean: 0, median: 0, p99: 0, max: 0 },
      histogram: [],
    })
  })

  test('throws if more users have followers than there are users', () => {
    expect(() => followersDistribution([1, 0, 1], 1)).toThrow(RangeError)
  })

  test('fits the schema, with bins that meet and hold all users, for any followers', () => {
    const anyFollowers = fc.array(fc.oneof(fc.nat(20), fc.nat(1_100_000)), { maxLength: 60 })
    fc.assert(
      fc.property(anyFollowers, fc.nat(5), (followers, more) => {
        const stats = followersDistribution(followers, followers.length + more)
        const all = [...followers, ...of(more, 0)]
        expect(Value.Check(FriendsStats, stats)).toBe(true)
        expect(stats.subscriptions).toBe(all.reduce((sum, each) => sum + each, 0))
        expect(stats.followers.max).toBe(Math.max(0, ...all))
        let begin = 0
        for (const { from, to, users, atLeast } of stats.histogram) {
          expect(from).toBe(begin)
          expect(users).toBe(all.filter((each) => each >= from && each <= to).length)
          expect(atLeast).toBe(all.filter((each) => each >= from).length)
          begin = to + 1
        }
        expect(stats.histogram.reduce((sum, { users }) => sum + users, 0)).toBe(all.length)
      }),
    )
  })
})

describe('friendsSummary', () => {
  test('shows the figures and a chart', () => {
    const text = friendsSummary(followersDistribution(MADE, 100))
    expect(text).toStartWith(
      'users     100, without followers 5\n' +
        'friends   860 subscriptions\n' +
        'followers mean 8.6, median 1, p99 100, max 100\n',
    )
    expect(text.split('\n').slice(4).join('\n')).toBe(CHART)
  })

  test.each([0, 1, 1_000_000])('fits a terminal for %p users', (users) => {
    const followers = of(users, users - 1)
    const lines = friendsSummary(followersDistribution(followers, users)).split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(lines.length).toBe(3 + 1 + 19)
  })
})

describe('friendsSvg', () => {
  test('draws one SVG with its title, both axes and a dot a bin', () => {
    const stats = followersDistribution(MADE, 100)
    const svg = friendsSvg(stats)
    expect(svg).toStartWith('<svg xmlns="http://www.w3.org/2000/svg"')
    for (const text of [
      '>How many users have how many followers<',
      '>100 users, 860 subscriptions; followers a user: mean 8.6, median 1, p99 100, max 100<',
      '>followers<',
      '>users with at least this many followers<',
    ]) {
      expect(svg).toContain(text)
    }
    const dots = svg.match(/<circle/g)?.length
    // One for each bin above 0 and one of the legend.
    expect(dots).toBe(stats.histogram.length - 1 + 1)
  })

  test.each([[[]], [[0]], [[1]], [[5, 1]]])(
    'has only numbers as coordinates for followers %p',
    (followers) => {
      const svg = friendsSvg(followersDistribution(followers, followers.length))
      expect(svg).not.toMatch(/NaN|Infinity|undefined/)
    },
  )
})

async function degreesOf(pairs: readonly Pair[]) {
  const opened = openDatabase(':memory:')
  if (!opened.ok) throw new Error(opened.why)
  const { subscriptions: store } = storesOf(opened.value, new NameTable({ seed: 1 }))
  await store.add(flat(pairs))
  const degrees = followersPerUser(opened.value)
  store.close()
  return degrees
}

test('followers per user of an empty database are none', async () => {
  expect(await degreesOf([])).toEqual({ users: 0, followers: new Uint32Array(0) })
})

test('followers per user count users who only follow as users without followers', async () => {
  const pairs: Pair[] = [
    [9, 1],
    [8, 1],
    [1, 2],
  ]
  expect(await degreesOf(pairs)).toEqual({ users: 4, followers: Uint32Array.of(2, 1) })
})

test('followers per user are those that counting gives', async () => {
  const user = fc.constantFrom(...USERS)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(user, user), { maxLength: 60 }), async (pairs) => {
      const model = new Model()
      model.add(pairs)
      const degrees = USERS.map((user) => model.subscribersOf(user).length)
      expect(await degreesOf(pairs)).toEqual({
        users: new Set(pairs.flat()).size,
        followers: Uint32Array.from(degrees.filter((count) => count > 0)),
      })
    }),
  )
})

const CHART = `
users with at least this many followers (* counted, . predicted by the model)
          100 |*
              |............
              |            ........
              |         *    *   * ...*.* *  *
              |                          ....
              |                              ....
              |                                  ...
           10 |                                     ...
              |                                        ...
              |                                 *  * *   *.*. *  *  *  *  *
              |                                              ..
              |                                                ...
              |                                                   ..
              |                                                     ...
            1 |                                                        .
              ++-----------------------------+----------------------------+
               1                            10                           100
                                        followers`.slice(1)
