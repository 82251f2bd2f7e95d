// Goal: when a worker dies or hangs, streams of others go on, answers to publishers stay true, and
// no process is left. Method: real signals to real processes, at bad moments too.

import { afterEach, expect, test } from 'bun:test'
import { childrenOf, waitFor } from '../../support/child-process.ts'
import { type CometServer, NONE_CLOSED } from '../../support/comet.ts'
import { chunk, FINAL_CHUNK, RawClient } from '../../support/raw-client.ts'
import { floodReport } from '../../support/reports.ts'
import {
  Crowd,
  connectionsOf,
  endFlood,
  flood,
  follow,
  type Held,
  noProcessIsLeft,
  processState,
  publishAll,
  restarted,
  STREAMS,
  serveWorkers,
  signal,
  startFlood,
  tagged,
  timesIn,
  toEach,
  upFrom,
  workerOf,
} from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const FIRST = 10_001
const usersOf = (held: readonly Held[]) => held.map(({ user }) => user)

/** Sees the streams of a dead worker cut, and lets their users come back at once. */
function comeBack(server: CometServer, held: readonly Held[]): Promise<RawClient[]> {
  return Promise.all(
    held.map(async ({ user, client }) => {
      expect((await client.ended()).endsWith(FINAL_CHUNK)).toBe(false)
      // The kernel resets what it had given to the socket of the dead worker; anything else fails.
      return waitFor('a stream', () => streamUnlessReset(server.publicPort, user))
    }),
  )
}

async function streamUnlessReset(port: number, user: number): Promise<RawClient | undefined> {
  try {
    return await RawClient.stream(port, user)
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('reset after')) return undefined
    throw error
  }
}

function closeAll(clients: readonly RawClient[]): void {
  for (const client of clients) client.terminate()
}

/** Everything that was opened is open, closed or lost. */
async function expectBalance(server: CometServer): Promise<void> {
  const { open, opened, closed } = (await server.stats()).streams
  expect(open + closed.client + closed.slow + closed.drained + closed.lost).toBe(opened)
}

test('a killed worker ends only its own streams, and its users reconnect at once', async () => {
  await using server = await serveWorkers()
  await using flooding = await flood(server)
  await using crowd = await Crowd.open(server, upFrom(FIRST, 12))
  const { victim, of, rest } = crowd.split()
  const all = usersOf(crowd.all)
  await follow(server, 9_000, all)
  expect(await publishAll(server, toEach(all, 'before'))).toEqual({ delivered: 12, skipped: 0 })
  expect(await server.publish({ subject: 9_000, body: 'all before' })).toBe(12)

  const { open: lost } = await workerOf(server, victim)
  const dead = await signal(server, victim, 'SIGKILL')
  // Until the parent knows that it is dead, its connections are unknown.
  expect(await publishAll(server, toEach(all, 'during'))).toMatchObject({
    delivered: rest.length,
    skipped: 0,
  })
  const back = await comeBack(server, of)
  expect(await publishAll(server, toEach(all, 'after'))).toEqual({ delivered: 12, skipped: 0 })
  expect(await server.publish({ subject: 9_000, body: 'all after' })).toBe(12)
  for (const client of back) await client.received(chunk('after') + chunk('all after'))
  for (const { client } of rest) {
    const messages = ['before', 'all before', 'during', 'after', 'all after']
    expect(await client.received(chunk('all after'))).toEndWith(messages.map(chunk).join(''))
  }

  const worker = await restarted(server, victim, 1)
  expect(worker.pid).not.toBe(dead)
  expect(processState(dead)).toBeNull()
  const { streams, deliveries } = await server.stats()
  expect(streams.closed).toEqual({ ...NONE_CLOSED, lost })
  expect(streams.opened).toBe(STREAMS + 12 + of.length)
  expect(streams.open).toBe(streams.opened - lost)
  expect(streams.users).toBe(streams.open)
  expect(deliveries.delivered).toBe(12 + 12 + rest.length + 12 + 12)

  // It takes streams again.
  await using more = await flood(server, 400)
  expect((await workerOf(server, victim)).open).toBeGreaterThan(worker.open + 40)
  await endFlood(more)
  const report = await endFlood(flooding)
  expect(report.connections.closed).toBe(lost - of.length)
  expect(report.connections.opened).toBe(STREAMS)
  await server.open(12)
  await expectBalance(server)
  closeAll(back)
})

test('a worker that is killed repeatedly is restarted with backoff', async () => {
  await using server = await serveWorkers()
  const known = new Set(childrenOf(server.pid))
  await signal(server, 2, 'SIGKILL')
  // In turn as soon as it exists, before its first report, and when it takes streams.
  for (const round of [1, 2, 3, 4]) {
    if (round % 2 === 0) await restarted(server, 2, round)
    const pid = await waitFor('the next', async () =>
      childrenOf(server.pid).find((child) => !known.has(child)),
    )
    known.add(pid)
    process.kill(pid, 'SIGKILL')
  }
  await server.logged('started again in 1600 ms')
  // No process is in its place for a while, nor a zombie; the others do all the work.
  await waitFor('the zombie to go', () => childrenOf(server.pid).length === 3)
  const waiting = await workerOf(server, 2)
  expect(waiting).toMatchObject({ state: 'waiting', pid: null, restarts: 4, open: 0 })
  await using crowd = await Crowd.open(server, upFrom(FIRST, 20))
  expect(await publishAll(server, toEach(usersOf(crowd.all), 'x'))).toMatchObject({ delivered: 20 })

  const { pid } = await restarted(server, 2, 5)
  const log = events(server)
  const ended = log.filter(({ event }) => event === 'worker_ended')
  expect(ended.map(({ message }) => Number(message.match(/(\d+) ms/)?.[1]))).toEqual([
    100, 200, 400, 800, 1_600,
  ])
  const last = log.findLast(({ event }) => event === 'worker_restarted')
  expect(last).toMatchObject({ worker: 2, pid })
  const pauseMs = Date.parse(last?.time ?? '') - Date.parse(ended.at(-1)?.time ?? '')
  expect(pauseMs).toBeGreaterThanOrEqual(1_595)
  expect(await publishAll(server, toEach(usersOf(crowd.all), 'y'))).toMatchObject({ delivered: 20 })
})

interface Event {
  readonly time: string
  readonly level: string
  readonly event: string
  readonly message: string
  readonly worker?: number
  readonly pid?: number
}

/** Each line of standard error, workers' lines included, is one JSON object. */
function events(server: CometServer): Event[] {
  return server.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event)
}

test('publishers wait at most a second for a worker that hangs, whose deliveries are unknown', async () => {
  await using server = await serveWorkers()
  await using crowd = await Crowd.open(server, upFrom(FIRST, 12))
  const { victim, of, rest } = crowd.split()
  await follow(server, 9_000, usersOf(crowd.all))
  const stuck = await signal(server, victim, 'SIGSTOP')
  const post = async (body: string, type = 'application/json') => {
    const headers = { 'content-type': type }
    const request = { method: 'POST', headers, body, signal: AbortSignal.timeout(5_000) }
    return (await server.ask('/messages', request)).json()
  }
  const to = of[0]?.user
  const one = JSON.stringify({ to, body: 'one' })
  const line = JSON.stringify({ subject: 9_000, body: 'many' })
  const answers = [post(one), post(`${one}\n${line}\n`, 'application/x-ndjson')]
  expect(await Promise.all(answers)).toEqual([
    { delivered: 0, id: expect.any(String), unknown: 1 },
    {
      ...{ accepted: 2, delivered: rest.length, unknown: of.length + 1 },
      ...{ id: expect.any(String), rejected: [], rejectedCount: 0 },
    },
  ])
  const unknown = of.length + 2
  const { deliveries, messages } = await server.stats()
  expect(deliveries).toMatchObject({ delivered: rest.length, skipped: 0, unknown })
  expect(messages).toMatchObject({ accepted: 3, dropped: 0 })
  const metrics = await (await server.ask('/metrics')).text()
  expect(metrics).toContain(`comet_deliveries_unknown_total{input="http"} ${unknown}\n`)

  // It continues, and delivers all that it was sent.
  process.kill(stuck, 'SIGCONT')
  await of[0]?.client.received(chunk('many'))
  await waitFor('its deliveries to count', async () => {
    return (await server.stats()).deliveries.delivered === rest.length + unknown
  })
  expect((await server.stats()).deliveries.unknown).toBe(unknown)
  expect(await post(one)).toMatchObject({ delivered: 1 })
})

test('a worker that hangs is replaced, and its deliveries are answered as unknown', async () => {
  await using server = await serveWorkers()
  await using crowd = await Crowd.open(server, upFrom(FIRST, 12))
  const { victim, of, rest } = crowd.split()
  const all = usersOf(crowd.all)
  await follow(server, 9_000, all)
  const stuck = await signal(server, victim, 'SIGSTOP')
  const began = performance.now()
  const answers = Promise.allSettled([
    publishAll(server, toEach(usersOf(of), 'lost')),
    server.publish({ subject: 9_000, body: 'news' }),
  ])
  // Nothing else waits for it: neither publishers nor requests for figures.
  for (const { user } of rest) expect(await server.publish({ to: user, body: 'mine' })).toBe(1)
  await waitFor('what it owes to show', async () => {
    return (await workerOf(server, victim)).unackedBytes > 0
  })
  for (const { user } of [...rest.slice(0, 1), ...of.slice(0, 1)]) {
    expect(await connectionsOf(server, user)).toBe(1)
  }
  expect(processState(stuck)).toBe('T')

  expect(await answers).toEqual([
    { status: 'fulfilled', value: { delivered: 0, skipped: 0, unknown: of.length } },
    { status: 'fulfilled', value: rest.length },
  ])
  const back = await comeBack(server, of)
  const seconds = (performance.now() - began) / 1000
  expect(seconds).toBeGreaterThan(8)
  expect(seconds).toBeLessThan(20)
  await server.logged('it did not respond for 10 s and was killed')
  expect(await publishAll(server, toEach(all, 'after'))).toEqual({ delivered: 12, skipped: 0 })
  for (const { client } of rest) {
    const text = await client.received(chunk('after'))
    expect([timesIn(text, chunk('news')), timesIn(text, chunk('mine'))]).toEqual([1, 1])
  }
  for (const { client } of of) expect(client.text).not.toContain('lost')
  expect((await restarted(server, victim, 1)).pid).not.toBe(stuck)
  await waitFor('the old process to go', () => processState(stuck) === null)
  expect((await server.stats()).streams.closed.lost).toBe(of.length)
  closeAll(back)
})

test('a server with a worker that hangs stops', async () => {
  await using server = await serveWorkers()
  await using crowd = await Crowd.open(server, upFrom(FIRST, 12))
  const { victim, of, rest } = crowd.split()
  await signal(server, victim, 'SIGSTOP')
  server.kill('SIGTERM')
  for (const { client } of rest) expect(await client.ended()).toEndWith(FINAL_CHUNK)
  expect((await server.finished).exitCode).toBe(0)
  for (const { client } of of) expect((await client.ended()).endsWith(FINAL_CHUNK)).toBe(false)
  expect(server.stderr).not.toContain('All streams have ended')
  await waitFor('all processes to end', () => tagged().length === 0, 2_000)
})

test('all workers exit when the parent is killed, a stopped one too', async () => {
  await using server = await serveWorkers()
  await using flooding = await flood(server)
  await signal(server, 1, 'SIGSTOP')
  server.kill('SIGKILL')
  await waitFor('all processes to end', () => tagged().length === 0, 5_000)
  const { connections } = floodReport(await flooding.finished)
  expect(connections).toEqual({ wanted: STREAMS, opened: STREAMS, failed: 0, closed: STREAMS })
})

test('workers that die while thousands connect and leave keep no stream in the figures', async () => {
  await using server = await serveWorkers()
  for (const round of [0, 1]) {
    await using coming = startFlood(server)
    await waitFor('some to come', async () => (await server.stats()).streams.users > 500)
    await signal(server, 0, 'SIGKILL')
    await restarted(server, 0, round * 2 + 1)
    coming.kill('SIGKILL')
    await waitFor('some to go', async () => (await server.stats()).streams.users < 3_000)
    await signal(server, 0, 'SIGKILL')
    await restarted(server, 0, round * 2 + 2)
  }
  await waitFor('all to be gone', async () => {
    const { open, users } = (await server.stats()).streams
    return open === 0 && users === 0
  })
  await expectBalance(server)
  expect(new Set(events(server).map(({ level }) => level))).toEqual(new Set(['info', 'warn']))
  await using crowd = await Crowd.open(server, upFrom(1, 12))
  expect(await publishAll(server, toEach(upFrom(1, STREAMS), 'x'))).toMatchObject({ delivered: 12 })
  for (const { user } of crowd.all) expect(await connectionsOf(server, user)).toBe(1)
})
