// Goal: an app gets the request that was sent, as the web's Request, and its Response reaches the
// client, whole or as it comes. Method: real ports and raw clients; each app is one function.

import { describe, expect, test } from 'bun:test'
import { answersIn, type RawAnswer } from '../../scripts/support/answers.ts'
import { get, RawClient } from '../../scripts/support/raw-client.ts'
import { until } from '../core/time.fixture.ts'
import { listening } from './listener.fixture.ts'
import { type Fetch, isGone, responseOf, streamedResponse } from './web.ts'

const MIB = 1024 * 1024
const TEXT = 'text/plain;charset=utf-8'

function head(line: string, ...headers: string[]): string {
  return [line, 'Host: x', ...headers, '', ''].join('\r\n')
}

/** The answers to all of the bytes, after which the client closes its half. */
async function answersTo(fetch: Fetch, wire: string, methods?: string[]): Promise<RawAnswer[]> {
  await using port = listening({ fetch })
  using client = await RawClient.open(port.port, wire)
  client.closeSendingHalf()
  await until('the end', () => client.end !== null)
  return answersIn(client.text, methods).answers
}

describe('the request of an app', () => {
  test('has the method, the URL and the headers that were sent', async () => {
    const fetch = (request: Request) =>
      Response.json([request.method, request.url, [...request.headers], request.body])
    const wire = head('GET http://y/a%20b/?c=%41&c HTTP/1.1', 'A: 1', 'b:\xe9', 'A: 2', 'Cookie:')
    const [answer] = await answersTo(fetch, wire)
    expect(JSON.parse(answer?.body ?? '')).toEqual([
      'GET',
      'http://localhost/a%20b/?c=%41&c',
      expect.arrayContaining([
        ['a', '1, 2'],
        ['b', '\xc3\xa9'],
        ['host', 'y'],
        ['cookie', ''],
      ]),
      null,
    ])
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s has its body', async (method) => {
    const fetch = async (request: Request) =>
      new Response(`${request.method} ${await request.text()}`)
    const framings = [
      `${head(`${method} / HTTP/1.1`, 'Content-Length: 2')}hi`,
      `${head(`${method} / HTTP/1.1`, 'Transfer-Encoding: chunked')}1\r\nh\r\n1\r\ni\r\n0\r\n\r\n`,
      `${head(`${method} / HTTP/1.1`)}`,
    ]
    const answers = await answersTo(fetch, framings.join(''))
    const bodies = answers.map(({ body }) => body)
    expect(bodies).toEqual([`${method} hi`, `${method} hi`, `${method} `])
  })

  test.each(['%', 'a/%zz', '%e2%82', 'a%'])('with the path /%s is none', async (path) => {
    const [answer] = await answersTo(() => new Response('taken'), head(`GET /${path} HTTP/1.1`))
    expect([answer?.status, answer?.body.includes('percent-encoded')]).toEqual([400, true])
  })

  test('has a body that is read only when the app reads it', async () => {
    const read = Promise.withResolvers<void>()
    const fetch = async (request: Request) => {
      await read.promise
      return new Response(await request.text())
    }
    await using port = listening({ fetch })
    const wire = head('POST / HTTP/1.1', 'Content-Length: 2', 'Expect: 100-continue')
    using client = await RawClient.open(port.port, wire)
    await Bun.sleep(20)
    expect(client.text).toBe('')
    read.resolve()
    await client.received('100 Continue')
    client.send('hi')
    await until('an answer', () => client.text.endsWith('hi'))
  })

  test('has a body that ends with AbortError when its client leaves', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    let gone = false
    const fetch = async (request: Request) => {
      await request.text().catch(resolve)
      gone = isGone(request)
      return new Response('nobody reads it')
    }
    await using port = listening({ fetch })
    const client = await RawClient.open(
      port.port,
      `${head('PUT / HTTP/1.1', 'Content-Length: 9')}a`,
    )
    client.terminate()
    expect(await promise).toMatchObject({ name: 'AbortError' })
    await until('the app knows', () => gone)
  })

  test('that came by no port has a client that is there', () => {
    expect(isGone(new Request('http://x'))).toBe(false)
  })
})

describe('a method', () => {
  test.each(['CONNECT a:1', 'TRACE /', 'BREW /', 'get /', 'LINK /'])(
    'that no app takes, as of %s, gets 501, and ends the connection',
    async (line) => {
      const asked: string[] = []
      const fetch = ({ method }: Request) => {
        asked.push(method)
        return new Response()
      }
      const answers = await answersTo(fetch, head(`${line} HTTP/1.1`) + get('/'))
      expect([answers.map(({ status }) => status), asked]).toEqual([[501], []])
      expect(answers[0]?.fields.get('connection')).toBe('close')
    },
  )

  test.each(['/a/..\\b', '/a/../b', '/a/%2E%2e/b', '/a/.', '/./a', '\\a'])(
    'the path %s, of which URL would make another one, is refused',
    async (path) => {
      const [answer] = await answersTo(
        ({ url }) => new Response(url),
        head(`GET ${path.startsWith('/') ? path : `/${path}`} HTTP/1.1`),
      )
      expect(answer?.status).toBe(400)
    },
  )

  test.each(['/a/..b', '/a..', '/...', '/%2e%2e%2e', '/a.b/c'])(
    'the path %s is not',
    async (path) => {
      const [answer] = await answersTo(
        ({ url }) => new Response(new URL(url).pathname),
        head(`GET ${path} HTTP/1.1`),
      )
      expect([answer?.status, answer?.body]).toEqual([200, path])
    },
  )

  test('OPTIONS of the whole server gets the methods', async () => {
    const [options, next] = await answersTo(
      ({ method }) => new Response(method),
      head('OPTIONS * HTTP/1.1') + get('/'),
    )
    expect([options?.status, options?.fields.get('allow')]).toEqual([
      204,
      'GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS',
    ])
    expect(next?.body).toBe('GET')
  })

  test('HEAD gets the head of a GET, with its length, and no body', async () => {
    const fetch = (request: Request) => new Response(`${request.method}, żółć`)
    const wire = head('HEAD / HTTP/1.1') + get('/')
    const answers = await answersTo(fetch, wire, ['HEAD'])
    const [first, second] = answers.map(({ fields }) => Object.fromEntries(fields))
    expect(first).toEqual(second as Record<string, string>)
    expect(first).toMatchObject({ 'content-length': '13', 'content-type': TEXT })
    expect(answers.map(({ body }) => body.length)).toEqual([0, 13])
  })
})

describe('the response of an app', () => {
  test.each<[string, () => Response, number, Record<string, string>, string]>([
    ['a text', () => new Response('é'), 200, { 'content-type': TEXT, 'content-length': '2' }, 'Ã©'],
    ['nothing', () => new Response(), 200, { 'content-length': '0' }, ''],
    ['no content', () => new Response(null, { status: 204 }), 204, {}, ''],
    [
      'JSON',
      () => Response.json([1], { status: 422 }),
      422,
      { 'content-type': 'application/json;charset=utf-8', 'content-length': '3' },
      '[1]',
    ],
    [
      'fields of its own, but for the length',
      () => new Response('abc', { headers: { 'x-A': '1', 'Content-Length': '7' } }),
      200,
      { 'content-type': TEXT, 'content-length': '3', 'x-a': '1' },
      'abc',
    ],
  ])('is sent, of %s', async (_, fetch, status, fields, body) => {
    const [answer] = await answersTo(fetch, get('/'))
    expect(answer).toMatchObject({ status, body })
    expect(Object.fromEntries(answer?.fields ?? [])).toEqual({
      ...fields,
      date: expect.any(String),
    })
  })

  test('is sent with each of its cookies', async () => {
    const cookies = ['a=1; Path=/', 'b=2; Expires=Fri, 02 Jan 2026 03:04:05 GMT']
    const one = { 'set-cookie': cookies.slice(0, 1), 'x-a': 'b' }
    const fetch: Fetch = ({ url }) =>
      responseOf({ status: 204, headers: url.endsWith('/1') ? one : { 'set-cookie': cookies } })
    await using port = listening({ fetch })
    using client = await RawClient.open(port.port, get('/1') + get('/2'))
    await until('both answers', () => answersIn(client.text).answers.length === 2)
    const lines = [...client.text.matchAll(/^set-cookie: (.*)\r$/gim)].map(([, value]) => value)
    expect(lines).toEqual([cookies[0], ...cookies])
  })

  test.each<[string, Fetch]>([
    ['throws', () => thrown()],
    ['rejects', async () => thrown()],
    ['answers with a body that fails', () => new Response(failing('a bug'))],
  ])('of an app that %s is 500, once, and reported once', async (_, fetch) => {
    const bugs: string[] = []
    const onBug = (error: unknown) => bugs.push((error as Error).message)
    await using port = listening({ fetch, onBug })
    using client = await RawClient.open(port.port, get('/') + get('/next'))
    await until('its end', () => client.ending === 'cut')
    const { answers } = answersIn(client.text)
    expect(answers).toMatchObject([{ status: 500, body: 'Internal error\n' }])
    expect(answers[0]?.fields.get('connection')).toBe('close')
    expect(bugs).toEqual(['a bug'])
  })
})

function thrown(): never {
  throw new Error('a bug')
}

/** A body that fails after some parts. */
function failing(message: string, ...parts: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      const part = parts.shift()
      if (part === undefined) throw new Error(message)
      controller.enqueue(Buffer.from(part))
    },
  })
}

/** A body that goes on as long as it is read; how much of it was made, and whether it ended. */
function endless(part = 'x'.repeat(65_536)) {
  const seen = { parts: 0, isCancelled: false }
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      seen.parts++
      await Bun.sleep(0)
      controller.enqueue(Buffer.from(part))
    },
    cancel() {
      seen.isCancelled = true
    },
  })
  return { seen, body }
}

describe('a streamed response', () => {
  const parts = (...texts: string[]) =>
    new ReadableStream<Uint8Array>({
      async pull(controller) {
        await Bun.sleep(0)
        const text = texts.shift()
        if (text === undefined) controller.close()
        else controller.enqueue(Buffer.from(text))
      },
    })
  const fetch: Fetch = ({ url }) =>
    streamedResponse(parts(url.slice(-2), '', 'é', '\r\n'), { headers: { 'x-a': 'b' } })

  test('is sent in chunks, and the next answer comes behind it', async () => {
    const answers = await answersTo(fetch, get('/1') + get('/2'))
    expect(answers.map(({ body }) => body)).toEqual(['/1Ã©\r\n', '/2Ã©\r\n'])
    expect(Object.fromEntries(answers[0]?.fields ?? [])).toEqual({
      'x-a': 'b',
      'transfer-encoding': 'chunked',
      date: expect.any(String),
    })
  })

  test('has no chunks in HTTP/1.0, and ends with the connection', async () => {
    const wire = 'GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
    const answers = await answersTo(fetch, wire + wire)
    expect(answers).toMatchObject([{ body: '/1Ã©\r\n', isUntilClose: true }])
    expect(answers[0]?.fields.get('connection')).toBe('close')
  })

  test('to a HEAD is its head, and its body is cancelled', async () => {
    const { seen, body } = endless()
    const one: Fetch = ({ url }) => streamedResponse(url.endsWith('1') ? body : parts('y'), {})
    const wire = head('HEAD /1 HTTP/1.1') + get('/2')
    const answers = await answersTo(one, wire, ['HEAD'])
    expect(answers.map(({ body: text }) => text)).toEqual(['', 'y'])
    expect(answers[0]?.fields.get('transfer-encoding')).toBe('chunked')
    expect(seen.isCancelled).toBe(true)
  })

  test('is made no faster than its client reads, and ends when it leaves', async () => {
    const { seen, body } = endless()
    await using port = listening({ fetch: () => streamedResponse(body, {}) })
    using client = await RawClient.open(port.port, get('/'))
    client.pause()
    let before = -1
    await until('no more is made', () => {
      const isSame = seen.parts === before
      before = seen.parts
      Bun.sleepSync(20)
      return isSame && before > 0
    })
    expect(before).toBeLessThan((16 * MIB) / 65_536)
    client.resume()
    await until('more is made', () => seen.parts > before + 20)
    client.terminate()
    await until('it ends', () => seen.isCancelled)
    expect(await port.stop(1_000)).toBe(false)
  })

  test('that has nothing to send ends when its client leaves', async () => {
    let isCancelled = false
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(Buffer.from('first')),
      cancel: () => {
        isCancelled = true
      },
    })
    await using port = listening({ fetch: () => streamedResponse(body, {}) })
    using client = await RawClient.open(port.port, get('/'))
    await client.received('first')
    client.terminate()
    await until('it ends', () => isCancelled)
  })

  test.each([
    ['1.1', 'cut'],
    // Where the end of the connection is that of a body, a reset is not.
    ['1.0', 'reset'],
  ] as const)('that fails in HTTP/%s has no end, and is reported once', async (version, ending) => {
    const bugs: string[] = []
    const onBug = (error: unknown) => bugs.push((error as Error).message)
    const large = 'x'.repeat(1_000_000)
    const broken: Fetch = ({ url }) =>
      url.endsWith('/large') ? new Response(large) : streamedResponse(failing('a bug', 'first'), {})
    await using port = listening({ fetch: broken, onBug })
    const wire = (path: string) => `GET ${path} HTTP/${version}\r\nHost: x\r\n\r\n`
    const before = version === '1.1' ? wire('/large') : ''
    using client = await RawClient.open(port.port, before + wire('/') + wire('/'))
    await until('its end', () => client.end !== null)
    expect([client.end, bugs]).toEqual([ending === 'cut' ? 'closed' : ending, ['a bug']])
    if (ending === 'reset') return
    const { answers, rest } = answersIn(client.text)
    expect(answers.map(({ body }) => body.length)).toEqual([large.length])
    expect(rest).toEndWith('\r\n\r\n5\r\nfirst\r\n')
  })

  test('is sent while the body of its request is read, and ends the connection', async () => {
    const upload: Fetch = (request) => streamedResponse(request.body ?? parts(), {})
    await using port = listening({ fetch: upload })
    using client = await RawClient.open(port.port, head('PUT / HTTP/1.1', 'Content-Length: 3'))
    await client.headed()
    for (const byte of 'abc') {
      client.send(byte)
      await client.received(`1\r\n${byte}\r\n`)
    }
    client.send(get('/'))
    await until('its end', () => client.end !== null)
    const { answers } = answersIn(client.text)
    expect(answers.map(({ body, fields }) => [body, fields.get('connection')])).toEqual([
      ['abc', 'close'],
    ])
  })

  test.each(['1\r\na\r\nx', '1\r\na'])(
    'whose request ends in no HTTP, or too early, is cut: %j',
    async (body) => {
      const bugs: unknown[] = []
      const upload: Fetch = (request) => streamedResponse(request.body ?? parts(), {})
      await using port = listening({ fetch: upload, onBug: (error) => bugs.push(error) })
      const wire = head('PUT / HTTP/1.1', 'Transfer-Encoding: chunked') + body
      using client = await RawClient.open(port.port, wire)
      await client.received('1\r\na\r\n')
      client.closeSendingHalf()
      await until('its end', () => client.end !== null)
      expect(client.text).not.toContain('0\r\n\r\n')
      expect(bugs).toMatchObject([{ name: 'AbortError' }])
    },
  )
})
