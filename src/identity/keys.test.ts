// Goal: a key file is read, or refused with what is wrong with it. Method: keys of node:crypto, in
// every form in which issuers publish them.

import { describe, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import type { Jwk } from '../hub/settings.ts'
import { parseJwk, parseKeys, parsePublicKeySet, secretKey } from './keys.ts'
import { ED25519, P256, publicJwkOf, publicPem, RSA, SECRET } from './token.fixture.ts'

const PAIRS = [
  ['RS256', RSA],
  ['ES256', P256],
  ['EdDSA', ED25519],
] as const

describe.each(PAIRS)('a key for %s', (algorithm, pair) => {
  test('is read from PEM', () => {
    expect(parseKeys(publicPem(pair))).toMatchObject({
      ok: true,
      value: [{ id: null, algorithm }],
    })
  })

  test('is read from a JWK with its id, without fields that are not the key', () => {
    const jwk = { ...publicJwkOf(pair), kid: 'one', use: 'sig', alg: algorithm, x5u: 'http://x' }
    const read = parseKeys(JSON.stringify(jwk))
    expect(read).toMatchObject({ ok: true, value: [{ id: 'one', algorithm }] })
    if (read.ok) expect(read.value[0]?.jwk).toEqual(publicJwkOf(pair) as Jwk)
  })

  test('is read from a JWKS beside keys that are of no use', () => {
    const keys = [{ kty: 'EC', crv: 'P-521' }, { ...publicJwkOf(pair), kid: 'two' }, 'nonsense']
    expect(parseKeys(JSON.stringify({ keys }))).toMatchObject({
      ok: true,
      value: [{ id: 'two', algorithm }],
    })
  })

  test('is refused where it is private', () => {
    const why = expect.stringContaining('is private')
    const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    expect(parseKeys(pem)).toEqual({ ok: false, why })
    const jwk = JSON.stringify(pair.privateKey.export({ format: 'jwk' }))
    expect(parseKeys(jwk)).toEqual({ ok: false, why })
  })

  test('is refused where it says that it is for something else', () => {
    const jwk = publicJwkOf(pair)
    expect(parseJwk({ ...jwk, alg: 'HS256' })).toMatchObject({ ok: false })
    expect(parseJwk({ ...jwk, use: 'enc' })).toMatchObject({ ok: false })
    expect(parseJwk({ ...jwk, key_ops: ['sign'] })).toMatchObject({ ok: false })
    expect(parseJwk({ ...jwk, kid: 7 })).toMatchObject({ ok: false })
  })
})

test('a PEM file may have several keys, as while they are rotated', () => {
  const read = parseKeys(`${publicPem(RSA)}\n${publicPem(P256)}`)
  expect(read.ok && read.value.map(({ algorithm }) => algorithm)).toEqual(['RS256', 'ES256'])
})

test('the name Ed25519 of RFC 9864 is that of EdDSA', () => {
  expect(parseJwk({ ...publicJwkOf(ED25519), alg: 'Ed25519' })).toMatchObject({ ok: true })
})

test('an RSA key of fewer than 2,048 bits is refused', () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1_024 })
  expect(parseKeys(publicPem(short))).toEqual({
    ok: false,
    why: 'has a public key that has 1024 bits; RSA takes 2048 at least',
  })
})

test('a secret is its text in UTF-8, and one of fewer than 32 bytes is refused as a JWK', () => {
  expect(secretKey(SECRET)).toEqual({
    id: null,
    algorithm: 'HS256',
    jwk: { kty: 'oct', k: Buffer.from(SECRET).toString('base64url') },
  })
  const k = Buffer.alloc(31).toString('base64url')
  expect(parseKeys(JSON.stringify({ kty: 'oct', k }))).toMatchObject({ ok: false })
})

test('a set that anyone may read has no secrets', () => {
  const secret = secretKey(SECRET).jwk
  const both = JSON.stringify({ keys: [secret, publicJwkOf(RSA)] })
  const read = parsePublicKeySet(both)
  expect(read.ok && read.value.map(({ algorithm }) => algorithm)).toEqual(['RS256'])
  expect(parsePublicKeySet(JSON.stringify({ keys: [secret] }))).toMatchObject({ ok: false })
  expect(parsePublicKeySet(JSON.stringify(publicJwkOf(RSA)))).toMatchObject({ ok: false })
})

test('a set with more keys without an id than a token is tried with is refused', () => {
  const jwk = publicJwkOf(P256)
  const keys = Array.from({ length: 5 }, () => jwk)
  expect(parsePublicKeySet(JSON.stringify({ keys }))).toEqual({
    ok: false,
    why: expect.stringContaining('has 5 keys of ES256 without an id'),
  })
  const named = keys.map((key, at) => ({ ...key, kid: String(at) }))
  expect(parsePublicKeySet(JSON.stringify({ keys: named }))).toMatchObject({ ok: true })
})

test('an RSA key whose exponent is none is refused', () => {
  for (const e of ['AA', 'AQ', 'BA']) {
    expect(parseJwk({ ...publicJwkOf(RSA), e })).toMatchObject({ ok: false })
  }
})

test.each([
  ['', 'is neither PEM nor a JWK or JWKS in JSON'],
  ['[]', 'is neither PEM nor a JWK or JWKS in JSON'],
  ['-----BEGIN PUBLIC KEY-----\nAAAA', 'has no whole block of PEM'],
  [
    '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
    'has a public key that cannot be read',
  ],
  ['{"keys":[]}', 'has no key that can be used'],
  ['{"kty":"RSA","n":"AQAB","e":"AQAB"}', 'has a key that'],
  ['{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}', 'has a key that is damaged'],
  [`{"keys":[${Array.from({ length: 33 }, () => '{}').join()}]}`, 'has more than 32 keys'],
])('the text %j is refused, since it %s', (text, why) => {
  expect(parseKeys(text)).toEqual({ ok: false, why: expect.stringContaining(why) })
})
