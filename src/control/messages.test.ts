// Goal: a message is answered from its head where that is enough, and taken once where it is not.
// Method: the routes themselves on a real port, and raw clients.

import { expect, test } from 'bun:test'
import { answersIn } from '../../scripts/support/answers.ts'
import { RawClient } from '../../scripts/support/raw-client.ts'
import { systemClock } from '../core/clock.ts'
import { cursorText } from '../core/cursor.ts'
import { keyLimits } from '../core/history-limits.ts'
import { until } from '../core/time.fixture.ts'
import { listening } from '../http/listener.fixture.ts'
import { answerByApp } from '../http/web.ts'
import { ArrayLog, EPOCH } from '../hub/array-log.fixture.ts'
import { LocalOutlet, type Outlet } from '../hub/outlet.ts'
import { PublicationKeys } from '../hub/publication-keys.ts'
import type { DeliveryAck } from '../hub/receipt.ts'
import { FIRST_ID, routerOptions, type TestRouterOptions } from '../hub/router.fixture.ts'
import { Router } from '../hub/router.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import { storeFor } from '../hub/stream.fixture.ts'
import { messageRoutes, publishDirectly } from './messages.ts'

function opened(
  isDraining: boolean,
  outlet: Outlet = new LocalOutlet(storeFor()),
  others: TestRouterOptions = {},
) {
  const router = new Router(routerOptions(outlet, others))
  const options = {
    ...{
      router,
      routerForAll: router,
      clock: systemClock,
      settings: settingsOf({ bodyTimeoutMs: 60_000 }),
    },
    ...{ isDraining: () => isDraining, onRejected: () => undefined },
  }
  const app = messageRoutes(options)
  const port = listening({
    handle: (exchange) => {
      const published = publishDirectly(options, exchange)
      return published === null ? answerByApp(exchange, app.fetch) : published
    },
  })
  return { router, port }
}

const MESSAGE = '{"to":1,"body":"x"}'

function head(...headers: string[]): string {
  return ['POST /messages HTTP/1.1', 'Host: x', ...headers, '', ''].join('\r\n')
}

test('a server that is stopping refuses a message without waiting for it, and skips it', async () => {
  const { port } = opened(true)
  await using _port = port
  const first = head(`Content-Length: ${MESSAGE.length}`)
  using client = await RawClient.open(port.port, first)
  expect((await client.headed()).status).toBe(503)
  client.send(MESSAGE + first + MESSAGE)
  await until('another answer', () => answersIn(client.text).answers.length === 2)
  expect(answersIn(client.text).answers.map(({ status }) => status)).toEqual([503, 503])
})

test('pipelined messages, whole, in chunks and in lines, are each taken once and in order', async () => {
  const { port, router } = opened(false)
  await using _port = port
  const chunks = `${MESSAGE.length.toString(16)}\r\n${MESSAGE}\r\n0\r\n\r\n`
  const lines = `${MESSAGE}\n`.repeat(300)
  const wire = [
    head(`Content-Length: ${MESSAGE.length}`) + MESSAGE,
    head('Transfer-Encoding: chunked') + chunks,
    head('Content-Type: application/x-ndjson', `Content-Length: ${lines.length}`) + lines,
    `${head('Content-Length: 1', 'Expect: 100-continue')}{`,
    head(`Content-Length: ${MESSAGE.length}`) + MESSAGE,
  ].join('')
  const ROUNDS = 20
  for (const pieceBytes of [wire.length * ROUNDS, 1_000, 333]) {
    const before = router.accepted
    using client = await RawClient.open(port.port)
    const all = wire.repeat(ROUNDS)
    for (let at = 0; at < all.length; at += pieceBytes) {
      client.send(all.slice(at, at + pieceBytes))
      await new Promise(setImmediate)
    }
    await until('all answers', () => answersIn(client.text).answers.length === 5 * ROUNDS)
    const found = answersIn(client.text).answers.map(({ status, body }) =>
      status === 200 ? JSON.parse(body) : status,
    )
    let number = before
    const id = () => cursorText({ epoch: EPOCH, number })
    const one = () => ({ delivered: 0, id: id() })
    const next = () => {
      number++
      return one()
    }
    const batch = () => {
      number += 300
      return { accepted: 300, ...one(), rejected: [], rejectedCount: 0 }
    }
    const round = () => [next(), next(), batch(), 400, next()]
    expect(found).toEqual(Array.from({ length: ROUNDS }, round).flat())
    expect(router.accepted - before).toBe(303 * ROUNDS)
  }
})

test.each([
  ['', '', 200],
  ['/', '', 200],
  ['/', 'Content-Type: application/x-ndjson\r\n', 200],
  ['/', 'Content-Type: text/plain\r\n', 415],
  ['//', '', 404],
])('a message to /messages%s with %j gets %d', async (slash, type, status) => {
  const { port, router } = opened(false)
  await using _port = port
  const whole = head(`${type}Content-Length: ${MESSAGE.length}`) + MESSAGE
  const wire = whole.replace('/messages', `/messages${slash}`)
  using client = await RawClient.open(port.port, wire)
  expect((await client.headed()).status).toBe(status)
  expect(router.accepted).toBe(status === 200 ? 1 : 0)
})

test('a message is answered once its receivers are counted, unless its client has left', async () => {
  const acks: DeliveryAck[] = []
  const outlet: Outlet = {
    sync: () => null,
    ready: () => null,
    deliver: (_user, _followers, _frame, ack) => void acks.push(ack),
    broadcast: (_frame, ack) => void acks.push(ack),
  }
  const { port } = opened(false, outlet)
  await using _port = port
  const wire = head(`Content-Length: ${MESSAGE.length}`) + MESSAGE
  using client = await RawClient.open(port.port, wire.repeat(3))
  await until('one is under way', () => acks.length === 1)
  const gone = await RawClient.open(port.port, wire)
  await until('two are under way', () => acks.length === 2)
  expect(client.text).toBe('')
  gone.terminate()
  await Bun.sleep(20)
  // Each answer lets the next request of its connection begin, while the acknowledgement is given.
  for (let at = 0; at < acks.length; at++) acks[at]?.settle(at + 20, at === 0 ? 1 : 0)
  await until('three answers', () => answersIn(client.text).answers.length === 3)
  const bodies = answersIn(client.text).answers.map(({ body }) => JSON.parse(body))
  const [first, ...others] = bodies
  const id = (number: number) => cursorText({ epoch: EPOCH, number })
  expect([first, acks.length]).toEqual([{ delivered: 20, id: id(1), skipped: 1 }, 4])
  // The second message is of the client that has left.
  expect(others).toEqual([
    { delivered: 22, id: id(3) },
    { delivered: 23, id: id(4) },
  ])
})

test('a body to a path has its key in a header, whether it comes whole or in chunks', async () => {
  const { port, router } = opened(false)
  await using _port = port
  const post = (path: string, key: string, framed: string) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: ${key}\r\n${framed}`
  const whole = 'Content-Length: 1\r\n\r\nx'
  const chunked = 'Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'
  using client = await RawClient.open(
    port.port,
    [
      post('/users/7', 'k', whole),
      post('/users/7', 'k', chunked),
      post('/subjects/7', 'k', whole),
      post('/subjects/alice', '"k"', whole),
      post('/users/7', 'k'.repeat(129), whole),
      post('/users/7', '', whole),
    ].join(''),
  )
  await until('all answers', () => answersIn(client.text).answers.length === 6)
  const { answers } = answersIn(client.text)
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 409, 200, 422, 422])
  const bodies = answers.map(({ body }) => JSON.parse(body))
  expect(bodies.slice(0, 2)).toEqual(Array(2).fill({ delivered: 0, id: FIRST_ID }))
  expect([2, 4, 5].map((at) => bodies[at].error.code)).toEqual([
    ...['key_conflict', 'invalid_message', 'invalid_message'],
  ])
  expect(bodies[4].error.message).toContain('The header Idempotency-Key is 1 to 128')
  expect(router.accepted).toBe(2)
})

test('a key for which there is no room is refused with the time until there is', async () => {
  const limits = { ...keyLimits, keysMax: 1 }
  const log = new ArrayLog()
  const keys = new PublicationKeys({ log, clock: systemClock, limits })
  const { port } = opened(false, new LocalOutlet(storeFor()), { log, keys })
  await using _port = port
  const post = (key: string) => {
    const body = JSON.stringify({ to: 7, body: 'x', key })
    return head(`Content-Length: ${body.length}`) + body
  }
  using client = await RawClient.open(port.port, post('a') + post('b') + post('a'))
  await until('all answers', () => answersIn(client.text).answers.length === 3)
  const { answers } = answersIn(client.text)
  expect(answers.map(({ status }) => status)).toEqual([200, 503, 200])
  expect(JSON.parse(answers[1]?.body ?? '').error.code).toBe('too_many_keys')
  expect(client.text).toMatch(/\r\nRetry-After: (299|30[01])\r\n/)
})
