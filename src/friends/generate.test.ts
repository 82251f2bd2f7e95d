// Goal: the generated friends are a Barabási–Albert graph, the same for a seed, and all are
// written.
// Method: properties over small graphs of any shape, and one graph of 20,000 users that is compared
// with the distribution that the model predicts.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { randomFrom } from '../core/random.ts'
import { writePairs } from './edge-list.ts'
import { friendsCount, friendsPairs } from './generate.ts'

function pairsOf(users: number, degree: number, seed = 1): Uint32Array {
  return friendsPairs({ users, degree, random: randomFrom(seed) })
}

/** What is written, and in how many pieces; a slow writer reads its bytes some turns later. */
async function written(users: number, degree: number, seed = 1, slow = false) {
  const pieces: Uint8Array[] = []
  const keep = (bytes: Uint8Array): void => {
    pieces.push(bytes.slice())
  }
  const keepLater = async (bytes: Uint8Array): Promise<void> => {
    await new Promise(setImmediate)
    keep(bytes)
  }
  await writePairs(pairsOf(users, degree, seed), slow ? keepLater : keep)
  return { text: Buffer.concat(pieces).toString(), pieces: pieces.length }
}

function linesOf(pairs: Uint32Array): string {
  let lines = ''
  for (let at = 0; at < pairs.length; at += 2) lines += `${pairs[at]} ${pairs[at + 1]}\n`
  return lines
}

/** Followers of each user, by id; place 0 is unused. */
function followersOf(pairs: Uint32Array, users: number): Uint32Array {
  const followers = new Uint32Array(users + 1)
  for (let at = 1; at < pairs.length; at += 2) {
    const subject = pairs[at] ?? 0
    followers[subject] = (followers[subject] ?? 0) + 1
  }
  return followers
}

/** Can every user be reached from user 1, no matter who follows whom? */
function isConnected(pairs: Uint32Array, users: number): boolean {
  const parents = Uint32Array.from({ length: users + 1 }, (_, user) => user)
  const rootOf = (user: number): number => {
    let root = user
    while (parents[root] !== root) root = parents[root] ?? 0
    return root
  }
  for (let at = 0; at < pairs.length; at += 2) {
    parents[rootOf(pairs[at] ?? 0)] = rootOf(pairs[at + 1] ?? 0)
  }
  for (let user = 1; user <= users; user++) if (rootOf(user) !== rootOf(1)) return false
  return true
}

const anyGraph = fc.record({
  users: fc.integer({ min: 2, max: 120 }),
  degree: fc.integer({ min: 1, max: 40 }),
  seed: fc.nat(),
})

describe('friendsPairs', () => {
  test('gives the same pairs for a seed in every version', () => {
    expect(linesOf(pairsOf(6, 2, 1))).toBe(FROM_SEED_1)
  })

  test('includes all users, repeats no pair and lets no user follow itself, in any graph', () => {
    fc.assert(
      fc.property(anyGraph, ({ users, degree, seed }) => {
        const pairs = pairsOf(users, degree, seed)
        const subjects = Array.from({ length: users + 1 }, () => new Set<number>())
        for (let at = 0; at < pairs.length; at += 2) {
          const subject = pairs[at + 1] ?? 0
          // An earlier user: so in range and never oneself.
          expect(subject).toBeWithin(1, pairs[at] ?? 0)
          subjects[pairs[at] ?? 0]?.add(subject)
        }
        // As many different subjects as there should be pairs: so no pair comes twice.
        const sizes = subjects.map((set) => set.size)
        const expected = sizes.map((_, user) => Math.max(0, Math.min(user - 1, degree)))
        expect(sizes).toEqual(expected)
        expect(pairs.length).toBe(2 * expected.reduce((sum, size) => sum + size, 0))
        expect(pairs.length).toBe(2 * friendsCount({ users, degree }))
        expect(isConnected(pairs, users)).toBe(true)
      }),
    )
  })

  test.each([
    ['one user', 1, 1],
    ['half a user', 2.5, 1],
    ['no number of users', Number.NaN, 1],
    ['no degree', 2, 0],
    ['half a degree', 2, 1.5],
    ['more than memory should hold', 2 ** 29, 2],
    ['endless users', Number.POSITIVE_INFINITY, 1],
  ])('throws a RangeError for %s', (_, users, degree) => {
    expect(() => pairsOf(users, degree)).toThrow(RangeError)
  })
})

describe('a graph of 20,000 users', () => {
  const users = 20_000
  const degree = 15
  const pairs = pairsOf(users, degree)
  const followers = followersOf(pairs, users)
  const shareAtLeast = (fewest: number): number =>
    followers.reduce((count, each) => count + (each >= fewest ? 1 : 0), 0) / users

  test('is connected', () => {
    expect(isConnected(pairs, users)).toBe(true)
  })

  test('has users who are far more popular than most', () => {
    const mean = pairs.length / 2 / users
    expect(Math.max(...followers)).toBeGreaterThan(30 * mean)
  })

  test('has a tail with a slope of about −2', () => {
    // Least squares through the logarithms, where k is well above the degree and users are many.
    const points = [60, 80, 100, 130, 160, 200, 250, 320, 400].map((fewest) => ({
      x: Math.log(fewest),
      y: Math.log(shareAtLeast(fewest)),
    }))
    const meanX = points.reduce((sum, { x }) => sum + x, 0) / points.length
    const meanY = points.reduce((sum, { y }) => sum + y, 0) / points.length
    const across = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0)
    const along = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0)
    expect(along / across).toBeWithin(-2.5, -1.5)
  })

  test.each([1, 5, 15, 40, 100])(
    'has as many users with %p followers as the model predicts',
    (k) => {
      const predicted = (degree * (degree + 1)) / ((k + degree) * (k + degree + 1))
      // Four standard deviations of a count with this share.
      const room = 4 * Math.sqrt((predicted * (1 - predicted)) / users)
      expect(Math.abs(shareAtLeast(k) - predicted)).toBeLessThan(room)
    },
  )
})

describe('writePairs', () => {
  test.each([false, true])(
    'writes the pairs across buffers, with a slow writer: %p',
    async (slow) => {
      const { text, pieces } = await written(12_000, 15, 7, slow)
      expect(text).toBe(linesOf(pairsOf(12_000, 15, 7)))
      expect(pieces).toBeGreaterThan(2)
    },
  )

  test('writes the same bytes for a seed, and others for another seed', async () => {
    const { text } = await written(500, 5, 1)
    expect((await written(500, 5, 1)).text).toBe(text)
    expect((await written(500, 5, 2)).text).not.toBe(text)
  })

  test('stops where the writer throws', async () => {
    const refusing = async () => {
      throw new Error('the disk is full')
    }
    await expect(writePairs(pairsOf(10, 2), refusing)).rejects.toThrow('the disk is full')
  })
})

const FROM_SEED_1 = '2 1\n3 1\n3 2\n4 3\n4 2\n5 3\n5 1\n6 4\n6 3\n'
