// Goal: when the clock of Redis is set back, while it runs and before it starts again, nothing is
// lost, no client is told of a gap, and places in the log go on. Method: three of the executable
// behind HAProxy under a flood with exact accounts, and a redis-server with a clock of its own.

import { afterEach, expect, test } from 'bun:test'
import { BACK_MS_MAX, BusCluster, publish } from '../../support/bus-cluster.ts'
import { ClusterProxy, HAS_HAPROXY } from '../../support/cluster-proxy.ts'
import { LOG_FORMATS, LogStream } from '../../support/log-stream.ts'
import { HAS_CLOCKS, HAS_REDIS, type RedisServer } from '../../support/redis.ts'
import { expectExact, ResumingFlood } from '../../support/resuming-flood.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

const IS_POSSIBLE = HAS_REDIS && HAS_CLOCKS && HAS_HAPROXY
const HOUR_SECONDS = 3_600

afterEach(noProcessIsLeft)

/** How far its clock is behind that of this machine. */
async function secondsBack(redis: RedisServer): Promise<number> {
  const [seconds] = (await redis.command('TIME')) as [string]
  return Date.now() / 1000 - Number(seconds)
}

test.skipIf(!IS_POSSIBLE)(
  'a clock of Redis that is set back an hour, twice, costs nothing and is no gap',
  async () => {
    const args = (node: number) => (node === 1 ? ['--workers', '2'] : [])
    const redis = { isDurable: true, hasOwnClock: true }
    await using cluster = await BusCluster.start({ redis, args })
    await using proxy = await ClusterProxy.start(cluster.ports)
    const { publicUrl, controlUrl } = proxy
    const shape = { streams: 60, format: 'json', rate: 200 } as const
    await using flood = await ResumingFlood.start({ publicUrl, controlUrl, ...shape })
    await using cleanup = new AsyncDisposableStack()
    const opening = cluster.all.flatMap((node) => {
      return LOG_FORMATS.map((format) => LogStream.open(node, 'alice', format))
    })
    const streams = (await Promise.all(opening)).map((stream) => cleanup.use(stream))
    const ids: string[] = []
    const bodies: string[] = []
    const say = async (body: string) => {
      for (const [at, node] of cluster.all.entries()) {
        bodies.push(`${body} ${at}`)
        ids.push((await publish(node, { to: 'alice', body: `${body} ${at}` })).id)
      }
      await Promise.all(streams.map((stream) => stream.has(bodies.at(-1) ?? '')))
      await flood.more(200, BACK_MS_MAX)
    }
    await say('before')
    expect(await secondsBack(cluster.redis)).toBeWithin(-60, 60)
    cluster.redis.setClock(-HOUR_SECONDS)
    await say('an hour back')
    expect(await secondsBack(cluster.redis)).toBeWithin(HOUR_SECONDS - 60, HOUR_SECONDS + 60)
    // It is another epoch, which would be below the one before it by this clock.
    await cluster.redis.restart()
    await cluster.isWhole()
    await say('another epoch')
    await cluster.redis.kill()
    cluster.redis.setClock(-2 * HOUR_SECONDS)
    await cluster.redis.startAgain()
    await cluster.isWhole()
    await say('two hours back')
    // A server that knows nothing yet.
    await cluster.end(2, 'SIGKILL')
    await cluster.start(2)
    await cluster.isWhole()
    const isGone = (at: number) => at >= 2 * LOG_FORMATS.length
    for (const [at, stream] of streams.entries()) {
      expect([stream.messages, stream.gap]).toEqual([bodies, undefined])
      expect(stream.client.end === null).toBe(!isGone(at))
    }
    expect(new Set(ids.map((id) => id.split('-')[0])).size).toBe(3)
    expect(ids.toSorted()).toEqual(ids)
    for (const node of cluster.all) {
      for (const [at, after] of ids.slice(0, -1).entries()) {
        using again = await LogStream.open(node, 'alice', 'json', `after=${after}`)
        await again.has(bodies.at(-1) ?? '')
        const rest = bodies.slice(at + 1)
        expect([after, again.messages, again.gap]).toEqual([after, rest, undefined])
      }
    }
    expectExact(await flood.end())
  },
)
