// Goal: each message and each change is taken once, and answered in order, however requests follow
// one another, and no request keeps a connection open by its body. Method: raw sockets against the
// executable, since fetch neither pipelines nor sends slowly.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { withoutIds } from '../../support/ids.ts'
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

function found(text: string, pattern: RegExp): string[] {
  return Array.from(text.matchAll(pattern), ([match]) => match)
}

function answersIn(text: string): number {
  return text.split('HTTP/1.1 200').length - 1
}

describe.each([[[]], [['--workers', '2']]])('pipelined messages, %p', (args) => {
  test('are answered in order, and each is taken once', async () => {
    await using server = await serve(args)
    await using stream = await RawClient.stream(server.publicPort, 7)
    const bodies = Array.from({ length: 200 }, (_, at) => `message ${at}`)
    const wire = bodies.map((body) => post(`{"to":7,"body":"${body}"}`)).join('')
    await using client = await RawClient.open(server.controlPort)
    // The next requests are there before the workers have counted.
    for (let at = 0; at < wire.length; at += 3_000) client.send(wire.slice(at, at + 3_000))
    await waitFor('all answers', () => answersIn(client.text) === bodies.length)
    const answers = found(client.text, /\{.*\}/g)
    expect(answers.map(withoutIds)).toEqual(bodies.map(() => '{"delivered":1,"id":"id"}'))
    expect(answers.toSorted()).toEqual(answers)
    expect(new Set(answers).size).toBe(bodies.length)
    await stream.received(bodies.map(chunk).join(''))
    expect(await accepted(server)).toBe(bodies.length)
  })

  test('are taken once though the client closes its half, and its answers come', async () => {
    await using server = await serve(args)
    await using client = await RawClient.open(server.controlPort, post(LINE).repeat(50))
    client.closeSendingHalf()
    expect(answersIn(await client.ended())).toBe(50)
    expect(await accepted(server)).toBe(50)
  })

  test('behind long and chunked batches are answered in order', async () => {
    await using server = await serve(args)
    const batch = post(`${LINE}\n`.repeat(9_000), NDJSON)
    const headers = head('POST /messages', `content-type: ${NDJSON}`, 'transfer-encoding: chunked')
    const chunks =
      headers + chunk(`${LINE}\n${LINE.slice(0, 5)}`) + chunk(LINE.slice(5)) + FINAL_CHUNK
    const wire = batch + post(LINE) + chunks + post('{', NDJSON) + post(LINE)
    await using client = await RawClient.open(server.controlPort, wire)
    await waitFor('all answers', () => answersIn(client.text) === 5)
    expect(found(client.text, /"(accepted|delivered)":\d+/g)).toEqual([
      ...['"accepted":9000', '"delivered":0', '"delivered":0', '"accepted":2', '"delivered":0'],
      ...['"accepted":0', '"delivered":0', '"delivered":0'],
    ])
    expect(await accepted(server)).toBe(9_004)
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
    ['a long one', change('POST', linesOf(900)), 900],
    [
      'chunks',
      head('POST /subscriptions', 'transfer-encoding: chunked') + chunk('1 2\n') + FINAL_CHUNK,
      1,
    ],
  ])('behind %s are answered in order', async (_, first, count) => {
    await using server = await serve(args)
    const both = first + change('POST', '1 2\n')
    await using client = await RawClient.open(server.controlPort, both)
    await waitFor('two answers', () => answersIn(client.text) === 2)
    const changed = count === 1 ? 0 : 1
    expect(found(client.text, /"changed":\d+/g)).toEqual([
      ...[`"changed":${count}`, `"changed":${changed}`],
    ])
    expect(await held(server)).toBe(count + changed)
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

/** Sends a change that reports progress, all but the last bytes that its length promises. */
async function sendingMany({ controlPort }: CometServer, bytesLeft: number): Promise<RawClient> {
  const lines = linesOf(101_000)
  const headers = ['accept: application/x-ndjson', `content-length: ${lines.length + bytesLeft}`]
  const client = await RawClient.open(controlPort, head('POST /subscriptions', ...headers))
  client.send(lines)
  return client
}

test('a bulk change that reports progress reports a body timeout at its end', async () => {
  await using server = await serve(['--body-timeout', '1s'])
  await using client = await sendingMany(server, 10)
  const answer = await client.ended()
  expect(answer).toContain('HTTP/1.1 200')
  expect(answer.toLowerCase()).toContain('connection: close')
  expect(answer).toMatch(/\{"lines":\d+,"changed":\d+,"unchanged":0\}\n/)
  expect(answer).toContain('"code":"body_timeout"')
  expect(answer).toContain('"lines":101000,"changed":101000')
  expect(answer).toEndWith(FINAL_CHUNK)
  expect(await held(server)).toBe(101_000)
})

test('a bulk change that reports progress is answered while its body is sent', async () => {
  await using server = await serve()
  await using client = await sendingMany(server, 4)
  await client.received('"lines":101000')
  client.send('1 2\n')
  const answer = await client.ended()
  expect(answer).toContain('HTTP/1.1 200')
  expect(answer).toContain('"lines":101001,"changed":101001')
  expect(answer).toEndWith(FINAL_CHUNK)
  expect(await held(server)).toBe(101_001)
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
