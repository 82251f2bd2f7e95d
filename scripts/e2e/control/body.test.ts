// Goal: no message is accepted without an answer, and no request keeps a connection open by its body.
// Method: raw sockets against the executable, since fetch neither pipelines nor sends slowly.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

const NDJSON = 'application/x-ndjson'
const LINE = '{"to":7,"body":"x"}'

function head(headers: readonly string[]): string {
  return ['POST /messages HTTP/1.1', 'host: localhost', ...headers, '', ''].join('\r\n')
}

function post(body: string, type = 'application/json'): string {
  return head([`content-type: ${type}`, `content-length: ${body.length}`]) + body
}

async function accepted(server: CometServer): Promise<number> {
  return (await server.stats()).messages.accepted
}

function answersIn(text: string): number {
  return text.split('HTTP/1.1 200').length - 1
}

describe('pipelined requests', () => {
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
    const declared = head(['expect: 100-continue', 'content-length: 999999999'])
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
      head(['transfer-encoding: chunked']) + chunk('x'.repeat(400_000)),
    )
    const text = await client.ended()
    expect(text).toContain('HTTP/1.1 413')
    expect(text.toLowerCase()).toContain('connection: close')
  })
})

describe('a body slower than --body-timeout', () => {
  test.each([
    ['with a length', head(['content-length: 20']) + LINE.slice(0, 5)],
    ['in chunks', head(['transfer-encoding: chunked']) + chunk('{"to"')],
  ])('%s gets 408', async (_, text) => {
    await using server = await serve(['--body-timeout', '1s'])
    await using client = await RawClient.open(server.controlPort, text)
    const answer = await client.ended()
    expect(answer).toContain('HTTP/1.1 408')
    expect(answer).toContain('body_timeout')
    expect(answer.toLowerCase()).toContain('connection: close')
    expect(await accepted(server)).toBe(0)
  })

  test('gets the number of its lines that were accepted', async () => {
    await using server = await serve(['--body-timeout', '1s'])
    const headers = head([`content-type: ${NDJSON}`, 'transfer-encoding: chunked'])
    await using client = await RawClient.open(
      server.controlPort,
      headers + chunk(`${LINE}\n${LINE}\n${LINE}`),
    )
    const answer = await client.ended()
    expect(answer).toContain('HTTP/1.1 408')
    expect(answer).toContain('"accepted":2')
    expect(await accepted(server)).toBe(2)
  })
})
