// Goal: users are chosen as asked, and what cannot be read is refused by file and line. Method: tables,
// small files in a folder of the test's own, and counts of many choices.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { randomFrom } from '../core/random.ts'
import { type NextUser, openSubjects, parseSubjects } from './subjects.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/comet-subjects-`)
})

afterAll(() => rm(folder, { recursive: true }))

/** Opens a file with this text; answers the source, or what is wrong behind the file's name. */
async function opened(text: string | Uint8Array): Promise<NextUser | string> {
  const path = `${folder}/ids.txt`
  await Bun.write(path, text)
  const found = await openSubjects({ kind: 'file', path }, 5, randomFrom(1))
  return typeof found === 'string' ? found.replace(path, 'ids.txt') : found
}

/** How often each user comes in so many choices. */
function countsOf(next: NextUser | string, choices: number): Map<number, number> {
  if (typeof next === 'string') throw new Error(next)
  const counts = new Map<number, number>()
  for (let at = 0; at < choices; at++) {
    const user = next()
    counts.set(user, (counts.get(user) ?? 0) + 1)
  }
  return counts
}

describe('--subjects', () => {
  test.each([
    ['uniform', { kind: 'uniform' }],
    ['zipf:1.1', { kind: 'zipf', exponent: 1.1 }],
    ['zipf:10', { kind: 'zipf', exponent: 10 }],
    ['file:ids.txt', { kind: 'file', path: 'ids.txt' }],
    ['file:a:b', { kind: 'file', path: 'a:b' }],
  ])('%s is read', (text, subjects) => {
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
  ])('%p is refused', (text) => {
    expect(parseSubjects(text)).toBeUndefined()
  })
})

describe('users', () => {
  test('that are uniform are the numbers of the seed, in this version and the next', async () => {
    const next = await openSubjects({ kind: 'uniform' }, 1_000_000, randomFrom(1))
    if (typeof next === 'string') throw new Error(next)
    expect([next(), next(), next(), next()]).toEqual([721_383, 998_278, 471_273, 374_471])
  })

  test('by Zipf are the first ones most', async () => {
    const next = await openSubjects({ kind: 'zipf', exponent: 1 }, 1_000, randomFrom(1))
    const counts = countsOf(next, 10_000)
    // The harmonic number of a thousand is 7.49.
    expect(counts.get(1)).toBeWithin(1_200, 1_470)
    expect(counts.get(2)).toBeWithin(570, 770)
  })

  test('of a file are its ids, each as often, comments and blank lines aside', async () => {
    const counts = countsOf(await opened('# mine\n7\n\n  4294967295 \r\n9\n7'), 4_000)
    expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([7, 9, 4_294_967_295])
    // Named twice, it is chosen twice as often.
    expect(counts.get(7)).toBeWithin(1_850, 2_150)
  })

  test('of a long file are all of its ids', async () => {
    const counts = countsOf(
      await opened(Array.from({ length: 5_000 }, (_, at) => at + 1).join('\n')),
      100_000,
    )
    expect(counts.size).toBe(5_000)
  })

  test.each([
    ['1\nx\n2', 'ids.txt, line 2: this is no user id, a whole number from 1 to 4294967295'],
    ['1\n\n0', 'ids.txt, line 3: this is no user id'],
    ['4294967296', 'ids.txt, line 1: this is no user id'],
    ['1 2', 'ids.txt, line 1: this is no user id'],
    [`1\n${'9'.repeat(2_000)}\n`, 'ids.txt, line 2: this is no user id'],
    ['', 'ids.txt has no ids'],
    ['# none\n\n', 'ids.txt has no ids'],
  ])('of a file %p are refused: %s', async (text, why) => {
    expect(String(await opened(text))).toStartWith(why)
  })

  test('of a file that there is not are refused', async () => {
    const subjects = { kind: 'file', path: `${folder}/nowhere` } as const
    const found = await openSubjects(subjects, 1, randomFrom(1))
    expect(found).toBe(`${folder}/nowhere cannot be read (ENOENT)`)
  })
})
