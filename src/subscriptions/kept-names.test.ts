// Goal: the database has a name exactly as long as a subscription or a revocation there refers to
// it, also when a change fails. Method: real files, opened again.

import { describe, expect, test } from 'bun:test'
import { folderOfTests } from '../../scripts/support/folder.ts'
import { refused } from '../core/result.ts'
import { openDatabase } from './database.ts'
import { NameTable, NOBODY } from './name-table.ts'
import { storesOf } from './stores.ts'

const folder = folderOfTests()
let files = 0

function newPath(): string {
  return `${folder}/names-${files++}.db`
}

function opened(path: string) {
  const names = new NameTable({ seed: 1 })
  const database = openDatabase(path, names)
  if (!database.ok) throw new Error(database.why)
  const stores = storesOf(database.value, names)
  const id = (name: string): number => {
    const handle = stores.names.intern(name)
    if (handle === null) throw new Error('there is no room')
    return handle
  }
  const kept = () =>
    database.value
      .query<{ name: string }, []>('SELECT name FROM names ORDER BY name')
      .all()
      .map(({ name }) => name)
  return {
    ...{ ...stores, id, kept, database: database.value },
    follow: (one: string, other: string) =>
      stores.subscriptions.add(Uint32Array.of(id(one), id(other))),
    leave: (one: string, other: string) =>
      stores.subscriptions.remove(Uint32Array.of(id(one), id(other))),
    [Symbol.dispose]: () => stores.subscriptions.close(),
  }
}

describe('a name', () => {
  test('that was only interned is not in the database', () => {
    using at = opened(newPath())
    at.id('alice')
    expect(at.kept()).toEqual([])
  })

  test('in a subscription is there with its handle, after a restart too', async () => {
    const path = newPath()
    let news = 0
    {
      using at = opened(path)
      await at.follow('alice', 'news')
      news = at.id('news')
      expect(at.kept()).toEqual(['alice', 'news'])
    }
    using again = opened(path)
    expect(again.names.find('news')).toBe(news)
    expect([...again.subscriptions.subscribersOf(news)]).toEqual([again.names.find('alice')])
    expect(again.names.find('bob')).toBe(NOBODY)
  })

  test('goes with the last subscription that refers to it', async () => {
    using at = opened(newPath())
    await at.follow('alice', 'news')
    await at.follow('bob', 'news')
    await at.follow('alice', 'sports')
    await at.leave('alice', 'news')
    expect(at.kept()).toEqual(['alice', 'bob', 'news', 'sports'])
    await at.leave('bob', 'news')
    expect(at.kept()).toEqual(['alice', 'sports'])
    await at.leave('alice', 'sports')
    expect(at.kept()).toEqual([])
  })

  test('stays as long as tokens of its user are revoked', async () => {
    const path = newPath()
    {
      using at = opened(path)
      await at.follow('alice', 'news')
      await at.revocations.revoke(at.id('alice'), 1_000_000)
      await at.leave('alice', 'news')
      expect(at.kept()).toEqual(['alice'])
    }
    using again = opened(path)
    expect(again.revocations.isRevoked(again.names.find('alice'), 999)).toBe(true)
  })

  test('is not swept while the database has it, and is afterwards', async () => {
    using at = opened(newPath())
    await at.follow('alice', 'news')
    const sweepTwice = () => {
      for (let pass = 0; pass < 2; pass++) at.names.sweep(1, 1_000, () => false)
    }
    sweepTwice()
    expect(at.names.size).toBe(2)
    await at.leave('alice', 'news')
    sweepTwice()
    expect(at.names.size).toBe(0)
  })

  test('of a change that fails is not there, and is written by the next one', async () => {
    using at = opened(newPath())
    at.database.run(`CREATE TRIGGER fails BEFORE INSERT ON subscriptions
      WHEN NEW.subject = ${at.id('sports')} BEGIN SELECT RAISE(ABORT, 'no'); END`)
    const pairs = Uint32Array.of(at.id('alice'), at.id('news'), at.id('alice'), at.id('sports'))
    await expect(at.subscriptions.add(pairs)).rejects.toThrow('no')
    expect([at.kept(), at.subscriptions.counts().subscriptions]).toEqual([[], 0])
    await at.follow('alice', 'news')
    expect(at.kept()).toEqual(['alice', 'news'])
  })
})

test('an older database with numbers that are handles now is refused, and stays as it is', async () => {
  const path = newPath()
  {
    using at = opened(path)
    await at.subscriptions.add(Uint32Array.of(1, 2 ** 31 - 1))
    at.database.run('DROP TABLE names; DROP TABLE subscriptions_state')
    at.database.run('PRAGMA user_version = 2')
  }
  {
    using migrated = opened(path)
    expect(migrated.subscriptions.has(1, 2 ** 31 - 1)).toBe(true)
    migrated.database.run('INSERT INTO subscriptions VALUES (1, 4294967295)')
    migrated.database.run('DROP TABLE names; DROP TABLE subscriptions_state')
    migrated.database.run('PRAGMA user_version = 2')
  }
  const why = `${path} has users above 2147483647, the highest number`
  expect(openDatabase(path)).toEqual({ ok: false, why })
})

test('so is one that has revoked the tokens of such a number', async () => {
  const path = newPath()
  {
    using at = opened(path)
    at.database.run('INSERT INTO revocations VALUES (2147483649, 1)')
    at.database.run('DROP TABLE names; DROP TABLE subscriptions_state')
    at.database.run('PRAGMA user_version = 2')
  }
  const why = `${path} has users above 2147483647, the highest number`
  expect(openDatabase(path)).toEqual({ ok: false, why })
})

test.each([
  ['refers to a name that it does not have', 'INSERT INTO subscriptions VALUES (1, 2147483659)'],
  ['refers to a name that it does not have', 'INSERT INTO subscriptions VALUES (2147483659, 1)'],
  ['refers to a name that it does not have', 'INSERT INTO subscriptions VALUES (1, 2147483648)'],
  ['refers to a name that it does not have', 'INSERT INTO revocations VALUES (2147483659, 1)'],
  ['has a name twice', "INSERT INTO names VALUES (2147483659, 'alice')"],
])('a database is damaged that %s, as after: %s', async (what, sql) => {
  const path = newPath()
  {
    using at = opened(path)
    await at.follow('alice', 'news')
    at.database.run(sql)
  }
  const names = new NameTable({ seed: 1 })
  expect(openDatabase(path, names)).toEqual(refused(`${path} is damaged: it ${what}`))
})

test.each([5, NOBODY, 4_294_967_295])(
  'a database with a name by the handle %d is damaged',
  async (handle) => {
    const path = newPath()
    {
      using at = opened(path)
      await at.follow('alice', 'news')
      at.database.run('INSERT INTO names VALUES (?, ?)', [handle, 'x'])
    }
    const why = `${path} is damaged: it has names whose handles are none`
    expect(openDatabase(path)).toEqual({ ok: false, why })
  },
)
