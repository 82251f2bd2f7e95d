// Goal: users are chosen as requested, and invalid files are refused by line. Method: tables, small
// files, counts of many choices, and for Zipf's law chi-squared against its probabilities.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import fc from 'fast-check'
import { randomFrom } from '../core/random.ts'
import type { Subject } from '../core/user.ts'
import { type NextUser, openSubjects, parseSubjects, zipf } from './subjects.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/comet-subjects-`)
})

afterAll(() => rm(folder, { recursive: true }))

/** Opens a file with this text; returns the source, or why it is refused. */
async function opened(text: string | Uint8Array): Promise<NextUser | string> {
  const path = `${folder}/ids.txt`
  await Bun.write(path, text)
  const opened = await openSubjects({ kind: 'file', path }, 5, randomFrom(1))
  return opened.ok ? opened.value : opened.why.replace(path, 'ids.txt')
}

/** How often each user is chosen. */
function countsOf(next: NextUser | string, choices: number): Map<Subject, number> {
  if (typeof next === 'string') throw new Error(next)
  const counts = new Map<Subject, number>()
  for (let at = 0; at < choices; at++) {
    const user = next()
    counts.set(user, (counts.get(user) ?? 0) + 1)
  }
  return counts
}

describe('parseSubjects', () => {
  test.each([
    ['uniform', { kind: 'uniform' }],
    ['zipf:1.1', { kind: 'zipf', exponent: 1.1 }],
    ['zipf:10', { kind: 'zipf', exponent: 10 }],
    ['file:ids.txt', { kind: 'file', path: 'ids.txt' }],
    ['file:a:b', { kind: 'file', path: 'a:b' }],
  ])('parses %s', (text, subjects) => {
    expect(parseSubjects(text)).toEqual(subjects as ReturnType<typeof parseSubjects>)
  })

  test.each([
    '',
    'zipf',
    'zipf:',
    'zipf:0',
    'zipf:-1',
    'zipf:11',
    'zipf:1e0',
    'file:',
    'file',
    'all',
  ])('refuses %p', (text) => {
    expect(parseSubjects(text)).toBeUndefined()
  })
})

describe('openSubjects', () => {
  test('chooses the same uniform users for a seed in every version', async () => {
    const opened = await openSubjects({ kind: 'uniform' }, 1_000_000, randomFrom(1))
    if (!opened.ok) throw new Error(opened.why)
    const next = opened.value
    expect([next(), next(), next(), next()]).toEqual([721_383, 998_278, 471_273, 374_471])
  })

  test('chooses the first users most by Zipf', async () => {
    const opened = await openSubjects({ kind: 'zipf', exponent: 1 }, 1_000, randomFrom(1))
    const counts = countsOf(opened.ok ? opened.value : opened.why, 10_000)
    // The harmonic number of a thousand is 7.49.
    expect(counts.get(1)).toBeWithin(1_200, 1_470)
    expect(counts.get(2)).toBeWithin(570, 770)
  })

  test('chooses each id of a file equally often, and ignores comments and blank lines', async () => {
    const counts = countsOf(await opened('# mine\n7\n\n  2147483647 \r\n9\n7'), 4_000)
    expect(new Set(counts.keys())).toEqual(new Set([7, 9, 2_147_483_647]))
    // Named twice, it is chosen twice as often.
    expect(counts.get(7)).toBeWithin(1_850, 2_150)
  })

  test('chooses among numbers and names of a file equally often', async () => {
    const counts = countsOf(await opened('alice\n7\n room:42 \r\nalice\n2147483647\n'), 5_000)
    expect(new Set(counts.keys())).toEqual(new Set(['alice', 7, 'room:42', 2_147_483_647]))
    expect(counts.get('alice')).toBeWithin(1_850, 2_150)
    expect(counts.get(7)).toBeWithin(870, 1_130)
  })

  test('chooses all names and numbers of a long file', async () => {
    const lines = Array.from({ length: 5_000 }, (_, at) => (at % 2 === 0 ? at + 1 : `user-${at}`))
    const counts = countsOf(await opened(lines.join('\n')), 100_000)
    expect(new Set(counts.keys())).toEqual(new Set(lines))
  })

  test('chooses all ids of a long file', async () => {
    const counts = countsOf(
      await opened(Array.from({ length: 5_000 }, (_, at) => at + 1).join('\n')),
      100_000,
    )
    expect(counts.size).toBe(5_000)
  })

  test.each([
    [
      '1\na/b\n2',
      'ids.txt, line 2: this is neither a whole number from 1 to 2147483647 ' +
        'nor a name of up to 64 letters, digits and . _ : @ -',
    ],
    ['1\n\n0', 'ids.txt, line 3: this is neither'],
    ['alice\n007', 'ids.txt, line 2: this is neither'],
    ['2147483648', 'ids.txt, line 1: this is neither'],
    ['1 2', 'ids.txt, line 1: this is neither'],
    ['ä', 'ids.txt, line 1: this is neither'],
    [`alice\n${'x'.repeat(65)}`, 'ids.txt, line 2: this is neither'],
    [`1\n${'9'.repeat(2_000)}\n`, 'ids.txt, line 2: this is neither'],
    ['', 'ids.txt has no ids'],
    ['# none\n\n', 'ids.txt has no ids'],
  ])('refuses the file %p: %s', async (text, why) => {
    expect(String(await opened(text))).toStartWith(why)
  })

  test('refuses a file that does not exist', async () => {
    const subjects = { kind: 'file', path: `${folder}/nowhere` } as const
    const why = `${folder}/nowhere cannot be read (ENOENT)`
    expect(await openSubjects(subjects, 1, randomFrom(1))).toEqual({ ok: false, why })
  })
})

const DRAWS = 100_000

/** Classes of numbers with at least a hundredth of all draws each. */
function classesOf(n: number, s: number): { upTo: number; share: number }[] {
  const weights = Array.from({ length: n }, (_, at) => (at + 1) ** -s)
  const whole = weights.reduce((sum, weight) => sum + weight, 0)
  const classes: { upTo: number; share: number }[] = []
  let share = 0
  for (const [at, weight] of weights.entries()) {
    share += weight / whole
    if (share < 0.01 && at + 1 < n) continue
    classes.push({ upTo: at + 1, share })
    share = 0
  }
  return classes
}

describe('zipf', () => {
  test.each([
    [100, 0.01],
    [100, 0.5],
    [100, 1],
    [100, 1.1],
    [100, 2],
    [7, 3],
    [2, 1],
    [1_000_000, 0.8],
    [1_000_000, 1],
    [1_000_000, 1.1],
  ])('draws among %p with exponent %p by its probabilities', (n, s) => {
    const draw = zipf(n, s, randomFrom(11))
    const classes = classesOf(n, s)
    const counts = new Array<number>(classes.length).fill(0)
    for (let drawn = 0; drawn < DRAWS; drawn++) {
      const k = draw()
      const of = classes.findIndex(({ upTo }) => k <= upTo)
      counts[of] = (counts[of] ?? 0) + 1
    }
    const chiSquared = classes.reduce((sum, { share }, of) => {
      const wanted = share * DRAWS
      return sum + ((counts[of] ?? 0) - wanted) ** 2 / wanted
    }, 0)
    // Its mean is the degrees of freedom and its variance twice that; four deviations are ample.
    const freedom = classes.length - 1
    expect(chiSquared).toBeLessThan(freedom + 4 * Math.sqrt(2 * freedom) + 4)
  })

  test('draws only whole numbers from 1 to n', () => {
    const sizes = fc.integer({ min: 1, max: 2 ** 32 - 1 })
    const exponents = fc.double({ min: 0.001, max: 10, noNaN: true })
    fc.assert(
      fc.property(sizes, exponents, fc.nat(), (n, s, seed) => {
        const draw = zipf(n, s, randomFrom(seed))
        for (let at = 0; at < 50; at++) {
          const k = draw()
          expect(Number.isInteger(k)).toBe(true)
          expect(k).toBeWithin(1, n + 1)
        }
      }),
    )
  })

  test('draws the same numbers for a seed', () => {
    const numbers = () => {
      const draw = zipf(1_000, 1.1, randomFrom(5))
      return Array.from({ length: 100 }, draw)
    }
    expect(numbers()).toEqual(numbers())
  })
})
