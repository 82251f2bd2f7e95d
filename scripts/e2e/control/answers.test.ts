// Goal: on the control port HEAD answers as GET, and all answers but the page and the metrics are JSON with
// that type. Method: one server, asked for every path.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type CometServer, serve } from '../../support/comet.ts'

let server: CometServer

beforeAll(async () => {
  server = await serve()
})

afterAll(() => server[Symbol.asyncDispose]())

test.each([
  ...['/', '/openapi', '/livez', '/readyz', '/users/1', '/users/0', '/nope', '/dashboard/live'],
  ...['/stats', '/metrics', '/users/1/subscribers', '/users/1/subscriptions'],
])('HEAD %s has the head of GET and no body', async (path) => {
  const [get, head] = await Promise.all(
    ['GET', 'HEAD'].map((method) => server.ask(path, { method })),
  )
  expect([head?.status, head?.headers.get('content-type')]).toEqual([
    get?.status,
    get?.headers.get('content-type') ?? null,
  ])
  // Figures change between the two.
  expect(Number(head?.headers.get('content-length'))).toBeGreaterThan(10)
  const body = String(await get?.text())
  if (path === '/openapi') expect(head?.headers.get('content-length')).toBe(String(body.length))
  expect(await head?.text()).toBe('')
})

test.each([
  ['POST', '/messages', '{"to":1,"body":"x"}', 200],
  ['POST', '/messages', '{', 400],
  ['POST', '/subscriptions', '100 101\nrubbish', 200],
  ['DELETE', '/subscriptions', '100 101', 200],
  ['PUT', '/users/100/subscriptions/101', '', 200],
  ['PUT', '/users/x/subscriptions/101', '', 400],
  ['DELETE', '/users/100/subscriptions/101', '', 200],
  ['PATCH', '/stats', '', 405],
  ['POST', '/nope', '', 404],
])('%s %s of %p gets an answer in JSON', async (method, path, body, status) => {
  const headers = { 'content-type': 'application/json' }
  const response = await server.ask(path, { method, body, headers })
  const type = response.headers.get('content-type') ?? ''
  expect([response.status, type.split(';')[0]]).toEqual([status, 'application/json'])
  expect(await response.json()).toBeObject()
})
