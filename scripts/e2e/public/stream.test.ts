// Goal: GET /stream/{user} carries a user's messages as lines of JSON or as they are, on each wire
// and from each process; and GET /health says whether the server is ready. Method: the executable.

import { afterEach, describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { chunk, get, RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const KINDS = [[[]], [['--wire', 'socket']], [['--workers', '3']]]

/** A stream that is open: its head has come. */
async function open(server: CometServer, path: string): Promise<RawClient> {
  const client = await RawClient.open(server.publicPort, get(path))
  await waitFor('the head', () => client.text.includes('\r\n\r\n') || client.end !== null)
  return client
}

/** The lines of messages so far, without their ids; the first line says where the client is. */
function linesOf({ chunks }: RawClient): string[] {
  const [first, ...lines] = chunks.map((bytes) => bytes.toString())
  if (first !== undefined) expect(first).toMatch(/^\{"id":"[0-9a-f]{12}-[0-9a-f]{12}"\}\n$/)
  return lines.map((line) => line.replace(/^\{"id":"[0-9a-f]{12}-[0-9a-f]{12}",/, '{'))
}

function bodyOf({ text }: RawClient): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4)
}

/** Publishes a text as curl does. */
async function post(server: CometServer, path: string, body: string) {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const response = await server.ask(path, { method: 'POST', body, headers })
  return { status: response.status, answer: await response.json() }
}

describe.each(KINDS)('a stream, %p', (args) => {
  test('has a line of JSON for each message, by default', async () => {
    await using server = await serve(args)
    const client = await open(server, '/stream/7')
    expect(client.text).toStartWith('HTTP/1.1 200 ')
    expect(client.text).toContain('\r\nContent-Type: application/x-ndjson\r\n')
    expect(await server.publish({ to: 7, body: 'a "text"\n' })).toBe(1)
    expect(await server.publish({ subject: 7, event: 'price', data: { a: [1.5, null] } })).toBe(1)
    expect(await post(server, '/users/7', 'by hand')).toMatchObject({ answer: { delivered: 1 } })
    expect(await post(server, '/subjects/7', 'ö')).toMatchObject({ answer: { delivered: 1 } })
    const lines = [
      '{"to":7,"body":"a \\"text\\"\\n"}\n',
      '{"subject":7,"event":"price","data":{"a":[1.5,null]}}\n',
      '{"to":7,"body":"by hand"}\n',
      '{"subject":7,"body":"ö"}\n',
    ]
    await waitFor('the lines', () => linesOf(client).length >= lines.length)
    expect(linesOf(client)).toEqual(lines)
    client.terminate()
  })

  test('has the bytes alone where they are asked for, and the streams of 2008 too', async () => {
    await using server = await serve(args)
    const raw = await open(server, '/stream/7?format=raw')
    const lines = await open(server, '/stream/7')
    const test2008 = await open(server, '/test/7')
    await waitFor('the welcome', () => test2008.text.includes('Id: 7\n'))
    expect(await server.publish({ to: 7, data: [1, 2] })).toBe(3)
    await waitFor('the message', () => linesOf(lines).length > 0)
    expect(bodyOf(raw)).toBe(chunk('[1,2]'))
    expect(linesOf(lines)).toEqual(['{"to":7,"data":[1,2]}\n'])
    expect(bodyOf(test2008)).toEndWith(chunk('[1,2]'))
    for (const client of [raw, lines, test2008]) client.terminate()
  })
})

describe.each(KINDS)('a message to everyone, %p', (args) => {
  test('reaches every stream once, in its place among others', async () => {
    await using server = await serve(args)
    const clients = await Promise.all([7, 8, 9, 9].map((user) => open(server, `/stream/${user}`)))
    await server.open(4)
    const lines = ['{"to":9,"body":"a"}', '{"to":"*","body":"b"}', '{"to":9,"body":"c"}']
    const response = await server.ask('/messages', {
      method: 'POST',
      body: `${lines.join('\n')}\n`,
      headers: { 'content-type': 'application/x-ndjson' },
    })
    expect(await response.json()).toMatchObject({ accepted: 3, delivered: 2 + 4 + 2 })
    const all = lines.map((line) => `${line}\n`)
    for (const [at, client] of clients.entries()) {
      const wanted = at < 2 ? all.slice(1, 2) : all
      await waitFor('the lines', () => linesOf(client).length >= wanted.length)
      expect(linesOf(client)).toEqual(wanted)
      client.terminate()
    }
  })
})

describe.each([[[]], [['--workers', '2']]])('an array of messages, %p', (args) => {
  const send = async (server: CometServer, body: string) => {
    const headers = { 'content-type': 'application/json' }
    const response = await server.ask('/messages', { method: 'POST', body, headers })
    return { status: response.status, answer: (await response.json()) as unknown }
  }

  test('is sent in its order, and a bad one is refused by its place', async () => {
    await using server = await serve(args)
    const client = await open(server, '/stream/7')
    await server.open(1)
    const array = ' [{"to":7,"data":1.0}, {"to":7}, {"subject":7,"body":"],["}]'
    expect(await send(server, array)).toMatchObject({
      status: 200,
      answer: { accepted: 2, delivered: 2, rejectedCount: 1, rejected: [{ line: 2 }] },
    })
    const lines = ['{"to":7,"data":1.0}\n', '{"subject":7,"body":"],["}\n']
    await waitFor('both', () => linesOf(client).length >= lines.length)
    expect(linesOf(client)).toEqual(lines)
    client.terminate()
  })

  test('may be empty or long, and is refused whole if it is no JSON', async () => {
    await using server = await serve(args)
    expect(await send(server, '[]')).toMatchObject({ answer: { accepted: 0, delivered: 0 } })
    const many = JSON.stringify(Array.from({ length: 5_000 }, () => ({ to: 7, body: 'x' })))
    expect(await send(server, many)).toMatchObject({ answer: { accepted: 5_000 } })
    expect(await send(server, '[{"to":7,"body":"x"}')).toMatchObject({
      status: 400,
      answer: { error: { code: 'invalid_json' } },
    })
    expect((await server.stats()).messages.accepted).toBe(5_000)
  })
})

test.each([
  ['/stream', 404],
  ['/stream/a*c', 404],
  ['/stream/7?format=xml', 400],
  ['/stream/7?after=1', 400],
])('%s is answered %p', async (path, status) => {
  await using server = await serve()
  const client = await open(server, path)
  expect(client.text).toStartWith(`HTTP/1.1 ${status} `)
})

test.each([
  ['/users/0', 'x', 400, 'invalid_user_id'],
  ['/users/9999999', 'x', 404, 'unknown_user'],
  ['/subjects/7', '', 422, 'message_empty'],
  ['/subjects/7', 'x'.repeat(65_537), 413, 'message_too_large'],
])('POST %s of a body is answered with what is wrong', async (path, body, status, code) => {
  await using server = await serve()
  expect(await post(server, path, body)).toMatchObject({ status, answer: { error: { code } } })
})

describe.each([[[]], [['--workers', '2']]])('GET /health of the public port, %p', (args) => {
  const health = (server: CometServer) => fetch(`${server.publicUrl}/health`)

  test('is 200 while the server is ready, and 503 as soon as it leaves', async () => {
    await using server = await serve([...args, '--drain-grace', '20s'])
    const ready = await health(server)
    expect([ready.status, await ready.text()]).toEqual([200, 'ready\n'])
    server.kill('SIGTERM')
    await server.logged('"event":"leaving"')
    await waitFor('503', async () => (await health(server)).status === 503)
    // A second signal ends it at once.
    server.kill('SIGTERM')
    await server.exited
  })
})

test('GET /health is 503 where there is no room for one more stream', async () => {
  await using server = await serve(['--max-streams', '1'])
  const client = await open(server, '/stream/7')
  await server.open(1)
  await waitFor('503', async () => (await fetch(`${server.publicUrl}/health`)).status === 503)
  client.terminate()
})
