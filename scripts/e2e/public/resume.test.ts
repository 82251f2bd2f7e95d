// Goal: a client that comes back gets what it would have got, once and in order, or is told of a
// gap; in each format, with and without workers. Method: the executable, raw clients, and messages
// while they are away.

import { afterEach, describe, expect, test } from 'bun:test'
import type { CometServer } from '../../support/comet.ts'
import { serve } from '../../support/comet.ts'
import { LOG_FORMATS, LogStream } from '../../support/log-stream.ts'
import { get, RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const CASES = [[], ['--workers', '3']].flatMap((args) =>
  LOG_FORMATS.map((format) => [format, args] as const),
)

/** The id that the publisher is told. */
async function publish(server: CometServer, message: object): Promise<string> {
  const response = await server.ask('/messages', { method: 'POST', body: JSON.stringify(message) })
  expect(response.status).toBe(200)
  return ((await response.json()) as { id: string }).id
}

async function follow(server: CometServer, user: number | string, subject: number | string) {
  const request = { method: 'PUT' }
  const { status } = await server.ask(`/users/${user}/subscriptions/${subject}`, request)
  expect(status).toBeLessThan(300)
}

describe.each(CASES)('%s, %p', (format, args) => {
  test('a client is told its place first, and the id of each message that its publisher is', async () => {
    await using server = await serve([...args])
    using stream = await LogStream.open(server, 7, format)
    const begun = stream.cursor
    expect(stream.told).toEqual([{ id: begun }])
    const id = await publish(server, { to: 7, body: 'one' })
    await stream.has('one')
    expect(stream.cursor).toBe(id)
    expect(id > begun).toBe(true)
  })

  test('a client that comes back gets what it has missed, and then what comes', async () => {
    await using server = await serve([...args])
    await follow(server, 7, 'news')
    let cursor: string
    {
      using stream = await LogStream.open(server, 7, format, 'subjects=room:1')
      await publish(server, { to: 7, body: 'before' })
      await stream.has('before')
      cursor = stream.cursor
    }
    await server.open(0)
    const missed = [
      { to: 7, body: 'to' },
      { subject: 7, body: 'about' },
      { subject: 'news', body: 'followed' },
      { subject: 'room:1', body: 'own' },
      { to: '*', body: 'all' },
    ]
    for (const message of missed) {
      await publish(server, message)
      await publish(server, { to: 8, body: 'of another' })
    }
    using again = await LogStream.open(server, 7, format, `after=${cursor}&subjects=room:1`)
    await again.has('all')
    await publish(server, { to: 7, body: 'live' })
    await again.has('live')
    const expected = [...missed.map(({ body }) => body), 'live']
    expect([again.messages, again.gap]).toEqual([expected, undefined])
    // Where it was before it had any of them.
    expect(again.told[0]).toEqual({ id: cursor })
    const ids = again.told.flatMap(({ id }) => id ?? [])
    expect(ids.toSorted()).toEqual(ids)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('a client that was there for none of them begins with the oldest, or the last', async () => {
    await using server = await serve([...args])
    for (let at = 1; at <= 12; at++) await publish(server, { to: 'alice', body: `${at}` })
    using oldest = await LogStream.open(server, 'alice', format, 'after=oldest')
    await oldest.has('12')
    expect(oldest.messages).toHaveLength(12)
    using last = await LogStream.open(server, 'alice', format, 'last=3')
    await last.has('12')
    expect(last.messages).toEqual(['10', '11', '12'])
    using live = await LogStream.open(server, 'alice', format)
    await publish(server, { to: 'alice', body: '13' })
    for (const stream of [oldest, last, live]) await stream.has('13')
    expect(live.messages).toEqual(['13'])
  })

  test('what left the window is a gap for whom it was for, and for no other', async () => {
    await using server = await serve([...args, '--history', '64KiB'])
    using lost = await LogStream.open(server, 7, format)
    using other = await LogStream.open(server, 8, format)
    const cursors = [lost.cursor, other.cursor]
    lost.client.terminate()
    other.client.terminate()
    await server.open(0)
    await publish(server, { to: 7, body: 'lost' })
    for (let at = 0; at < 40; at++) await publish(server, { to: 9, body: 'x'.repeat(4_000) })
    const top = await publish(server, { to: 8, body: 'kept' })
    using seven = await LogStream.open(server, 7, format, `after=${cursors[0]}`)
    expect(seven.gap).toEqual({ after: cursors[0] ?? '', resume: top, reason: 'lost' })
    expect(seven.cursor).toBe(top)
    using eight = await LogStream.open(server, 8, format, `after=${cursors[1]}`)
    await eight.has('kept')
    expect(eight.gap).toBeUndefined()
    await publish(server, { to: 7, body: 'live' })
    await seven.has('live')
    expect(seven.messages).toEqual(['live'])
  })

  test('a place of another log, or one that is not there yet, is a gap', async () => {
    await using server = await serve([...args])
    const id = await publish(server, { to: 7, body: 'x' })
    const later = `${id.slice(0, -1)}f`
    for (const after of ['000000000001-000000000001', later]) {
      using stream = await LogStream.open(server, 7, format, `after=${after}`)
      expect(stream.gap).toEqual({ after, resume: id, reason: 'unknown' })
    }
  })

  test('more than a thousand messages are a gap', async () => {
    await using server = await serve([...args])
    const begun = await publish(server, { to: 8, body: 'x' })
    const lines = Array.from({ length: 1_001 }, (_, at) => JSON.stringify({ to: 7, body: `${at}` }))
    const headers = { 'content-type': 'application/x-ndjson' }
    await server.ask('/messages', { method: 'POST', headers, body: lines.join('\n') })
    using all = await LogStream.open(server, 7, format, `after=${begun}`)
    expect(all.gap).toMatchObject({ after: begun, reason: 'too_many' })
    using last = await LogStream.open(server, 7, format, 'last=1000')
    await last.has('1000')
    expect([last.messages.length, last.messages[0]]).toEqual([1_000, '1'])
  })
})

describe.each([[[]], [['--workers', '3']]])('%p', (args) => {
  test('an EventSource that comes back by itself says where it was in a header', async () => {
    await using server = await serve(args)
    const id = await publish(server, { to: 7, body: 'had' })
    await publish(server, { to: 7, body: 'missed' })
    const fields = `Accept: text/event-stream\r\nLast-Event-ID: ${id}\r\n`
    const text = get('/stream/7?after=oldest').replace('\r\n\r\n', `\r\n${fields}\r\n`)
    using client = await RawClient.open(server.publicPort, text)
    await client.received('data: missed')
    expect(client.text).toContain('\r\nContent-Type: text/event-stream\r\n')
    expect(client.text).not.toContain('data: had')
  })

  test('a raw stream says in its head where it begins, and of a gap', async () => {
    await using server = await serve(args)
    const first = await publish(server, { to: 7, body: 'one' })
    const second = await publish(server, { to: 7, body: 'two' })
    using stream = await RawClient.open(
      server.publicPort,
      get(`/stream/7?format=raw&after=${first}`),
    )
    await stream.received('two')
    expect((await stream.headed()).fields.get('comet-cursor')).toBe(first)
    expect(stream.chunks.map(String)).toEqual(['two'])
    const path = '/stream/7?format=raw&after=000000000001-000000000001'
    using gap = await RawClient.open(server.publicPort, get(path))
    const { fields } = await gap.headed()
    expect([fields.get('comet-cursor'), fields.get('comet-gap')]).toEqual([second, 'unknown'])
  })
})
