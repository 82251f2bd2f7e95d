// Friends: a million users who follow fifteen others each, loaded, held, looked up and routed by.
// The graph is the product's own, from its own command, and each figure is checked before it counts.

import { withTimeout } from '../src/core/deadline.ts'
import { openDatabase } from '../src/subscriptions/database.ts'
import { sqliteSubscriptions } from '../src/subscriptions/sqlite.ts'
import type { Subscriptions } from '../src/subscriptions/subscriptions.ts'
import type { Case } from './harness/case.ts'
import { temporaryFolder } from './harness/child.ts'
import { COMET, startComet } from './harness/comet.ts'
import { settledMemory } from './memory.ts'

const USERS = 1_000_000
const SUBSCRIPTIONS = 14_999_880
/** Milliseconds for one command; to load takes half a minute. */
const COMMAND_MS_MAX = 600_000
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
    const folder = await temporaryFolder()
    await succeed(['friends', 'generate', '--output', `${folder.path}/friends.txt`])
    return {
      run: () => loadOnce(folder.path),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
}

async function loadOnce(folder: string) {
  const db = `${folder}/comet.db`
  const args = ['friends', 'load', `${folder}/friends.txt`, '--db', db, '--json']
  const { out, seconds, peakBytes } = await succeed(args)
  const { added } = JSON.parse(out) as { added: number }
  if (added !== SUBSCRIPTIONS) throw new Error(`${SUBSCRIPTIONS} were to load, ${added} did`)
  const { size } = Bun.file(db)
  await Bun.file(db).delete()
  return {
    seconds,
    perSecond: added / seconds,
    peakMib: peakBytes / MIB,
    bytesOnDisk: size / added,
  }
}

/** Holding: a server starts with them, and answers who follows whom. */
export const followers: Case<'startSeconds' | 'bytesInMemory' | 'indexSeconds' | 'lookups'> = {
  name: 'followers',
  figures: {
    startSeconds: { title: 'from start to listening with 15 million', unit: 's', digits: 1 },
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
  },
  open: async () => {
    const folder = await temporaryFolder()
    const db = `${folder.path}/comet.db`
    await succeed(['friends', 'generate', '--output', `${folder.path}/friends.txt`])
    await succeed(['friends', 'load', `${folder.path}/friends.txt`, '--db', db])
    return {
      run: async () => ({ ...(await serveOnce(db)), ...lookUp(db) }),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
}

async function serveOnce(db: string) {
  const empty = await residentBytes(':memory:')
  const startedMs = performance.now()
  await using comet = await startComet({ db })
  const startSeconds = (performance.now() - startedMs) / 1000
  const { subscriptions } = await comet.stats()
  if (subscriptions.held !== SUBSCRIPTIONS) throw new Error(`it holds ${subscriptions.held}`)
  const bytesInMemory = ((await settledMemory(comet)) - empty) / SUBSCRIPTIONS
  return { startSeconds, bytesInMemory }
}

async function residentBytes(db: string): Promise<number> {
  await using comet = await startComet({ db })
  return await settledMemory(comet)
}

function lookUp(db: string) {
  const opened = openDatabase(db)
  if (!opened.ok) throw new Error(opened.why)
  const startedMs = performance.now()
  const subscriptions = sqliteSubscriptions(opened.database)
  const indexSeconds = (performance.now() - startedMs) / 1000
  const lookups = lookupsPerSecond(subscriptions)
  subscriptions.close()
  return { indexSeconds, lookups }
}

/** Every follower is read, as the router reads them; the sum keeps the reading from being left out. */
function lookupsPerSecond(subscriptions: Subscriptions): number {
  const users = new Uint32Array(LOOKUPS).map(() => 1 + Math.floor(Math.random() * USERS))
  let found = 0
  const startedMs = performance.now()
  for (const user of users) {
    for (const follower of subscriptions.subscribersOf(user)) if (follower !== user) found++
  }
  const seconds = (performance.now() - startedMs) / 1000
  const mean = found / LOOKUPS
  if (mean < 13 || mean > 17) throw new Error(`a user has 15 followers on average, not ${mean}`)
  return LOOKUPS / seconds
}

/** Runs a command of the executable that must not fail, with its time and its peak of memory. */
async function succeed(args: readonly string[]) {
  const startedMs = performance.now()
  const command = `comet ${args.join(' ')}`
  const child = Bun.spawn([COMET, ...args], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: COMMAND_MS_MAX,
  })
  const ended = Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  const [out, words, code] = await withTimeout(`${command} to end`, ended, COMMAND_MS_MAX)
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${words}`)
  const seconds = (performance.now() - startedMs) / 1000
  return { out, seconds, peakBytes: child.resourceUsage()?.maxRSS ?? 0 }
}
