// Goal: a server with workers is to its clients and publishers what a server of one process is.
// Method: the executable with four workers, thousands of streams, and raw sockets that ask at once.

import { afterEach, describe, expect, test } from 'bun:test'
import { availableParallelism } from 'node:os'
import { Value } from '@sinclair/typebox/value'
import { GenReport } from '../src/gen/report.ts'
import { NO_FILE, run, type Serving, serve, waitFor } from './comet.ts'
import { chunk, FINAL_CHUNK, RawClient } from './socket.ts'
import {
  Crowd,
  childrenOf,
  connectionsOf,
  endFlood,
  flood,
  floodReport,
  follow,
  noProcessIsLeft,
  publishAll,
  STREAMS,
  serveWorkers,
  startFlood,
  TAGGED,
  tagged,
  timesIn,
  toEach,
  upFrom,
  WORKERS,
} from './workers.ts'

afterEach(noProcessIsLeft)

const FREE = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', ...NO_FILE]

describe('4,000 streams', () => {
  test('are spread over the workers, and /stats tells of each and of all together', async () => {
    await using server = await serveWorkers()
    await using flooding = await flood(server)
    const { streams, outbox, workers, process } = await server.stats()
    expect(streams).toMatchObject({ open: STREAMS, users: STREAMS, opened: STREAMS, refused: 0 })
    expect(workers).toHaveLength(WORKERS)
    const sum = (of: 'open' | 'limit' | 'refused' | 'queuedBytes') =>
      workers.reduce((total, worker) => total + worker[of], 0)
    expect(sum('open')).toBe(streams.open)
    expect(sum('limit')).toBe(streams.limit)
    expect(sum('refused')).toBe(streams.refused)
    expect(sum('queuedBytes')).toBe(outbox.queuedBytes)
    for (const [at, { number, state, restarts, open }] of workers.entries()) {
      expect({ number, state, restarts }).toEqual({ number: at, state: 'running', restarts: 0 })
      // Seven standard deviations of the kernel's dice.
      expect(open).toBeGreaterThan(800)
      expect(open).toBeLessThan(1_200)
    }
    expect(process.pid).toBe(server.process.pid)
    const pids = workers.map(({ pid }) => pid ?? 0).sort()
    expect((await childrenOf(server)).sort()).toEqual(pids)

    await endFlood(flooding)
    const after = await waitFor('the streams to go', async () => {
      const stats = await server.stats()
      return stats.streams.open === 0 && stats
    })
    expect(after.streams.users).toBe(0)
    expect(after.streams.closed).toEqual({ client: STREAMS, slow: 0, drained: 0, lost: 0 })
  })

  test('receive what gen is promised, once and in order', async () => {
    await using server = await serveWorkers()
    await using flooding = await flood(server)
    const generated = await run([
      'gen',
      server.controlUrl,
      ...['--rate', '5k', '--users', '4800', '--duration', '2s', '--json'],
    ])
    expect(generated.exitCode).toBe(0)
    const gen = Value.Parse(GenReport, JSON.parse(generated.out))
    expect([gen.sent, gen.rejected]).toEqual([10_000, 0])
    // A sixth of the users is not connected; the promise knows.
    expect(gen.delivered).toBeLessThan(gen.sent)
    expect(gen.delivered).toBeGreaterThan(gen.sent / 2)
    const { deliveries } = await server.stats()
    expect(deliveries).toEqual({ handed: gen.delivered, undelivered: 0, skipped: 0 })
    const report = await endFlood(flooding)
    expect((await flooding.finished).exitCode).toBe(0)
    expect(report.received).toMatchObject({
      messages: gen.delivered,
      chunks: gen.delivered + STREAMS,
      duplicated: 0,
      reordered: 0,
      untracked: 0,
    })
    expect(report.errors).toEqual({})
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'end properly at %s, and so do all processes; the workers do not heed it',
    async (name) => {
      await using server = await serveWorkers()
      await using flooding = await flood(server)
      await using client = await RawClient.stream(server.publicPort, 5_000)
      // A terminal sends it to every process of the group, systemd too.
      for (const pid of await childrenOf(server)) process.kill(pid, name)
      expect(await publishAll(server, toEach(upFrom(1, STREAMS), 'still here'))).toEqual({
        delivered: STREAMS,
        skipped: 0,
      })
      for (const worker of (await server.stats()).workers) {
        expect(worker).toMatchObject({ state: 'running', restarts: 0 })
      }
      expect(await server.publish({ to: 5_000, body: 'last words' })).toBe(1)
      server.process.kill(name)
      const { exitCode, words } = await server.finished
      expect(exitCode).toBe(0)
      expect(words).toContain('Ending 4,001 streams')
      expect(words).toContain('All streams have ended')
      expect(words).not.toContain('worker_ended')
      expect(await client.ended()).toEndWith(chunk('last words') + FINAL_CHUNK)
      expect(floodReport(await flooding.finished).errors).toEqual({ ended: STREAMS })
      await waitFor('the workers to end', () => tagged().length === 0, 2_000)
    },
  )
})

describe('one message', () => {
  test('reaches all streams of a user, whichever workers hold them', async () => {
    await using server = await serveWorkers()
    const before = Date.now()
    await using crowd = await Crowd.open(server, Array<number>(24).fill(7))
    expect(crowd.split().rest).not.toBeEmpty()
    expect(await connectionsOf(server, 7)).toBe(24)
    const { since } = (await (await fetch(`${server.controlUrl}/users/7`)).json()) as {
      since: string
    }
    expect(Date.parse(since)).toBeGreaterThanOrEqual(before - 1)
    expect((await server.stats()).streams).toMatchObject({ open: 24, users: 1 })
    expect(await server.publish({ to: 7, body: 'all of you' })).toBe(24)
    for (const { client } of crowd.all) await client.received(chunk('all of you'))

    for (const { client } of crowd.split().of) client.close()
    const left = crowd.split().rest
    await waitFor('some to leave', async () => (await connectionsOf(server, 7)) === left.length)
    expect(await server.publish({ to: 7, body: 'the rest' })).toBe(left.length)
    for (const { client } of left) {
      expect(await client.received(chunk('the rest'))).toEndWith(
        chunk('all of you') + chunk('the rest'),
      )
    }
  })

  test('about a subject reaches its followers in all workers, once', async () => {
    await using server = await serveWorkers()
    const followers = upFrom(101, 30)
    await follow(server, 100, followers)
    // The subject itself, a follower with two streams, and one who does not follow.
    await using crowd = await Crowd.open(server, [...followers, 100, 101])
    await using stranger = await RawClient.stream(server.publicPort, 99)
    expect(new Set(crowd.all.map(({ worker }) => worker)).size).toBeGreaterThan(1)
    expect(await server.publish({ subject: 100, body: 'news' })).toBe(32)
    expect(await server.publish({ subject: 101, body: 'own' })).toBe(2)
    expect(await server.publish({ to: 100, body: 'private' })).toBe(1)
    // What comes after proves that nothing came twice.
    expect(await publishAll(server, toEach([...followers, 100, 99], 'end'))).toEqual({
      delivered: 33,
      skipped: 0,
    })
    for (const { client } of crowd.all) {
      expect(timesIn(await client.received(chunk('end')), chunk('news'))).toBe(1)
    }
    expect(await stranger.received(chunk('end'))).not.toContain('news')
  })
})

test('whoever has read a welcome and then lets somebody publish gets the message, 500 times', async () => {
  await using server = await serveWorkers()
  // Four thousand others come at the same time.
  await using _flooding = startFlood(server)
  const lanes = upFrom(0, 10).map(async (lane) => {
    const delivered: number[] = []
    for (const user of upFrom(10_001 + lane * 50, 50)) {
      // A connection of its own for each: what is accepted late is read at once.
      await using publisher = await RawClient.open(server.controlPort)
      delivered.push(await publishOnWelcome(server, user, publisher))
    }
    return delivered
  })
  expect((await Promise.all(lanes)).flat()).toEqual(Array<number>(500).fill(1))
  expect((await server.stats()).messages.dropped).toBe(0)
  await waitFor('the others', async () => (await server.stats()).streams.open === STREAMS)
})

/** Publishes to a user in the very turn of the loop that reads the user's welcome. */
async function publishOnWelcome(server: Serving, user: number, publisher: RawClient) {
  const body = `{"to":${user},"body":"hello ${user}"}`
  const post = `POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const { promise: received, resolve } = Promise.withResolvers<void>()
  const welcome = `Id: ${user}\n`
  let text = ''
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: server.publicPort,
    socket: {
      data: (_, bytes) => {
        const before = text
        text += bytes.toString()
        if (text.includes(welcome) && !before.includes(welcome)) publisher.send(post)
        if (text.includes(`hello ${user}`)) resolve()
      },
    },
  })
  socket.write(`GET /test/${user} HTTP/1.1\r\nHost: x\r\n\r\n`)
  const answer = await publisher.received('}')
  const delivered = Number(answer.match(/"delivered":(\d+)/)?.[1])
  if (delivered === 1) await received
  socket.end()
  return delivered
}

test('answers that are not streams are those of one process', async () => {
  await using one = await serve()
  await using many = await serveWorkers()
  const answer = async (url: string, init: RequestInit) => {
    const response = await fetch(url, init)
    const { date: _, ...headers } = Object.fromEntries(response.headers)
    return { status: response.status, headers, text: await response.text() }
  }
  for (const path of ['/test/0', '/test/x', '/test/1114113', '/test', '/', '/stats']) {
    for (const method of ['GET', 'POST']) {
      const expected = await answer(one.publicUrl + path, { method })
      expect(expected.status).toBeGreaterThanOrEqual(400)
      expect(await answer(many.publicUrl + path, { method })).toEqual(expected)
    }
  }
  for (const path of ['/users/0', '/users/5', '/livez', '/readyz', '/test/1', '/messages']) {
    const expected = await answer(one.controlUrl + path, {})
    expect(await answer(many.controlUrl + path, {})).toEqual(expected)
  }
})

describe('how many workers there are', () => {
  test('is one a core with --workers auto', async () => {
    await using server = await serve(['--workers', 'auto'], TAGGED)
    const cores = availableParallelism()
    expect((await server.stats()).workers).toHaveLength(cores === 1 ? 0 : cores)
    await using _client = await RawClient.stream(server.publicPort, 1)
    expect(await server.publish({ to: 1, body: 'x' })).toBe(1)
  })

  test('is what --connections need under the open-files limit', async () => {
    await using server = await serve(['--connections', '1k'], { ...TAGGED, openFiles: 400 })
    const { workers, streams } = await server.stats()
    // Each has 336 files for streams; three would have no room for an uneven deal.
    expect(workers).toHaveLength(4)
    expect(streams.limit).toBe(4 * 336)
    expect(server.words()).toContain('Up to 1,344 streams in 4 workers')
    await using flooding = await flood(server, 1_000)
    expect((await server.stats()).streams).toMatchObject({ open: 1_000, users: 1_000, refused: 0 })
    expect(await publishAll(server, toEach(upFrom(1, 1_000), 'x'))).toMatchObject({
      delivered: 1_000,
    })
    const report = await endFlood(flooding)
    expect(report.connections).toEqual({ wanted: 1_000, opened: 1_000, failed: 0, closed: 0 })
  })

  test('is none besides the server when --connections fit into it', async () => {
    await using server = await serve(['--connections', '300'], { ...TAGGED, openFiles: 400 })
    expect((await server.stats()).workers).toEqual([])
    expect(await childrenOf(server)).toEqual([])
  })

  test.each([
    [['--workers', '2', '--connections', '1k'], 'give --workers or --connections, not both'],
    [['--workers', '0'], '--workers'],
    [['--workers', 'many'], '--workers'],
    [['--workers', '1025'], '--workers'],
    [['--connections', '1m'], 'more than 1,024 workers'],
  ])('%p is a usage error, exit 2', async (args, words) => {
    const finished = await run(['serve', ...FREE, ...args], { ...TAGGED, openFiles: 200 })
    expect([finished.exitCode, finished.out]).toEqual([2, ''])
    expect(finished.words).toContain(words)
  })

  test('divides --max-streams, and a server whose workers are all full says so', async () => {
    await using server = await serveWorkers(['--max-streams', '400'])
    const url = `${server.publicUrl}/test/{id}`
    const flooded = await run(['flood', url, '--connections', '1k', '--duration', '2s', '--json'])
    expect(floodReport(flooded).errors).toEqual({ status_503: 600 })
    await using crowd = new AsyncDisposableStack()
    for (const user of upFrom(1, 1_000)) {
      crowd.use(
        await RawClient.open(server.publicPort, `GET /test/${user} HTTP/1.1\r\nHost: x\r\n\r\n`),
      )
    }
    const { workers, streams, state } = await waitFor('all to be answered', async () => {
      const stats = await server.stats()
      return stats.streams.refused === 1_200 && stats
    })
    expect([streams.open, streams.limit, state]).toEqual([400, 400, 'full'])
    expect(workers.map(({ open, limit }) => [open, limit])).toEqual(Array(4).fill([100, 100]))
    expect((await fetch(`${server.controlUrl}/readyz`)).status).toBe(503)
  })
})

describe('a port in use is an error, exit 69', () => {
  test.each([
    ['workers', 'workers'],
    ['workers', 'none'],
    ['none', 'workers'],
  ])('the first with %s, the second with %s', async (first, second) => {
    const args = (which: string) => (which === 'workers' ? ['--workers', '4'] : [])
    await using server = await serve(args(first), TAGGED)
    const address = `127.0.0.1:${server.publicPort}`
    const listen = ['--listen', address, '--control', '127.0.0.1:0', ...NO_FILE]
    const refused = await run(['serve', ...listen, ...args(second)], TAGGED)
    expect(refused.exitCode).toBe(69)
    expect(refused.words).toContain(`the public port ${address} is in use`)
    expect(refused.words.trim().split('\n')).toHaveLength(1)
    const control = `127.0.0.1:${server.controlPort}`
    const controls = ['--listen', '127.0.0.1:0', '--control', control, ...NO_FILE]
    const alsoRefused = await run(['serve', ...controls, ...args(second)], TAGGED)
    expect(alsoRefused.exitCode).toBe(69)
    expect(alsoRefused.words).toContain(`the control port ${control} is in use`)
    // The one that is there has not noticed.
    await using _client = await RawClient.stream(server.publicPort, 1)
    expect(await server.publish({ to: 1, body: 'x' })).toBe(1)
  })
})
