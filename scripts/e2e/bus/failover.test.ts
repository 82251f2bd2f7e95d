// Goal: when a replica of Redis takes over without the last of what was accepted, servers add it
// again: no client misses it unnoticed, or gets it twice. It is a gap to the streams of those
// servers alone that have had it before something else. Method: three of the executable under loads
// with exact accounts, and a real master with a replica that is held back.

import { afterEach, describe, expect, test } from 'bun:test'
import { ReplicatedRedis } from '../../../src/bus/replicated-redis.fixture.ts'
import { BACK_MS_MAX, BusCluster, publish } from '../../support/bus-cluster.ts'
import { BusLoad } from '../../support/bus-load.ts'
import { waitFor } from '../../support/child-process.ts'
import { ClusterProxy, HAS_HAPROXY } from '../../support/cluster-proxy.ts'
import { LOG_FORMATS, LogStream } from '../../support/log-stream.ts'
import { HAS_REDIS, type RedisServer } from '../../support/redis.ts'
import { expectExact, ResumingFlood } from '../../support/resuming-flood.ts'
import type { TcpProxy } from '../../support/tcp-proxy.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

const IS_POSSIBLE = HAS_REDIS && HAS_HAPROXY
const STREAMS = 60
/** No server is frozen here: one that is only busy keeps its streams. */
const BUSY_MS_MAX = 10_000

afterEach(noProcessIsLeft)

/** The id of the last entry of the log. */
async function topOf(redis: RedisServer): Promise<string> {
  const [entry] = (await redis.command('XREVRANGE', 'comet:log', '+', '-', 'COUNT', '1')) as [
    [string, unknown],
  ]
  return entry[0]
}

function idOf({ told }: LogStream, body: string): string {
  return told.find((one) => one.body === body)?.id ?? ''
}

/** Three nodes with a master and its replica, streams of one user on each, and the flood. */
class Setup implements AsyncDisposable {
  readonly cluster: BusCluster
  readonly servers: ReplicatedRedis
  readonly replica: RedisServer
  readonly flood: ResumingFlood
  /** One in each format, a node after the other. */
  readonly streams: readonly (readonly LogStream[])[]
  readonly #cleanup: AsyncDisposableStack

  static async start(): Promise<Setup> {
    await using cleanup = new AsyncDisposableStack()
    const args = (node: number) => (node === 1 ? ['--workers', '2'] : [])
    const options = { redis: { hasOwnAddress: false }, isProxied: true, args }
    const cluster = cleanup.use(await BusCluster.start(options))
    const servers = cleanup.use(new ReplicatedRedis(cluster.redis, cluster.links))
    const replica = await servers.addReplica()
    const proxy = cleanup.use(await ClusterProxy.start(cluster.ports, BUSY_MS_MAX))
    const { publicUrl, controlUrl } = proxy
    const shape = { streams: STREAMS, format: 'json', rate: 200 } as const
    const flood = cleanup.use(await ResumingFlood.start({ publicUrl, controlUrl, ...shape }))
    const opened = cluster.all.map((node) => {
      return Promise.all(LOG_FORMATS.map((format) => LogStream.open(node, 'alice', format)))
    })
    const streams = await Promise.all(opened)
    for (const stream of streams.flat()) cleanup.use(stream)
    return new Setup({ cluster, servers, replica, flood, streams }, cleanup.move())
  }

  private constructor(
    parts: Pick<Setup, 'cluster' | 'servers' | 'replica' | 'flood' | 'streams'>,
    cleanup: AsyncDisposableStack,
  ) {
    this.cluster = parts.cluster
    this.servers = parts.servers
    this.replica = parts.replica
    this.flood = parts.flood
    this.streams = parts.streams
    this.#cleanup = cleanup
  }

  /** Waits until all streams have this message last. */
  async haveAll(body: string): Promise<void> {
    await Promise.all(this.streams.flat().map((stream) => stream.has(body)))
  }

  /** Waits until the replica has all that the master has. */
  async isInStep(): Promise<void> {
    await waitFor('the replica to have everything', async () => {
      return (await topOf(this.replica)) === (await topOf(this.servers.master))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync()
  }
}

describe.skipIf(!IS_POSSIBLE)('a failover to a replica that lacks a tail', () => {
  test('costs nothing, and is no gap, where all servers have it', async () => {
    await using setup = await Setup.start()
    const { cluster, servers, replica, flood } = setup
    await flood.more(200)
    const early = await publish(cluster.at(0), { to: 'alice', body: 'early' })
    await setup.haveAll('early')
    await setup.isInStep()
    servers.hold()
    for (const at of [0, 1, 2]) await publish(cluster.at(at), { to: 'alice', body: `tail ${at}` })
    await setup.haveAll('tail 2')
    await flood.more(300)
    flood.pause()
    const place = await cluster.isStill()
    // Hundreds of messages, most of which are batches of their own.
    const counts = [servers.master, replica].map((one) => one.command('XLEN', 'comet:log'))
    const [ofMaster, ofReplica] = (await Promise.all(counts)) as [number, number]
    expect(ofMaster - ofReplica).toBeGreaterThan(30)
    await servers.failOver()
    flood.goOn()
    await cluster.isWhole(2 * BACK_MS_MAX)
    await flood.more(200, BACK_MS_MAX)
    const { id } = await publish(cluster.at(2), { to: 'alice', body: 'live' })
    await setup.haveAll('live')
    // It is another epoch.
    expect((id.split('-')[0] as string) > (place.split('-')[0] as string)).toBe(true)
    const bodies = ['early', 'tail 0', 'tail 1', 'tail 2', 'live']
    for (const stream of setup.streams.flat()) {
      expect([stream.messages, stream.gap, stream.client.end]).toEqual([bodies, undefined, null])
    }
    // Places of the master that is gone count everywhere: before the tail, in it and behind it.
    const [stream] = setup.streams.flat() as [LogStream]
    const places = [early.id, idOf(stream, 'tail 0'), idOf(stream, 'tail 2'), place]
    for (const [at, after] of places.entries()) {
      for (const node of cluster.all) {
        using again = await LogStream.open(node, 'alice', 'json', `after=${after}`)
        await again.has('live')
        const rest = bodies.slice([1, 2, 4, 4][at])
        expect([after, again.messages, again.gap]).toEqual([after, rest, undefined])
      }
    }
    for (const node of cluster.all) expect(node.timesLogged('bus_lost')).toBe(1)
    expectExact(await flood.end())
  })

  test('is a gap to the streams of those servers alone that have had it before another message', async () => {
    await using setup = await Setup.start()
    const { cluster, servers, flood, streams } = setup
    const [cutOff, ...others] = [cluster.links[2], cluster.links[0], cluster.links[1]]
    await flood.more(200)
    await publish(cluster.at(0), { to: '*', body: 'early' })
    await setup.haveAll('early')
    flood.pause()
    await cluster.isStill()
    await setup.isInStep()
    servers.hold()
    cutOff?.cutOff()
    await cluster.at(2).logged('"event":"bus_lost"')
    const tail = ['tail 0', 'tail 1', 'tail 2']
    for (const [at, body] of tail.entries()) await publish(cluster.at(at % 2), { to: '*', body })
    const had = [streams[0], streams[1]].flatMap((some) => some ?? [])
    await Promise.all(had.map((stream) => stream.has('tail 2')))
    // Of which the last one has nothing, and is there first.
    for (const link of others) if (link !== undefined) link.isRefusing = true
    const publishing = publish(cluster.at(2), { to: '*', body: 'first' })
    await servers.failOver()
    if (cutOff !== undefined) cutOff.isRefusing = false
    const first = await publishing
    for (const link of others) if (link !== undefined) link.isRefusing = false
    await cluster.isWhole(2 * BACK_MS_MAX)
    const own = LOG_FORMATS.length
    const opened = await Promise.all(cluster.all.map(async (node) => (await node.stats()).streams))
    const [left = 0, middle = 0, right = 0] = opened.map(({ open }) => open - own)
    expect(left + middle + right).toBe(STREAMS)
    flood.goOn()
    await flood.more(200, BACK_MS_MAX)
    const live = await publish(cluster.at(1), { to: '*', body: 'live' })
    await setup.haveAll('live')
    for (const stream of had) {
      // Of what they are told to have missed, they lack this one message.
      expect(stream.messages).toEqual(['early', ...tail, 'live'])
      const gaps = stream.told.flatMap(({ gap }) => gap ?? [])
      const [{ resume = '' } = {}] = gaps
      expect(gaps).toEqual([{ after: idOf(stream, 'tail 2'), resume, reason: 'lost' }])
      expect(resume >= first.id && resume < live.id).toBe(true)
    }
    for (const stream of streams[2] ?? []) {
      expect(stream.messages).toEqual(['early', 'first', ...tail, 'live'])
      expect(stream.gap).toBeUndefined()
    }
    expectExact(await flood.end(), left + middle)
  })

  test('under load, while a server is cut off, no client misses a message unnoticed or gets it twice', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    console.log(`seed ${seed}`)
    const args = (node: number) => (node === 1 ? ['--workers', '2'] : [])
    const options = { redis: { hasOwnAddress: false }, isProxied: true, args }
    await using cluster = await BusCluster.start(options)
    await using servers = new ReplicatedRedis(cluster.redis, cluster.links)
    await servers.addReplica()
    const shape = { staying: 18, restless: 18, pauseMs: 5, hasSubject: true }
    await using load = await BusLoad.start({ cluster, seed, ...shape })
    const link = cluster.links[2] as TcpProxy
    // The second replica begins with what the first one had.
    for (const _ of [1, 2]) {
      await load.more(200)
      servers.hold()
      await load.more(100)
      link.cutOff()
      await load.more(100)
      await servers.failOver()
      link.isRefusing = false
      await load.more(200, BACK_MS_MAX)
    }
    await cluster.isWhole()
    console.log(JSON.stringify(load.gaps))
    expect(await load.end()).toEqual([])
  })
})
