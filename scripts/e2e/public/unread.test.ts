// Goal: of a body that its answer did not wait for, no byte is read as a request: a short one is
// skipped, and a long one closes the connection. Method: raw sockets on the executable.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import { httpLimits } from '../../../src/core/http-limits.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'
import { chunk, FINAL_CHUNK, get, RawClient } from '../../support/raw-client.ts'

const MESSAGE = '{"to":7,"body":"x"}'
const PUBLISH =
  'POST /messages HTTP/1.1\r\nhost: localhost\r\n' +
  `content-length: ${MESSAGE.length}\r\n\r\n${MESSAGE}`
const TOKEN = 'correct-horse-battery'

const folder = folderOfTests()
let open: CometServer
let locked: CometServer

beforeAll(async () => {
  const file = `${folder}/token`
  await Bun.write(file, TOKEN)
  await chmod(file, 0o600)
  open = await serve()
  locked = await serve(['--control-token-file', file])
})

afterAll(async () => {
  await open[Symbol.asyncDispose]()
  await locked[Symbol.asyncDispose]()
})

interface Asked {
  readonly line: string
  readonly headers?: readonly string[]
  readonly host?: string
  readonly isLocked?: boolean
}

/** Each answer that is given from a request's head alone, with its status. */
const ANSWERS: readonly (readonly [number, string, Asked])[] = [
  [401, 'no token', { line: 'POST /messages', isLocked: true }],
  [401, 'a bulk change', { line: 'POST /subscriptions', isLocked: true }],
  [403, 'a foreign page', { line: 'POST /messages', headers: ['origin: http://evil.example'] }],
  [421, 'an unknown host', { line: 'POST /messages', host: 'evil.example' }],
  [404, 'no such path', { line: 'POST /nope' }],
  [405, 'another method', { line: 'POST /stats' }],
  [415, 'another type', { line: 'POST /messages', headers: ['content-type: text/plain'] }],
  [200, 'a change that needs no body', { line: 'PUT /users/1/subscriptions/2' }],
  [400, 'a change that is refused', { line: 'PUT /users/x*/subscriptions/2' }],
  [200, 'a question', { line: 'GET /stats' }],
  [200, 'a head', { line: 'HEAD /stats' }],
  [200, 'a description', { line: 'GET /openapi' }],
]

function requestOf({ line, headers = [], host = 'localhost' }: Asked, framing: string): string {
  return [`${line} HTTP/1.1`, `host: ${host}`, ...headers, framing, '', ''].join('\r\n')
}

describe.each(ANSWERS)('an answer of %d for %s', (status, _, asked) => {
  const server = () => (asked.isLocked === true ? locked : open)

  test.each([
    ['a body that looks like a request', `content-length: ${PUBLISH.length}`, PUBLISH],
    ['chunks', 'transfer-encoding: chunked', chunk(PUBLISH) + FINAL_CHUNK],
  ])('skips %s, and goes on with the request behind', async (_, framing, body) => {
    await using client = await RawClient.open(server().controlPort, requestOf(asked, framing))
    // Before the body has come.
    await client.received(`HTTP/1.1 ${status}`)
    client.send(body + get('/livez').replace('Host: x', 'Host: localhost'))
    await client.received('{"status":"alive"}')
    expect(client.text.match(/HTTP\/1\.1 \d+/g)).toEqual([`HTTP/1.1 ${status}`, 'HTTP/1.1 200'])
  })

  test('closes the connection where too much of a body would follow', async () => {
    const sent = requestOf(asked, `content-length: ${httpLimits.skippedBytesMax + 1}`) + PUBLISH
    await using client = await RawClient.open(server().controlPort, sent)
    const text = await client.ended()
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual([`HTTP/1.1 ${status}`])
    expect(text.toLowerCase()).toContain('connection: close')
  })

  test('keeps the connection open where there is no body', async () => {
    const sent = requestOf(asked, 'content-length: 0')
    await using client = await RawClient.open(server().controlPort, sent)
    await client.received(`HTTP/1.1 ${status}`)
    client.send(get('/livez').replace('Host: x', 'Host: localhost'))
    await client.received('{"status":"alive"}')
  })
})

test('no message in an unread body is accepted', async () => {
  expect((await open.stats()).messages.accepted).toBe(0)
})
