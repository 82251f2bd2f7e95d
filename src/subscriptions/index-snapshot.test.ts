// Goal: a store that starts from a snapshot is the same as one that reads the database, and a
// snapshot counts only for the very database that it was made of.
// Method: random changes over many restarts beside a model; and every kind of damage, to the
// snapshot and to the database, with real files.

import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { canMount, mountSmallDisk, UNLESS_MOUNT } from '../../scripts/support/disk.ts'
import { folderOfTests } from '../../scripts/support/folder.ts'
import { randomFrom } from '../core/random.ts'
import { OK, type Result } from '../core/result.ts'
import { snapshotLimits } from '../core/snapshot-limits.ts'
import { loadFriends, saveSnapshot } from './bulk-load.ts'
import { openDatabase } from './database.ts'
import { IndexSnapshot } from './index-snapshot.ts'
import { expectSame, flat, inOrder, Model, openStores, type Pair, USERS } from './model.fixture.ts'
import { NameTable } from './name-table.ts'
import { storesOf } from './stores.ts'

/** All databases have one, and are hashed in many parts. */
const LIMITS = { ...snapshotLimits, rowsMin: 1, chunkBytes: 1_000 }

const folder = folderOfTests()
let databases = 0

function newPath(): string {
  return `${folder}/${++databases}.db`
}

/** Opens a database as a server does. */
function open(path: string, limits = LIMITS, seed = 1) {
  const names = new NameTable({ seed })
  const snapshot = new IndexSnapshot(path, limits)
  const opened = openDatabase(path, names, snapshot)
  if (!opened.ok) throw new Error(opened.why)
  const index = snapshot.takeIndex()
  const stores = storesOf(opened.value, names, { index, findsSubjects: true })
  return {
    ...stores,
    snapshot,
    database: opened.value,
    isRestored: index !== null,
    save: () => stores.subscriptions.saveTo(snapshot, names),
    [Symbol.dispose]() {
      stores.subscriptions.close()
      snapshot.close()
    },
  }
}

const PAIRS: readonly Pair[] = [
  [1, 2],
  [1, 3],
  [2, 3],
  [7, 2_147_483_647],
]

/** A database with some pairs, two names and a snapshot; closed. */
async function make(path = newPath()): Promise<string> {
  using store = open(path)
  await store.subscriptions.add(flat(PAIRS))
  const handles = ['alice', 'news'].map((name) => store.names.intern(name) ?? 0)
  await store.subscriptions.add(Uint32Array.from(handles))
  expect(store.save()).toEqual(OK)
  return path
}

/** Loads pairs in bulk, with a snapshot behind it. */
async function load(path: string, lines: string): Promise<void> {
  const snapshot = new IndexSnapshot(path, LIMITS)
  const names = new NameTable({ seed: 1 })
  const opened = openDatabase(path, names, snapshot)
  if (!opened.ok) throw new Error(opened.why)
  const { value: database } = opened
  const saved: Result<void>[] = []
  const input = new Blob([lines]).stream()
  const loaded = await loadFriends(input, database, { idMax: 1_000, names }, (pairs) => {
    saved.push(saveSnapshot(database, pairs, new NameTable({ seed: 2 }), snapshot))
  })
  database.close()
  snapshot.close()
  expect(loaded.ok).toBe(true)
  expect(saved).toEqual([OK])
}

/** Opens a database whose snapshot must not count, and compares what it has with what it reads. */
function expectRead(path: string): string | null {
  using store = open(path)
  expect(store.isRestored).toBe(false)
  const why = store.snapshot.whyNot(1)
  const rows = store.database
    .query<{ subscriber: number; subject: number }, []>('SELECT * FROM subscriptions')
    .all()
  expect(store.subscriptions.counts().subscriptions).toBe(rows.length)
  for (const { subscriber, subject } of rows) {
    expect([...store.subscriptions.subscribersOf(subject)]).toContain(subscriber)
    expect([...store.subscriptions.subjectsOf(subscriber)]).toContain(subject)
  }
  return why
}

function overwrite(path: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(path, change(readFileSync(path)))
}

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

describe('a snapshot', () => {
  test('is not written again while the database stays the same', async () => {
    const path = await make()
    const before = statSync(`${path}-index`)
    using store = open(path)
    expect(store.save()).toEqual(OK)
    expect(statSync(`${path}-index`).ino).toBe(before.ino)
  })

  test('can be read by those who can read the database', async () => {
    const path = newPath()
    writeFileSync(path, '', { mode: 0o640 })
    await make(path)
    expect(statSync(`${path}-index`).mode & 0o777).toBe(0o640)
  })

  test('is removed when the database has few rows, for which it is not worth it', async () => {
    const path = await make()
    const rows = PAIRS.length + 1 + 2
    using store = open(path, { ...LIMITS, rowsMin: rows + 1 })
    expect(store.save()).toEqual(OK)
    expect(existsSync(`${path}-index`)).toBe(false)
  })

  test('has the bytes of its version: raise the version if they change', async () => {
    const path = await make()
    // Without the hash of the database, which SQLite makes.
    const bytes = readFileSync(`${path}-index`).fill(0, 16, 32).subarray(0, -8)
    const digest = Bun.CryptoHasher.hash('sha256', bytes, 'hex')
    expect([bytes.length, digest]).toMatchInlineSnapshot(`
      [
        16592,
        "a84d859a31fbd609b7286ebddf2d0f0c539dea47616a1b46d773001d00f1ebaf",
      ]
    `)
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

describe('a snapshot is not written, and the old one does not count,', () => {
  /** A change, and then the snapshot cannot be written. */
  async function failing(path: string, prevent: () => void): Promise<string> {
    using store = open(path)
    await store.subscriptions.add(Uint32Array.of(8, 9))
    prevent()
    const saved = store.save()
    return saved.ok ? 'saved' : saved.why
  }

  test('if there is a folder in its place', async () => {
    const path = await make()
    const why = await failing(path, () => mkdirSync(`${path}-index.new`))
    expect(why).toStartWith(`${path}-index cannot be used (E`)
    expect(expectRead(path)).toBe(`${path}-index is not of the database as it is now`)
    rmSync(`${path}-index.new`, { recursive: true })
    using store = open(path)
    expect(store.save()).toEqual(OK)
  })

  test('if another file takes the place of the database', async () => {
    const [path, other] = [await make(), await make()]
    expect(await failing(path, () => renameSync(other, path))).toContain('not the one')
    expect(existsSync(`${path}-index.new`)).toBe(false)
    expectRead(path)
  })

  test('if the database was written over', async () => {
    const [path, other] = [await make(), newPath()]
    await make(other)
    {
      using store = open(other)
      await store.subscriptions.add(Uint32Array.of(5, 9))
    }
    const bytes = readFileSync(other)
    using store = open(path)
    writeFileSync(path, bytes)
    expect(store.save()).toMatchObject({ ok: false })
  })

  test('but what a killed process left is no hindrance', async () => {
    const path = await make()
    writeFileSync(`${path}-index.new`, readFileSync(`${path}-index`).subarray(0, 100), { mode: 0 })
    expect(await failing(path, () => undefined)).toBe('saved')
    using store = open(path)
    expect(store.isRestored).toBe(true)
    expect(existsSync(`${path}-index.new`)).toBe(false)
  })

  test.skipIf(!canMount)(`if the disk is full ${UNLESS_MOUNT}`, async () => {
    await using disk = await mountSmallDisk()
    const path = await make(`${disk.path}/comet.db`)
    {
      using store = open(path)
      const many = Array.from({ length: 4_000 }, (_, at): Pair => [at + 10, at + 11])
      await store.subscriptions.add(flat(many))
      store.database.run('PRAGMA wal_checkpoint(TRUNCATE)')
      await disk.fill(4)
      expect(store.save()).toEqual({
        ok: false,
        why: `${path}-index cannot be used (ENOSPC)`,
      })
      expect(existsSync(`${path}-index.new`)).toBe(false)
      await disk.free()
    }
    expect(expectRead(path)).toBe(`${path}-index is not of the database as it is now`)
  })
})
