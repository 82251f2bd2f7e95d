// Goal: the stamp of subscriptions is another one after each change, and the same without one.
// Method: a real database file, changed by the store of a server and by a bulk load.

import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { success } from '../core/result.ts'
import { loadFriends } from './bulk-load.ts'
import { openDatabase } from './database.ts'
import { NameTable } from './name-table.ts'
import { storesOf } from './stores.ts'

const folder = mkdtempSync(`${tmpdir()}/comet-stamp-`)
afterAll(() => rmSync(folder, { recursive: true }))

function open(path: string) {
  const names = new NameTable({ seed: 1 })
  const opened = openDatabase(path, names)
  if (!opened.ok) throw new Error(opened.why)
  return { database: opened.value, store: storesOf(opened.value, names).subscriptions }
}

async function load(path: string, text: string): Promise<void> {
  const opened = openDatabase(path)
  if (!opened.ok) throw new Error(opened.why)
  async function* input() {
    yield Buffer.from(text)
  }
  const loaded = await loadFriends(input(), opened.value, { idMax: 100 })
  expect(loaded.ok).toBe(true)
  opened.value.close()
}

test('each change has a stamp of its own, and it is kept', async () => {
  const path = `${folder}/comet.db`
  const seen = new Set<number>()
  let last: number
  {
    const { store } = open(path)
    expect(store.stamp).toBe(0)
    seen.add(store.stamp)
    for (let user = 1; user <= 50; user++) {
      expect(await store.add(Uint32Array.of(user, user + 1))).toEqual(success(1))
      seen.add(store.stamp)
    }
    expect(await store.remove(Uint32Array.of(1, 2))).toEqual(success(1))
    seen.add(store.stamp)
    expect(seen.size).toBe(52)
    last = store.stamp
    store.close()
  }
  await load(path, '7 9\n')
  const { store } = open(path)
  expect(seen.has(store.stamp)).toBe(false)
  expect(store.stamp).not.toBe(last)
  store.close()
})

test('what changes nothing leaves it', async () => {
  const path = `${folder}/same.db`
  let last: number
  {
    const { store } = open(path)
    await store.add(Uint32Array.of(1, 2))
    last = store.stamp
    await store.add(Uint32Array.of(1, 2))
    await store.remove(Uint32Array.of(2, 1))
    expect([store.tryWrite(), store.stamp]).toEqual([null, last])
    store.close()
  }
  await load(path, '1 2\n')
  const { store } = open(path)
  expect(store.stamp).toBe(last)
  store.close()
})

test('a change that fails leaves it', async () => {
  const { database, store } = open(`${folder}/failing.db`)
  await store.add(Uint32Array.of(1, 2))
  const { stamp } = store
  database.run(
    `CREATE TEMP TRIGGER refusing BEFORE INSERT ON subscriptions WHEN NEW.subject = 4
     BEGIN SELECT RAISE(ABORT, 'refused by the test'); END`,
  )
  await expect(store.add(Uint32Array.of(1, 3, 1, 4))).rejects.toThrow('refused by the test')
  expect(store.stamp).toBe(stamp)
  store.close()
})
