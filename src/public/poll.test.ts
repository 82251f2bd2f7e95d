// Goal: requests of the format `poll` are answered as the Durable Streams protocol says: at once
// with what is there, or once there is something, at the time limit, at a stop, and not when their
// client has left; and none of them misses a message or gets one twice.
// Method: the public port's real app, asked over raw sockets, on a log and a clock of the test's.

import { describe, expect, test } from 'bun:test'
import { get, RawClient } from '../../scripts/support/raw-client.ts'
import { until } from '../core/time.fixture.ts'
import { NONE_CLOSED } from '../hub/stream.fixture.ts'
import { UNLIMITED } from '../hub/stream.ts'
import { chunksOf, PublicHost } from './host.fixture.ts'

const LINES = { pathOf: () => '', readerOf: chunksOf }
const newHost = () => new PublicHost(LINES)

const EPOCH = '019ad3f0c2a1'
const offsetOf = (number: number) => `${EPOCH}-${number.toString(16).padStart(12, '0')}`

interface Polled {
  readonly status: number
  readonly fields: Map<string, string>
  readonly bodies: readonly string[]
}

async function answerTo(raw: RawClient): Promise<Polled> {
  const { status, fields } = await raw.headed()
  const length = Number(fields.get('content-length') ?? 0)
  await until('the body has come', () => raw.rest.length >= length)
  const messages = status === 200 ? (JSON.parse(raw.rest) as { body: string }[]) : []
  return { status, fields, bodies: messages.map(({ body }) => body) }
}

function ask(host: PublicHost, query: string, fields: string[] = []): Promise<RawClient> {
  return RawClient.request(host.port, `GET /stream/7?${query} HTTP/1.1`, ['Host: a', ...fields])
}

async function poll(host: PublicHost, query: string, fields?: string[]): Promise<Polled> {
  using raw = await ask(host, query, fields)
  return await answerTo(raw)
}

function waiting(host: PublicHost, count: number): Promise<void> {
  return until(`${count} requests wait`, () => host.streams.open === count)
}

describe('a request that does not wait', () => {
  test('is answered with all that there is, and where that ends', async () => {
    await using host = newHost()
    for (const body of ['a', 'b']) host.publish(7, body)
    host.publish(8, 'of another')
    const { status, fields, bodies } = await poll(host, 'offset=-1')
    expect([status, bodies]).toEqual([200, ['a', 'b']])
    expect(fields.get('content-type')).toBe('application/json')
    expect(fields.get('stream-next-offset')).toBe(offsetOf(3))
    expect(fields.get('stream-up-to-date')).toBe('true')
    expect(host.streams.closed).toEqual({ ...NONE_CLOSED, answered: 1 })
  })

  test('goes on where it was told', async () => {
    await using host = newHost()
    host.publish(7, 'a')
    const first = await poll(host, 'offset=-1')
    host.publish(7, 'b')
    const next = first.fields.get('stream-next-offset') ?? ''
    const second = await poll(host, `offset=${next}`)
    expect([second.bodies, next < (second.fields.get('stream-next-offset') ?? '')]).toEqual([
      ['b'],
      true,
    ])
    const third = await poll(host, `offset=${second.fields.get('stream-next-offset')}`)
    expect([third.status, third.bodies, third.fields.get('stream-up-to-date')]).toEqual([
      200,
      [],
      'true',
    ])
  })

  test('gets in pages what is too much for one, and is up to date with the last', async () => {
    await using host = newHost()
    host.log.pageMax = 2
    for (const body of ['a', 'b', 'c']) host.publish(7, body)
    const first = await poll(host, 'offset=-1')
    expect([first.bodies, first.fields.has('stream-up-to-date')]).toEqual([['a', 'b'], false])
    const second = await poll(host, `offset=${first.fields.get('stream-next-offset')}`)
    expect([second.bodies, second.fields.get('stream-up-to-date')]).toEqual([['c'], 'true'])
  })

  test('gets nothing from now on, but where that is, and no tag', async () => {
    await using host = newHost()
    host.publish(7, 'a')
    const { bodies, fields } = await poll(host, 'offset=now')
    expect([bodies, fields.get('stream-next-offset')]).toEqual([[], offsetOf(1)])
    expect(fields.has('etag')).toBe(false)
  })

  test('is answered 304 if its client has it', async () => {
    await using host = newHost()
    host.publish(7, 'a')
    const { fields } = await poll(host, 'offset=-1')
    const again = await poll(host, 'offset=-1', [`If-None-Match: ${fields.get('etag')}`])
    expect([again.status, again.fields.get('etag')]).toEqual([304, fields.get('etag')])
    host.publish(7, 'b')
    const other = await poll(host, 'offset=-1', [`If-None-Match: ${fields.get('etag')}`])
    expect([other.status, other.bodies]).toEqual([200, ['a', 'b']])
  })

  test('is told of a gap, and where it can go on', async () => {
    await using host = newHost()
    for (const body of ['a', 'b', 'c']) host.publish(7, body)
    host.log.oldest = 3
    using raw = await ask(host, `offset=${offsetOf(1)}`)
    const { status, fields } = await answerTo(raw)
    expect([status, fields.get('stream-next-offset')]).toEqual([410, offsetOf(3)])
    expect(JSON.parse(raw.rest)).toMatchObject({
      gap: { after: offsetOf(1), resume: offsetOf(3), reason: 'lost' },
    })
    expect((await poll(host, `offset=${offsetOf(2)}`)).bodies).toEqual(['c'])
  })

  test.each(['00000000000a-000000000001', offsetOf(4)])(
    'is told of a gap by an offset that this log never had: %p',
    async (offset) => {
      await using host = newHost()
      host.publish(7, 'a')
      using raw = await ask(host, `offset=${offset}&live=long-poll`)
      expect((await answerTo(raw)).status).toBe(410)
      expect(raw.rest).toContain('"reason":"unknown"')
    },
  )

  test('for the head alone learns where the log ends', async () => {
    await using host = newHost()
    host.publish(7, 'a')
    using raw = await RawClient.request(host.port, 'HEAD /stream/7?format=poll HTTP/1.1')
    const { status, fields } = await raw.headed()
    expect([status, fields.get('stream-next-offset'), raw.rest]).toEqual([200, offsetOf(1), ''])
    expect(fields.get('content-type')).toBe('application/json')
    expect(host.streams.open).toBe(0)
  })

  test('may be one of several on a connection', async () => {
    await using host = newHost()
    host.publish(7, 'a')
    using raw = await RawClient.open(host.port, get('/stream/7?offset=-1').repeat(3))
    await until('three have come', () => raw.text.split('"body":"a"').length === 4)
    expect(host.streams.closed.answered).toBe(3)
  })
})

describe('a request that waits', () => {
  test('is answered at once if there is something', async () => {
    await using host = newHost()
    host.publish(7, 'a')
    const { bodies, fields } = await poll(host, 'offset=-1&live=long-poll')
    expect([bodies, fields.get('stream-next-offset')]).toEqual([['a'], offsetOf(1)])
    expect(fields.get('stream-up-to-date')).toBe('true')
    expect(fields.get('stream-cursor')).toMatch(/^\d+$/)
  })

  test('is answered with the next messages, those of a turn together', async () => {
    await using host = newHost()
    host.publish(8, 'of another')
    using raw = await ask(host, 'offset=now&live=long-poll')
    await waiting(host, 1)
    for (const body of ['a', 'b']) host.publish(7, body)
    host.publish(8, 'of another')
    const { status, bodies, fields } = await answerTo(raw)
    expect([status, bodies, fields.get('stream-next-offset')]).toEqual([
      200,
      ['a', 'b'],
      offsetOf(3),
    ])
    expect([host.streams.open, host.streams.closed.answered]).toEqual([0, 1])
  })

  test('misses nothing and gets nothing twice, whenever messages come', async () => {
    await using host = newHost()
    const got: string[] = []
    let offset = '-1'
    const sent = Array.from({ length: 300 }, (_, at) => `${at}`)
    const publishing = (async () => {
      for (const body of sent) {
        host.publish(7, body)
        // Now within the same turn of the loop, now between the requests.
        if (Number(body) % 3 === 0) await Bun.sleep(Number(body) % 5)
      }
    })()
    while (got.length < sent.length) {
      const { bodies, fields } = await poll(host, `offset=${offset}&live=long-poll`)
      got.push(...bodies)
      offset = fields.get('stream-next-offset') ?? ''
    }
    await publishing
    expect(got).toEqual(sent)
  })

  test('is answered without messages at the time limit, and goes on from there', async () => {
    await using host = newHost()
    using raw = await ask(host, 'offset=now&live=long-poll&timeout=3&cursor=5')
    await waiting(host, 1)
    host.clock.advance(2_999)
    await Bun.sleep(600)
    expect(raw.bytes).toBe(0)
    host.clock.advance(1)
    const { status, fields } = await answerTo(raw)
    expect([status, fields.get('stream-next-offset')]).toEqual([204, offsetOf(0)])
    expect(fields.get('stream-up-to-date')).toBe('true')
    expect(Number(fields.get('stream-cursor'))).toBeGreaterThan(5)
    expect([host.streams.open, host.streams.closed.answered]).toEqual([0, 1])
  })

  test.each(['terminate', 'close'] as const)(
    'is forgotten when its client leaves: %s',
    async (leave) => {
      await using host = newHost()
      using raw = await ask(host, 'offset=now&live=long-poll')
      await waiting(host, 1)
      raw[leave]()
      await waiting(host, 0)
      expect(host.streams.closed).toEqual({ ...NONE_CLOSED, client: 1 })
    },
  )

  test('does not wait if its client has sent all that it will', async () => {
    await using host = newHost()
    using raw = await RawClient.open(host.port)
    raw.send(get('/stream/7?offset=now&live=long-poll'))
    raw.closeSendingHalf()
    const { status } = await answerTo(raw)
    await raw.ended()
    expect([status, host.streams.open]).toEqual([204, 0])
  })

  test('is answered when its token expires, and has to come with another', async () => {
    await using host = newHost()
    const expiresAtSeconds = host.clock.nowMs() / 1_000 + 2
    host.admission = { admitted: true, ...UNLIMITED, expiresAtSeconds }
    using raw = await ask(host, 'offset=now&live=long-poll')
    await waiting(host, 1)
    host.clock.advance(10_000)
    host.streams.endExpired()
    expect((await answerTo(raw)).status).toBe(204)
    expect(host.streams.closed).toEqual({ ...NONE_CLOSED, expired: 1 })
  })

  test('gives back what it was admitted with', async () => {
    await using host = newHost()
    let released = 0
    const lease = { release: () => released++ }
    host.admission = { admitted: true, ...UNLIMITED, lease }
    await poll(host, 'offset=-1')
    expect(released).toBe(1)
    using raw = await ask(host, 'offset=now&live=long-poll')
    await waiting(host, 1)
    expect(released).toBe(1)
    host.publish(7, 'a')
    await answerTo(raw)
    expect(released).toBe(2)
  })

  test('is answered when the server stops, without messages', async () => {
    await using host = newHost()
    using raw = await ask(host, 'offset=now&live=long-poll')
    await waiting(host, 1)
    expect(host.streams.drain(10)).toBe(1)
    const { status, fields } = await answerTo(raw)
    expect([status, fields.get('stream-next-offset')]).toEqual([204, offsetOf(0)])
    // So it comes back by another connection, which may be to another server.
    expect(fields.get('connection')).toBe('close')
    expect(host.streams.closed).toEqual({ ...NONE_CLOSED, drained: 1 })
  })

  test('is answered with the last messages when the server stops in the same turn', async () => {
    await using host = newHost()
    using raw = await ask(host, 'offset=now&live=long-poll')
    await waiting(host, 1)
    host.publish(7, 'last')
    expect(host.streams.drain(10)).toBe(1)
    const { bodies, fields } = await answerTo(raw)
    expect([bodies, fields.get('connection')]).toEqual([['last'], 'close'])
    await Bun.sleep(10)
    expect(host.streams.open).toBe(0)
  })

  test('is answered with as much as fits, and comes back for the rest', async () => {
    await using host = newHost()
    using raw = await ask(host, 'offset=now&live=long-poll')
    await waiting(host, 1)
    const body = 'x'.repeat(65_000)
    for (let sent = 0; sent < 40; sent++) host.publish(7, body)
    const first = await answerTo(raw)
    expect(first.bodies.length).toBe(2)
    expect(first.fields.has('stream-up-to-date')).toBe(false)
    const rest = await poll(host, `offset=${first.fields.get('stream-next-offset')}`)
    expect(rest.bodies.length).toBe(38)
  })

  test('may be followed by another request on its connection', async () => {
    await using host = newHost()
    const request = get('/stream/7?offset=now&live=long-poll')
    using raw = await RawClient.open(host.port, request)
    await waiting(host, 1)
    // It comes while the first one waits, and is no sign that its client leaves.
    raw.send(request)
    await Bun.sleep(20)
    host.publish(7, 'a')
    await raw.received('"body":"a"')
    await waiting(host, 1)
    host.publish(7, 'b')
    await raw.received('"body":"b"')
  })

  test('of HTTP/1.0 is answered with a length, too', async () => {
    await using host = newHost()
    using raw = await RawClient.request(
      host.port,
      'GET /stream/7?offset=now&live=long-poll HTTP/1.0',
    )
    await waiting(host, 1)
    host.publish(7, 'a')
    expect(await raw.ended()).toEndWith('"body":"a"}]')
  })
})

test('answers that their clients do not read count as what streams begin with', async () => {
  await using host = newHost()
  for (let sent = 0; sent < 200; sent++) host.publish(7, 'x'.repeat(65_000))
  const slow = await Promise.all(Array.from({ length: 2 }, () => RawClient.open(host.port)))
  for (const raw of slow) {
    raw.pause()
    raw.send(get('/stream/7?offset=-1'))
  }
  await until('their answers wait', () => host.streams.beginningBytes > 13_000_000)
  for (const raw of slow) raw.resume()
  await until('they have been read', () => host.streams.beginningBytes === 0)
  expect(slow.map((raw) => raw.rest.length > 13_000_000)).toEqual([true, true])
  for (const raw of slow) raw.terminate()
})

describe('a request is refused', () => {
  test.each([
    ['offset=0', 'offset is -1, now, or one that an answer had'],
    ['offset=-1&offset=-1', 'offset is -1, now, or one that an answer had'],
    ['live=long-poll', 'live needs an offset'],
    ['offset=-1&format=raw', 'offset and live are of the format poll, not of raw'],
  ])('that contradicts itself: %s', async (query, why) => {
    await using host = newHost()
    const { status, body } = await host.ask(`GET /stream/7?${query} HTTP/1.1`)
    expect([status, body]).toEqual([400, `${why}\n`])
  })

  test.each(['PUT', 'POST', 'DELETE'])('that would write: %s', async (method) => {
    await using host = newHost()
    const line = `${method} /stream/7?format=poll HTTP/1.1`
    const { status, fields } = await host.ask(line, ['Host: a', 'Content-Length: 0'])
    expect([status, fields.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })

  test('for which there is no room, like a stream', async () => {
    await using host = newHost()
    host.admission = { admitted: false, reason: 'full', retryAfterSeconds: 7 }
    const { status, fields } = await poll(host, 'offset=-1')
    expect([status, fields.get('retry-after')]).toEqual([503, '7'])
  })
})
