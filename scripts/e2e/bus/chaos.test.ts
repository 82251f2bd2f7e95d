// Goal: whatever happens to servers, to Redis and to what is between them, each client gets what
// was accepted, once and in order, or is told of a gap. Method: random faults of three of the
// executable behind HAProxy under two loads with exact accounts. Seeds are printed.

import { afterEach, expect, test } from 'bun:test'
import { BACK_MS_MAX, BusCluster } from '../../support/bus-cluster.ts'
import { BusFaults } from '../../support/bus-faults.ts'
import { BusLoad } from '../../support/bus-load.ts'
import { ClusterProxy, HAS_HAPROXY } from '../../support/cluster-proxy.ts'
import { HAS_REDIS } from '../../support/redis.ts'
import { expectExact, ResumingFlood } from '../../support/resuming-flood.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

const IS_POSSIBLE = HAS_REDIS && HAS_HAPROXY

afterEach(noProcessIsLeft)

/** Milliseconds of faults before Redis is emptied and after it, and for the whole test. */
const BEFORE_MS = 30_000
const AFTER_MS = 15_000
const TEST_MS_MAX = 160_000

test.skipIf(!IS_POSSIBLE)(
  'nothing is lost unnoticed, doubled or out of order',
  async () => {
    const seed = Number(process.env['COMET_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    console.log(`seed ${seed}`)
    const args = (node: number) => ['--heartbeat', '1s', ...(node === 2 ? ['--workers', '2'] : [])]
    const redis = { isDurable: true }
    await using cluster = await BusCluster.start({ redis, args, isProxied: true })
    await using proxy = await ClusterProxy.start(cluster.ports)
    const { publicUrl, controlUrl } = proxy
    const shape = { publicUrl, controlUrl, streams: 100, format: 'json', rate: 150 } as const
    await using flood = await ResumingFlood.start(shape)
    await using load = await BusLoad.start({
      cluster,
      seed,
      staying: 24,
      restless: 24,
      pauseMs: 15,
    })
    await load.more(100)
    const faults = new BusFaults({ cluster, seed })
    await faults.run(BEFORE_MS)
    await cluster.isWhole(2 * BACK_MS_MAX)
    const accounts = await flood.end()
    const told = load.gaps
    console.log(JSON.stringify([faults.counts, told, accounts.flood.resume]))
    // Redis has kept all of it.
    expectExact(accounts)
    expect(told).toEqual([])
    // From here on a part of it may be lost, and in another order what servers add again.
    await cluster.redis.command('FLUSHALL')
    await faults.run(AFTER_MS)
    await cluster.isWhole(2 * BACK_MS_MAX)
    await load.more(100)
    const wrong = await load.end()
    console.log(JSON.stringify([faults.counts, load.counts]))
    expect(wrong).toEqual([])
    expect(load.accepted).toBeGreaterThan(500)
  },
  TEST_MS_MAX,
)
