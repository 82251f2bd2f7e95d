// Goal: exactly the valid requests for a WebSocket are answered with 101, and all others are told
// why not. Method: heads, read by the reader of requests.

import { expect, test } from 'bun:test'
import { readRequestHead } from '../http/request-head.ts'
import { asksForWebsocket, upgradeOf } from './websocket-handshake.ts'

/** RFC 6455 section 1.3. */
const SAMPLE = {
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

function headOf(fields: Readonly<Record<string, string | null>>, line = 'GET / HTTP/1.1') {
  const lines = Object.entries({ host: 'a', ...SAMPLE, ...fields })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${value}\r\n`)
  const bytes = Buffer.from(`${line}\r\n${lines.join('')}\r\n`)
  const result = readRequestHead(bytes, 0, bytes.length)
  if (result.kind !== 'complete') throw new Error('the head is not valid')
  return result.head
}

/** What is answered: the head of 101, or the status. */
function answered(fields: Readonly<Record<string, string | null>>, line?: string): string | number {
  const upgrade = upgradeOf(headOf(fields, line))
  return 'answer' in upgrade ? upgrade.answer.status : Buffer.from(upgrade.head).toString()
}

test('the example of RFC 6455 is answered as it says', () => {
  expect(answered({})).toBe(
    [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      '\r\n',
    ].join('\r\n'),
  )
})

test.each<[string, Record<string, string>]>([
  ['names in another case', { upgrade: 'WebSocket', connection: 'keep-alive, uPgrade' }],
  ['several options', { upgrade: 'h2c,websocket', connection: 'upgrade,keep-alive' }],
  [
    'extensions and subprotocols, which it does not get',
    {
      'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits',
      'sec-websocket-protocol': 'chat',
    },
  ],
])('a request with %s is valid', (_, fields) => {
  const head = answered(fields)
  expect(head).toStartWith('HTTP/1.1 101 ')
  expect(head).not.toMatch(/extensions|protocol:/i)
})

test.each<[string, Record<string, string | null>, number]>([
  ['no Connection field', { connection: null }, 400],
  ['another option of its connection', { connection: 'keep-alive' }, 400],
  ['no version', { 'sec-websocket-version': null }, 426],
  ['an old version', { 'sec-websocket-version': '8' }, 426],
  ['two versions', { 'sec-websocket-version': '13, 8' }, 426],
  ['no key', { 'sec-websocket-key': null }, 400],
  ['a key of fifteen bytes', { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25j' }, 400],
  ['a key of seventeen bytes', { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZTE=' }, 400],
  ['a key that is no base64', { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZ_==' }, 400],
  ['no upgrade', { upgrade: null }, 426],
  ['another upgrade', { upgrade: 'h2c' }, 426],
  ['an upgrade that only begins so', { upgrade: 'websockets' }, 426],
])('a request with %s is told so', (_, fields, status) => {
  expect(answered(fields)).toBe(status)
})

test('another version is told which one there is', () => {
  const upgrade = upgradeOf(headOf({ 'sec-websocket-version': '8' }))
  if (!('answer' in upgrade)) throw new Error('it is no handshake')
  expect(upgrade.answer.headers).toMatchObject({ 'sec-websocket-version': '13' })
})

test.each([
  ['GET / HTTP/1.1', {}, true],
  ['GET / HTTP/1.1', { 'sec-websocket-key': null }, true],
  ['GET / HTTP/1.1', { upgrade: null }, false],
  ['GET / HTTP/1.0', {}, false],
  ['HEAD / HTTP/1.1', {}, false],
  ['POST / HTTP/1.1', {}, false],
])('%s with %j asks for a WebSocket: %p', (line, fields, expected) => {
  expect(asksForWebsocket(headOf(fields, line))).toBe(expected)
})
