// Who follows whom in the Redis that servers share, a million users who follow fifteen others each:
// loaded, held, read by a server that starts and by one that runs.

import { waitFor } from '../../scripts/support/child-process.ts'
import { makeFolder } from '../../scripts/support/folder.ts'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import type { Case } from '../harness/case.ts'
import { generateFriends, loadFriends, type Server, startServer } from '../harness/comet.ts'

const USERS = 1_000_000
const SUBSCRIPTIONS = 14_999_880
const MIB = 1024 * 1024
/** Milliseconds between two questions to what may stand still. */
const ASK_EVERY_MS = 2
const RELOAD_MS_MAX = 60_000

type Figure =
  | 'loadSeconds'
  | 'loadPeakMib'
  | 'engineMib'
  | 'startSeconds'
  | 'engineStallMillis'
  | 'reloadSeconds'
  | 'nodeStallMillis'

export const follows: Case<Figure> = {
  name: 'follows',
  figures: {
    loadSeconds: {
      title: 'loading 15 million subscriptions',
      ...{ unit: 's', digits: 1, target: { atMost: 25 } },
    },
    loadPeakMib: { title: '  peak memory of the command', unit: 'MiB', digits: 0 },
    engineMib: {
      title: '  in the memory of Redis',
      ...{ unit: 'MiB', digits: 1, target: { atMost: 150 } },
    },
    startSeconds: {
      title: 'until a server listens that reads them',
      ...{ unit: 's', digits: 1, target: { atMost: 12 } },
    },
    engineStallMillis: { title: '  longest answer of Redis', unit: 'ms', digits: 1 },
    reloadSeconds: { title: 'until a server that runs has read them', unit: 's', digits: 1 },
    nodeStallMillis: { title: '  longest answer of its control port', unit: 'ms', digits: 0 },
  },
  warmsUp: false,
  open: async () => {
    if (!HAS_REDIS) return { impossible: 'redis-server is not installed' }
    const folder = await makeFolder()
    await generateFriends(USERS, `${folder.path}/friends.txt`)
    return {
      run: () => run(`${folder.path}/friends.txt`),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
}

async function run(file: string): Promise<Record<Figure, number>> {
  await using redis = await RedisServer.start()
  await using running = await startServer({ args: ['--bus', redis.url] })
  const memory = async () => Number(await redis.info('used_memory'))
  const before = await memory()
  const loaded = await loadFriends(USERS, file, null, ['--bus', redis.url])
  if (loaded.subscriptions !== SUBSCRIPTIONS) throw new Error(`${loaded.subscriptions} were loaded`)
  // The load has told it.
  const read = async () => await held(running)
  const [reloadSeconds, nodeStallMillis] = await longest(
    () => fetch(`${running.controlUrl}/livez`).then((answer) => answer.text()),
    () => waitFor('the server to have read all', read, RELOAD_MS_MAX, { everyMs: 50 }),
  )
  const engineMib = ((await memory()) - before) / MIB
  const client = new Bun.RedisClient(redis.url)
  await client.connect()
  let startSeconds = 0
  const [, engineStallMillis] = await longest(
    () => client.ping(),
    async () => {
      await using started = await startServer({ args: ['--bus', redis.url] })
      startSeconds = started.startSeconds
      if (!(await held(started))) throw new Error('it has not read all')
    },
  )
  client.close()
  return {
    loadSeconds: loaded.seconds,
    loadPeakMib: loaded.peakBytes / MIB,
    ...{ engineMib, startSeconds, engineStallMillis, reloadSeconds, nodeStallMillis },
  }
}

async function held(server: Server): Promise<boolean> {
  return (await server.stats()).subscriptions.held === SUBSCRIPTIONS
}

/** How many seconds the work takes, and how many milliseconds the longest answer meanwhile. */
async function longest(
  ask: () => Promise<unknown>,
  work: () => Promise<unknown>,
): Promise<[seconds: number, longestMs: number]> {
  const startedMs = performance.now()
  let isOver = false
  const working = work().finally(() => {
    isOver = true
  })
  let longestMs = 0
  while (!isOver) {
    const askedMs = performance.now()
    await ask()
    longestMs = Math.max(longestMs, performance.now() - askedMs)
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS))
  }
  await working
  return [(performance.now() - startedMs) / 1_000, longestMs]
}
