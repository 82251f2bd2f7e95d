// Goal: a Host header is read into one form, and what is no host, or two, is told apart.
// Method: tables.

import { expect, test } from 'bun:test'
import { isIpHost, isLoopbackHost, parseHost, parseOrigin } from './hostname.ts'

test.each([
  ['localhost:8001', 'localhost'],
  ['Comet.Example', 'comet.example'],
  ['comet.example.:80', 'comet.example'],
  ['my_service', 'my_service'],
  ['x:', 'x'],
  ['127.0.0.1:65535', '127.0.0.1'],
  ['[::1]:8001', '0:0:0:0:0:0:0:1'],
  ['[::ffff:127.0.0.1]', '127.0.0.1'],
])('%p is the host %p', (text, host) => {
  expect(parseHost(text)).toBe(host)
})

test.each([
  ...['', '.', ':80', '[', '[zz]', '[1.2.3.4]', '::1', 'a b', 'a, b', 'a,b', ', a', 'a, '],
  ...['user@a', 'a/b', 'a?b', 'a:99999', 'a:x', 'ä', 'x'.repeat(255)],
])('%p is no host', (text) => {
  expect(parseHost(text)).toBeUndefined()
})

test.each(['localhost', '127.0.0.1', '127.9.9.9', '0:0:0:0:0:0:0:1'])('%p is loopback', (host) => {
  expect(isLoopbackHost(host)).toBe(true)
})

test.each(['evil.example', '127.evil.example', '127.0.0.1.evil.example', '10.0.0.1', '0.0.0.0'])(
  '%p is not loopback',
  (host) => {
    expect(isLoopbackHost(host)).toBe(false)
  },
)

test('addresses are told from names', () => {
  expect(['10.0.0.1', '0:0:0:0:0:0:0:1', '10.0.0.1.example', '2130706433'].map(isIpHost)).toEqual([
    ...[true, true, false, false],
  ])
})

test.each([
  ['https://Dash.example', 'https://dash.example'],
  ['http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
  ['https://dash.example:443', 'https://dash.example'],
  ['http://[::1]:80', 'http://[::1]'],
])('%p is the origin %p', (text, origin) => {
  expect(parseOrigin(text)).toBe(origin)
})

test.each(['', 'null', '*', 'dash.example', 'ftp://a', 'https://a/', 'https://a/b', 'https://u@a'])(
  '%p is no origin',
  (text) => {
    expect(parseOrigin(text)).toBeUndefined()
  },
)
