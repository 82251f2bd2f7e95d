// Goal: in every format a stream hands out each message once and in order, whatever happens to its
// connections, and says what is lost. Method: a real server with faults to order, over sockets.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import type { CometFormat } from './api.ts'
import { Received } from './received.fixture.ts'
import { StreamServer } from './server.fixture.ts'

const FORMATS: readonly CometFormat[] = ['websocket', 'sse', 'json', 'poll']

const bodiesOf = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `m${from + at}`)

function publishAll(server: StreamServer, bodies: readonly string[]): void {
  for (const body of bodies) server.publish({ to: 'alice', body })
}

describe.each(FORMATS)('by %s', (format) => {
  test('messages come as they were published, once and in order', async () => {
    using server = new StreamServer()
    using alice = new Received(`${server.url}/stream/alice`, { format, subjects: ['room:1'] })
    await alice.opened()
    expect(alice.stream.format).toBe(format)
    const text = 'two\nlines, \r\n "quotes", {"json":1} and: 😀\u2028'
    const published = [
      { subject: 'room:1', body: text },
      { to: 'alice', event: 'typing', data: { deep: [1, null, 'x'] } },
      { to: '*', body: '' },
    ]
    const ids = published.map((message) => server.publish(message))
    server.publish({ to: 'bob', body: 'for another' })
    await alice.got(3)
    expect(alice.messages).toEqual(
      published.map((message, at) => ({ id: ids[at] ?? '', ...message })),
    )
    expect((alice.stream.cursor ?? '') >= (ids[2] ?? '')).toBe(true)
  })

  test('a connection that is cut is replaced, and nothing is lost or doubled', async () => {
    using server = new StreamServer()
    using alice = new Received(`${server.url}/stream/alice`, { format })
    await alice.opened()
    publishAll(server, bodiesOf(1, 3))
    await alice.got(3)
    for (let round = 1; round <= 5; round++) {
      server.cut()
      publishAll(server, bodiesOf(3 * round + 1, 3 * round + 3))
      await alice.got(3 * round + 3)
    }
    expect(alice.bodies).toEqual(bodiesOf(1, 18))
    expect(alice.count('gap')).toBe(0)
    const [, second] = server.asked
    if (format !== 'poll') expect(second?.query.get('after')).toMatch(/^[0-9a-f]{12}-000000000003$/)
  })

  test('it comes back after the server was away', async () => {
    using server = new StreamServer()
    using alice = new Received(`${server.url}/stream/alice`, { format })
    await alice.opened()
    server.stop()
    publishAll(server, bodiesOf(1, 2))
    await until('it has tried again', () => alice.count('reconnect') > 2)
    expect(alice.stream.state).toBe('connecting')
    server.start()
    await alice.got(2)
    expect(alice.bodies).toEqual(['m1', 'm2'])
    expect(alice.stream.format).toBe(format)
  })

  test('what was lost is told as a gap, and the stream goes on behind it', async () => {
    using server = new StreamServer()
    using alice = new Received(`${server.url}/stream/alice`, { format, gaps: true })
    await alice.opened()
    const first = server.publish({ to: 'alice', body: 'had' })
    await alice.got(1)
    await until('it has the place', () => alice.stream.cursor === first)
    server.stop()
    const lost = server.publish({ to: 'alice', body: 'lost' })
    server.evict()
    server.start()
    await until('the gap is told', () => alice.count('gap') === 1)
    const gap = { after: first, resume: lost, reason: 'lost' } as const
    expect(alice.details('gap')).toEqual([gap])
    await until('it is open', () => alice.stream.state === 'open' && server.asked.length > 1)
    server.publish({ to: 'alice', body: 'after' })
    await alice.got(3)
    const items: unknown[] = alice.messages
    expect(items).toEqual([
      expect.objectContaining({ body: 'had' }),
      { gap },
      expect.objectContaining({ body: 'after' }),
    ])
  })

  test('after a gap of another log it goes on at a lower place', async () => {
    using server = new StreamServer()
    using alice = new Received(`${server.url}/stream/alice`, { format })
    await alice.opened()
    publishAll(server, bodiesOf(1, 5))
    await alice.got(5)
    server.forget()
    server.cut()
    await until('the gap is told', () => alice.count('gap') === 1)
    publishAll(server, ['m6'])
    await alice.got(6)
    expect(alice.bodies).toEqual(bodiesOf(1, 6))
  })

  test('it begins where it is told to', async () => {
    using server = new StreamServer()
    const url = `${server.url}/stream/alice`
    const [first] = bodiesOf(1, 5).map((body) => server.publish({ to: 'alice', body }))
    // Polls have no word for it.
    const fromLast = format === 'poll' ? ['m6'] : bodiesOf(4, 6)
    using later = new Received(url, { format, after: first ?? '' })
    using oldest = new Received(url, { format, after: 'oldest' })
    using last = new Received(url, { format, last: 2 })
    using now = new Received(url, { format })
    await Promise.all([later, oldest, last, now].map((each) => each.opened()))
    publishAll(server, ['m6'])
    await Promise.all([later.got(5), oldest.got(6), last.got(fromLast.length), now.got(1)])
    expect(later.bodies).toEqual(bodiesOf(2, 6))
    expect(oldest.bodies).toEqual(bodiesOf(1, 6))
    expect(last.bodies).toEqual(fromLast)
    expect(now.bodies).toEqual(['m6'])
  })

  test('subjects are followed and left while it is open', async () => {
    using server = new StreamServer()
    using alice = new Received(`${server.url}/stream/alice`, { format, subjects: ['one'] })
    await alice.opened()
    await alice.stream.subscribe(['two', 'three'])
    server.publish({ subject: 'one', body: 'm1' })
    server.publish({ subject: 'three', body: 'm2' })
    await alice.got(2)
    await alice.stream.unsubscribe('one')
    server.publish({ subject: 'one', body: 'no' })
    server.publish({ subject: 'two', body: 'm3' })
    await alice.got(3)
    expect(alice.bodies).toEqual(['m1', 'm2', 'm3'])
    // The next connection follows the same.
    server.cut()
    server.publish({ subject: 'one', body: 'no' })
    server.publish({ subject: 'three', body: 'm4' })
    await alice.got(4)
    expect(alice.bodies).toEqual(bodiesOf(1, 4))
    if (format === 'websocket') expect(alice.details('reconnect').length).toBe(1)
  })

  test('a subject that is refused leaves the stream as it was', async () => {
    using server = new StreamServer()
    server.forbidden.add('secret')
    using alice = new Received(`${server.url}/stream/alice`, { format, subjects: ['one'] })
    await alice.opened()
    const refused = alice.stream.subscribe(['two', 'secret'])
    expect(refused).rejects.toMatchObject({ code: 'subject' })
    await refused.catch(() => undefined)
    await alice.stream.subscribe('two')
    server.publish({ subject: 'two', body: 'm1' })
    await alice.got(1)
    await until('it waits', () => server.held === 1)
    const before = server.asked.length
    server.cut()
    await until('it has asked again', () => server.asked.length > before)
    expect(server.asked.at(-1)?.query.get('subjects')).toBe('one,two')
    expect(alice.count('error')).toBe(0)
  })

  test('a connection without a sign for two heartbeats is replaced', async () => {
    const heartbeatMs = format === 'poll' ? 400 : 50
    using server = new StreamServer({ heartbeatMs, pollMs: 600 })
    using alice = new Received(`${server.url}/stream/alice`, { format, heartbeatMs })
    await alice.opened()
    // Silence with heartbeats is none.
    await Bun.sleep(5 * heartbeatMs)
    expect(alice.count('reconnect')).toBe(0)
    server.silence()
    server.fault = () => (format === 'poll' ? 'hang' : null)
    publishAll(server, ['m1'])
    await until('it is noticed', () => alice.count('reconnect') > 0)
    server.fault = () => null
    await alice.got(1)
    expect(alice.bodies).toEqual(['m1'])
    expect(alice.details('reconnect')[0]?.reason).toBe('silent')
  })

  test('an operator ends it for good', async () => {
    using server = new StreamServer({ pollMs: 100 })
    using alice = new Received(`${server.url}/stream/alice`, { format })
    await alice.opened()
    // The protocol of polls has no word for it.
    if (format === 'poll') return
    server.end('ended', 'go away')
    await until('it is closed', () => alice.ended !== null)
    expect(alice.ended).toBe('end')
    expect(alice.details('end')).toEqual([{ end: 'ended', note: 'go away' }])
    expect([alice.stream.state, alice.count('close'), server.asked.length]).toEqual([
      'closed',
      1,
      1,
    ])
  })
})
