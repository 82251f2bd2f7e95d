// Goal: a certificate that is refused leaves nothing behind. Method: an HMAC after one.

import { expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { clearOpenSslError } from './openssl-error.ts'

function hmac(): string {
  return new Bun.CryptoHasher('sha256', 'key').update('text').digest('hex')
}

test('an HMAC works after a certificate was refused', () => {
  const refuse = () => createSecureContext({ cert: 'x', key: 'x' })
  expect(refuse).toThrow()
  // Without it, in Bun 1.4.5. When this fails, Bun is mended, and the function can go.
  expect(hmac).toThrow('PEM routines')
  expect(refuse).toThrow()
  clearOpenSslError()
  expect(hmac()).toBe(createHmac('sha256', 'key').update('text').digest('hex'))
})
