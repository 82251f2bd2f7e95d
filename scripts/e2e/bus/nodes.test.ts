// Goal: whatever happens to a server, its clients and publishers go on at another one, and nothing
// is lost, doubled or out of order. Method: three of the executable behind HAProxy, of which one
// after the other is killed, frozen or stopped under load with exact accounts.

import { afterEach, describe, expect, test } from 'bun:test'
import { BusCluster, publish } from '../../support/bus-cluster.ts'
import { BusLoad } from '../../support/bus-load.ts'
import { waitFor } from '../../support/child-process.ts'
import { ClusterProxy, HAS_HAPROXY } from '../../support/cluster-proxy.ts'
import { LogStream } from '../../support/log-stream.ts'
import { RawClient } from '../../support/raw-client.ts'
import { HAS_REDIS } from '../../support/redis.ts'
import { expectExact, ResumingFlood } from '../../support/resuming-flood.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

/** Milliseconds that a node is frozen: longer than others take it for alive. */
const FROZEN_MS = 2_500
const STREAMS = 120

interface Fault {
  readonly what: string
  readonly format: 'json' | 'sse' | 'websocket' | 'poll'
  /** Nodes that it befalls, one after the other. */
  readonly count: number
  readonly run: (cluster: BusCluster, node: number) => Promise<void>
}

const FAULTS: readonly Fault[] = [
  {
    ...{ what: 'is killed', format: 'json', count: 3 },
    run: async (cluster, node) => {
      await cluster.end(node, 'SIGKILL')
      await cluster.start(node)
    },
  },
  {
    ...{ what: 'is frozen and goes on', format: 'sse', count: 2 },
    run: async (cluster, node) => {
      await cluster.pause(node)
      await Bun.sleep(FROZEN_MS)
      cluster.resume(node)
    },
  },
  {
    ...{ what: 'is frozen and killed', format: 'websocket', count: 1 },
    run: async (cluster, node) => {
      await cluster.pause(node)
      await Bun.sleep(FROZEN_MS)
      await cluster.end(node, 'SIGKILL')
      await cluster.start(node)
    },
  },
  {
    ...{ what: 'is stopped in order', format: 'poll', count: 3 },
    run: async (cluster, node) => {
      const { exitCode } = await cluster.end(node, 'SIGTERM')
      expect(exitCode).toBe(0)
      await cluster.start(node)
    },
  },
]

describe.skipIf(!HAS_REDIS || !HAS_HAPROXY)('behind HAProxy', () => {
  test.each(FAULTS)('nothing is lost when a node $what, in $format', async (fault) => {
    const { format, count, run } = fault
    const args = (node: number) => (node === 2 ? ['--workers', '2'] : [])
    await using cluster = await BusCluster.start({ args })
    await using proxy = await ClusterProxy.start(cluster.ports)
    const { publicUrl, controlUrl } = proxy
    const shape = { publicUrl, controlUrl, streams: STREAMS, format, rate: 400 }
    await using flood = await ResumingFlood.start(shape)
    await flood.more(200)
    for (const node of [0, 1, 2].slice(0, count)) {
      await run(cluster, node)
      await flood.more(200)
    }
    const accounts = await flood.end()
    expectExact(accounts)
    expect(accounts.gen.sent).toBeGreaterThan(500)
    // Streams of these nodes were cut, and came back.
    expect(accounts.flood.resume?.resumed).toBeGreaterThan(STREAMS / 6)
  })
})

describe.skipIf(!HAS_REDIS)('without a proxy', () => {
  test('publishers go on at the next node by the same keys, and clients at any', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    console.log(`seed ${seed}`)
    await using cluster = await BusCluster.start()
    const load = { staying: 24, restless: 12, pauseMs: 5, hasSubject: true }
    await using running = await BusLoad.start({ cluster, seed, ...load })
    for (let node = 0; node < 3; node++) {
      await running.more(200)
      await cluster.end(node, 'SIGKILL')
      await running.more(200)
      await cluster.start(node)
      await running.more(100)
      await cluster.pause((node + 1) % 3)
      await running.more(100)
      await Bun.sleep(FROZEN_MS)
      cluster.resume((node + 1) % 3)
    }
    await cluster.isWhole()
    expect(await running.end()).toEqual([])
    expect(running.counts['gaps']).toBe(0)
    expect(running.counts['no answers']).toBeGreaterThan(0)
  })

  test('a node that ends is not waited for, and its names and follows stay', async () => {
    await using cluster = await BusCluster.start()
    const [first, second] = [cluster.at(0), cluster.at(1)]
    await first.changeFollow('PUT', 'amy', 'news')
    await cluster.end(0, 'SIGKILL')
    const names = async () => {
      const { nodes } = (await (await second.ask('/stats?all')).json()) as {
        nodes: { name: string }[]
      }
      return nodes.map(({ name }) => name).toSorted()
    }
    await waitFor('the others to notice', async () =>
      Bun.deepEquals(await names(), ['node-1', 'node-2']),
    )
    const again = await cluster.start(0)
    await waitFor('it to be there again', async () => (await names()).length === 3)
    const response = await again.ask('/users/amy/subscriptions')
    expect(await response.json()).toMatchObject({ users: ['news'] })
  })
})

const WORKERS = [[[]], [['--workers', '2']]]

describe.skipIf(!HAS_REDIS)('a server that joins', () => {
  test.each(WORKERS)('is no gap to a user with a name, %p', async (args) => {
    await using cluster = await BusCluster.start({ nodes: 2, args })
    const node = cluster.at(0)
    using before = await LogStream.open(node, 'alice', 'json')
    const { cursor } = before
    await cluster.end(1, 'SIGTERM')
    await cluster.start(1)
    const isTold = async () => (await node.stats()).history.last > cursor
    await waitFor('the log to tell of it', isTold)
    using back = await LogStream.open(node, 'alice', 'json', `after=${cursor}`)
    await publish(cluster.at(1), { to: 'alice', body: 'later' })
    for (const stream of [before, back]) {
      await stream.has('later')
      expect([stream.gap, stream.messages, stream.client.end]).toEqual([undefined, ['later'], null])
    }
  })
})

describe.skipIf(!HAS_REDIS)('a client from a place that is none', () => {
  test.each(WORKERS)('is told so, and keeps no other one waiting, %p', async (args) => {
    await using cluster = await BusCluster.start({ nodes: 1, args })
    const node = cluster.at(0)
    const { id } = await publish(node, { to: 'alice', body: 'early' })
    // More than begin at a time.
    const ahead = await Promise.all(
      Array.from({ length: 400 }, () => {
        const path = '/stream/bob?after=7fffffffffff-000000000001'
        return RawClient.open(node.publicPort, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      }),
    )
    using stream = await LogStream.open(node, 'alice', 'json', `after=${id}`)
    await publish(node, { to: 'alice', body: 'later' })
    await stream.has('later')
    await waitFor('them to be told of a gap', () =>
      ahead.every(({ chunks }) => Buffer.concat(chunks).includes('"unknown"')),
    )
    for (const client of ahead) client.terminate()
  })
})
