// Goal: /stats and /metrics say how a server is with the Redis that it shares: while Redis is
// there, while it is away, and after it is back; no counter falls meanwhile. Method: the
// executable, a real Redis that is killed and started again, and promtool for the format.

import { describe, expect, test } from 'bun:test'
import { FAMILIES } from '../../../src/control/families.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import {
  fallen,
  OPENMETRICS,
  type Page,
  PROMTOOL,
  promtool,
  sayIfPromtoolIsMissing,
  scrape,
} from '../../support/metrics.ts'
import { RawClient } from '../../support/raw-client.ts'
import { HAS_REDIS, RedisServer } from '../../support/redis.ts'

sayIfPromtoolIsMissing()

/** What a server with a bus says of it. */
async function busOf(server: CometServer) {
  const { bus } = await server.stats()
  if (bus === null) throw new Error('it has no bus')
  return bus
}

/** What both tell is the same. */
function expectAgreement(page: Page, bus: Awaited<ReturnType<typeof busOf>>): void {
  const expected = {
    comet_bus_connected: Number(bus.connected),
    comet_bus_ready: Number(bus.ready),
    comet_bus_nodes: bus.nodes.length,
    comet_bus_queue_messages: bus.queue.messages,
    comet_bus_queue_bytes: bus.queue.bytes,
    comet_bus_queue_limit_messages: bus.queue.limitMessages,
    comet_bus_round_trip_seconds_count: bus.roundTrip.batches,
    comet_bus_round_trip_seconds_sum: bus.roundTrip.sumSeconds,
    comet_bus_batches_added_total: bus.added,
    'comet_bus_refused_total{reason="full"}': bus.refused.full,
    'comet_bus_refused_total{reason="unavailable"}': bus.refused.unavailable,
    comet_bus_forks_total: bus.forks,
    comet_bus_gaps_total: bus.gaps,
    comet_bus_subscriptions_reloading: Number(bus.reloading),
  }
  const told = Object.keys(expected).map((sample) => [sample, page.samples.get(sample)])
  expect(Object.fromEntries(told)).toEqual(expected)
}

describe.skipIf(!HAS_REDIS)('a server that shares Redis', () => {
  test('says who is there and how long messages take, in both formats', async () => {
    await using redis = await RedisServer.start({ isDurable: true })
    await using left = await serve(['--bus', redis.url])
    await using right = await serve(['--bus', redis.url])
    await using client = await RawClient.stream(right.publicPort, 1)
    await right.open(1)
    await waitFor('both', async () => (await busOf(left)).nodes.length === 2)
    await left.publish({ to: 1, body: 'hello' })
    await client.received('hello')
    const bus = await busOf(left)
    expect(bus).toMatchObject({
      ...{ connected: true, why: null, ready: true, added: 1, gaps: 0 },
      redis: { product: 'Redis', durable: true, limitBytes: null },
    })
    expect(bus.nodes.filter(({ own }) => own)).toHaveLength(1)
    const page = await scrape(left)
    expectAgreement(page, bus)
    expect(page.value('comet_bus_redis_durable')).toBe(1)
    expect(page.value('comet_bus_redis_memory_bytes')).toBeGreaterThan(100_000)
    expect(page.value('comet_bus_round_trip_seconds_bucket{le="10.0"}')).toBe(1)
    // It has no limit.
    expect(page.samples.has('comet_bus_redis_memory_limit_bytes')).toBe(false)
    const other = await scrape(right)
    expect(other.value('comet_bus_round_trip_seconds_count')).toBe(0)
    expect(other.value('comet_messages_accepted_total{input="bus"}')).toBe(1)
    if (PROMTOOL !== null) expect(await promtool(['check', 'metrics'], page.text)).toBe('')
    const open = await scrape(left, OPENMETRICS)
    expect([...open.samples.keys()]).toEqual([...page.samples.keys()])
  })

  test('says how old the oldest entry is, also of those from before its start', async () => {
    await using redis = await RedisServer.start()
    await using first = await serve(['--bus', redis.url])
    await first.publish({ to: 1, body: 'hello' })
    // The time of Redis has whole seconds.
    const isOlder = async () => {
      const { history } = await first.stats()
      return (history.oldestAgeSeconds ?? 0) > 1
    }
    await waitFor('it to be older than a second', isOlder)
    await using second = await serve(['--bus', redis.url])
    for (const server of [first, second]) {
      const { samples } = await scrape(server)
      expect(samples.get('comet_history_oldest_age_seconds')).toBeWithin(1, 60)
    }
  })

  test('says since when Redis is away, what waits, and that it is back', async () => {
    await using redis = await RedisServer.start({ isDurable: true })
    await using server = await serve(['--bus', redis.url])
    await server.publish({ to: 1, body: 'a' })
    const before = await scrape(server)
    await redis.kill()
    const published = server.publishLater({ to: 1, body: 'b' })
    const away = await waitFor('it to be away', async () => {
      const bus = await busOf(server)
      return !bus.connected && bus.queue.messages === 1 && bus
    })
    expect(away).toMatchObject({ ready: false, behind: null, redis: { durable: true } })
    expect(away.why).toContain('Redis')
    expect(away.queue.oldestAgeSeconds).toBeGreaterThan(0)
    const later = await waitFor('time to pass', async () => {
      const bus = await busOf(server)
      return bus.seconds > away.seconds && bus
    })
    expect(later.queue.oldestAgeSeconds).toBeGreaterThan(away.queue.oldestAgeSeconds)
    const page = await scrape(server)
    expectAgreement(page, await busOf(server))
    expect(page.value('comet_bus_connected')).toBe(0)
    for (const name of ['redis_info', 'redis_memory_bytes', 'redis_durable', 'behind_entries']) {
      expect([...page.types.keys()]).not.toContain(`comet_bus_${name}`)
    }
    if (PROMTOOL !== null) expect(await promtool(['check', 'metrics'], page.text)).toBe('')
    await redis.startAgain()
    await published
    const back = await waitFor('it to be back', async () => {
      const bus = await busOf(server)
      return bus.ready && bus.queue.messages === 0 && bus
    })
    expect(back).toMatchObject({ connected: true, why: null, gaps: 0, queue: { bytes: 0 } })
    expect(back.forks).toBeGreaterThan(away.forks)
    expect(back.epoch).toBeGreaterThan(away.epoch)
    const after = await scrape(server)
    expectAgreement(after, await busOf(server))
    expect([fallen(before, page), fallen(page, after)]).toEqual([[], []])
    expect(after.value('comet_bus_redis_durable')).toBe(1)
  })

  test('has all metrics of a bus, each with its type, with workers too', async () => {
    await using redis = await RedisServer.start({ settings: ['maxmemory 1gb'] })
    await using server = await serve(['--bus', redis.url, '--workers', '2'])
    const page = await waitFor('it to have read all', async () => {
      const now = await scrape(server)
      return now.types.has('comet_bus_behind_entries') && now
    })
    const isOfBus = ([name]: readonly [string, unknown]) => name.startsWith('comet_bus_')
    const types = Object.entries(FAMILIES).map(([name, { type }]) => [name, type] as const)
    expect([...page.types].filter(isOfBus)).toEqual(
      types.filter(isOfBus).map(([name, type]) => [name, type === 'info' ? 'gauge' : type]),
    )
    expect(page.value('comet_bus_redis_memory_limit_bytes')).toBe(1024 ** 3)
  })

  test('that does not, says nothing of it', async () => {
    await using server = await serve()
    expect((await server.stats()).bus).toBeNull()
    const page = await scrape(server)
    expect([...page.types.keys()].filter((name) => name.startsWith('comet_bus_'))).toEqual([])
  })
})
