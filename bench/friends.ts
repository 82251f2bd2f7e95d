// Friends: a million users who follow fifteen others each, loaded, held and looked up. The graph
// comes from the product's own command, and each figure is checked before it counts.

import { heapStats } from 'bun:jsc'
import { rm } from 'node:fs/promises'
import { makeFolder } from '../scripts/support/folder.ts'
import { openDatabase } from '../src/subscriptions/database.ts'
import { NameTable } from '../src/subscriptions/name-table.ts'
import { storesOf } from '../src/subscriptions/stores.ts'
import type { Case } from './harness/case.ts'
import { generateFriends, loadFriends, prepareFriends, startServer } from './harness/comet.ts'
import { settledMemory } from './memory.ts'

const USERS = 1_000_000
const SUBSCRIPTIONS = 14_999_880
const LOOKUPS = 2_000_000
const MIB = 1024 * 1024

/** Loading: the whole command, from text to a database that can be served. */
export const load: Case<'seconds' | 'perSecond' | 'peakMib' | 'bytesOnDisk'> = {
  name: 'load',
  figures: {
    seconds: {
      title: 'loading 15 million subscriptions',
      unit: 's',
      digits: 1,
      target: { atMost: 40 },
    },
    perSecond: { title: '  a second', unit: 'a second', digits: 0 },
    peakMib: { title: '  peak memory', unit: 'MiB', digits: 0, target: { atMost: 1_024 } },
    bytesOnDisk: { title: 'on disk, a subscription', unit: 'bytes', digits: 1 },
  },
  open: async () => {
    const folder = await makeFolder()
    await generateFriends(USERS, `${folder.path}/friends.txt`)
    return {
      run: () => loadOnce(folder.path),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
}

async function loadOnce(folder: string) {
  const db = `${folder}/comet.db`
  const loaded = await loadFriends(USERS, `${folder}/friends.txt`, db)
  const { subscriptions, seconds, peakBytes } = loaded
  if (subscriptions !== SUBSCRIPTIONS) {
    throw new Error(`${SUBSCRIPTIONS} were to load, ${subscriptions} did`)
  }
  const { size } = Bun.file(db)
  for (const path of [db, `${db}-index`]) await rm(path)
  return {
    seconds,
    perSecond: subscriptions / seconds,
    peakMib: peakBytes / MIB,
    bytesOnDisk: size / subscriptions,
  }
}

/** Holding: a server starts with them, and finds the followers of a user. */
export const followers: Case<
  | 'startSeconds'
  | 'stopSeconds'
  | 'readSeconds'
  | 'bytesInMemory'
  | 'indexSeconds'
  | 'lookups'
  | 'bothSeconds'
  | 'bothBytes'
  | 'subjectLookups'
> = {
  name: 'followers',
  figures: {
    startSeconds: {
      title: 'from start to listening with 15 million',
      unit: 's',
      digits: 2,
      target: { atMost: 1 },
    },
    stopSeconds: { title: '  from a signal to the end, with a new snapshot', unit: 's', digits: 2 },
    readSeconds: { title: '  from start to listening without a snapshot', unit: 's', digits: 2 },
    bytesInMemory: { title: 'process memory, a subscription', unit: 'bytes', digits: 1 },
    indexSeconds: {
      title: 'building the index in memory',
      unit: 's',
      digits: 1,
      target: { atMost: 10 },
    },
    lookups: {
      title: 'lookups of all followers of a random user',
      unit: 'a second',
      digits: 0,
      target: { atLeast: 1_000_000 },
    },
    bothSeconds: {
      title: 'building the index in both directions',
      unit: 's',
      digits: 1,
      target: { atMost: 10 },
    },
    bothBytes: { title: '  memory more than in one, a subscription', unit: 'bytes', digits: 1 },
    subjectLookups: {
      title: '  lookups of all whom a random user follows',
      unit: 'a second',
      digits: 0,
      target: { atLeast: 500_000 },
    },
  },
  open: async () => {
    const folder = await makeFolder()
    const { database } = await prepareFriends(USERS, folder.path)
    return {
      run: async () => ({
        ...(await readOnce(database)),
        ...(await serveOnce(database)),
        ...lookUp(database),
      }),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
}

/** A start that reads the database, and writes a snapshot for the next one when it stops. */
async function readOnce(db: string) {
  await rm(`${db}-index`, { force: true })
  await using server = await startServer({ db })
  const startedMs = performance.now()
  if ((await server.stop()) !== 0) throw new Error('it did not stop in order')
  const stopSeconds = (performance.now() - startedMs) / 1000
  if (!(await Bun.file(`${db}-index`).exists())) throw new Error('there is no snapshot')
  return { readSeconds: server.startSeconds, stopSeconds }
}

async function serveOnce(db: string) {
  const empty = await emptyBytes()
  await using server = await startServer({ db })
  const { held } = (await server.stats()).subscriptions
  if (held !== SUBSCRIPTIONS) throw new Error(`it holds ${held}`)
  const bytesInMemory = ((await settledMemory(server)) - empty) / SUBSCRIPTIONS
  return { startSeconds: server.startSeconds, bytesInMemory }
}

async function emptyBytes(): Promise<number> {
  await using server = await startServer()
  return await settledMemory(server)
}

function lookUp(db: string) {
  const one = indexOf(db, false)
  const lookups = lookupsPerSecond((user) => one.subscriptions.subscribersOf(user))
  one.subscriptions.close()
  const both = indexOf(db, true)
  const subjectLookups = lookupsPerSecond((user) => both.subscriptions.subjectsOf(user))
  both.subscriptions.close()
  return {
    indexSeconds: one.seconds,
    lookups,
    bothSeconds: both.seconds,
    bothBytes: (both.bytes - one.bytes) / SUBSCRIPTIONS,
    subjectLookups,
  }
}

/** The index, and what it took: its arrays are all that is left of it. */
function indexOf(db: string, findsSubjects: boolean) {
  const names = new NameTable({ seed: 1 })
  const opened = openDatabase(db, names)
  if (!opened.ok) throw new Error(opened.why)
  Bun.gc(true)
  const before = heapStats().extraMemorySize
  const startedMs = performance.now()
  const { subscriptions } = storesOf(opened.value, names, { findsSubjects })
  const seconds = (performance.now() - startedMs) / 1000
  Bun.gc(true)
  return { subscriptions, seconds, bytes: heapStats().extraMemorySize - before }
}

/**
 * Every user that is found is read, as the router reads them; the sum keeps the reads from being
 * optimized away.
 */
function lookupsPerSecond(find: (user: number) => Uint32Array): number {
  const users = new Uint32Array(LOOKUPS).map(() => 1 + Math.floor(Math.random() * USERS))
  let found = 0
  const startedMs = performance.now()
  for (const user of users) {
    for (const other of find(user)) if (other !== user) found++
  }
  const seconds = (performance.now() - startedMs) / 1000
  const mean = found / LOOKUPS
  if (mean < 13 || mean > 17)
    throw new Error(`a user has 15 followers, and follows 15, on average, not ${mean}`)
  return LOOKUPS / seconds
}
