// Goal: a store that starts from a snapshot is the same as one that reads the database, and a
// snapshot counts only for the very database that it was made of.
// Method: random changes over many restarts beside a model; and every kind of damage, to the
// snapshot and to the database, with real files.

import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { randomFrom } from '../core/random.ts'
import { OK } from '../core/result.ts'
import { openDatabase } from './database.ts'
import {
  databasesOfTests,
  expectRead,
  LIMITS,
  load,
  open,
  overwrite,
} from './index-snapshot.fixture.ts'
import { IndexSnapshot } from './index-snapshot.ts'
import { expectSame, flat, inOrder, Model, openStores, type Pair, USERS } from './model.fixture.ts'
import { NameTable } from './name-table.ts'

const { make, newPath } = databasesOfTests()

describe('a store from a snapshot', () => {
  test.each([
    ['numbers far apart', USERS],
    ['numbers close together', [1, 2, 3, 4, 5, 6, 7]],
  ])('is the same as one from the database, after random changes: %s', async (_, users) => {
    const path = newPath()
    const model = new Model()
    const below = randomFrom(users.length)
    for (let round = 0; round < 30; round++) {
      using store = open(path)
      expect(store.isRestored).toBe(round > 0)
      expectSame(store.subscriptions, model)
      // In some rounds nothing changes, in some much of what is there already.
      for (let change = below(6); change > 0; change--) {
        const pick = () => users[below(users.length)] as number
        const pairs = Array.from({ length: 1 + below(8) }, (): Pair => [pick(), pick()])
        const real = pairs.filter(([from, to]) => from !== to)
        const action = below(5) < 3 ? 'add' : 'remove'
        model[action](real)
        await store.subscriptions[action](flat(real))
      }
      expectSame(store.subscriptions, model)
      if (model.pairs().length === 0) await store.subscriptions.add(flat([[1, 2]]))
      if (model.pairs().length === 0) model.add([[1, 2]])
      expect(store.save()).toEqual(OK)
    }
    expectSame(openStores(path).subscriptions, model)
  })

  test('has the names of the database with their handles, and gives free ones again', async () => {
    const path = newPath()
    const below = randomFrom(5)
    const name = (of: number) => `user-${of}`.padEnd(7 + (of % 50), 'x')
    for (let round = 0; round < 20; round++) {
      using fast = open(path, LIMITS, round + 1)
      const slow = new NameTable({ seed: 3 })
      copyFileSync(path, `${path}.copy`)
      rmSync(`${path}.copy-wal`, { force: true })
      const opened = openDatabase(`${path}.copy`, slow)
      if (!opened.ok) throw new Error(opened.why)
      opened.value.close()
      expect(fast.isRestored).toBe(round > 0)
      expect(fast.names.kept()).toEqual(slow.kept())
      for (let of = 0; of < 60; of++) expect(fast.names.find(name(of))).toBe(slow.find(name(of)))
      expect(fast.names.intern('a-new-name')).toBe(slow.intern('a-new-name'))
      const pair = () => {
        const [from, to] = [below(60), below(60)].map((of) => fast.names.intern(name(of)) ?? 0)
        return Uint32Array.of(from ?? 0, to === from ? 9 : (to ?? 0))
      }
      for (let of = 0; of < 8; of++) await fast.subscriptions.add(pair())
      for (let of = 0; of < 200; of++) await fast.subscriptions.remove(pair())
      await fast.revocations.revoke(fast.names.intern(name(below(60))) ?? 0, 1_000)
      expect(fast.save()).toEqual(OK)
    }
  })

  test('takes the place of the checks, which find nothing new in the same bytes', async () => {
    const path = await make()
    using store = open(path)
    expect(store.isRestored).toBe(true)
    expect(store.snapshot.whyNot(Number.MAX_SAFE_INTEGER)).toBeNull()
    expect(inOrder(store.subscriptions.subscribersOf(3))).toEqual([1, 2])
  })

  test('counts for a copy of the database, too', async () => {
    const path = await make()
    const copy = newPath()
    copyFileSync(path, copy)
    copyFileSync(`${path}-index`, `${copy}-index`)
    using store = open(copy)
    expect(store.isRestored).toBe(true)
  })

  test('counts after bulk loads, into an empty database and into one with others', async () => {
    const path = newPath()
    for (const lines of ['1 2\nalice 2\nalice news\n', '1 9\nbob 2\n5 alice\n']) {
      await load(path, lines)
      using store = open(path)
      expect(store.isRestored).toBe(true)
      copyFileSync(path, `${path}.copy`)
      using slow = open(`${path}.copy`)
      expect(slow.isRestored).toBe(false)
      expect(store.subscriptions.counts()).toEqual(slow.subscriptions.counts())
      expect(store.names.kept()).toEqual(slow.names.kept())
      const named = ['alice', 'bob', 'news'].map((name) => store.names.find(name))
      for (const user of [1, 2, 5, 9, ...named]) {
        const answers = [store, slow].map(({ subscriptions }) => [
          inOrder(subscriptions.subscribersOf(user)),
          inOrder(subscriptions.subjectsOf(user)),
        ])
        expect(answers[0]).toEqual(answers[1])
      }
    }
  })

  test('counts after a kill before any change', async () => {
    const path = await make()
    const script = `
      import { openDatabase } from ${JSON.stringify(`${import.meta.dir}/database.ts`)}
      openDatabase(${JSON.stringify(path)})
      process.kill(process.pid, 'SIGKILL')`
    expect(Bun.spawnSync([process.execPath, '-e', script]).signalCode).toBe('SIGKILL')
    using store = open(path)
    expect(store.isRestored).toBe(true)
  })
})

describe('a snapshot does not count', () => {
  test('with a bit that is another one', async () => {
    const path = await make()
    const whole = readFileSync(`${path}-index`)
    const below = randomFrom(11)
    for (let round = 0; round < 300; round++) {
      const damaged = Buffer.from(whole)
      const at = below(whole.length)
      damaged[at] = (damaged[at] as number) ^ (1 << below(8))
      writeFileSync(`${path}-index`, damaged)
      expect(expectRead(path)).toStartWith(`${path}-index is `)
    }
    writeFileSync(`${path}-index`, whole)
    expect(open(path).isRestored).toBe(true)
  })

  test('cut anywhere, or longer than it was', async () => {
    const path = await make()
    const whole = readFileSync(`${path}-index`)
    const below = randomFrom(13)
    for (let length = 0; length < whole.length; length += 1 + below(40)) {
      writeFileSync(`${path}-index`, whole.subarray(0, length))
      expect(expectRead(path)).toContain('is ')
    }
    writeFileSync(`${path}-index`, Buffer.concat([whole, Buffer.alloc(4)]))
    expect(expectRead(path)).toBe(`${path}-index is damaged`)
  })

  test.each<[string, string, (path: string) => void]>([
    ['if there is none', 'does not exist', (path) => rmSync(path)],
    ['of another kind', 'is no snapshot', (path) => writeFileSync(path, 'x'.repeat(1_000))],
    ['that is empty', 'is damaged', (path) => truncateSync(path, 0)],
    [
      'of another version',
      'is of another version of comet',
      (path) => overwrite(path, (bytes) => bytes.fill(99, 8, 9)),
    ],
    [
      'of a machine with another byte order',
      'is of a machine with another byte order',
      (path) => overwrite(path, (bytes) => bytes.subarray(0, bytes.length & ~3).swap32()),
    ],
    [
      'that is a pipe',
      'is no snapshot',
      (path) => {
        rmSync(path)
        Bun.spawnSync(['mkfifo', path])
      },
    ],
    [
      'that is a folder',
      'is no snapshot',
      (path) => {
        rmSync(path)
        mkdirSync(path)
      },
    ],
  ])('%s', async (_, why, change) => {
    const path = await make()
    change(`${path}-index`)
    expect(expectRead(path)).toBe(`${path}-index ${why}`)
  })

  test('that is the database itself, which stays locked', async () => {
    const path = await make()
    rmSync(`${path}-index`)
    symlinkSync(path, `${path}-index`)
    using store = open(path)
    expect(store.snapshot.whyNot(1)).toBe(`${path}-index is no snapshot`)
    const script = `
      import { openDatabase } from ${JSON.stringify(`${import.meta.dir}/database.ts`)}
      console.log(openDatabase(${JSON.stringify(path)}).why)`
    const { stdout } = Bun.spawnSync([process.execPath, '-e', script])
    expect(stdout.toString().trim()).toBe(`${path} is in use by another process`)
  })

  test.each<[string, string]>([
    ['a pair was added', 'INSERT INTO subscriptions VALUES (5, 6)'],
    ['a pair was removed', 'DELETE FROM subscriptions WHERE subscriber = 2'],
    ['a name was changed', "UPDATE names SET name = 'bob' WHERE name = 'alice'"],
    ['its pages were moved', 'PRAGMA page_size = 1024; PRAGMA journal_mode = DELETE; VACUUM'],
  ])('when by hand in the database %s', async (_, sql) => {
    const path = await make()
    const database = new Database(path)
    database.run(sql)
    database.close()
    expect(expectRead(path)).toBe(`${path}-index is not of the database as it is now`)
  })

  test('when a bit of the database is another one', async () => {
    const path = await make()
    const whole = readFileSync(path)
    const below = randomFrom(12)
    let refused = 0
    for (let round = 0; round < 60; round++) {
      const damaged = Buffer.from(whole)
      const at = below(whole.length)
      damaged[at] = (damaged[at] as number) ^ (1 << below(8))
      writeFileSync(path, damaged)
      const names = new NameTable({ seed: 1 })
      const snapshot = new IndexSnapshot(path, LIMITS)
      const opened = openDatabase(path, names, snapshot)
      if (opened.ok) opened.value.close()
      else refused++
      snapshot.close()
      expect(snapshot.takeIndex()).toBeNull()
    }
    // The checks of the database still find what they can find.
    expect(refused).toBeGreaterThan(0)
  })

  test('when the database is an older copy, and again when the newer one is back', async () => {
    const path = await make()
    copyFileSync(path, `${path}.old`)
    {
      using store = open(path)
      await store.subscriptions.add(Uint32Array.of(8, 9))
      expect(store.save()).toEqual(OK)
    }
    copyFileSync(path, `${path}.new`)
    copyFileSync(`${path}.old`, path)
    expect(expectRead(path)).toBe(`${path}-index is not of the database as it is now`)
    copyFileSync(`${path}.new`, path)
    using store = open(path)
    expect(store.isRestored).toBe(true)
  })

  test('when changes are in the log of a process that was killed', async () => {
    const path = await make()
    const script = `
      import { openStore } from ${JSON.stringify(`${import.meta.dir}/model.fixture.ts`)}
      await openStore(${JSON.stringify(path)}).add(Uint32Array.of(8, 9))
      process.kill(process.pid, 'SIGKILL')`
    expect(Bun.spawnSync([process.execPath, '-e', script]).signalCode).toBe('SIGKILL')
    expect(expectRead(path)).toBe(`${path}-index does not have the last changes`)
    expect(openStores(path).subscriptions.has(8, 9)).toBe(true)
  })
})
