// Goal: the chunked transport keeps the contract, and the address of 2008 behaves as documented.
// Method: the public port's real app on a real port, asked over raw sockets.

import { describe, expect, test } from 'bun:test'
import { get, RawClient } from '../../scripts/support/raw-client.ts'
import { until } from '../core/time.fixture.ts'
import { type Lease, UNLIMITED } from '../hub/stream.ts'
import { chunksOf, type Decision, PublicHost } from './host.fixture.ts'
import { transportContract } from './transport.contract.ts'

/** Each message is a chunk. */
const CHUNKED = {
  pathOf: (user: number) => `/test/${user}`,
  readerOf: chunksOf,
}

const newHost = () => new PublicHost(CHUNKED)

const newDescriptorHost = () => PublicHost.onDescriptors(CHUNKED)

const welcomeOf = (user: number) => `Welcome, Url: '/test/${user}' Id: ${user}\n`

transportContract('the chunked transport on sockets', async () => newHost(), welcomeOf)

describe.if(process.platform === 'linux')('past Bun,', () => {
  transportContract('the chunked transport on descriptors', newDescriptorHost, welcomeOf)

  const newAcceptingHost = () => PublicHost.accepting(CHUNKED)
  transportContract('the chunked transport, accepted past Bun', newAcceptingHost, welcomeOf)

  test('a stream whose request came whole never was a socket of Bun', async () => {
    await using host = await newAcceptingHost()
    using client = await host.open(7)
    expect([host.asked, host.streams.open]).toEqual([[], 1])
    client.hangUp()
    await until('it is forgotten', () => host.streams.open === 0)
  })

  test.each([
    ['a request that comes in two parts', ['GET /test/7 HTTP/1.1\r\nHost: a\r\n', '\r\n']],
    [
      'a request with another one behind it',
      [`${'GET /test/7 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2)}`],
    ],
    ['a request of another path', ['GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n']],
    ['bytes that are no request', ['\0\r\n\r\n']],
    ['a client that says nothing at first', ['', 'GET /test/7 HTTP/1.1\r\nHost: a\r\n\r\n']],
  ])('%s is answered like on a socket of Bun', async (_, parts) => {
    const answers: string[] = []
    for (const start of [newAcceptingHost, newDescriptorHost]) {
      await using host = await start()
      using client = await RawClient.open(host.port, parts[0] ?? '')
      for (const part of parts.slice(1)) {
        await Bun.sleep(20)
        client.send(part)
      }
      const { status } = await client.headed()
      answers.push(`${status} ${client.rest}`)
    }
    expect(answers[0]).toBe(answers[1])
  })
})

describe('GET /test/{id}', () => {
  test('answers 200 with the head of a stream that nothing holds back', async () => {
    await using host = newHost()
    using raw = await RawClient.request(host.port, 'GET /test/123 HTTP/1.1')
    const { status, fields } = await raw.headed()
    fields.delete('date')
    expect([status, Object.fromEntries(fields)]).toEqual([
      200,
      {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
        'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'transfer-encoding': 'chunked',
      },
    ])
  })

  test.each([
    ['one character', ['Host: x']],
    ['an address and a port', ['Host: 127.0.0.1:8000']],
  ])('takes a Host field with %s', async (_, headers) => {
    await using host = newHost()
    using raw = await RawClient.request(host.port, 'GET /test/5 HTTP/1.1', headers)
    await until('the welcome has come', () => raw.chunks.length > 0)
    expect(String(raw.chunks[0])).toBe("Welcome, Url: '/test/5' Id: 5\n")
  })

  test('puts the id into the welcome, without the query', async () => {
    await using host = newHost()
    using raw = await RawClient.request(host.port, 'GET /test/42?since=1 HTTP/1.1')
    await until('the welcome has come', () => raw.chunks.length > 0)
    expect(String(raw.chunks[0])).toBe("Welcome, Url: '/test/42' Id: 42\n")
    expect(host.streams.connected.presence(42).connections).toBe(1)
  })

  test.each([
    ['percent-encoded digits', '/test/%34%32'],
    ['a slash at its end', '/test/42/'],
    ['a slash at its end and a query', '/test/42/?since=1'],
    ['an absolute form', 'http://localhost/test/42/'],
  ])('takes an id with %s', async (_, path) => {
    await using host = newHost()
    using raw = await RawClient.request(host.port, `GET ${path} HTTP/1.1`)
    await until('the welcome has come', () => raw.chunks.length > 0)
    expect(String(raw.chunks[0])).toBe("Welcome, Url: '/test/42' Id: 42\n")
  })

  test.each([
    ['/test/0'],
    ['/test/0042'],
    ['/test/-1'],
    ['/test/1.5'],
    ['/test/1e3'],
    ['/test/0x10'],
    ['/test/abc'],
    ['/test/12a'],
    ['/test/'],
    ['/test'],
    ['/test/1/2'],
    ['/test/%00'],
    ['/test%2F1'],
    ['/test/1//'],
    ['/test/1#a'],
    ['/test/1#'],
    ['/test/%zz'],
    ['/test/%D9%A3'],
    ['/'],
    ['/favicon.ico'],
    ['/tests/1'],
  ])('answers 404 to %s', async (path) => {
    await using host = newHost()
    const { status, body } = await host.ask(`GET ${path} HTTP/1.1`)
    expect([status, body]).toEqual([404, 'User id not found, try /test/123 instead\n'])
    expect(host.streams.opened).toBe(0)
  })

  test.each([
    [1000, 200],
    [1001, 503],
    [4_294_967_296, 503],
    ['9'.repeat(400), 503],
  ])('answers %p with %p, since 1000 is the highest', async (user, status) => {
    await using host = newHost()
    const answer = await host.ask(`GET /test/${user} HTTP/1.1`)
    expect(answer.status).toBe(status)
    if (status === 503) expect(answer.body).toBe('Max uid allowed is 1000\n')
  })

  test.each([
    ['full', 503, 'All streams are taken\n'],
    ['draining', 503, 'The server is stopping\n'],
    ['busy', 503, 'The server is busy\n'],
    ['rate', 503, 'Too many streams are being opened\n'],
    ['address', 429, 'Too many streams from this address\n'],
  ] as const)(
    'is refused for %s with %p, and the connection is closed',
    async (reason, expected, body) => {
      await using host = newHost()
      host.admission = { admitted: false, reason, retryAfterSeconds: 5 }
      using raw = await RawClient.request(host.port, 'GET /test/7 HTTP/1.1')
      const { status, fields } = await raw.headed()
      expect([status, fields.get('retry-after'), fields.get('connection')]).toEqual([
        expected,
        '5',
        'close',
      ])
      await until('the connection is closed', () => raw.ending !== 'open')
      expect([raw.rest, raw.ending, host.streams.opened]).toEqual([`${reason}: ${body}`, 'cut', 0])
    },
  )
})

test.each([
  ['token_missing', 401, 'Bearer'],
  ['token_expired', 401, 'Bearer error="invalid_token", error_description="token_expired"'],
  ['user', 403, undefined],
] as const)(
  'is refused for %s with %p, and not told to try again',
  async (reason, status, challenge) => {
    await using host = newHost()
    host.admission = { admitted: false, reason, retryAfterSeconds: null }
    const answer = await host.ask('GET /test/7 HTTP/1.1')
    expect([answer.status, answer.fields.get('www-authenticate')]).toEqual([status, challenge])
    expect(answer.fields.has('retry-after')).toBe(false)
    expect(answer.body).toStartWith(`${reason}: `)
  },
)

/** A lease that counts how often it is released. */
class Counted implements Lease {
  times = 0

  release(): void {
    this.times++
  }
}

describe('a stream that counts is told of once when it is over', () => {
  const endings = {
    'the client leaves': (_: PublicHost, raw: RawClient) => raw.terminate(),
    'the server drains': (host: PublicHost) => host.streams.drain(1),
    'it is drained and then left': (host: PublicHost, raw: RawClient) => {
      host.streams.drain(1)
      raw.terminate()
    },
  }
  test.each(Object.entries(endings))('when %s', async (_, end) => {
    await using host = newHost()
    const lease = new Counted()
    host.admission = Promise.resolve({ admitted: true, ...UNLIMITED, lease })
    using raw = await RawClient.request(host.port, 'GET /test/7 HTTP/1.1')
    await until('the welcome has come', () => raw.chunks.length > 0)
    expect(lease.times).toBe(0)
    end(host, raw)
    await until('it is over', () => lease.times > 0 && host.streams.open === 0)
    // The end of another stream, behind it, has been seen.
    using other = await RawClient.request(host.port, 'GET /test/8 HTTP/1.1')
    await until('the other has come', () => other.chunks.length > 0)
    expect(lease.times).toBe(1)
  })

  test('when the client left before it was decided', async () => {
    await using host = newHost()
    const lease = new Counted()
    const decision = Promise.withResolvers<Decision>()
    host.admission = decision.promise
    const raw = await RawClient.request(host.port, 'GET /test/7 HTTP/1.1')
    await until('it was asked for', () => host.asked.length === 1)
    raw.terminate()
    await until('its end was seen', () => host.asked[0]?.isGone === true)
    decision.resolve({ admitted: true, ...UNLIMITED, lease })
    await until('it is over', () => lease.times === 1)
    expect(host.streams.opened).toBe(0)
  })

  test('and not at all when it was refused', async () => {
    await using host = newHost()
    host.admission = Promise.resolve({
      ...{ admitted: false, reason: 'address', retryAfterSeconds: 7 },
    } as const)
    const answer = await host.ask('GET /test/7 HTTP/1.1')
    expect([answer.status, answer.fields.get('retry-after')]).toEqual([429, '7'])
  })
})

const METHODS = 'GET, HEAD, OPTIONS'

describe('another method', () => {
  test('OPTIONS says which there are', async () => {
    await using host = newHost()
    const { status, fields } = await host.ask('OPTIONS /test/7 HTTP/1.1')
    expect([status, fields.get('allow'), host.streams.opened]).toEqual([204, METHODS, 0])
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('%s is answered 405', async (method) => {
    await using host = newHost()
    const { status, fields } = await host.ask(`${method} /test/7 HTTP/1.1`, [
      'Host: x',
      'Content-Length: 0',
    ])
    expect([status, fields.get('allow'), host.streams.opened]).toEqual([405, METHODS, 0])
  })
})

describe('HEAD', () => {
  test('has the same head as GET and leaves the connection for the next request', async () => {
    await using host = newHost()
    using raw = await RawClient.request(host.port, 'HEAD /test/7 HTTP/1.1')
    const { status, fields } = await raw.headed()
    expect([status, fields.get('content-type'), fields.get('cache-control')]).toEqual([
      200,
      'text/html; charset=utf-8',
      'no-store, no-transform',
    ])
    expect([raw.rest, raw.ending, host.streams.opened]).toEqual(['', 'open', 0])
    raw.head = null
    raw.send('GET /test/7 HTTP/1.1\r\nHost: x\r\n\r\n')
    await until('the welcome has come', () => raw.chunks.length > 0)
    expect(host.streams.open).toBe(1)
  })

  test.each([
    ['/test/abc', 404],
    ['/test/1001', 503],
  ])('of %s is %p', async (path, status) => {
    await using host = newHost()
    const answer = await host.ask(`HEAD ${path} HTTP/1.1`)
    expect([answer.status, answer.body]).toEqual([status, ''])
  })
})

describe('a request for no stream', () => {
  test.each([
    ['POST /nothing', 404],
    ['HEAD /', 404],
    ['OPTIONS *', 204],
    ['TRACE /test/1', 501],
    ['get /test/1', 501],
    ['CONNECT a:1', 501],
  ])('%s gets %p', async (line, status) => {
    await using host = newHost()
    const { fields, ...answer } = await host.ask(`${line} HTTP/1.1`)
    expect([answer.status, host.streams.opened]).toEqual([status, 0])
    if (status === 204) expect(fields.get('allow')).toContain('GET, HEAD')
    if (status === 404) expect(fields.get('content-security-policy')).toContain('sandbox')
  })

  test('may be followed by one for a stream on its connection, with a body or without', async () => {
    await using host = newHost()
    const head = ['POST /nothing HTTP/1.1', 'Host: x', 'Content-Length: 2', '', ''].join('\r\n')
    using client = await RawClient.open(host.port, `${head}hi${get('/nothing')}${get('/test/7')}`)
    await client.received('Id: 7\n')
    expect(client.text.match(/HTTP\/1\.1 \d+/g)?.join()).toBe(
      'HTTP/1.1 404,HTTP/1.1 404,HTTP/1.1 200',
    )
  })
})
