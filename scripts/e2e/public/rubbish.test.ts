// Goal: a malformed request or body, on either port, affects only its sender.
// Method: 200 of them, made by fast-check from the grammar that they break; after each one another
// stream must still receive, and the server must have logged no bug.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type CometServer, serve } from '../../support/comet.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

let server: CometServer
let bystander: RawClient

beforeAll(async () => {
  server = await serve()
  bystander = await RawClient.stream(server.publicPort, 1)
})

afterAll(async () => {
  bystander.terminate()
  await server[Symbol.asyncDispose]()
})

let ticks = 0

/** Sends rubbish, gives the server a turn to choke on it, and asks the bystander. */
async function survives(port: number, rubbish: string): Promise<void> {
  await using sender = await RawClient.open(port, rubbish)
  sender.close()
  const body = `tick ${++ticks}`
  expect(await server.publish({ to: 1, body })).toBe(1)
  await bystander.received(chunk(body))
  // What was seen need not be searched again.
  bystander.text = ''
}

const bytes = fc
  .uint8Array({ maxLength: 300 })
  .map((array) => Buffer.from(array).toString('latin1'))

const method = fc.oneof(
  fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'),
  fc.constantFrom('get', 'G E T', '', 'GET\0', 'X'.repeat(5_000)),
)

const target = fc.oneof(
  fc.constantFrom('/test/1', '/messages', '/users/1', '/stats', '*', 'http://x/test/1', '/../..'),
  fc.constantFrom('/test/%', '/test/%00', '/test/\u00ff', '//test//1', '/test/1#x', '?'),
  fc.nat().map((id) => `/test/${id}${'/'.repeat(id % 3)}`),
  bytes,
)

const version = fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', 'http/1.1', '')

const header = fc.oneof(
  fc.constantFrom(
    'Host: x',
    'Host: localhost',
    'Host: x\r\nHost: y',
    'Content-Length: -1',
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: 99999999999999999999',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip',
    'Transfer-Encoding: chunked\r\nContent-Length: 3',
    'Content-Type: application/json',
    'Content-Type: application/x-ndjson',
    'Content-Type: ;;;',
    'Expect: 100-continue',
    'Connection: upgrade\r\nUpgrade: websocket',
    ': empty',
    'No colon',
    ' folded: line',
  ),
  bytes.map((text) => `X-Any: ${text}`),
)

const request = fc
  .record({
    method,
    target,
    version,
    headers: fc.array(header, { maxLength: 6 }),
    body: bytes,
    newline: fc.constantFrom('\r\n', '\n', '\r'),
  })
  .map(({ method, target, version, headers, body, newline }) =>
    [`${method} ${target} ${version}`, ...headers, '', body].join(newline),
  )

const messageBody = fc.oneof(
  fc.json(),
  bytes,
  fc.constantFrom(
    '{"to":1',
    '{"to":1e400,"body":"x"}',
    '{"__proto__":{"to":1},"body":"x"}',
    '{"to":2,"body":"\\udc00"}',
    '[[[[[[',
    '\u0000',
    '{"to":2,"to":1.5,"body":"x"}',
    `{"a":${'['.repeat(2_000)}`,
  ),
)

test('after each of 100 malformed requests to either port another stream still receives', async () => {
  await fc.assert(
    fc.asyncProperty(request, fc.boolean(), (rubbish, toControl) =>
      survives(toControl ? server.controlPort : server.publicPort, rubbish),
    ),
    { numRuns: 100 },
  )
})

test('after each of 100 malformed bodies, of true and false length, another stream still receives', async () => {
  const type = fc.constantFrom('application/json', 'application/x-ndjson', 'text/plain')
  const lie = fc.constantFrom(0, 0, 1, -1, 1_000)
  await fc.assert(
    fc.asyncProperty(
      fc.array(messageBody, { minLength: 1, maxLength: 5 }),
      type,
      lie,
      (parts, of, by) => {
        const body = parts.join('\n')
        const length = Math.max(0, Buffer.byteLength(body, 'latin1') + by)
        const head = `POST /messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${of}\r\nContent-Length: ${length}`
        return survives(server.controlPort, `${head}\r\n\r\n${body}`)
      },
    ),
    { numRuns: 100 },
  )
})

test('malformed requests are no bugs in the log, and their streams end', async () => {
  expect(server.stderr).not.toContain('"level":"error"')
  expect(server.exitCode).toBeNull()
  // Some of it was a good request by chance, and its stream leaves with its sender.
  await server.open(1)
})
