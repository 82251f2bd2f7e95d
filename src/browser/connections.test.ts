// Goal: the next connection is opened in a format that works, with a token that is valid, and when
// the server can bear it; and none where that would be no use. Method: a real server with faults to
// order, over sockets.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import { CometError, type CometFormat } from './api.ts'
import { connect } from './comet.ts'
import { Received } from './received.fixture.ts'
import { type AskedStream, type Fault, StreamServer } from './server.fixture.ts'

const BY_FETCH: readonly CometFormat[] = ['sse', 'json', 'poll']

const formatsOf = (asked: readonly AskedStream[]) => asked.map(({ format }) => format)

/** A server that takes one token at a time. */
function lockedServer() {
  const server = new StreamServer({ pollMs: 600 })
  const lock = { valid: 'token-1' }
  server.fault = ({ authorization }): Fault | null => {
    if (authorization === `Bearer ${lock.valid}`) return null
    return () => new Response('token_expired: The token has expired\n', { status: 401 })
  }
  return { server, lock }
}

describe('tokens', () => {
  test.each(BY_FETCH)('by %s a token is a header, and never in the address', async (format) => {
    const { server } = lockedServer()
    using _ = server
    using alice = new Received(`${server.url}/stream/alice`, { format, token: 'token-1' })
    await alice.opened()
    server.publish({ to: 'alice', body: 'm1' })
    await alice.got(1)
    for (const { url } of server.asked) expect(url).not.toContain('token')
  })

  test('with a token no WebSocket is tried, since a page cannot send it by one', async () => {
    const { server } = lockedServer()
    using _ = server
    using alice = new Received(`${server.url}/stream/alice`, { token: 'token-1' })
    await alice.opened()
    expect(formatsOf(server.asked)).toEqual(['sse'])
  })

  test('each connection has a ticket of its own, by WebSocket too', async () => {
    using server = new StreamServer()
    let tickets = 0
    const ticket = async () => `ticket-${++tickets}`
    using alice = new Received(`${server.url}/stream/alice`, { ticket })
    await alice.opened()
    server.cut()
    await alice.opened(2)
    expect(server.asked.map(({ query }) => query.get('ticket'))).toEqual(['ticket-1', 'ticket-2'])
    expect(formatsOf(server.asked)).toEqual(['websocket', 'websocket'])
  })

  test.each(BY_FETCH)('by %s a new token is got when the server wants one', async (format) => {
    const { server, lock } = lockedServer()
    using _ = server
    let tokens = 0
    const token = () => `token-${++tokens}`
    using alice = new Received(`${server.url}/stream/alice`, { format, token })
    await alice.opened()
    server.cut()
    await until('it is held', () => server.held === 1)
    expect(tokens).toBe(1)
    lock.valid = 'token-2'
    if (format === 'poll') server.publish({ to: 'alice', body: 'm0' })
    else server.end('expired')
    await until('it has a token', () => tokens === 2 && server.held === 1)
    server.publish({ to: 'alice', body: 'm1' })
    await until('it has come', () => alice.bodies.includes('m1'))
    expect([alice.count('error'), alice.count('gap')]).toEqual([0, 0])
  })

  test('an invalid token is asked for again, later and later', async () => {
    const { server } = lockedServer()
    using _ = server
    let tokens = 10
    const token = () => `token-${++tokens}`
    using alice = new Received(`${server.url}/stream/alice`, { token, retryMs: 50 })
    await until('it has tried', () => server.asked.length >= 5)
    expect(new Set(server.asked.map(({ authorization }) => authorization)).size).toBe(
      server.asked.length,
    )
    const waits = alice.details('reconnect').map(({ waitMs }) => waitMs)
    expect(waits[0]).toBe(0)
    expect(waits.slice(1).every((waitMs) => waitMs > 0)).toBe(true)
  })

  test('a token that cannot be got now is got later', async () => {
    const { server } = lockedServer()
    using _ = server
    let calls = 0
    const token = async () => {
      if (++calls < 3) throw new TypeError('offline')
      return 'token-1'
    }
    using alice = new Received(`${server.url}/stream/alice`, { token })
    await alice.opened()
    expect(alice.details('reconnect').map(({ reason }) => reason)).toEqual([
      'TypeError: offline',
      'TypeError: offline',
    ])
  })

  test.each([
    ['a text that is not valid', 'token-0', 'token_expired'],
    ['none', () => null, 'token_missing'],
  ] as const)('without a new token it stops: %s', async (_, token, code) => {
    const { server } = lockedServer()
    using __ = server
    using alice = new Received(`${server.url}/stream/alice`, { token })
    await until('it has stopped', () => alice.ended !== null)
    expect(alice.ended).toMatchObject({ status: 401, code })
    expect(server.asked.length).toBeLessThan(2)
  })
})

describe('refusals', () => {
  test.each([
    [403, 'user: The token is not for the stream of this user\n', 'user'],
    [404, 'There is no such user\n', ''],
    [400, '', ''],
  ])('%p ends it, with an error that says why', async (status, text, code) => {
    using server = new StreamServer()
    server.fault = () => () => new Response(text, { status })
    using alice = new Received(`${server.url}/stream/alice`)
    await until('it has stopped', () => alice.ended !== null)
    const message = text.trim() || `The server answered with ${status}`
    expect(alice.ended).toBeInstanceOf(CometError)
    expect(alice.ended).toMatchObject({ status, code, message })
    expect(alice.details('error')).toEqual([alice.ended as CometError])
    expect(alice.stream.state).toBe('closed')
    // By WebSocket nobody is told why.
    expect(formatsOf(server.asked)).toEqual(['websocket', 'sse'])
  })

  test.each([503, 429])('after %p it comes back no sooner than it is told to', async (status) => {
    using server = new StreamServer()
    let refused = 0
    server.fault = () => {
      const headers = { 'retry-after': '1' }
      return refused++ < 1 ? () => new Response('full: All\n', { status, headers }) : null
    }
    using alice = new Received(`${server.url}/stream/alice`, { format: 'sse' })
    await alice.opened()
    const [first, second] = server.asked
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeWithin(990, 2_300)
    expect(alice.details('reconnect')[0]?.waitMs).toBeWithin(1_000, 2_000)
  })

  test('clients that are told the same do not come back together', async () => {
    using server = new StreamServer()
    server.fault = () => () => new Response('', { status: 503, headers: { 'retry-after': '5' } })
    const streams = Array.from({ length: 40 }, () => new Received(`${server.url}/stream/alice`))
    await until('all are told', () => streams.every((each) => each.count('reconnect') === 1))
    const waits = streams.map((each) => each.details('reconnect')[0]?.waitMs ?? 0)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(5_000)
    expect(Math.max(...waits)).toBeLessThan(10_000)
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(2_500)
    for (const each of streams) each.stream.close()
  })
})

describe('formats', () => {
  /** What a proxy does to each. */
  const behind = (faults: Partial<Record<string, Fault>>) => {
    const server = new StreamServer({ pollMs: 600 })
    server.fault = ({ format }) => faults[format] ?? null
    return server
  }
  const BAD_REQUEST = () => new Response('', { status: 400 })

  test.each([
    ['refuses', BAD_REQUEST],
    ['never answers', 'hang'],
  ] as const)('a proxy that %s WebSockets is passed by server-sent events', async (_, fault) => {
    using server = behind({ websocket: fault })
    using alice = new Received(`${server.url}/stream/alice`)
    await alice.opened()
    expect(alice.stream.format).toBe('sse')
    server.publish({ to: 'alice', body: 'm1' })
    await alice.got(1)
    // It is remembered.
    server.cut()
    await alice.opened(2)
    expect(formatsOf(server.asked)).toEqual(['websocket', 'sse', 'sse'])
  })

  test('a proxy that holds back what streams is passed by long polls', async () => {
    using server = behind({ websocket: BAD_REQUEST, sse: 'buffer' })
    using alice = new Received(`${server.url}/stream/alice`)
    await alice.opened()
    expect(alice.stream.format).toBe('poll')
    server.publish({ to: 'alice', body: 'm1' })
    await alice.got(1)
    expect(alice.bodies).toEqual(['m1'])
    expect(alice.count('reconnect')).toBe(0)
  })

  test('it begins anew with the first if no format works', async () => {
    using server = behind({ websocket: BAD_REQUEST, sse: 'buffer', poll: 'hang' })
    using alice = new Received(`${server.url}/stream/alice`, { openMs: 50 })
    await until('it has tried', () => server.asked.length > 6)
    const asked = formatsOf(server.asked).slice(0, 6)
    expect(asked).toEqual(['websocket', 'sse', 'poll', 'websocket', 'sse', 'poll'])
    expect(alice.count('reconnect')).toBeGreaterThan(0)
  })

  test('a server that was away is found by WebSocket again', async () => {
    using server = new StreamServer()
    using alice = new Received(`${server.url}/stream/alice`)
    await alice.opened()
    server.stop()
    await until('it has tried', () => alice.count('reconnect') > 4)
    server.start()
    await alice.opened(2)
    expect(alice.stream.format).toBe('websocket')
  })

  test('only those that are given are tried, in their order', async () => {
    using server = behind({ json: 'buffer' })
    using alice = new Received(`${server.url}/stream/alice`, { format: ['json', 'poll'] })
    await alice.opened()
    expect(formatsOf(server.asked).slice(0, 2)).toEqual(['json', 'poll'])
  })
})

describe('waits', () => {
  test('many clients of a server that cuts them all come back one by one', async () => {
    using server = new StreamServer()
    const options = { format: 'sse', retryMs: 1_000 } as const
    const streams = Array.from({ length: 100 }, () =>
      connect(`${server.url}/stream/alice`, options),
    )
    await until('all are open', () => streams.every(({ state }) => state === 'open'))
    const cutMs = Date.now()
    server.cut()
    await until('all are back', () => server.held === 100)
    for (const stream of streams) stream.close()
    const delays = server.asked.slice(100).map(({ atMs }) => atMs - cutMs)
    // Of each quarter of the second about as many: 25, with a standard deviation of 4.3.
    for (const quarter of [0, 1, 2, 3]) {
      const count = delays.filter((ms) => Math.min(3, Math.floor(ms / 250)) === quarter).length
      expect(count).toBeWithin(6, 46)
    }
  })

  test('waits grow up to the longest while the server is away', async () => {
    using server = new StreamServer()
    server.stop()
    const options = { format: 'sse', retryMs: 1, retryMsMax: 40 } as const
    using alice = new Received(`${server.url}/stream/alice`, options)
    await until('it has tried', () => alice.count('reconnect') >= 40)
    const waits = alice.details('reconnect').map(({ waitMs }) => waitMs)
    expect(Math.max(...waits.slice(0, 3))).toBeLessThan(4)
    expect(Math.max(...waits)).toBeWithin(20, 40)
  })

  test('after a connection that lasted they are short again', async () => {
    using server = new StreamServer()
    server.stop()
    const options = { format: 'sse', retryMs: 4, retryMsMax: 1_000 } as const
    using alice = new Received(`${server.url}/stream/alice`, options)
    await until('it has tried', () => alice.count('reconnect') >= 7)
    server.start()
    await alice.opened()
    await Bun.sleep(80)
    server.cut()
    await alice.opened(2)
    expect(alice.details('reconnect').at(-1)?.waitMs).toBeLessThan(4)
  })
})
