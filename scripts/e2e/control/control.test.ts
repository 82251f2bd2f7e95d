// Goal: the control port answers as the manual's tables say, errors included.
// Method: one server, fetch for whole requests, a raw socket where the bytes matter.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

let server: CometServer

beforeAll(async () => {
  server = await serve()
})

afterAll(() => server[Symbol.asyncDispose]())

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

async function post(
  body: string | Uint8Array<ArrayBuffer>,
  type = 'application/json',
): Promise<Answer> {
  const response = await server.ask('/messages', {
    method: 'POST',
    headers: { 'content-type': type },
    body,
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

async function read(path: string, request?: RequestInit): Promise<Answer> {
  const response = await server.ask(path, request)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

function codeOf({ body }: Answer): unknown {
  return (body['error'] as { code?: unknown } | undefined)?.code
}

const NDJSON = 'application/x-ndjson'

describe('POST /messages', () => {
  test('answers with the number of connections that took one message', async () => {
    await using _one = await RawClient.stream(server.publicPort, 1)
    await using _two = await RawClient.stream(server.publicPort, 1)
    expect(await post('{"subject": 1, "body": "a"}')).toMatchObject({
      status: 200,
      body: { delivered: 2 },
    })
    expect(await post('{"to": 1, "body": "b"}')).toMatchObject({ body: { delivered: 2 } })
    expect(await post('{"to": 2, "body": "c"}')).toMatchObject({ body: { delivered: 0 } })
  })

  test.each([
    ['{', 400, 'invalid_json'],
    ['', 400, 'invalid_json'],
    ['7', 422, 'invalid_message'],
    ['{"body":"x"}', 422, 'invalid_message'],
    ['{"to":1}', 422, 'invalid_message'],
    ['{"to":"01","body":"x"}', 422, 'invalid_message'],
    ['{"to":"a b","body":"x"}', 422, 'invalid_message'],
    ['{"to":0,"body":"x"}', 422, 'invalid_message'],
    ['{"to":1.5,"body":"x"}', 422, 'invalid_message'],
    ['{"to":4294967296,"body":"x"}', 422, 'invalid_message'],
    ['{"to":1,"subject":1,"body":"x"}', 422, 'invalid_message'],
    ['{"to":1,"body":"x","extra":1}', 422, 'invalid_message'],
    ['{"to":1,"body":""}', 422, 'message_empty'],
    ['{"to":1,"body":"\\ud800"}', 400, 'invalid_utf8'],
    [`{"to":1,"body":"${'x'.repeat(65_537)}"}`, 413, 'message_too_large'],
    [`{"to":1,"body":"${'x'.repeat(500_000)}"}`, 413, 'request_too_large'],
  ])('refuses %p with %p %p', async (body, status, code) => {
    const answer = await post(body)
    expect({ status: answer.status, code: codeOf(answer) }).toEqual({ status, code })
  })

  test('refuses bytes that are not UTF-8', async () => {
    const bytes = new Uint8Array(
      Buffer.concat([Buffer.from('{"to":1,"body":"'), Buffer.from([0xff]), Buffer.from('"}')]),
    )
    const answer = await post(bytes)
    expect([answer.status, codeOf(answer)]).toEqual([400, 'invalid_utf8'])
  })

  test('refuses other media types and what is compressed', async () => {
    const answer = await post('{"to":1,"body":"x"}', 'text/plain')
    expect([answer.status, codeOf(answer)]).toEqual([415, 'unsupported_media_type'])
    const zipped = await server.ask('/messages', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: Bun.gzipSync('{"to":1,"body":"x"}'),
    })
    expect(zipped.status).toBe(415)
  })

  test('sends the good lines of many and refuses the bad ones by number', async () => {
    await using client = await RawClient.stream(server.publicPort, 10)
    const lines = [
      '{"to":10,"body":"one"}',
      'rubbish',
      '',
      '{"to":10,"body":"two"}\r',
      '{"to":10,"body":""}',
      '{"to":10,"body":"three"}',
    ]
    const { status, body } = await post(lines.join('\n'), NDJSON)
    const rejected = body['rejected'] as { line: number; error: { code: string } }[]
    expect([status, body['accepted'], body['delivered'], body['rejectedCount']]).toEqual([
      200, 3, 3, 2,
    ])
    expect(rejected.map(({ line, error }) => [line, error.code])).toEqual([
      [2, 'invalid_json'],
      [5, 'message_empty'],
    ])
    await client.received(chunk('one') + chunk('two') + chunk('three'))
  })

  test('sends each line as it comes, before the request has ended', async () => {
    await using client = await RawClient.stream(server.publicPort, 11)
    await using publisher = await RawClient.open(
      server.controlPort,
      'POST /messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n',
    )
    publisher.send(chunk('{"to":11,"body":"first"}\n{"to":11,'))
    await client.received(chunk('first'))
    publisher.send(chunk('"body":"second"}\n'))
    await client.received(chunk('second'))
    expect(publisher.text).toBe('')
    publisher.send('0\r\n\r\n')
    await publisher.received('"rejected":[],"rejectedCount":0}')
    expect(publisher.text).toContain('{"accepted":2,"delivered":2,"id":')
  })

  test('keeps the lines of a request that breaks off, and goes on', async () => {
    await using client = await RawClient.stream(server.publicPort, 12)
    const publisher = await RawClient.open(
      server.controlPort,
      'POST /messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n' +
        'Content-Length: 1000\r\n\r\n{"to":12,"body":"whole"}\n{"to":12,"bo',
    )
    await client.received(chunk('whole'))
    publisher.close()
    expect(await server.publish({ to: 12, body: 'after' })).toBe(1)
    await client.received(chunk('whole') + chunk('after'))
  })

  test.each([
    ['that says its length', 'Content-Length: 100\r\n\r\n{"to":12,'],
    ['in chunks', `Transfer-Encoding: chunked\r\n\r\n${chunk('{"to":12,')}`],
  ])('counts one message %s and breaks off as refused, and goes on', async (_, rest) => {
    const { rejected } = (await server.stats()).messages
    const head = 'POST /messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    const publisher = await RawClient.open(server.controlPort, head + rest)
    publisher.close()
    await waitFor('it to count', async () => {
      return (await server.stats()).messages.rejected === rejected + 1
    })
    expect(server.stderr).not.toContain('"event":"bug"')
  })

  test('takes one message in chunks, however it is cut', async () => {
    await using client = await RawClient.stream(server.publicPort, 14)
    const head = 'POST /messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
    await using publisher = await RawClient.open(server.controlPort, head)
    for (const part of ['{"to":1', '4,"body":"c', 'ut"}']) publisher.send(chunk(part))
    publisher.send('0\r\n\r\n')
    await publisher.received('{"delivered":1,"id":')
    await client.received(chunk('cut'))
  })

  test('holds a long request back nowhere: ten thousand lines in order', async () => {
    await using client = await RawClient.stream(server.publicPort, 13)
    const bodies = Array.from({ length: 10_000 }, (_, at) => `message ${at}`)
    const { body } = await post(
      bodies.map((text) => `{"to":13,"body":"${text}"}`).join('\n'),
      NDJSON,
    )
    expect(body['delivered']).toBe(10_000)
    await waitFor('all of them', () => client.text.endsWith(chunk('message 9999')))
    expect(client.text.endsWith(bodies.map(chunk).join(''))).toBe(true)
  })

  test('lets everybody else in while a long request is read', async () => {
    const done: string[] = []
    const upload = post('x\n'.repeat(300_000), NDJSON).then(() => done.push('upload'))
    for (let round = 0; round < 5; round++) {
      await read('/livez')
      done.push('livez')
    }
    await upload
    expect(done).toEqual(['livez', 'livez', 'livez', 'livez', 'livez', 'upload'])
  })

  test('names at most a thousand bad lines and counts the rest', async () => {
    const { body } = await post('x\n'.repeat(1500), NDJSON)
    expect((body['rejected'] as unknown[]).length).toBe(1000)
    expect(body['rejectedCount']).toBe(1500)
  })
})

describe('GET /users/{id}', () => {
  test('tells connections and since when', async () => {
    const before = Date.now()
    await using _one = await RawClient.stream(server.publicPort, 20)
    await using _two = await RawClient.stream(server.publicPort, 20)
    const { status, body } = await read('/users/20')
    expect(status).toBe(200)
    expect([body['user'], body['connections']]).toEqual([20, 2])
    const since = Date.parse(String(body['since']))
    expect(since).toBeGreaterThanOrEqual(before - 1)
    expect(since).toBeLessThanOrEqual(Date.now())
  })

  test('knows a user who is not connected', async () => {
    expect((await read('/users/21')).body).toEqual({ user: 21, connections: 0, since: null })
  })

  test.each(['0', 'x*', '%20', '007', 'x'.repeat(65)])('refuses the id %p', async (id) => {
    const answer = await read(`/users/${id}`)
    expect([answer.status, codeOf(answer)]).toEqual([400, 'invalid_user_id'])
  })
})

test('/stats counts what happened', async () => {
  const before = await server.stats()
  await using client = await RawClient.stream(server.publicPort, 30)
  await server.publish({ to: 30, body: 'x' })
  await server.publish({ to: 31, body: 'x' })
  await post('rubbish')
  await client.received(chunk('x'))
  const after = await server.stats()
  expect(after.streams.opened - before.streams.opened).toBe(1)
  expect(after.messages.accepted - before.messages.accepted).toBe(2)
  expect(after.messages.dropped - before.messages.dropped).toBe(1)
  expect(after.messages.rejected - before.messages.rejected).toBe(1)
  expect(after.deliveries.delivered - before.deliveries.delivered).toBe(1)
  expect(after.process.pid).toBe(server.pid)
})

test('/livez and /readyz answer 200', async () => {
  expect(await read('/livez')).toEqual({ status: 200, body: { status: 'alive' } })
  expect(await read('/readyz')).toEqual({ status: 200, body: { status: 'ready' } })
})

test('/openapi describes every route of the port', async () => {
  const { body } = await read('/openapi')
  expect(String(body['openapi'])).toStartWith('3.')
  expect(Object.keys(body['paths'] as object).sort()).toEqual([
    '/feed',
    '/livez',
    '/log',
    '/messages',
    '/metrics',
    '/readyz',
    '/stats',
    '/subjects/{id}',
    '/subscriptions',
    '/tickets',
    '/users',
    '/users/{id}',
    '/users/{id}/streams',
    '/users/{id}/subscribers',
    '/users/{id}/subscriptions',
    '/users/{id}/subscriptions/{subject}',
  ])
})

test('unknown paths get 404 and other methods 405, with a code in JSON', async () => {
  const missing = await read('/nope')
  expect([missing.status, codeOf(missing)]).toEqual([404, 'not_found'])
  const response = await server.ask('/messages')
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
  expect(codeOf({ status: 405, body: (await response.json()) as never })).toBe('method_not_allowed')
  const put = await server.ask('/users/1', { method: 'PUT' })
  expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
})

test.each([
  ['no HTTP', 'hello\r\n\r\n', 400, 'invalid_request'],
  ['a record of TLS', '\x16\x03\x01\x02\x00\x01', 400, 'invalid_request'],
  ['no host', 'GET /stats HTTP/1.1\r\n\r\n', 400, 'invalid_host'],
  ['an empty host', 'GET /stats HTTP/1.1\r\nHost:\r\n\r\n', 400, 'invalid_host'],
  ['a host with a blank', 'GET /stats HTTP/1.1\r\nHost: a b\r\n\r\n', 400, 'invalid_host'],
  [
    'two hosts',
    'GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n',
    ...([400, 'invalid_host'] as const),
  ],
  ['a long target', `GET /${'x'.repeat(8_192)} HTTP/1.1\r\n`, 414, 'invalid_request'],
  [
    'a method of no HTTP',
    'post /messages HTTP/1.1\r\nHost: localhost\r\n\r\n',
    501,
    'invalid_request',
  ],
])('%s gets an error in JSON, and its connection is closed', async (_, wire, status, code) => {
  await using client = await RawClient.open(server.controlPort, wire)
  const text = await client.ended()
  expect(text).toStartWith(`HTTP/1.1 ${status} `)
  expect(text.toLowerCase()).toContain('connection: close\r\n')
  expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code } })
})

test('the control port has no streams', async () => {
  expect((await read('/test/1')).status).toBe(404)
})

test('a request with the Origin of another page gets 403', async () => {
  const publish = (origin: string) =>
    server.ask('/messages', {
      method: 'POST',
      headers: { origin },
      body: '{"to":1,"body":"x"}',
    })
  expect((await publish('http://evil.example')).status).toBe(403)
  expect((await publish(server.controlUrl)).status).toBe(200)
})

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
  ['PUT', '/users/x*/subscriptions/101', '', 400],
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

const TOO_HIGH = 1_114_113
const UNKNOWN_USER = {
  code: 'unknown_user',
  message: 'There is no user above 1114112, by --max-users.',
}

test('an id above --max-users gets unknown_user, in a path and in a message', async () => {
  const unknown = { status: 404, body: { error: UNKNOWN_USER } }
  for (const path of [
    `/users/${TOO_HIGH}`,
    `/users/${TOO_HIGH}/subscribers`,
    `/users/${TOO_HIGH}/subscriptions`,
  ]) {
    expect(await read(path)).toEqual(unknown)
  }
  for (const path of [`/users/${TOO_HIGH}/subscriptions/1`, `/users/1/subscriptions/${TOO_HIGH}`]) {
    expect(await read(path, { method: 'PUT' })).toEqual(unknown)
  }
  for (const body of [`{"to":${TOO_HIGH},"body":"x"}`, `{"subject":${TOO_HIGH},"body":"x"}`]) {
    const one = { 'content-type': 'application/json' }
    expect(await read('/messages', { method: 'POST', headers: one, body })).toEqual(unknown)
    const many = { 'content-type': 'application/x-ndjson' }
    const lines = await read('/messages', { method: 'POST', headers: many, body })
    expect(lines.body).toMatchObject({ accepted: 0, rejected: [{ line: 1, error: UNKNOWN_USER }] })
  }
})
