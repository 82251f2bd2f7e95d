// Goal: clients and publishers see no difference between a server with workers and one of one
// process. Method: the executable with four workers, thousands of streams, and raw sockets that ask
// at once.

import { afterEach, describe, expect, test } from 'bun:test'
import { childrenOf, waitFor } from '../../support/child-process.ts'
import {
  ask,
  type CometServer,
  NONE_CLOSED,
  NONE_REFUSED,
  run,
  serve,
} from '../../support/comet.ts'
import { chunk, FINAL_CHUNK, RawClient } from '../../support/raw-client.ts'
import { floodReport, genReport } from '../../support/reports.ts'
import {
  Crowd,
  connectionsOf,
  endFlood,
  flood,
  follow,
  noProcessIsLeft,
  publishAll,
  STREAMS,
  serveWorkers,
  startFlood,
  tagged,
  timesIn,
  toEach,
  upFrom,
  WORKERS,
} from '../../support/workers.ts'

afterEach(noProcessIsLeft)

describe('4,000 streams of a server with workers', () => {
  test('are spread over the workers, and /stats counts them by worker and in sum', async () => {
    await using server = await serveWorkers()
    await using flooding = await flood(server)
    const { streams, outbox, workers, process } = await server.stats()
    expect(streams).toMatchObject({ open: STREAMS, users: STREAMS, opened: STREAMS })
    expect(streams.refused).toEqual(NONE_REFUSED)
    expect(workers).toHaveLength(WORKERS)
    const sum = (of: 'open' | 'limit' | 'refused' | 'queuedBytes') =>
      workers.reduce((total, worker) => total + worker[of], 0)
    expect(sum('open')).toBe(streams.open)
    expect(sum('limit')).toBe(streams.limit)
    expect(sum('refused')).toBe(0)
    expect(sum('queuedBytes')).toBe(outbox.queuedBytes)
    for (const [at, { number, state, restarts, open }] of workers.entries()) {
      expect({ number, state, restarts }).toEqual({ number: at, state: 'running', restarts: 0 })
      // Seven standard deviations of the kernel's dice.
      expect(open).toBeGreaterThan(800)
      expect(open).toBeLessThan(1_200)
    }
    expect(process.pid).toBe(server.pid)
    const pids = workers.map(({ pid }) => pid ?? 0).sort()
    expect(childrenOf(server.pid).sort()).toEqual(pids)

    await endFlood(flooding)
    const after = await waitFor('the streams to go', async () => {
      const stats = await server.stats()
      return stats.streams.open === 0 && stats
    })
    expect(after.streams.users).toBe(0)
    expect(after.streams.closed).toEqual({ ...NONE_CLOSED, client: STREAMS })
  })

  test('receive what the server has promised to gen, once and in order', async () => {
    await using server = await serveWorkers()
    await using flooding = await flood(server)
    const generated = await run([
      'gen',
      server.controlUrl,
      ...['--rate', '5k', '--users', '4800', '--messages', '10000', '--json'],
    ])
    expect(generated.exitCode).toBe(0)
    const gen = genReport(generated)
    expect([gen.sent, gen.rejected]).toEqual([10_000, 0])
    // A sixth of the users is not connected; the promise knows.
    expect(gen.delivered).toBeLessThan(gen.sent)
    expect(gen.delivered).toBeGreaterThan(gen.sent / 2)
    const { deliveries } = await server.stats()
    expect(deliveries).toMatchObject({
      delivered: gen.delivered,
      undelivered: 0,
      skipped: 0,
      unknown: 0,
    })
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
    'end with their final chunk at %s, as do all processes, though workers ignore the signal',
    async (name) => {
      await using server = await serveWorkers()
      await using flooding = await flood(server)
      await using client = await RawClient.stream(server.publicPort, 5_000)
      // A terminal sends it to every process of the group, systemd too.
      for (const pid of childrenOf(server.pid)) process.kill(pid, name)
      expect(await publishAll(server, toEach(upFrom(1, STREAMS), 'still here'))).toEqual({
        delivered: STREAMS,
        skipped: 0,
      })
      for (const worker of (await server.stats()).workers) {
        expect(worker).toMatchObject({ state: 'running', restarts: 0 })
      }
      expect(await server.publish({ to: 5_000, body: 'last words' })).toBe(1)
      server.kill(name)
      const { exitCode, stderr } = await server.finished
      expect(exitCode).toBe(0)
      expect(stderr).toContain('Ending 4,001 streams')
      expect(stderr).toContain('All streams have ended')
      expect(stderr).not.toContain('worker_ended')
      expect(await client.ended()).toEndWith(chunk('last words') + FINAL_CHUNK)
      expect(floodReport(await flooding.finished).errors).toEqual({ ended: STREAMS })
      await waitFor('the workers to end', () => tagged().length === 0, 2_000)
    },
  )
})

describe('a message to a server with workers', () => {
  test('reaches all streams of a user, over all workers', async () => {
    await using server = await serveWorkers()
    const before = Date.now()
    await using crowd = await Crowd.open(server, Array<number>(24).fill(7))
    expect(crowd.split().rest).not.toBeEmpty()
    expect(await connectionsOf(server, 7)).toBe(24)
    const { since } = (await (await server.ask('/users/7')).json()) as {
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

  test('about a subject reaches its followers in all workers once', async () => {
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

test('a message published once the greeting is read arrives, 500 times of 500', async () => {
  await using server = await serveWorkers()
  // Four thousand others come at the same time.
  await using _flooding = startFlood(server)
  const lanes = upFrom(0, 10).map(async (lane) => {
    const delivered: number[] = []
    for (const user of upFrom(10_001 + lane * 50, 50)) {
      // A connection of its own for each: what is accepted late is read at once.
      await using publisher = await RawClient.open(server.controlPort)
      delivered.push(await publishOnGreeting(server, user, publisher))
    }
    return delivered
  })
  expect((await Promise.all(lanes)).flat()).toEqual(Array<number>(500).fill(1))
  expect((await server.stats()).messages.dropped).toBe(0)
  await server.open(STREAMS)
})

/** Publishes to a user in the turn of the loop that reads the user's greeting. */
async function publishOnGreeting(server: CometServer, user: number, publisher: RawClient) {
  const body = `{"to":${user},"body":"hello ${user}"}`
  const post = `POST /messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const { promise: received, resolve } = Promise.withResolvers<void>()
  const greeting = `Id: ${user}\n`
  let text = ''
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: server.publicPort,
    socket: {
      data: (_, bytes) => {
        const before = text
        text += bytes.toString()
        if (text.includes(greeting) && !before.includes(greeting)) publisher.send(post)
        if (text.includes(`hello ${user}`)) resolve()
      },
    },
  })
  socket.write(`GET /test/${user} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  const answer = await publisher.received('}')
  const delivered = Number(answer.match(/"delivered":(\d+)/)?.[1])
  if (delivered === 1) await received
  socket.end()
  return delivered
}

test('a server with workers answers other requests as one process does', async () => {
  await using one = await serve()
  await using many = await serveWorkers()
  const answer = async (url: string, path: string, request?: RequestInit) => {
    const response = await ask(url, path, request)
    const { date: _, ...headers } = Object.fromEntries(response.headers)
    return { status: response.status, headers, text: await response.text() }
  }
  for (const path of ['/test/0', '/test/x', '/test/1114113', '/test', '/', '/stats']) {
    for (const method of ['GET', 'POST']) {
      const expected = await answer(one.publicUrl, path, { method })
      expect(expected.status).toBeGreaterThanOrEqual(400)
      expect(await answer(many.publicUrl, path, { method })).toEqual(expected)
    }
  }
  for (const path of ['/users/0', '/users/5', '/livez', '/readyz', '/test/1', '/messages']) {
    const expected = await answer(one.controlUrl, path)
    expect(await answer(many.controlUrl, path)).toEqual(expected)
  }
})
