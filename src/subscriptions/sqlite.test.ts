// Goal: a database keeps what every store of subscriptions promises, and changes completely or not
// at all. Method: the contract on real files; then a trigger that fails.

import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { success } from '../core/result.ts'
import { openDatabase } from './database.ts'
import { expectSame, flat, Model, openStore, openStores, type Pair } from './model.fixture.ts'
import { NameTable } from './name-table.ts'
import { storesOf } from './stores.ts'
import { subscriptionsContract } from './subscriptions.contract.ts'

/** Of the databases of the contract. */
const files = mkdtempSync(`${tmpdir()}/comet-stores-`)
afterAll(() => rmSync(files, { recursive: true }))

let folder: string

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/comet-store-`)
})
afterEach(() => rmSync(folder, { recursive: true }))

subscriptionsContract(
  async (place) => {
    const stores = openStores(`${files}/${place}.db`)
    return { ...stores, [Symbol.asyncDispose]: async () => stores.subscriptions.close() }
  },
  { runs: 60 },
)

describe('a change that fails halfway', () => {
  const PAIRS: Pair[] = [
    [1, 2],
    [2, 3],
    [3, 4],
  ]

  test.each(['add', 'remove'] as const)('(%s) changes neither disk nor index', async (action) => {
    const path = `${folder}/refusing.db`
    const opened = openDatabase(path)
    if (!opened.ok) throw new Error(opened.why)
    const { subscriptions: store } = storesOf(opened.value, new NameTable({ seed: 1 }), {
      findsSubjects: true,
    })
    const model = new Model()
    model.add([[4, 5], ...(action === 'remove' ? PAIRS : [])])
    await store.add(flat(model.pairs()))
    const when = action === 'add' ? 'INSERT' : 'DELETE'
    const row = action === 'add' ? 'NEW' : 'OLD'
    opened.value.run(
      `CREATE TEMP TRIGGER refusing BEFORE ${when} ON subscriptions WHEN ${row}.subject = 4
       BEGIN SELECT RAISE(ABORT, 'refused by the test'); END`,
    )
    await expect(store[action](flat(PAIRS))).rejects.toThrow('refused by the test')
    expectSame(store, model)

    // Later changes are not affected.
    const others = PAIRS.slice(0, 2)
    expect(await store[action](flat(others))).toEqual(success(model[action](others)))
    expectSame(store, model)
    store.close()
    const again = openStore(path)
    expectSame(again, model)
    again.close()
  })
})
