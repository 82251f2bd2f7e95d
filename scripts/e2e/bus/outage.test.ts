// Goal: while Redis is away, streams stay and publishers wait or are refused; when it is back,
// everybody has what was accepted, once and in order, or was told of a gap. Method: three of the
// executable, and a redis-server that is killed, stopped, frozen and emptied under load.

import { afterEach, describe, expect, test } from 'bun:test'
import { BACK_MS_MAX, BusCluster, publish } from '../../support/bus-cluster.ts'
import { BusLoad } from '../../support/bus-load.ts'
import { waitFor } from '../../support/child-process.ts'
import { ask, type CometServer } from '../../support/comet.ts'
import { LOG_FORMATS, LogStream, type Told } from '../../support/log-stream.ts'
import { RawClient } from '../../support/raw-client.ts'
import { HAS_REDIS, type RedisServer } from '../../support/redis.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

/** Milliseconds that Redis is away: less than publishers wait, and more than nodes wait for it. */
const AWAY_MS = 2_000
const FROZEN_MS = 4_500

async function post(server: CometServer, message: object) {
  const startedMs = performance.now()
  const response = await server.ask('/messages', { method: 'POST', body: JSON.stringify(message) })
  const answer = (await response.json()) as { id?: string; error?: { code: string } }
  const retryAfter = response.headers.get('retry-after')
  return { status: response.status, ...answer, retryAfter, ms: performance.now() - startedMs }
}

interface Fault {
  readonly what: string
  readonly isDurable: boolean
  /** Are its connections lost? */
  readonly isOutage: boolean
  readonly run: (redis: RedisServer) => Promise<void>
}

async function killed(redis: RedisServer): Promise<void> {
  await redis.kill()
  await Bun.sleep(AWAY_MS)
  await redis.startAgain()
}

const FAULTS: readonly Fault[] = [
  { what: 'is killed, with a file', isDurable: true, isOutage: true, run: killed },
  { what: 'is killed, without a file', isDurable: false, isOutage: true, run: killed },
  {
    ...{ what: 'is stopped in order, with a file', isDurable: true, isOutage: true },
    run: async (redis) => {
      await redis.stop()
      await Bun.sleep(AWAY_MS)
      await redis.startAgain()
    },
  },
  {
    ...{ what: 'stands still', isDurable: false, isOutage: true },
    run: async (redis) => {
      redis.pause()
      await Bun.sleep(FROZEN_MS)
      redis.resume()
    },
  },
  {
    ...{ what: 'is emptied', isDurable: false, isOutage: false },
    run: async (redis) => {
      await redis.command('FLUSHALL')
    },
  },
]

describe.skipIf(!HAS_REDIS)('under load', () => {
  test.each(FAULTS)('no client loses a message unnoticed when Redis $what', async (fault) => {
    const { isDurable, isOutage, run } = fault
    const seed = Math.floor(Math.random() * 2 ** 31)
    console.log(`seed ${seed}`)
    const workers = (node: number) => (node === 1 ? ['--workers', '2'] : [])
    await using cluster = await BusCluster.start({ redis: { isDurable }, args: workers })
    const load = { staying: 18, restless: 18, pauseMs: 5 }
    // Who follows whom is in Redis, and lost with it.
    await using running = await BusLoad.start({
      ...{ cluster, seed },
      ...load,
      hasSubject: isDurable,
    })
    await running.more(300)
    await run(cluster.redis)
    await running.more(300, BACK_MS_MAX)
    await cluster.isWhole()
    expect(await running.end()).toEqual([])
    expect(running.counts['messages']).toBeGreaterThan(1_000)
    // Publishers waited, and all of them were answered.
    expect(Object.keys(running.counts).filter((what) => what.includes('answers'))).toEqual([])
    // All nodes live, and between them they have all that a Redis without a file has lost. What two
    // of them add again at the same moment may come in another order than streams have had it.
    if (isDurable) expect(running.counts['gaps']).toBe(0)
    for (const client of running.clients.slice(0, load.staying)) {
      if (client.format !== 'poll')
        expect([client.format, client.connections]).toEqual([client.format, 1])
    }
    for (const node of cluster.all) {
      const lost = isOutage ? 1 : 0
      expect(node.timesLogged('bus_lost')).toBe(lost)
      // With the one of its start.
      expect(node.timesLogged('bus_connected')).toBe(1 + lost)
    }
  })

  test('streams stay open with heartbeats, and a publisher waits until Redis is back', async () => {
    const args = (node: number) => ['--heartbeat', '1s', ...(node === 1 ? ['--workers', '2'] : [])]
    await using cluster = await BusCluster.start({ redis: { isDurable: true }, args })
    const streams = await Promise.all(
      cluster.all.flatMap((node) => LOG_FORMATS.map((format) => LogStream.open(node, 7, format))),
    )
    await publish(cluster.at(0), { to: 7, body: 'before' })
    await Promise.all(streams.map((stream) => stream.has('before')))
    const { cursor } = streams[0] as LogStream
    await cluster.redis.kill()
    await Promise.all(cluster.all.map((node) => node.logged('"event":"bus_lost"')))
    const before = streams.map(({ client }) => client.chunks.length)
    const waiting = cluster.all.map((node, at) => post(node, { to: 7, body: `waits at ${at}` }))
    let answered = 0
    for (const answer of waiting) answer.then(() => answered++)
    await waitFor('two heartbeats on all streams', () =>
      streams.every(({ client }, at) => client.chunks.length >= (before[at] ?? 0) + 2),
    )
    // A client that comes back meanwhile is served from the memory of its node.
    using back = await LogStream.open(cluster.at(2), 7, 'json', `after=${cursor}`)
    expect([back.told, answered]).toEqual([[{ id: cursor }], 0])
    await cluster.redis.startAgain()
    const answers = await Promise.all(waiting)
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    const ids = answers.map(({ id }) => id ?? '').toSorted()
    for (const stream of [...streams, back]) {
      await waitFor('all that waited', () => stream.cursor === ids.at(-1))
      expect(stream.told.filter(({ id }) => ids.includes(id ?? '')).map(({ id }) => id)).toEqual(
        ids,
      )
      expect([stream.client.end, stream.gap]).toEqual([null, undefined])
    }
    for (const stream of streams) stream.client.terminate()
  })
})

/** Publishes on a connection of its own: `fetch` has no more than 256 requests under way. */
function posting({ controlPort }: CometServer, body: string): Promise<RawClient> {
  const fields = ['Host: localhost', `Content-Length: ${body.length}`]
  const head = ['POST /messages HTTP/1.1', ...fields, '', ''].join('\r\n')
  return RawClient.open(controlPort, head + body)
}

/** All messages of a user behind a place, a page after the other. */
async function pagesOf({ publicUrl }: CometServer, user: string, after: string): Promise<Told[]> {
  const told: Told[] = []
  for (let offset = after; ; ) {
    const response = await ask(publicUrl, `/stream/${user}?offset=${offset}`)
    expect(response.status).toBe(200)
    told.push(...((await response.json()) as Told[]))
    offset = response.headers.get('stream-next-offset') ?? ''
    if (response.headers.has('stream-up-to-date')) return told
  }
}

describe.skipIf(!HAS_REDIS)('publishers', () => {
  test('beyond what may wait they are refused at once, and what waits is not lost', async () => {
    await using cluster = await BusCluster.start({ nodes: 2 })
    const { id: begun } = await publish(cluster.at(0), { to: 'sink', body: 'first' })
    cluster.redis.pause()
    // More than the 16 MiB of the queue.
    const sent = Array.from({ length: 330 }, (_, at) => `${at} `.padEnd(60_000, 'x'))
    const clients = await Promise.all(
      sent.map((body) => posting(cluster.at(0), JSON.stringify({ to: 'sink', body }))),
    )
    const answered = () => clients.filter(({ head }) => head !== null)
    await waitFor('some to be refused', () => answered().length >= 20)
    const early = answered()
    for (const client of early) {
      const { status, fields } = await client.headed()
      expect([status, fields.get('retry-after')]).toEqual([503, '2'])
      await client.received('"bus_unavailable"')
    }
    cluster.redis.resume()
    await waitFor('all to be answered', () => answered().length === sent.length)
    const accepted: { id: string; body: string }[] = []
    for (const [at, client] of clients.entries()) {
      const { status } = await client.headed()
      if (status === 200) {
        const text = await client.received('}')
        accepted.push({ id: /"id":"([^"]+)"/.exec(text)?.[1] ?? '', body: sent[at] as string })
      } else expect([at, status]).toEqual([at, 503])
      client.terminate()
    }
    // As many as there is room for.
    expect(accepted.length).toBeWithin(270, 285)
    accepted.sort((one, other) => (one.id < other.id ? -1 : 1))
    const { id: top } = await publish(cluster.at(1), { to: 'sink', body: 'last' })
    for (const node of cluster.all) {
      await waitFor('it to have read all', async () => {
        const { last } = (await node.stats()).history
        return last >= top
      })
      const told = await pagesOf(node, 'sink', begun)
      const got = told.slice(0, -1).map(({ id, body }) => ({ id, body: body ?? '' }))
      expect(got.length).toBe(accepted.length)
      expect(got).toEqual(accepted)
    }
  })

  test('after ten seconds they are told that nothing was sent, and nothing comes of it', async () => {
    const args = (node: number) => (node === 1 ? ['--bus-required'] : [])
    await using cluster = await BusCluster.start({ nodes: 2, redis: { isDurable: true }, args })
    const [free, required] = [cluster.at(0), cluster.at(1)]
    const ready = async (node: CometServer) => {
      const response = await node.ask('/readyz')
      return [response.status, ((await response.json()) as { status: string }).status]
    }
    const isHealthy = async (node: CometServer) => (await ask(node.publicUrl, '/health')).status
    using stream = await LogStream.open(required, 'alice', 'json')
    expect([await ready(free), await ready(required)]).toEqual([
      [200, 'ready'],
      [200, 'ready'],
    ])
    await cluster.redis.kill()
    await Promise.all(cluster.all.map((node) => node.logged('"event":"bus_lost"')))
    const posting = cluster.all.map((node) => post(node, { to: 'alice', body: 'in vain' }))
    const following = free.ask('/users/alice/subscriptions/news', { method: 'PUT' })
    await waitFor('it not to be ready', async () =>
      Bun.deepEquals(await ready(required), [503, 'disconnected']),
    )
    expect([await ready(free), await isHealthy(free)]).toEqual([[200, 'ready'], 200])
    for (const answer of await Promise.all(posting)) {
      const error = { code: 'bus_unavailable' }
      expect(answer).toMatchObject({ status: 503, retryAfter: '2', error })
      expect(answer.ms).toBeWithin(9_000, 14_000)
    }
    const followed = await following
    const { error } = (await followed.json()) as { error?: { code: string } }
    expect([followed.status, error?.code]).toEqual([503, 'bus_unavailable'])
    expect(followed.headers.get('retry-after')).toBe('2')
    // What is no message is refused at once.
    for (const request of [
      ask(free.controlUrl, '/tickets', { method: 'POST', body: '{"user":"alice"}' }),
      ask(free.controlUrl, '/users/alice/streams', { method: 'DELETE' }),
    ]) {
      const { status, headers } = await request
      expect([status, headers.get('retry-after')]).toEqual([503, '2'])
    }
    await cluster.redis.startAgain()
    await waitFor('it to be ready', async () => (await ready(required))[0] === 200, BACK_MS_MAX)
    await cluster.isWhole()
    await publish(free, { subject: 'news', body: 'not followed' })
    await publish(free, { to: 'alice', body: 'end' })
    await stream.has('end')
    expect([stream.messages, stream.gap]).toEqual([['end'], undefined])
    for (const node of cluster.all) {
      expect(node.timesLogged('bus_lost')).toBe(1)
      expect(node.timesLogged('bus_connected')).toBe(2)
    }
  })
})

describe.skipIf(!HAS_REDIS)('what is lost', () => {
  test('is told as a gap to who comes back, when Redis and all servers have forgotten it', async () => {
    await using cluster = await BusCluster.start({ nodes: 2 })
    const { id } = await publish(cluster.at(0), { to: 'alice', body: 'forgotten' })
    await cluster.redis.kill()
    for (const at of [0, 1]) await cluster.end(at, 'SIGKILL')
    await cluster.redis.startAgain()
    for (const at of [0, 1]) await cluster.start(at)
    for (const [at, format] of LOG_FORMATS.entries()) {
      using stream = await LogStream.open(cluster.at(at % 2), 'alice', format, `after=${id}`)
      expect(stream.gap).toMatchObject({ after: id, reason: 'unknown' })
      const live = await publish(cluster.at(0), { to: 'alice', body: format })
      await stream.has(format)
      // New ids sort behind all old ones.
      expect(live.id > id).toBe(true)
    }
  })

  test('beyond what servers can add again is a gap for whom it was for, or comes', async () => {
    await using cluster = await BusCluster.start({ nodes: 2 })
    const begun = await publish(cluster.at(0), { to: 'carol', body: 'begin' })
    await publish(cluster.at(0), { to: 'alice', body: 'early' })
    // Of which only the last 8 MiB can be added again.
    const body = 'x'.repeat(60_000)
    for (let at = 0; at < 20; at++) {
      const messages = Array.from({ length: 10 }, () =>
        publish(cluster.at(1), { to: 'sink', body }),
      )
      await Promise.all(messages)
    }
    await publish(cluster.at(1), { to: 'bob', body: 'late' })
    using there = await LogStream.open(cluster.at(0), 'alice', 'json')
    await cluster.redis.command('FLUSHALL')
    await cluster.isWhole()
    for (const node of cluster.all) {
      for (const [user, text] of [
        ['alice', 'early'],
        ['bob', 'late'],
      ] as const) {
        using stream = await LogStream.open(node, user, 'json', `after=${begun.id}`)
        if (stream.gap === undefined) await stream.has(text)
        expect(stream.messages).toEqual(stream.gap === undefined ? [text] : [])
      }
    }
    await publish(cluster.at(1), { to: 'alice', body: 'live' })
    await there.has('live')
    expect(there.messages).toEqual(['live'])
  })
})
