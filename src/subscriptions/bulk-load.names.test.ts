// Goal: a file with names gives each its handle and its place in the database, with the pairs or
// not at all. Method: loads into files that are opened again as the server does, and loads that
// fail.

import type { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { refused, success } from '../core/result.ts'
import type { Subject } from '../core/user.ts'
import { loadFriends } from './bulk-load.ts'
import { openDatabase } from './database.ts'
import type { LoadOptions, LoadProgress } from './friends-file.ts'
import { readNames } from './kept-names.ts'
import { NameTable } from './name-table.ts'
import { type Stores, storesOf } from './stores.ts'

const ID_MAX = 1_000_000

function opened(path = ':memory:', names: NameTable | null = null): Database {
  const result = openDatabase(path, names)
  if (!result.ok) throw new Error(result.why)
  return result.value
}

function storesIn(path: string, seed: number): Stores {
  const names = new NameTable({ seed })
  return storesOf(opened(path, names), names)
}

async function* partsOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

/** Each load knows only the names that the database has. */
function load(database: Database, text: string, options: Partial<LoadOptions> = {}) {
  const names = new NameTable({ seed: 2 })
  readNames(database, names)
  return loadFriends(partsOf(text), database, { idMax: ID_MAX, names, ...options })
}

function namesIn(database: Database): unknown[] {
  return database.query('SELECT name FROM names ORDER BY name').values().flat()
}

/** The followers of a subject as people write them. */
function followersOf({ names, subscriptions }: Stores, subject: Subject): Subject[] {
  const followers = [...subscriptions.subscribersOf(names.idOf(subject))]
  return followers.map((follower) => names.subjectOf(follower)).sort()
}

async function withFile(work: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'comet-load-names-'))
  try {
    await work(join(folder, 'comet.db'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('names that were loaded are found by their names after a restart', async () => {
  await withFile(async (path) => {
    const first = opened(path)
    const loaded = await load(first, 'alice bob\n7,room:42\nalice\troom:42\nalice bob\n8 9\n')
    expect(loaded).toEqual(success({ lines: 5, added: 4, repeated: 1, present: 0 }))
    first.close()

    const stores = storesIn(path, 3)
    expect(stores.names.size).toBe(3)
    expect(followersOf(stores, 'bob')).toEqual(['alice'])
    expect(followersOf(stores, 'room:42')).toEqual([7, 'alice'])
    expect(followersOf(stores, 9)).toEqual([8])
    const alice = stores.names.find('alice')
    await stores.subscriptions.remove(Uint32Array.of(alice, stores.names.find('bob')))
    stores.subscriptions.close()

    // Bob's handle is free, and carol gets it or another one.
    const second = opened(path)
    expect(namesIn(second)).toEqual(['alice', 'room:42'])
    const more = await load(second, 'carol alice\ndave room:42\n7 room:42\n')
    expect(more).toEqual(success({ lines: 3, added: 2, repeated: 0, present: 1 }))
    second.close()

    const again = storesIn(path, 4)
    expect(followersOf(again, 'alice')).toEqual(['carol'])
    expect(followersOf(again, 'room:42')).toEqual([7, 'alice', 'dave'])
    expect(followersOf(again, 'bob')).toEqual([])
    again.subscriptions.close()
  })
})

test('any pairs of names and numbers are those that were loaded, over several loads', async () => {
  const one = fc.constantFrom('alice', 'bob', 'room:1', 'room:2', '1', '2')
  const pair = fc.tuple(one, one).filter(([a, b]) => a !== b)
  const inputs = fc.array(fc.array(pair, { minLength: 1 }), { minLength: 1, maxLength: 4 })
  const property = fc.asyncProperty(inputs, async (all) => {
    using database = opened()
    for (const input of all) {
      const text = input.map((columns) => `${columns.join(' ')}\n`).join('')
      expect((await load(database, text)).ok).toBe(true)
    }
    const query = `SELECT ifnull(a.name, subscriber) || ' ' || ifnull(b.name, subject)
      FROM subscriptions LEFT JOIN names AS a ON a.handle = subscriber
      LEFT JOIN names AS b ON b.handle = subject`
    const expected = new Set(all.flat().map((columns) => columns.join(' ')))
    expect(new Set(database.query(query).values().flat() as string[])).toEqual(expected)
    const names = new Set(all.flat(2).filter((text) => !/^\d+$/.test(text)))
    expect(namesIn(database)).toEqual([...names].sort())
  })
  await fc.assert(property, { numRuns: 40 })
})

test('a load without names reads no name, and leaves those of the database', async () => {
  using database = opened()
  await load(database, 'alice bob\n')
  const loaded = await load(database, '1 2\nalice 3\n', { names: null })
  const bad = [{ line: 2, reason: 'not two ids' }]
  expect(loaded).toEqual(refused({ reason: '1 invalid line of 2', bad, badCount: 1 }))
  expect(await load(database, '1 2\n', { names: null })).toMatchObject(success({ added: 1 }))
  expect(namesIn(database)).toEqual(['alice', 'bob'])
})

test('new names are counted in the progress', async () => {
  using database = opened()
  const all: LoadProgress[] = []
  const onProgress = (progress: LoadProgress) => all.push(progress)
  await load(database, 'alice bob\n')
  await load(database, 'alice carol\ndave 1\n', { onProgress })
  const steps = all.filter(({ phase }) => phase === 'naming')
  expect(steps.map(({ done, total }) => [done, total])).toEqual([
    [0, 2],
    [2, 2],
  ])
})

describe('a load adds neither pairs nor names', () => {
  const count = (database: Database) =>
    database.query('SELECT count(*) FROM subscriptions').values()

  test('after an invalid line', async () => {
    using database = opened()
    expect((await load(database, 'alice bob\nalice alice\n')).ok).toBe(false)
    expect([namesIn(database), count(database)]).toEqual([[], [[0]]])
  })

  test('if there is no room for a name', async () => {
    using database = opened()
    const names = new NameTable({ seed: 1, namesMax: 1 })
    const loaded = await load(database, '1 alice\nalice bob\n', { names })
    const bad = [{ line: 2, reason: 'no room for another name' }]
    expect(loaded).toMatchObject(refused({ bad }))
    expect([namesIn(database), count(database)]).toEqual([[], [[0]]])
  })

  test('if the disk is full', async () => {
    await withFile(async (path) => {
      using database = opened(path)
      database.run('PRAGMA max_page_count = 200')
      const lines = Array.from({ length: 50_000 }, (_, at) => `user-${at} room:${at % 7}\n`)
      const loaded = await load(database, lines.join(''))
      const reason = 'the database takes no changes: its disk is full (SQLITE_FULL)'
      expect(loaded).toEqual(refused({ reason, bad: [], badCount: 0 }))
      expect([namesIn(database), count(database)]).toEqual([[], [[0]]])
      expect(await load(database, 'alice bob\n')).toMatchObject(success({ added: 1 }))
    })
  })

  test.each(['naming', 'writing', 'indexing'])('if a bug throws while %s', async (at) => {
    using database = opened()
    const onProgress = ({ phase }: LoadProgress): void => {
      if (phase === at) throw new Error('a bug')
    }
    await expect(load(database, 'alice bob\n', { onProgress })).rejects.toThrow('a bug')
    expect([namesIn(database), count(database)]).toEqual([[], [[0]]])
  })
})
