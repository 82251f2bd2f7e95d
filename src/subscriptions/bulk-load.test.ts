// Goal: a load adds all of an input or nothing, however it ends.
// Method: valid and invalid inputs, cut anywhere; full disks; errors in every phase.

import type { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { refused, success } from '../core/result.ts'
import { loadFriends } from './bulk-load.ts'
import { openDatabase } from './database.ts'
import type { LoadOptions, LoadProgress } from './friends-file.ts'

const ID_MAX = 1_000_000

function opened(path = ':memory:'): Database {
  const result = openDatabase(path)
  if (!result.ok) throw new Error(result.why)
  return result.value
}

async function* inParts(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

function load(database: Database, text: string, options: Partial<LoadOptions> = {}) {
  return loadFriends(inParts(Buffer.from(text)), database, { idMax: ID_MAX, ...options })
}

/** All pairs, from the table and from the index, which must be equal. */
function pairsIn(database: Database): unknown[] {
  const of = (index: string) =>
    database
      .query(`SELECT subscriber, subject FROM subscriptions ${index} ORDER BY subscriber, subject`)
      .values()
  const pairs = of('')
  expect(of('INDEXED BY subscriptions_by_subject')).toEqual(pairs)
  expect(database.query('PRAGMA integrity_check').values()).toEqual([['ok']])
  return pairs
}

const pragma = (database: Database, name: string) => database.query(`PRAGMA ${name}`).values()

interface Folder extends Disposable {
  readonly path: string
}

function folder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'comet-load-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

/** So many lines, no two the same, in no order. */
function lines(count: number): string {
  let text = ''
  for (let index = 0; index < count; index++) {
    text += `${((index * 7_919) % count) + 1} ${ID_MAX - ((index * 31) % 1_000)}\n`
  }
  return text
}

describe('a load of a valid input', () => {
  test('adds and counts its pairs, and ignores duplicates', async () => {
    using database = opened()
    const first = await load(database, '3 1\n1 2\n\n3 1\n1 3\n')
    expect(first).toEqual(success({ lines: 5, added: 3, repeated: 1, present: 0 }))
    const second = await load(database, '1 2\n2 1\n2 1\n3 1\n')
    expect(second).toEqual(success({ lines: 4, added: 1, repeated: 1, present: 2 }))
    expect(pairsIn(database)).toEqual([
      [1, 2],
      [1, 3],
      [2, 1],
      [3, 1],
    ])
  })

  test('reads gzip data of one or more members, cut at any byte', async () => {
    const packed = Buffer.concat([gzipSync('1 2\n3 '), gzipSync('4\n5 6')])
    for (const size of [1, 2, 3, 7, packed.length]) {
      using database = opened()
      const loaded = await loadFriends(inParts(packed, size), database, { idMax: 9 })
      expect(loaded).toEqual(success({ lines: 3, added: 3, repeated: 0, present: 0 }))
      expect(pairsIn(database)).toEqual([
        [1, 2],
        [3, 4],
        [5, 6],
      ])
    }
  })

  test.each([1, 499, 500, 501, 1_000, 120_000])('of %d pairs is complete', async (count) => {
    using database = opened()
    expect(await load(database, lines(count))).toMatchObject({ value: { added: count } })
    expect(pairsIn(database)).toHaveLength(count)
  })

  test('adds to the database like to a set, with and without a new index', async () => {
    const id = fc.integer({ min: 1, max: 12 })
    const pairs = fc.array(
      fc.tuple(id, id).filter(([a, b]) => a !== b),
      { minLength: 1 },
    )
    const property = fc.asyncProperty(fc.array(pairs, { minLength: 1 }), async (inputs) => {
      using database = opened()
      const expected = new Set<string>()
      for (const input of inputs) {
        const before = expected.size
        for (const pair of input) expected.add(pair.join())
        const text = input.map(([a, b]) => `${a} ${b}\n`).join('')
        const loaded = await load(database, text)
        if (!loaded.ok) throw new Error(loaded.why.reason)
        const { added, repeated, present } = loaded.value
        expect(added).toBe(expected.size - before)
        expect(added + repeated + present).toBe(input.length)
      }
      expect(new Set(pairsIn(database).map(String))).toEqual(expected)
    })
    await fc.assert(property, { numRuns: 40 })
  })

  test('restores the modes of the database, and leaves no other file', async () => {
    using place = folder()
    using database = opened(join(place.path, 'comet.db'))
    const names = ['journal_mode', 'synchronous', 'cache_size', 'threads', 'locking_mode']
    const before = names.map((name) => pragma(database, name))
    await load(database, '1 2\n')
    expect(names.map((name) => pragma(database, name))).toEqual(before)
    expect(pragma(database, 'journal_mode')).toEqual([['wal']])
    expect(readdirSync(place.path).filter((name) => name.endsWith('-journal'))).toEqual([])
  })

  test('reports its progress', async () => {
    using database = opened()
    const text = lines(250_000)
    const all: LoadProgress[] = []
    const bytesTotal = text.length
    await load(database, text, { bytesTotal, onProgress: (progress) => all.push(progress) })
    const phases = [...new Set(all.map(({ phase }) => phase))]
    expect(phases).toEqual(['reading', 'sorting', 'writing', 'indexing'])
    for (const phase of phases) {
      const steps = all.filter((progress) => progress.phase === phase)
      expect(steps.at(-1)?.done).toBe(steps.at(-1)?.total as number)
      expect(steps.map(({ done }) => done)).toEqual(
        steps.map(({ done }) => done).sort((a, b) => a - b),
      )
    }
  })
})

describe('a load adds nothing', () => {
  const packed = gzipSync(lines(1_000))
  const corrupt = Uint8Array.from(packed)
  corrupt.fill(0xff, 40, 60)
  const wrongSum = Uint8Array.from(packed)
  wrongSum[packed.length - 8] = (wrongSum[packed.length - 8] as number) ^ 1

  test.each<[string, Uint8Array, string]>([
    ['no bytes', Buffer.from(''), 'the input has no pairs'],
    ['blank lines alone', Buffer.from('\n\n \n'), 'the input has no pairs'],
    ['an empty file, gzipped', gzipSync(''), 'the input has no pairs'],
    ['gzip data without its last byte', packed.subarray(0, -1), 'the gzip data is truncated'],
    ['half of the gzip data', packed.subarray(0, 500), 'the gzip data is truncated'],
    ['the two bytes that identify gzip', packed.subarray(0, 2), 'the gzip data is truncated'],
    ['a truncated second member', Buffer.concat([packed, packed.subarray(0, 9)]), 'truncated'],
    ['corrupt gzip data', corrupt, 'the gzip data is damaged ('],
    ['a wrong check sum', wrongSum, 'the gzip data is damaged (incorrect data check)'],
    ['text after gzip data', Buffer.concat([packed, Buffer.from('1 2\n')]), 'damaged ('],
    ['zeros after gzip data', Buffer.concat([packed, Buffer.alloc(9)]), 'followed by other data'],
    ['a hidden second member', Buffer.concat([packed, Buffer.alloc(1), packed]), 'followed by'],
  ])('of %s', async (_, bytes, why) => {
    using database = opened()
    await load(database, '8 9\n')
    for (const size of [3, 65_536]) {
      const loaded = await loadFriends(inParts(bytes, size), database, { idMax: ID_MAX })
      expect(loaded).toMatchObject(refused({ reason: expect.stringContaining(why), badCount: 0 }))
    }
    expect(pairsIn(database)).toEqual([[8, 9]])
  })

  test('of an input with invalid lines, and reports each', async () => {
    using database = opened()
    const loaded = await load(database, '1 2\n1 x\n3 4\n0 1\n5 5\n1 1000001')
    const bad = [
      { line: 2, reason: 'not two ids' },
      { line: 4, reason: 'id 0' },
      { line: 5, reason: 'follows itself' },
      { line: 6, reason: 'above the highest id 1000000' },
    ]
    expect(loaded).toEqual(refused({ reason: '4 invalid lines of 6', bad, badCount: 4 }))
    expect(pairsIn(database)).toEqual([])
  })

  test('of an input that fails, and closes its source', async () => {
    using database = opened()
    for (const begin of [Buffer.from('1 2\n'), packed.subarray(0, 100)]) {
      let closed = false
      async function* source(): AsyncGenerator<Uint8Array> {
        try {
          yield begin
          throw Object.assign(new Error('i/o error'), { code: 'EIO' })
        } finally {
          closed = true
        }
      }
      const loaded = await loadFriends(source(), database, { idMax: ID_MAX })
      expect(loaded).toMatchObject(refused({ reason: 'the input cannot be read (EIO)' }))
      expect(closed).toBe(true)
    }
    expect(pairsIn(database)).toEqual([])
  })

  test('of a file that does not exist', async () => {
    using database = opened()
    const stream = Bun.file('/nowhere/friends.txt').stream()
    const loaded = await loadFriends(stream, database, { idMax: ID_MAX })
    expect(loaded).toMatchObject(refused({ reason: 'the input cannot be read (ENOENT)' }))
  })

  test('if the disk is full, and the database stays usable', async () => {
    using place = folder()
    using database = opened(join(place.path, 'comet.db'))
    await load(database, '8 9\n')
    database.run('PRAGMA max_page_count = 200')
    const loaded = await load(database, lines(100_000))
    const reason = 'the database takes no changes: its disk is full (SQLITE_FULL)'
    expect(loaded).toEqual(refused({ reason, bad: [], badCount: 0 }))
    expect(pairsIn(database)).toEqual([[8, 9]])
    expect(await load(database, '1 2\n')).toMatchObject(success({ added: 1 }))
    expect(pragma(database, 'journal_mode')).toEqual([['wal']])
  })

  test.each(['reading', 'sorting', 'writing', 'indexing'])(
    'if a bug throws while %s',
    async (at) => {
      using database = opened()
      const onProgress = ({ phase }: LoadProgress): void => {
        if (phase === at) throw new Error('a bug')
      }
      await expect(load(database, '1 2\n', { onProgress })).rejects.toThrow('a bug')
      expect(pairsIn(database)).toEqual([])
      expect(await load(database, '1 2\n')).toMatchObject(success({ added: 1 }))
    },
  )
})
