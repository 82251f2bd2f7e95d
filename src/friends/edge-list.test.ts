// Goal: an export has all pairs, in order, and can be loaded again.
// Method: tables small and larger than one read; small random graphs through real files.

import type { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { success } from '../core/result.ts'
import { loadFriends } from '../subscriptions/bulk-load.ts'
import { openDatabase } from '../subscriptions/database.ts'
import { readNames } from '../subscriptions/kept-names.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { storesOf } from '../subscriptions/stores.ts'
import { exportFriends } from './edge-list.ts'

const ID_MAX = 2_147_483_647

const noNames = () => new NameTable({ seed: 1 })

function opened(path = ':memory:'): Database {
  const result = openDatabase(path)
  if (!result.ok) throw new Error(result.why)
  return result.value
}

async function exported(database: Database): Promise<string> {
  let text = ''
  const names = noNames()
  readNames(database, names)
  await exportFriends(database, names, (bytes) => {
    text += Buffer.from(bytes).toString()
  })
  return text
}

function insert(database: Database, pairs: Iterable<readonly [number, number]>): void {
  const statement = database.prepare('INSERT OR IGNORE INTO subscriptions VALUES (?, ?)')
  database.transaction(() => {
    for (const pair of pairs) statement.run(...pair)
  })()
  statement.finalize()
}

test('an export is in order of subscriber, then subject, as decimals', async () => {
  using database = opened()
  insert(database, [
    [10, 9],
    [9, 100],
    [9, 99],
    [ID_MAX, 1],
    [1, ID_MAX],
    [1, 10],
  ])
  const text = `1 10\n1 ${ID_MAX}\n9 99\n9 100\n10 9\n${ID_MAX} 1\n`
  expect(await exported(database)).toBe(text)
})

test('an export of an empty table writes nothing', async () => {
  using database = opened()
  expect(await exportFriends(database, noNames(), () => expect.unreachable())).toBe(0)
})

test('an export of more pairs than are read at once is complete, across the bounds of a subscriber', async () => {
  using database = opened()
  const pairs: [number, number][] = []
  for (let subscriber = 1; subscriber <= 5; subscriber++) {
    for (let subject = 10; subject < 7_010; subject++) pairs.push([subscriber, subject])
  }
  insert(database, pairs)
  expect(await exported(database)).toBe(pairs.map(([a, b]) => `${a} ${b}\n`).join(''))
})

test('an export has the names of handles, of the longest ones too, and can be loaded again', async () => {
  using from = opened()
  using to = opened()
  const longest = ['x'.repeat(64), 'y'.repeat(64)]
  const { names, subscriptions } = storesOf(from, noNames())
  const handles = ['alice', 'room:42', ...longest].map((name) => names.intern(name) ?? 0)
  const [alice = 0, room = 0, x = 0, y = 0] = handles
  await subscriptions.add(Uint32Array.of(x, y, 7, room, alice, 7, alice, ID_MAX, 9, 10))
  const text = `7 room:42\n9 10\nalice 7\nalice ${ID_MAX}\n${longest.join(' ')}\n`
  expect(await exported(from)).toBe(text)
  const loaded = await loadFriends(partsOf(text), to, { idMax: ID_MAX, names: noNames() })
  expect(loaded).toMatchObject(success({ added: 5 }))
  expect((await exported(to)).split('\n').sort()).toEqual(text.split('\n').sort())
})

async function* partsOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

test('an export waits for a slow writer, and ends when the writer fails', async () => {
  using database = opened()
  insert(
    database,
    Array.from({ length: 25_000 }, (_, index) => [index + 1, 1_000_000] as const),
  )
  let writing = 0
  const count = await exportFriends(database, noNames(), async () => {
    expect(++writing).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    writing--
  })
  expect(count).toBe(25_000)
  const failing = exportFriends(database, noNames(), () => Promise.reject(new Error('pipe closed')))
  await expect(failing).rejects.toThrow('pipe closed')
})

test('an export that is loaded again gives the same pairs, through real files', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'comet-export-'))
  try {
    const id = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: ID_MAX }))
    const pairs = fc.array(
      fc.tuple(id, id).filter(([a, b]) => a !== b),
      { minLength: 1, maxLength: 60 },
    )
    let run = 0
    const property = fc.asyncProperty(pairs, async (graph) => {
      using from = opened(join(folder, `${++run}-from.db`))
      using to = opened(join(folder, `${run}-to.db`))
      insert(from, graph)
      const file = Bun.file(join(folder, `${run}.txt`))
      const writer = file.writer()
      const count = await exportFriends(from, noNames(), async (bytes) => {
        writer.write(bytes)
        await writer.flush()
      })
      await writer.end()
      const loaded = await loadFriends(file.stream(), to, { idMax: ID_MAX })
      expect(loaded).toEqual(success({ lines: count, added: count, repeated: 0, present: 0 }))
      const query = 'SELECT subscriber, subject FROM subscriptions ORDER BY subscriber, subject'
      expect(to.query(query).values()).toEqual(from.query(query).values())
      expect(await exported(to)).toBe(await file.text())
    })
    await fc.assert(property, { numRuns: 30 })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
