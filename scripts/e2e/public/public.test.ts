// Goal: the public port answers as the manual's tables say. Method: one server, raw sockets, exact
// bytes.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { chunk, get, RawClient } from '../../support/raw-client.ts'

let server: CometServer

beforeAll(async () => {
  server = await serve()
})

afterAll(() => server[Symbol.asyncDispose]())

async function answerTo(request: string): Promise<string> {
  await using client = await RawClient.open(server.publicPort, request)
  return await client.received('\r\n\r\n')
}

describe('GET /test/{id}', () => {
  test('the response is chunked, begins with the greeting and does not end', async () => {
    await using client = await RawClient.stream(server.publicPort, 123)
    const [head = '', body] = client.text.split('\r\n\r\n')
    expect(head.split('\r\n')[0]).toBe('HTTP/1.1 200 OK')
    expect(head.toLowerCase()).toContain('content-type: text/html; charset=utf-8')
    expect(head.toLowerCase()).toContain('transfer-encoding: chunked')
    expect(`${body}\r\n`.startsWith("22\r\nWelcome, Url: '/test/123' Id: 123\n")).toBe(true)
    expect(client.end).toBeNull()
  })

  test('the head tells caches and proxies to pass the stream on at once', async () => {
    await using client = await RawClient.stream(server.publicPort, 1)
    const head = client.text.toLowerCase()
    expect(head).toContain('cache-control: no-store, no-transform')
    expect(head).toContain('x-accel-buffering: no')
    expect(head).not.toContain('content-length')
  })

  test('each message is one chunk, byte for byte', async () => {
    await using client = await RawClient.stream(server.publicPort, 2)
    const bodies = ['Hello', ' \r\n0\r\n\r\n', 'żółć €', '\u0000\u0001', '😀'.repeat(1000)]
    for (const body of bodies) {
      expect(await server.publish({ to: 2, body })).toBe(1)
      await client.received(chunk(body))
    }
    expect(client.text.endsWith(bodies.map(chunk).join(''))).toBe(true)
  })

  test('the largest message arrives whole', async () => {
    await using client = await RawClient.stream(server.publicPort, 3)
    const body = 'x'.repeat(65_536)
    expect(await server.publish({ subject: 3, body })).toBe(1)
    await client.received(chunk(body))
  })

  test('a message reaches every stream of its user, and no other', async () => {
    await using one = await RawClient.stream(server.publicPort, 4)
    await using two = await RawClient.stream(server.publicPort, 4)
    await using other = await RawClient.stream(server.publicPort, 5)
    expect(await server.publish({ to: 4, body: 'for four' })).toBe(2)
    expect(await server.publish({ to: 5, body: 'for five' })).toBe(1)
    await one.received(chunk('for four'))
    await two.received(chunk('for four'))
    await other.received(chunk('for five'))
    expect(other.text).not.toContain('for four')
  })

  test.each(['/test/6?x=1', '/test/6/', '/test/%36', 'http://localhost/test/6/?x=1'])(
    '%s opens the stream of user 6',
    async (target) => {
      await using client = await RawClient.open(server.publicPort, get(target))
      await client.received("Url: '/test/6' Id: 6\n")
      expect(await server.publish({ to: 6, body: 'six' })).toBe(1)
      client.close()
      await waitFor('the stream to leave', async () => {
        return (await server.publish({ to: 6, body: 'gone' })) === 0
      })
    },
  )

  test('a stream that the client closes is counted and gets no more messages', async () => {
    const client = await RawClient.stream(server.publicPort, 7)
    const { streams } = await server.stats()
    client.close()
    await waitFor('the stream to leave', async () => {
      return (await server.stats()).streams.closed.client > streams.closed.client
    })
    expect(await server.publish({ to: 7, body: 'nobody' })).toBe(0)
  })
})

test('the stream of a client that closes its sending half ends', async () => {
  await using client = await RawClient.stream(server.publicPort, 77)
  client.closeSendingHalf()
  await waitFor('the stream to leave', async () => {
    return (await server.publish({ to: 77, body: 'nobody' })) === 0
  })
})

test('HEAD gets the head of GET, no body, and opens no stream', async () => {
  const { opened } = (await server.stats()).streams
  await using client = await RawClient.open(
    server.publicPort,
    'HEAD /test/8 HTTP/1.1\r\nHost: localhost\r\n\r\n',
  )
  const text = (await client.received('\r\n\r\n')).toLowerCase()
  expect(text).toStartWith('http/1.1 200 ok')
  expect(text).toContain('content-type: text/html; charset=utf-8')
  expect(text).toContain('cache-control: no-store, no-transform')
  // The same connection answers again, so the first answer had an end.
  client.send('HEAD /test/8 HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await waitFor('a second head', () => client.text.split('HTTP/1.1 200').length === 3)
  expect((await server.stats()).streams.opened).toBe(opened)
})

test.each(['0', '-1', '1.5', 'x', '%78', '1e3', '', '006', `${'0'.repeat(8_000)}6`])(
  'GET /test/%s gets 404',
  async (id) => {
    const text = await answerTo(get(`/test/${id}`))
    expect(text).toStartWith('HTTP/1.1 404 ')
    expect(text).toContain('User id not found, try /test/123 instead')
  },
)

test('a target of more than 8 KiB gets 414, and its connection is closed', async () => {
  await using client = await RawClient.open(server.publicPort, get(`/${'x'.repeat(8_192)}`))
  const text = await client.ended()
  expect(text).toStartWith('HTTP/1.1 414 ')
  expect(text.toLowerCase()).toContain('connection: close')
  expect(text).toEndWith('\r\n\r\nSend a target of at most 8192 bytes\n')
})

test.each([
  '/',
  '/test',
  '/test/1/2',
  '/test/1//',
  '/test/1#a',
  '/test%2F1',
  '/nope',
  '/stats',
  '/messages',
])('GET %s gets 404 on the public port', async (path) => {
  const text = await answerTo(get(path))
  expect(text).toStartWith('HTTP/1.1 404 ')
  expect(text).toContain('User id not found, try /test/123 instead')
})

test.each(['1114113', '99999999999999999999999'])(
  'GET /test/%s gets 503, as the id is above --max-users',
  async (id) => {
    const text = await answerTo(get(`/test/${id}`))
    expect(text).toStartWith('HTTP/1.1 503 ')
    expect(text).toContain('Max uid allowed is 1114112')
  },
)

test('the highest id gets a stream', async () => {
  await using client = await RawClient.stream(server.publicPort, 1_114_112)
  expect(client.text).toStartWith('HTTP/1.1 200 ')
})

test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('%s gets 405 on the public port', async (method) => {
  const text = await answerTo(
    `${method} /test/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`,
  )
  expect(text).toStartWith('HTTP/1.1 405 ')
  expect(text.toLowerCase()).toContain('allow: get, head, options\r\n')
})

test('a client of HTTP/1.0 gets messages without chunks', async () => {
  await using client = await RawClient.open(server.publicPort, 'GET /test/9 HTTP/1.0\r\n\r\n')
  await client.received('Id: 9\n')
  expect(await server.publish({ to: 9, body: 'plain' })).toBe(1)
  await client.received('Id: 9\nplain')
})

test.each([
  ['no HTTP', '\x16\x03\x01\x02\x00\x01', 400, 'Send a request line like: GET /path HTTP/1.1'],
  ['no host', 'GET /test/1 HTTP/1.1\r\n\r\n', 400, 'Send one Host header, with a valid host'],
  ['a method of no HTTP', 'get /test/1 HTTP/1.1\r\nHost: localhost\r\n\r\n', 501, 'Send a method'],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\n', 505, 'Send the request as HTTP/1.1'],
])('a request of %s gets a text that says what to send', async (_, wire, status, text) => {
  await using client = await RawClient.open(server.publicPort, wire)
  const answer = await client.ended()
  expect(answer).toStartWith(`HTTP/1.1 ${status} `)
  expect(answer.toLowerCase()).toContain('content-type: text/plain;charset=utf-8\r\n')
  expect(answer).toContain(`\r\n\r\n${text}`)
})

test('requests that open no stream may be pipelined, and one for a stream ends them', async () => {
  const wire = get('/nope') + get('/test/0') + get('/test/88') + get('/test/89')
  await using client = await RawClient.open(server.publicPort, wire)
  await client.received('Id: 88\n')
  const statuses = Array.from(client.text.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status)
  expect(statuses).toEqual(['404', '404', '200'])
  expect(await server.publish({ to: 88, body: 'x' })).toBe(1)
  expect(await server.publish({ to: 89, body: 'x' })).toBe(0)
})
