// Goal: errors of the system are told apart from bugs. Method: real errors of files, connections,
// aborted requests and libraries, and values that are no errors.

import { afterAll, expect, test } from 'bun:test'
import { openSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { clearOpenSslError } from './openssl-error.ts'
import { codeOf } from './system-error.ts'

afterAll(clearOpenSslError)

async function thrownBy(act: () => unknown): Promise<unknown> {
  try {
    await act()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

const socket = { data: () => undefined }

test.each<[string, () => unknown, string | RegExp]>([
  ['a missing file', () => openSync('/nonexistent', 'r'), 'ENOENT'],
  ['a socket file that is missing', () => Bun.connect({ unix: '/nonexistent', socket }), 'ENOENT'],
  ['a closed port', () => Bun.connect({ hostname: '127.0.0.1', port: 1, socket }), 'ECONNREFUSED'],
  [
    'a request to a closed port',
    () => fetch('http://127.0.0.1:1', { proxy: false } as RequestInit),
    /^(ECONNREFUSED|ConnectionRefused)$/,
  ],
  ['a certificate in no format', () => createSecureContext({ cert: 'x', key: 'x' }), /^ERR_/],
])('%s has a code', async (_, act, code) => {
  expect(codeOf(await thrownBy(act))).toMatch(code)
})

test('a bug, an aborted request and what is no error have none', () => {
  const errors = [
    new TypeError('x'),
    AbortSignal.abort().reason,
    { code: 'ENOENT' },
    'ENOENT',
    null,
  ]
  expect(errors.map(codeOf)).toEqual(errors.map(() => undefined))
  expect(codeOf(Object.assign(new Error('x'), { code: undefined }))).toBeUndefined()
})
