// Goal: clients that come while a server starts get all that others publish meanwhile. Method: one
// of two servers is killed and started again and again, and clients come back to either at once.

import { afterEach, describe, expect, test } from 'bun:test'
import { BACK_MS_MAX, BusCluster } from '../../support/bus-cluster.ts'
import { BusLoad } from '../../support/bus-load.ts'
import { HAS_REDIS } from '../../support/redis.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

/** Starts of the server: eight of them showed in two of three runs that messages were lost between
 * the start of its workers and its own. */
const STARTS = 12
const TEST_MS_MAX = 60_000

afterEach(noProcessIsLeft)

describe.skipIf(!HAS_REDIS)('clients of a server that starts', () => {
  test.each([
    ['with workers', ['--workers', '2']],
    ['in one process', []],
  ])(
    '%s miss nothing that another one publishes',
    async (_how, more) => {
      const args = (node: number) => ['--heartbeat', '1s', ...(node === 1 ? more : [])]
      await using cluster = await BusCluster.start({ nodes: 2, args })
      const seed = Math.floor(Math.random() * 2 ** 31)
      // They come back with each message.
      const clients = { staying: 48, formats: ['poll'] } as const
      await using load = await BusLoad.start({ cluster, seed, ...clients, pauseMs: 5 })
      for (let start = 0; start < STARTS; start++) {
        await load.more(30)
        await cluster.end(1, 'SIGKILL')
        await cluster.start(1)
      }
      await cluster.isWhole(2 * BACK_MS_MAX)
      await load.more(30)
      expect(await load.end()).toEqual([])
    },
    TEST_MS_MAX,
  )
})
