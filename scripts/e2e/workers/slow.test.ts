// Goal: a slow worker or client costs a bounded amount of memory and loses nothing that was
// promised; what is skipped is counted. Method: stop and continue real processes.

import { afterEach, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import type { CometServer } from '../../support/comet.ts'
import { LogStream } from '../../support/log-stream.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'
import {
  type Answer,
  Crowd,
  noProcessIsLeft,
  publishAll,
  serveWorkers,
  signal,
  toEach,
  upFrom,
  workerOf,
} from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const MIB = 1024 ** 2
/** What a worker may owe the parent, and the one frame that takes it beyond. */
const UNANSWERED_MAX = 4 * MIB + 65 * 1024
/** So that only the worker is slow, never a client. */
const ROOMY = ['--outbox', '64MiB']

/** The bodies of a client's messages, all of which begin with a number of five digits. */
function numbersOf(client: RawClient): number[] {
  return [...client.text.matchAll(/\r\n(\d{5}) /g)].map(([, number]) => Number(number))
}

function numbered(users: readonly number[], count: number, filler: string): object[] {
  return upFrom(10_000, count).flatMap((number) => toEach(users, `${number} ${filler}`))
}

/** Publishes while the worker is stopped, until `until`; then lets it go on. */
async function whileStopped(
  server: CometServer,
  worker: number,
  messages: readonly object[],
  until: () => Promise<boolean>,
): Promise<Answer> {
  const pid = await signal(server, worker, 'SIGSTOP')
  const seen = waitFor('the effect of the stop', until).finally(() => {
    process.kill(pid, 'SIGCONT')
  })
  const [answer] = await Promise.all([publishAll(server, messages), seen])
  return answer
}

test('a worker that is stopped for a moment loses nothing', async () => {
  await using server = await serveWorkers(ROOMY)
  await using crowd = await Crowd.open(server, upFrom(1, 12))
  const { victim, of, rest } = crowd.split()
  const one = of[0]?.client ?? expect.unreachable()
  const other = rest[0]?.client ?? expect.unreachable()
  const users = [of[0]?.user ?? 0, rest[0]?.user ?? 0]
  // More than the socket between the processes takes, much less than the worker may owe.
  const messages = numbered(users, 1_500, 'x'.repeat(1_000))
  const answer = await whileStopped(server, victim, messages, async () => {
    const owed = (await workerOf(server, victim)).unackedBytes
    return owed > 1.4 * MIB && other.bytes > 1_500 * 1_000
  })
  const { delivered, skipped, unknown = 0 } = answer
  expect([delivered + unknown, skipped]).toEqual([3_000, 0])
  await waitFor('all to arrive', () => one.bytes > 1_500 * 1_000 && other.bytes === one.bytes)
  expect(numbersOf(one)).toEqual(upFrom(10_000, 1_500))
  expect(numbersOf(other)).toEqual(upFrom(10_000, 1_500))
  const { workers, deliveries } = await server.stats()
  expect(workers[victim]).toMatchObject({ state: 'running', restarts: 0, unackedBytes: 0 })
  expect(deliveries).toMatchObject({ delivered: 3_000, undelivered: 0, skipped: 0, unknown })
})

test('no running worker is skipped, however fast messages are published', async () => {
  await using server = await serveWorkers(ROOMY)
  await using client = await RawClient.stream(server.publicPort, 1)
  // Fourteen times what a worker may owe, in one request.
  const messages = numbered([1], 1_000, 'x'.repeat(60_000))
  expect(await publishAll(server, messages)).toEqual({ delivered: 1_000, skipped: 0 })
  await waitFor('all to arrive', () => client.bytes > 60_000_000)
  expect(numbersOf(client)).toEqual(upFrom(10_000, 1_000))
})

test('a worker too far behind is skipped, and the answer counts how often', async () => {
  // The log would have all of it once more.
  await using server = await serveWorkers([...ROOMY, '--history', '1MiB'])
  await using crowd = await Crowd.open(server, upFrom(1, 12))
  const { victim, of, rest } = crowd.split()
  const [behind, other] = [of[0] ?? expect.unreachable(), rest[0] ?? expect.unreachable()]
  const { residentBytes: before } = (await server.stats()).process
  const filler = 'x'.repeat(60_000)
  let [owedMax, residentMax, toOther] = [0, 0, 0]
  const messages = numbered([behind.user], 1_000, filler)
  const answer = await whileStopped(server, victim, messages, async () => {
    const number = 10_000 + toOther++
    expect(await server.publish({ to: other.user, body: `${number} ${filler}` })).toBe(1)
    const { process, workers, deliveries } = await server.stats()
    owedMax = Math.max(owedMax, workers[victim]?.unackedBytes ?? 0)
    residentMax = Math.max(residentMax, process.residentBytes)
    return deliveries.skipped > 0
  })
  expect(owedMax).toBeGreaterThan(4 * MIB)
  expect(owedMax).toBeLessThan(UNANSWERED_MAX)
  // Bun may hold the request, which has 57 MiB; it is not held a second time for the worker.
  expect(residentMax - before).toBeLessThan(96 * MIB)
  const { skipped, unknown = 0 } = answer
  expect(skipped).toBeGreaterThan(0)
  expect(unknown).toBeGreaterThan(0)
  expect(answer.delivered + skipped + unknown).toBe(1_000)
  // It was only stopped, so what is unknown is passed on in the end.
  const delivered = answer.delivered + unknown
  await waitFor('what was promised', () => other.client.bytes > toOther * 60_000)
  expect(numbersOf(other.client)).toEqual(upFrom(10_000, toOther))
  // What it was sent before it fell behind it has passed on, and what it was promised since.
  await waitFor('what was promised', () => behind.client.bytes > delivered * 60_000)
  const numbers = numbersOf(behind.client)
  expect(numbers).toHaveLength(delivered)
  expect(numbers.slice(0, 60)).toEqual(upFrom(10_000, 60))
  expect(numbers).toEqual(numbers.toSorted())
  const { deliveries, messages: taken, workers } = await server.stats()
  expect(deliveries).toMatchObject({
    delivered: delivered + toOther,
    undelivered: 0,
    skipped,
    unknown,
  })
  expect(taken).toMatchObject({ accepted: 1_000 + toOther, dropped: 0 })
  expect(workers[victim]).toMatchObject({ state: 'running', restarts: 0, unackedBytes: 0 })
  const again = await publishAll(server, toEach([behind.user, other.user], 'again'))
  expect(again).toEqual({ delivered: 2, skipped: 0 })
  await behind.client.received(chunk('again'))
})

test('streams that were skipped end, and have it when they come back', async () => {
  await using server = await serveWorkers(ROOMY)
  const streams = await Promise.all(
    upFrom(1, 40).map((user) => LogStream.open(server, user, 'json', 'subjects=news')),
  )
  const { workers } = await server.stats()
  // Its streams get more bytes than a worker may owe, and each no more than it can get again.
  const most = Math.max(...workers.map(({ open }) => open))
  const victim = workers.findIndex(({ open }) => open === most)
  const messages = numbered(upFrom(1, 40), 100, 'x'.repeat(6_000))
  const about = [{ subject: 'news', body: 'news' }]
  await whileStopped(server, victim, messages, async () => {
    if ((await server.stats()).deliveries.skipped === 0) return false
    return (await publishAll(server, about)).skipped > 0
  })
  const all = [...upFrom(10_000, 100).map(String), 'news']
  const has = (stream: LogStream) => stream.messages.map((body) => body.split(' ', 1)[0] ?? '')
  let back = 0
  for (const [at, stream] of streams.entries()) {
    const whole = () => stream.client.end !== null || has(stream).includes('news')
    await waitFor('the news or the end', whole)
    if (stream.client.end === null) {
      await waitFor('all', () => has(stream).length === all.length)
      expect(has(stream).toSorted()).toEqual(all)
    } else {
      back++
      expect(stream.told.at(-1)).toEqual({ end: 'drained' })
      const query = `subjects=news&after=${stream.cursor}`
      using again = await LogStream.open(server, at + 1, 'json', query)
      const both = () => [...has(stream), ...has(again)]
      await waitFor('all', () => both().length === all.length)
      expect([both().toSorted(), again.gap]).toEqual([all, undefined])
    }
    stream.client.terminate()
  }
  expect(back).toBe(most)
  expect((await server.stats()).streams.closed.drained).toBe(back)
})

test('only the streams of a worker too far behind are skipped', async () => {
  await using server = await serveWorkers(ROOMY)
  await using crowd = await Crowd.open(server, Array<number>(12).fill(1))
  const { victim, of, rest } = crowd.split()
  let answer: unknown = null
  const messages = numbered([1], 100, 'x'.repeat(60_000))
  await whileStopped(server, victim, messages, async () => {
    if ((await workerOf(server, victim)).unackedBytes < 4 * MIB) return false
    if ((await server.stats()).deliveries.skipped === 0) return false
    const body = '{"to":1,"body":"alone"}'
    // It need not wait for the worker that hangs.
    answer = await (await server.ask('/messages', { method: 'POST', body })).json()
    return true
  })
  expect(answer).toMatchObject({ delivered: rest.length, skipped: of.length })
  for (const { client } of rest) await client.received(chunk('alone'))
})

test('a worker cuts a client that does not read, and other streams go on', async () => {
  await using server = await serveWorkers(['--outbox', '64KiB'])
  await using crowd = await Crowd.open(server, upFrom(1, 12))
  const { victim, of, rest } = crowd.split()
  const slow = of[0] ?? expect.unreachable()
  slow.client.pause()
  const { residentBytes: before } = (await server.stats()).process
  const others = [...of.slice(1), ...rest]
  const filler = 'x'.repeat(16_000)
  let ticks = 0
  const stats = await waitFor('the slow stream to be closed', async () => {
    await publishAll(server, numbered([slow.user], 20, filler))
    ticks++
    await publishAll(
      server,
      toEach(
        others.map(({ user }) => user),
        `${10_000 + ticks} `,
      ),
    )
    const now = await server.stats()
    return now.streams.closed.slow === 1 && now
  })
  expect(stats.deliveries.undelivered).toBeGreaterThan(0)
  expect(stats.deliveries.unacknowledgedBytes).toBeGreaterThan(16_000)
  expect([stats.deliveries.skipped, stats.streams.unmeasured]).toEqual([0, 0])
  expect(stats.workers.map(({ queuedBytes }) => queuedBytes)).toEqual([0, 0, 0, 0])
  expect(stats.process.residentBytes - before).toBeLessThan(64 * MIB)
  expect((await workerOf(server, victim)).open).toBe(of.length - 1)
  for (const { client } of others) {
    await waitFor('each tick', () => numbersOf(client).length === ticks)
    expect(numbersOf(client)).toEqual(upFrom(10_001, ticks))
  }
  expect(await server.publish({ to: slow.user, body: 'x' })).toBe(0)
  // The worker's own words, on the server's standard error.
  const line = await waitFor('the log line', () => server.stderr.match(/^.*"slow".*$/m)?.[0])
  expect(JSON.parse(line)).toMatchObject({
    event: 'slow',
    message: `User ${slow.user} read too slowly; the stream was closed.`,
  })
})

test('streams that open while the parent is stopped get messages once it continues', async () => {
  await using server = await serveWorkers()
  const { pid } = server
  process.kill(pid, 'SIGSTOP')
  const clients = await Promise.all(
    upFrom(1, 50).map((user) => RawClient.stream(server.publicPort, user)),
  )
  const answer = RawClient.open(
    server.controlPort,
    `POST /messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 19\r\n\r\n{"to":1,"body":"x"}`,
  )
  process.kill(pid, 'SIGCONT')
  await using publisher = await answer
  await publisher.received('{"delivered":1,"id":')
  expect(await publishAll(server, toEach(upFrom(1, 50), 'y'))).toEqual({
    delivered: 50,
    skipped: 0,
  })
  for (const client of clients) {
    await client.received(chunk('y'))
    client.close()
  }
  await waitFor('them to leave', async () => (await server.stats()).streams.users === 0)
})
