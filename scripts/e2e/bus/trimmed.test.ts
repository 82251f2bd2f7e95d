// Goal: a server that stands still while the log is trimmed past it tells its streams of a gap when
// it goes on, and no other client is told of one. Method: three of the executable with a short log,
// one of which is stopped; a flood behind HAProxy with exact accounts, and streams of each server.

import { afterEach, expect, test } from 'bun:test'
import { BusCluster, publish } from '../../support/bus-cluster.ts'
import { childrenOf, waitFor } from '../../support/child-process.ts'
import { ClusterProxy, HAS_HAPROXY } from '../../support/cluster-proxy.ts'
import { LOG_FORMATS, LogStream } from '../../support/log-stream.ts'
import { HAS_REDIS, type RedisServer } from '../../support/redis.ts'
import { expectExact, ResumingFlood } from '../../support/resuming-flood.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

const IS_POSSIBLE = HAS_REDIS && HAS_HAPROXY
const STREAMS = 60
/** Messages of 60 kB at once, while the log is to be trimmed: a part of the publishing queue. */
const BURST = 10

afterEach(noProcessIsLeft)

/** The messages that the log has left; their entries are found by their text. */
async function hasMessage(redis: RedisServer, text: string): Promise<boolean> {
  const entries = await redis.command('XRANGE', 'comet:log', '-', '+')
  return JSON.stringify(entries).includes(text)
}

/** Stops a server with its workers, which would otherwise keep their streams. */
async function freeze(cluster: BusCluster, at: number): Promise<Disposable & { end(): void }> {
  const workers = childrenOf(cluster.at(at).pid)
  await cluster.pause(at)
  for (const pid of workers) process.kill(pid, 'SIGSTOP')
  let isFrozen = true
  const end = () => {
    if (!isFrozen) return
    isFrozen = false
    for (const pid of workers) process.kill(pid, 'SIGCONT')
    cluster.resume(at)
  }
  return { end, [Symbol.dispose]: end }
}

test.skipIf(!IS_POSSIBLE).each([[[]], [['--workers', '2']]])(
  'a server past which the log was trimmed tells its streams of a gap, and no other does, %p',
  async (ofFrozen) => {
    const args = (node: number) => ['--history', '1MiB', ...(node === 2 ? ofFrozen : [])]
    await using cluster = await BusCluster.start({ args })
    await using proxy = await ClusterProxy.start(cluster.ports)
    const { publicUrl, controlUrl } = proxy
    const shape = { streams: STREAMS, format: 'json', rate: 200 } as const
    await using flood = await ResumingFlood.start({ publicUrl, controlUrl, ...shape })
    await using cleanup = new AsyncDisposableStack()
    const open = async (at: number) => {
      const opening = LOG_FORMATS.map((format) => LogStream.open(cluster.at(at), 'alice', format))
      return (await Promise.all(opening)).map((stream) => cleanup.use(stream))
    }
    const behind = await open(2)
    const others = [...(await open(0)), ...(await open(1))]
    await flood.more(200)
    const early = await publish(cluster.at(2), { to: 'alice', body: 'early' })
    await Promise.all([...behind, ...others].map((stream) => stream.has('early')))
    using frozen = await freeze(cluster, 2)
    await waitFor('the flood to be with the other servers', async () => {
      const stats = await Promise.all([0, 1].map((at) => cluster.at(at).stats()))
      const opened = stats.map(({ streams }) => streams.open)
      return opened.reduce((sum, count) => sum + count, 0) === STREAMS + others.length
    })
    // What they have missed meanwhile has come, or is there.
    await flood.more(200)
    const missed = await publish(cluster.at(0), { to: 'alice', body: 'missed by some' })
    await waitFor('the log to be trimmed', async () => {
      const body = 'x'.repeat(60_000)
      const burst = Array.from({ length: BURST }, (_, at) => {
        return publish(cluster.at(at % 2), { to: 'sink', body })
      })
      await Promise.all(burst)
      return !(await hasMessage(cluster.redis, 'missed by some'))
    })
    frozen.end()
    await cluster.isWhole()
    for (const at of [0, 1, 2]) await publish(cluster.at(at), { to: 'alice', body: `live ${at}` })
    await Promise.all([...behind, ...others].map((stream) => stream.has('live 2')))
    const live = ['live 0', 'live 1', 'live 2']
    for (const stream of others) {
      expect(stream.messages).toEqual(['early', 'missed by some', ...live])
      expect([stream.gap, stream.client.end]).toEqual([undefined, null])
    }
    for (const stream of behind) {
      expect(stream.messages).toEqual(['early', ...live])
      const gaps = stream.told.flatMap(({ gap }) => gap ?? [])
      const [{ after = '', resume = '' } = {}] = gaps
      expect(gaps).toEqual([{ after, resume, reason: 'lost' }])
      expect(after >= early.id && after < missed.id && resume > missed.id).toBe(true)
      expect(stream.client.end).toBeNull()
    }
    await flood.more(200)
    expectExact(await flood.end())
  },
)
