// Goal: the figures are those of the followers, in their documented form, and the pictures show
// them. Method: small made distributions with known figures, properties against plain counting, and
// the text of one picture as a whole.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import { FriendsStats, followersDistribution, friendsSummary, friendsSvg } from './distribution.ts'

/** 100 users: 60 have one follower, 30 have ten, 5 have a hundred, 5 have none. */
const MADE = [...of(60, 1), ...of(30, 10), ...of(5, 100), ...of(5, 0)]

function of(users: number, followers: number): number[] {
  return new Array<number>(users).fill(followers)
}

describe('the figures', () => {
  test('are those of a made distribution', () => {
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

  test('count users that are missing as users without followers', () => {
    expect(followersDistribution(new Set([7]), 3)).toEqual(followersDistribution([0, 7, 0], 3))
    expect(followersDistribution(Uint32Array.of(0, 7), 3).followers.median).toBe(0)
  })

  test('have a nearest rank: the median of two is the lower', () => {
    expect(followersDistribution([3, 9], 2).followers).toEqual({
      mean: 6,
      median: 3,
      p99: 9,
      max: 9,
    })
  })

  test('of nobody are all 0', () => {
    expect(followersDistribution([], 0)).toEqual({
      users: 0,
      subscriptions: 0,
      followers: { mean: 0, median: 0, p99: 0, max: 0 },
      histogram: [],
    })
  })

  test('are refused when more have followers than there are', () => {
    expect(() => followersDistribution([1, 0, 1], 1)).toThrow(RangeError)
  })

  test('fit the schema, with bins that meet and hold everybody, for any followers', () => {
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

describe('the summary', () => {
  test('says the figures and draws them', () => {
    const text = friendsSummary(followersDistribution(MADE, 100))
    expect(text).toStartWith(
      'users     100, without followers 5\n' +
        'friends   860 subscriptions\n' +
        'followers mean 8.6, median 1, p99 100, max 100\n',
    )
    expect(text.split('\n').slice(4).join('\n')).toBe(PICTURE)
  })

  test.each([0, 1, 1_000_000])('of %p users fits a terminal', (users) => {
    const followers = of(users, users - 1)
    const lines = friendsSummary(followersDistribution(followers, users)).split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(lines.length).toBe(3 + 1 + 19)
  })
})

describe('the chart', () => {
  test('is one SVG with its title, both axes and a dot a bin', () => {
    const stats = followersDistribution(MADE, 100)
    const svg = friendsSvg(stats)
    expect(svg).toStartWith('<svg xmlns="http://www.w3.org/2000/svg"')
    for (const text of [
      '>How many users have how many followers<',
      '>100 users, 860 subscriptions; followers a user: mean 8.6, median 1, p99 100, max 100<',
      '>followers<',
      '>users with at least so many followers<',
    ]) {
      expect(svg).toContain(text)
    }
    const dots = svg.match(/<circle/g)?.length
    // One for each bin above 0 and one of the legend.
    expect(dots).toBe(stats.histogram.length - 1 + 1)
  })

  test.each([[[]], [[0]], [[1]], [[5, 1]]])('of %p has only numbers for places', (followers) => {
    const svg = friendsSvg(followersDistribution(followers, followers.length))
    expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  })
})

const PICTURE = `
users with at least so many followers (* counted, . foretold by the model)
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
