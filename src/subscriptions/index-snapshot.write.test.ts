// Goal: a snapshot is written as a whole or not at all, for those who may read the database; where
// that fails, the server goes on. Method: real files, places that cannot be written, a full disk.

import { describe, expect, test } from 'bun:test'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { canMount, mountSmallDisk, UNLESS_MOUNT } from '../../scripts/support/disk.ts'
import { OK, refused } from '../core/result.ts'
import { databasesOfTests, expectRead, LIMITS, open, PAIRS } from './index-snapshot.fixture.ts'
import { flat, type Pair } from './model.fixture.ts'

const { make, newPath } = databasesOfTests()

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

  test.skipIf(process.getuid?.() !== 0)(
    'is of the owner of the database, if root writes it',
    async () => {
      const path = await make()
      chownSync(path, 12_345, 12_346)
      {
        using store = open(path)
        await store.subscriptions.add(Uint32Array.of(8, 9))
        expect(store.save()).toEqual(OK)
      }
      const { uid, gid } = statSync(`${path}-index`)
      expect([uid, gid]).toEqual([12_345, 12_346])
    },
  )

  test('is removed when the database has few rows, for which it is not worth it', async () => {
    const path = await make()
    const rows = PAIRS.length + 1 + 2
    using store = open(path, { ...LIMITS, rowsMin: rows + 1 })
    expect(store.save()).toEqual(OK)
    expect(existsSync(`${path}-index`)).toBe(false)
  })

  test('is removed, and says why, when it would be too large to be read', async () => {
    const path = await make()
    const { size } = statSync(`${path}-index`)
    using store = open(path, { ...LIMITS, bytesMax: size - 1 })
    const saved = store.save()
    expect(saved).toEqual(refused(`${path}-index would be larger than a snapshot may be`))
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
    // Its pages are in memory, and the log has none of them.
    await store.subscriptions.add(Uint32Array.of(6, 9))
    store.database.run('PRAGMA wal_checkpoint(TRUNCATE)')
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
