// Goal: a client that comes back gets what it would have got, once and in order, or is told of a
// gap; in each format, with and without workers. Method: the executable, raw clients, and messages
// while they are away.

import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
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
    await server.changeFollow('PUT', 7, 'news')
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

  test('more messages than are sent again are a gap', async () => {
    await using server = await serve([...args])
    const begun = await publish(server, { to: 8, body: 'x' })
    const lines = Array.from({ length: 8_193 }, (_, at) => JSON.stringify({ to: 7, body: `${at}` }))
    const headers = { 'content-type': 'application/x-ndjson' }
    await server.ask('/messages', { method: 'POST', headers, body: lines.join('\n') })
    using all = await LogStream.open(server, 7, format, `after=${begun}`)
    expect(all.gap).toMatchObject({ after: begun, reason: 'too_many' })
    using last = await LogStream.open(server, 7, format, 'last=1000')
    await last.has('8192')
    expect([last.messages.length, last.messages[0]]).toEqual([1_000, '7193'])
  })
})

/** The first entry of which the file beside that of the log does not know whose it is. */
function headsFrom(database: string): number {
  const path = `${database}-log-heads`
  return existsSync(path) ? readFileSync(path).readDoubleLE(16) : 0
}

describe.each([[[]], [['--workers', '3']]])('%p', (args) => {
  test('a client gets what it would have got by what its user followed at the time', async () => {
    await using server = await serve(args)
    await server.changeFollow('PUT', 'alice', 'a1')
    const begun = await publish(server, { to: 'bob', body: 'x' })
    const say = (body: string) =>
      Promise.all([
        publish(server, { subject: 'a1', body: `a1 ${body}` }),
        publish(server, { subject: 'b1', body: `b1 ${body}` }),
      ])
    await say('first')
    await server.changeFollow('PUT', 'alice', 'b1')
    await say('second')
    await server.ask('/users/alice/subscriptions/a1', { method: 'DELETE' })
    await say('third')
    using stream = await LogStream.open(server, 'alice', 'json', `after=${begun}`)
    await publish(server, { to: 'alice', body: 'end' })
    await stream.has('end')
    const expected = ['a1 first', 'a1 second', 'b1 second', 'b1 third', 'end']
    expect(stream.messages.toSorted()).toEqual(expected.toSorted())
  })

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    '%s and a start again lose nothing',
    async (signal) => {
      await using folder = await makeFolder()
      const database = [...args, '--db', `${folder.path}/comet.db`]
      const cursors: string[] = []
      {
        await using server = await serve(database)
        for (const user of [7, 'alice']) {
          using stream = await LogStream.open(server, user, 'json')
          cursors.push(stream.cursor)
        }
        await server.changeFollow('PUT', 'alice', 'room:1')
        for (const to of [7, 'alice']) await publish(server, { to, body: 'one' })
        await publish(server, { subject: 'room:1', body: 'two' })
        server.kill(signal)
        await server.finished
      }
      await noProcessIsLeft()
      await using again = await serve(database)
      // Of another name, which must not get the handle of one that messages are kept for.
      using other = await LogStream.open(again, 'mallory', 'json', 'after=oldest')
      const id = await publish(again, { to: 'alice', body: 'three' })
      expect(id > (cursors[0] ?? '')).toBe(true)
      using alice = await LogStream.open(again, 'alice', 'json', `after=${cursors[1]}`)
      await alice.has('three')
      expect([alice.messages, alice.gap]).toEqual([['one', 'two', 'three'], undefined])
      using seven = await LogStream.open(again, 7, 'json', `after=${cursors[0]}`)
      await seven.has('one')
      expect([seven.messages, other.messages]).toEqual([['one'], []])
    },
  )

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'after %s only those have a gap whose messages had left the window',
    async (signal) => {
      await using folder = await makeFolder()
      const path = `${folder.path}/comet.db`
      const options = [...args, '--db', path, '--history', '64KiB']
      const users = [7, 8, 'alice', 'bob'] as const
      let begun: string
      {
        await using server = await serve(options)
        using stream = await LogStream.open(server, 'alice', 'json')
        begun = stream.cursor
        for (const to of [7, 'alice']) await publish(server, { to, body: 'lost' })
        let last = ''
        for (let at = 0; at < 40; at++) {
          last = await publish(server, { to: 9, body: 'x'.repeat(4_000) })
        }
        if (signal === 'SIGKILL') {
          const number = Number.parseInt(last.split('-')[1] ?? '', 16)
          await waitFor('the heads of all entries', () => headsFrom(path) > number)
        }
        server.kill(signal)
        await server.finished
      }
      await noProcessIsLeft()
      await using again = await serve(options)
      const gaps: unknown[] = []
      for (const user of users) {
        using stream = await LogStream.open(again, user, 'json', `after=${begun}`)
        gaps.push(stream.gap?.reason)
      }
      expect(gaps).toEqual(['lost', undefined, 'lost', undefined])
    },
  )

  test.each([10, 1_000, 30_000])(
    'a client that was cut since it was slow comes back and has lost nothing, of %d bytes each',
    async (bodyBytes) => {
      await using server = await serve(args)
      using slow = await LogStream.open(server, 7, 'json')
      slow.client.pause()
      const sent: string[] = []
      while ((await server.stats()).streams.closed.slow === 0) {
        if (sent.length > 100_000) throw new Error('the stream is not cut')
        const bodies = Array.from({ length: 20 }, (_, at) =>
          `${sent.length + at}`.padEnd(bodyBytes, '.'),
        )
        sent.push(...bodies)
        const lines = bodies.map((body) => JSON.stringify({ to: 7, body }))
        const headers = { 'content-type': 'application/x-ndjson' }
        const request = { method: 'POST', headers, body: lines.join('\n') }
        expect((await server.ask('/messages', request)).status).toBe(200)
      }
      slow.client.resume()
      await slow.client.ended()
      expect(slow.messages.length).toBeLessThan(sent.length)
      using again = await LogStream.open(server, 7, 'json', `after=${slow.cursor}`)
      await publish(server, { to: 7, body: 'end' })
      await again.has('end')
      expect(again.gap).toBeUndefined()
      expect([...slow.messages, ...again.messages]).toEqual([...sent, 'end'])
    },
  )

  test('a silent stream gets signs of life, and a busy one none', async () => {
    await using server = await serve([...args, '--heartbeat', '1s'])
    using json = await LogStream.open(server, 7, 'json')
    using sse = await LogStream.open(server, 7, 'sse')
    using raw = await RawClient.open(server.publicPort, get('/stream/7?format=raw'))
    await raw.headed()
    await waitFor('two heartbeats', () => json.client.chunks.length >= 3)
    await waitFor('two events', () => sse.client.chunks.length >= 3)
    expect(json.client.chunks.slice(1, 3).map(String)).toEqual(['\n', '\n'])
    expect(sse.client.chunks.slice(1, 3).map(String)).toEqual([':\n\n', ':\n\n'])
    expect(raw.chunks).toEqual([])
  })

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
