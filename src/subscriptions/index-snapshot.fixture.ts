// Databases with snapshots for tests, opened as a server opens them.

import { expect } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { folderOfTests } from '../../scripts/support/folder.ts'
import { OK, type Result } from '../core/result.ts'
import { snapshotLimits } from '../core/snapshot-limits.ts'
import { loadFriends, saveSnapshot } from './bulk-load.ts'
import { openDatabase } from './database.ts'
import { IndexSnapshot } from './index-snapshot.ts'
import { flat, type Pair } from './model.fixture.ts'
import { NameTable } from './name-table.ts'
import { storesOf } from './stores.ts'

/** All databases have one, and are hashed in many parts. */
export const LIMITS = { ...snapshotLimits, rowsMin: 1, chunkBytes: 1_000 }

/** Databases of one file of tests. */
export function databasesOfTests() {
  const folder = folderOfTests()
  let databases = 0
  const newPath = () => `${folder}/${++databases}.db`
  return { newPath, make: (path = newPath()) => make(path) }
}

/** Opens a database as a server does. */
export function open(path: string, limits = LIMITS, seed = 1) {
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

export const PAIRS: readonly Pair[] = [
  [1, 2],
  [1, 3],
  [2, 3],
  [7, 2_147_483_647],
]

/** A database with some pairs, two names and a snapshot; closed. */
async function make(path: string): Promise<string> {
  using store = open(path)
  await store.subscriptions.add(flat(PAIRS))
  const handles = ['alice', 'news'].map((name) => store.names.intern(name) ?? 0)
  await store.subscriptions.add(Uint32Array.from(handles))
  expect(store.save()).toEqual(OK)
  return path
}

/** Loads pairs in bulk, with a snapshot behind it. */
export async function load(path: string, lines: string): Promise<void> {
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
export function expectRead(path: string): string | null {
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

export function overwrite(path: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(path, change(readFileSync(path)))
}
