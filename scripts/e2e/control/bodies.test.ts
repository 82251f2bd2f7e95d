// Goal: no message is accepted and no subscription changed without an answer that counts it, and no
// request keeps a connection open by its body. Method: raw sockets against the executable, since
// fetch neither pipelines nor sends slowly.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { chunk, FINAL_CHUNK, RawClient } from '../../support/raw-client.ts'

const NDJSON = 'application/x-ndjson'
const LINE = '{"to":7,"body":"x"}'

function head(line: string, ...headers: string[]): string {
  return [`${line} HTTP/1.1`, 'host: localhost', ...headers, '', ''].join('\r\n')
}

function post(body: string, type = 'application/json'): string {
  return head('POST /messages', `content-type: ${type}`, `content-length: ${body.length}`) + body
}

function change(method: string, body: string): string {
  return head(`${method} /subscriptions`, `content-length: ${body.length}`) + body
}

/** So many different pairs, a line each. */
function linesOf(count: number): string {
  return Array.from({ length: count }, (_, at) => `${at + 11} 10\n`).join('')
}

async function accepted(server: CometServer): Promise<number> {
  return (await server.stats()).messages.accepted
}

async function held(server: CometServer): Promise<number> {
  return (await server.stats()).subscriptions.held
}

function answersIn(text: string): number {
  return text.split('HTTP/1.1 200').length - 1
}

describe('pipelined messages', () => {
  test('are answered in order by one process', async () => {
    await using server = await serve()
    const three = [1, 2, 3].map((to) => post(`{"to":${to},"body":"x"}`)).join('')
    await using client = await RawClient.open(server.controlPort, three)
    await waitFor('three answers', () => answersIn(client.text) === 3)
    expect(await accepted(server)).toBe(3)
  })

  test('close the connection to a server with workers, and no message is accepted', async () => {
    await using server = await serve(['--workers', '2'])
    await using client = await RawClient.open(server.controlPort, post(LINE).repeat(3))
    expect(await client.ended()).toBe('')
    await server.publish({ to: 1, body: 'later' })
    expect(await accepted(server)).toBe(1)
  })

  test('behind a long batch close the connection, and no message is accepted', async () => {
    await using server = await serve()
    const batch = post(`${LINE}\n`.repeat(900), NDJSON)
    await using client = await RawClient.open(server.controlPort, batch + post(LINE))
    expect(await client.ended()).toBe('')
    expect(await accepted(server)).toBe(0)
  })
})

describe('a body longer than the largest message', () => {
  test('gets 413 before it is sent, and the connection is closed', async () => {
    await using server = await serve()
    const declared = head('POST /messages', 'expect: 100-continue', 'content-length: 999999999')
    await using client = await RawClient.open(server.controlPort, declared)
    const text = await client.ended()
    expect(text).toContain('HTTP/1.1 413')
    expect(text.toLowerCase()).toContain('connection: close')
    expect(text).toContain('request_too_large')
  })

  test('in chunks gets 413 once it is too long, and the connection is closed', async () => {
    await using server = await serve()
    await using client = await RawClient.open(
      server.controlPort,
      head('POST /messages', 'transfer-encoding: chunked') + chunk('x'.repeat(400_000)),
    )
    const text = await client.ended()
    expect(text).toContain('HTTP/1.1 413')
    expect(text.toLowerCase()).toContain('connection: close')
  })
})

describe('a body slower than --body-timeout', () => {
  test.each([
    ['with a length', head('POST /messages', 'content-length: 20') + LINE.slice(0, 5)],
    ['in chunks', head('POST /messages', 'transfer-encoding: chunked') + chunk('{"to"')],
  ])('%s gets 408', async (_, text) => {
    await using server = await serve(['--body-timeout', '1s'])
    await using client = await RawClient.open(server.controlPort, text)
    const answer = await client.ended()
    expect(answer).toContain('HTTP/1.1 408')
    expect(answer).toContain('body_timeout')
    expect(answer.toLowerCase()).toContain('connection: close')
    expect(await accepted(server)).toBe(0)
  })

  test.each([
    [1, 'after 1 accepted line.'],
    [2, 'after 2 accepted lines.'],
  ])('gets the number of its lines that were accepted, as %d', async (count, words) => {
    await using server = await serve(['--body-timeout', '1s'])
    const headers = head('POST /messages', `content-type: ${NDJSON}`, 'transfer-encoding: chunked')
    // The last of them has no end yet.
    const lines = chunk(`${LINE}\n`.repeat(count) + LINE)
    await using client = await RawClient.open(server.controlPort, headers + lines)
    const answer = await client.ended()
    expect(answer).toContain('HTTP/1.1 408')
    expect(answer).toContain(words)
    expect(answer).toContain(`"accepted":${count}`)
    expect(await accepted(server)).toBe(count)
  })
})

describe.each([[[]], [['--workers', '2']]])('pipelined bulk changes, %p', (args) => {
  test('are answered in order while they are short', async () => {
    await using server = await serve(args)
    const three = change('POST', '1 2\n') + change('POST', '1 2\n1 3') + change('DELETE', '1 2')
    await using client = await RawClient.open(server.controlPort, three)
    await waitFor('three answers', () => answersIn(client.text) === 3)
    await client.received('"lines":1,"changed":1,"unchanged":0')
    await client.received('"lines":2,"changed":1,"unchanged":1')
    expect(await held(server)).toBe(1)
  })

  test.each([
    ['a long one', change('POST', linesOf(900))],
    [
      'chunks',
      head('POST /subscriptions', 'transfer-encoding: chunked') + chunk('1 2\n') + FINAL_CHUNK,
    ],
  ])('behind %s close the connection, and none is applied', async (_, first) => {
    await using server = await serve(args)
    const both = first + change('POST', '1 2\n')
    await using client = await RawClient.open(server.controlPort, both)
    expect(await client.ended()).toBe('')
    expect(await held(server)).toBe(0)
  })
})

test('a short bulk change after the answer to a long one uses the same connection', async () => {
  await using server = await serve()
  await using client = await RawClient.open(server.controlPort, change('POST', linesOf(900)))
  await client.received('"lines":900,"changed":900')
  client.send(change('DELETE', '11 10'))
  await client.received('"lines":1,"changed":1')
  expect([answersIn(client.text), client.end]).toEqual([2, null])
})

describe.each(['POST', 'DELETE'])('a bulk %s slower than --body-timeout', (method) => {
  test.each([
    ['with a length', head(`${method} /subscriptions`, 'content-length: 20'), '1 2\n1 3\n1 4'],
    [
      'in chunks',
      head(`${method} /subscriptions`, 'transfer-encoding: chunked'),
      chunk('1 2\n1 3\n1 4'),
    ],
  ])('%s gets 408 and the number of its changes', async (_, headers, body) => {
    await using server = await serve(['--body-timeout', '1s'])
    if (method === 'DELETE') {
      const three = change('POST', '1 2\n1 3\n1 4')
      await using before = await RawClient.open(server.controlPort, three)
      await before.received('"changed":3')
    }
    await using client = await RawClient.open(server.controlPort, headers + body)
    const answer = await client.ended()
    expect(answer).toContain('HTTP/1.1 408')
    expect(answer.toLowerCase()).toContain('connection: close')
    const { error, lines, changed } = JSON.parse(answer.split('\r\n\r\n')[1] ?? '')
    expect([error.code, lines, changed]).toEqual(['body_timeout', 2, 2])
    expect(await held(server)).toBe(method === 'POST' ? 2 : 1)
  })
})

test('a bulk change that reports progress reports a body timeout at its end', async () => {
  await using server = await serve(['--body-timeout', '1s'])
  const lines = linesOf(101_000)
  const headers = ['accept: application/x-ndjson', `content-length: ${lines.length + 10}`]
  await using client = await RawClient.open(
    server.controlPort,
    head('POST /subscriptions', ...headers),
  )
  client.send(lines)
  const answer = await client.ended()
  expect(answer).toContain('HTTP/1.1 200')
  expect(answer.toLowerCase()).toContain('connection: close')
  expect(answer).toMatch(/\{"lines":\d+,"changed":\d+,"unchanged":0\}\n/)
  expect(answer).toContain('"code":"body_timeout"')
  expect(answer).toContain('"lines":101000,"changed":101000')
  expect(answer).toEndWith(FINAL_CHUNK)
  expect(await held(server)).toBe(101_000)
})

test('a bulk change whose client leaves keeps what it changed, and is no bug in the log', async () => {
  await using server = await serve()
  const headers = head('POST /subscriptions', 'content-length: 100')
  await using client = await RawClient.open(server.controlPort, `${headers}1 2\n1 3`)
  await waitFor('the first line', async () => (await held(server)) === 1)
  client.close()
  await Bun.sleep(100)
  expect(await held(server)).toBe(1)
  expect(server.stderr).not.toContain('"event":"bug"')
})
