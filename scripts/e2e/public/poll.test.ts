// Goal: the client library of Durable Streams reads a user's stream unchanged: what is kept, by
// long polls and by events, in one process and from workers, through a restart of the server and
// over a gap. Method: @durable-streams/client against the executable.

import { afterEach, describe, expect, test } from 'bun:test'
import { DurableStream, FetchError, type StreamResponse, stream } from '@durable-streams/client'
import { SECRET, tokenFor } from '../../../src/identity/token.fixture.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, freePort, serve } from '../../support/comet.ts'
import { makeFolder, privateFile } from '../../support/folder.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const KINDS = [[[]], [['--wire', 'socket']], [['--workers', '3']]]

interface Received {
  readonly id: string
  readonly to?: string
  readonly subject?: string
  readonly body?: string
  readonly data?: unknown
}

/** Publishes so many messages, the number of each its body. */
async function publish(server: CometServer, to: string, from: number, until: number) {
  const lines: string[] = []
  for (let number = from; number < until; number++) {
    lines.push(JSON.stringify({ to, body: `${number}` }))
  }
  const headers = { 'content-type': 'application/x-ndjson' }
  const response = await server.ask('/messages', {
    method: 'POST',
    headers,
    body: lines.join('\n'),
  })
  expect(await response.json()).toMatchObject({ accepted: until - from })
}

const numbersOf = (messages: readonly Received[]) => messages.map(({ body }) => Number(body))
const range = (count: number) => Array.from({ length: count }, (_, number) => number)

/** Reads until the response is cancelled; what came is in the list. */
function readAll(response: StreamResponse<Received>): Received[] {
  const received: Received[] = []
  response.subscribeJson((batch) => {
    received.push(...batch.items)
  })
  return received
}

describe.each(KINDS)('a client of Durable Streams, %p,', (args) => {
  test('reads all that is kept, in pages', async () => {
    await using server = await serve(args)
    await publish(server, 'alice', 0, 10_000)
    await publish(server, 'bob', 0, 1)
    await server.publish({ subject: 'alice', data: { n: 1.5 } })
    const url = `${server.publicUrl}/stream/alice`
    // With `live: false` the client takes the first page for all.
    const response = await stream<Received>({ url })
    const messages = await response.json()
    expect(numbersOf(messages.slice(0, 10_000))).toEqual(range(10_000))
    const { id, ...last } = messages[10_000] ?? { id: '' }
    expect([last, response.offset, response.upToDate]).toEqual([
      { subject: 'alice', data: { n: 1.5 } },
      id,
      true,
    ])
    const ids = messages.map((message) => message.id)
    expect(ids).toEqual([...ids].sort())
    const again = await stream<Received>({ url, live: false, offset: response.offset })
    expect(await again.json()).toEqual([])
  })

  test.each(['long-poll', 'sse'] as const)(
    'goes on live where that ends, and misses nothing: %s',
    async (live) => {
      await using server = await serve(args)
      await publish(server, 'alice', 0, 10)
      const url = `${server.publicUrl}/stream/alice`
      const response = await stream<Received>({ url, live })
      const received = readAll(response)
      for (let at = 10; at < 300; at++) {
        await server.publish({ to: 'alice', body: `${at}` })
        // Now several for one request, now one each.
        if (at % 10 === 0) await waitFor('what was sent', () => received.length > at)
      }
      await waitFor('all', () => received.length >= 300)
      expect(numbersOf(received)).toEqual(range(300))
      response.cancel()
      await server.open(0)
      // Another client begins where that one was.
      await publish(server, 'alice', 300, 310)
      const next = await stream<Received>({ url, live, offset: response.offset })
      const rest = readAll(next)
      await waitFor('the rest', () => rest.length >= 10)
      expect(numbersOf(rest)).toEqual(range(310).slice(300))
      next.cancel()
      await server.open(0)
    },
  )

  test('is told of a gap with the offset that it can go on from', async () => {
    await using server = await serve([...args, '--history', '1MiB'])
    const url = `${server.publicUrl}/stream/alice`
    const { offset } = await stream<Received>({ url, live: false, offset: 'now' })
    const body = 'x'.repeat(60_000)
    for (let sent = 0; sent < 30; sent++) await server.publish({ to: 'alice', body })
    const error = await stream<Received>({ url, offset }).catch((thrown: unknown) => thrown)
    if (!(error instanceof FetchError)) throw new Error(`no gap was told, but ${error}`)
    const resume = error.headers['stream-next-offset'] ?? ''
    expect([error.status, error.json]).toMatchObject([
      410,
      { gap: { after: offset, resume, reason: 'lost' } },
    ])
    await server.publish({ to: 'alice', body: '0' })
    const response = await stream<Received>({ url, live: false, offset: resume })
    expect(numbersOf(await response.json())).toEqual([0])
  })

  test('finds where a stream ends, with the format in its address', async () => {
    await using server = await serve(args)
    await publish(server, 'alice', 0, 3)
    const url = `${server.publicUrl}/stream/alice?format=poll`
    const head = await new DurableStream({ url }).head()
    expect(head).toMatchObject({ exists: true, contentType: 'application/json' })
    const offset = (head.exists ? head.offset : null) ?? ''
    const response = await stream<Received>({ url, live: false, offset })
    expect(await response.json()).toEqual([])
  })

  test('reads its own stream by its token, and no other', async () => {
    await using folder = await makeFolder()
    const secret = privateFile(folder.path, SECRET)
    await using server = await serve(['--jwt-secret-file', secret, ...args])
    await publish(server, 'alice', 0, 3)
    const token = tokenFor('alice')
    const headers = { authorization: () => `Bearer ${token}` }
    const own = await stream<Received>({
      ...{ url: `${server.publicUrl}/stream`, live: false, headers },
    })
    expect(numbersOf(await own.json())).toEqual([0, 1, 2])
    const other = { url: `${server.publicUrl}/stream/bob`, live: false, headers } as const
    expect(stream(other)).rejects.toMatchObject({ status: 403 })
    expect(stream({ ...other, headers: {} })).rejects.toMatchObject({ status: 401 })
  })

  test.each(['long-poll', 'sse'] as const)(
    'goes on when the server comes back, and misses nothing: %s',
    async (live) => {
      await using folder = await makeFolder()
      const port = freePort()
      const options = ['--listen', `127.0.0.1:${port}`, '--db', `${folder.path}/comet.db`, ...args]
      const backoffOptions = { initialDelay: 20, maxDelay: 100, multiplier: 1.3 }
      const url = `http://127.0.0.1:${port}/stream/alice`
      let received: Received[] = []
      let response: StreamResponse<Received>
      {
        await using server = await serve(options)
        response = await stream<Received>({ url, live, backoffOptions })
        received = readAll(response)
        await publish(server, 'alice', 0, 10)
        await waitFor('what was sent', () => received.length === 10)
        await publish(server, 'alice', 10, 15)
        expect(await server.end('SIGTERM')).toBe(0)
      }
      await using server = await serve(options)
      await publish(server, 'alice', 15, 20)
      await waitFor('all', () => received.length >= 20)
      expect(numbersOf(received)).toEqual(range(20))
      response.cancel()
      await server.open(0)
    },
  )
})
