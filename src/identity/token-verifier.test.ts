// Goal: a token passes only if a key of ours signed it by that key's algorithm, and it is valid now
// and for this server; every other one is refused for the right reason. Method: tokens made by hand
// with node:crypto, and changed in every part.

import { describe, expect, test } from 'bun:test'
import type { TokenKey, TokenRules } from '../hub/settings.ts'
import { parseKeys, secretKey } from './keys.ts'
import {
  type Claims,
  ED25519,
  encoded,
  type KeyPair,
  P256,
  publicJwkOf,
  publicPem,
  RSA,
  SECRET,
  signToken,
} from './token.fixture.ts'
import { TokenVerifier } from './token-verifier.ts'

const NOW_SECONDS = 1_800_000_000
const VALID: Claims = { sub: 'alice', exp: NOW_SECONDS + 3_600 }

function keysOf(text: string): TokenKey[] {
  const read = parseKeys(text)
  if (!read.ok) throw new Error(read.why)
  return read.value
}

function verifier(keys: readonly TokenKey[], rules: Partial<TokenRules> = {}) {
  const made = new TokenVerifier({ keys, issuers: [], audiences: [], ...rules })
  return (token: string, atSeconds = NOW_SECONDS) => made.verify(token, atSeconds * 1_000)
}

const byAll = verifier([
  secretKey(SECRET),
  ...[RSA, P256, ED25519].flatMap((pair) => keysOf(publicPem(pair))),
])
const bySecret = verifier([secretKey(SECRET)])

function hs256(claims: Claims, header: Claims = {}): string {
  return signToken({ alg: 'HS256', ...header }, claims, SECRET)
}

describe.each([
  ['HS256', SECRET],
  ['RS256', RSA],
  ['ES256', P256],
  ['EdDSA', ED25519],
  ['Ed25519', ED25519],
] as const)('a token signed by %s', (alg, key) => {
  const privateKey = typeof key === 'string' ? key : key.privateKey
  const token = signToken({ alg }, { ...VALID, iat: NOW_SECONDS }, privateKey)

  test('tells whose it is', async () => {
    expect(await byAll(token)).toEqual({
      ok: true,
      value: {
        user: 'alice',
        read: [],
        issuedAtSeconds: NOW_SECONDS,
        expiresAtSeconds: NOW_SECONDS + 3_600,
      },
    })
  })

  test('is refused with other claims under its signature', async () => {
    const [header, , signature] = token.split('.')
    const forged = `${header}.${encoded({ ...VALID, sub: 'bob' })}.${signature}`
    expect(await byAll(forged)).toEqual({ ok: false, why: 'token_signature' })
  })

  test('is refused with any byte of its signature changed, or without it', async () => {
    const [header, claims, signature = ''] = token.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      const forged = `${header}.${claims}.${changed.toString('base64url')}`
      expect(await byAll(forged)).toEqual({ ok: false, why: 'token_signature' })
    }
    expect((await byAll(`${header}.${claims}.`)).ok).toBe(false)
    expect(await byAll(`${header}.${claims}`)).toEqual({ ok: false, why: 'token_malformed' })
  })
})

describe('the algorithm follows from the key', () => {
  test('none is no algorithm', async () => {
    for (const alg of ['none', 'None', 'NONE', '', null]) {
      const token = `${encoded({ alg })}.${encoded(VALID)}.`
      expect((await byAll(token)).ok).toBe(false)
    }
  })

  test.each([
    ['RS256', RSA],
    ['ES256', P256],
    ['EdDSA', ED25519],
  ] as const)('a public key for %s is no secret for HS256', async (_, pair: KeyPair) => {
    const verify = verifier(keysOf(publicPem(pair)))
    for (const secret of [
      publicPem(pair),
      publicPem(pair).trim(),
      JSON.stringify(publicJwkOf(pair)),
    ]) {
      const token = signToken({ alg: 'HS256' }, VALID, secret)
      expect(await verify(token)).toEqual({ ok: false, why: 'token_algorithm' })
    }
  })

  test('a longer hash is another algorithm', async () => {
    const token = signToken({ alg: 'HS256' }, VALID, SECRET)
    const [, claims, signature] = token.split('.')
    const header = encoded({ alg: 'HS512' })
    expect(await bySecret(`${header}.${claims}.${signature}`)).toEqual({
      ok: false,
      why: 'token_algorithm',
    })
  })
})

describe('the key id', () => {
  const [one, two] = [P256, RSA].map((pair, at) => ({ ...publicJwkOf(pair), kid: `key-${at}` }))
  const verify = verifier(keysOf(JSON.stringify({ keys: [one, two] })))

  test('chooses among the keys of the settings', async () => {
    const token = signToken({ alg: 'ES256', kid: 'key-0' }, VALID, P256.privateKey)
    expect((await verify(token)).ok).toBe(true)
  })

  test('of another algorithm is refused', async () => {
    const token = signToken({ alg: 'ES256', kid: 'key-1' }, VALID, P256.privateKey)
    expect(await verify(token)).toEqual({ ok: false, why: 'token_algorithm' })
  })

  test.each(['key-2', '../../etc/passwd', "' OR 1=1 --", 'http://127.0.0.1/jwks', '', '__proto__'])(
    '%j names no other key',
    async (kid) => {
      const token = signToken({ alg: 'ES256', kid }, VALID, P256.privateKey)
      expect(await verify(token)).toEqual({ ok: false, why: 'token_key' })
    },
  )

  test('is not asked of tokens where it is not given', async () => {
    expect((await verify(signToken({ alg: 'RS256' }, VALID, RSA.privateKey))).ok).toBe(true)
  })

  test('keys and URLs in the header of a token count for nothing', async () => {
    const header = {
      alg: 'EdDSA',
      jwk: publicJwkOf(ED25519),
      jku: 'http://127.0.0.1:1/',
      x5c: ['AA'],
    }
    const token = signToken(header, VALID, ED25519.privateKey)
    expect(await verify(token)).toEqual({ ok: false, why: 'token_algorithm' })
  })

  test('an extension that must be understood is not', async () => {
    expect((await bySecret(hs256(VALID, { crit: ['x'], x: 1 }))).ok).toBe(false)
  })
})

test('after a rotation a token of the old key passes as long as that key is there', async () => {
  const other = 'another secret of more than thirty-two bytes'
  const token = hs256(VALID)
  expect((await verifier([secretKey(other), secretKey(SECRET)])(token)).ok).toBe(true)
  expect(await verifier([secretKey(other)])(token)).toEqual({ ok: false, why: 'token_signature' })
})

describe('a token is valid', () => {
  test('until it expires, and thirty seconds longer', async () => {
    const token = hs256({ sub: '7', exp: NOW_SECONDS })
    expect((await bySecret(token, NOW_SECONDS + 29)).ok).toBe(true)
    expect(await bySecret(token, NOW_SECONDS + 31)).toEqual({ ok: false, why: 'token_expired' })
  })

  test('from nbf on, and thirty seconds before', async () => {
    const token = hs256({ ...VALID, nbf: NOW_SECONDS })
    expect((await bySecret(token, NOW_SECONDS - 29)).ok).toBe(true)
    expect(await bySecret(token, NOW_SECONDS - 31)).toEqual({ ok: false, why: 'token_early' })
  })

  test('from its iat on, and thirty seconds before', async () => {
    const token = hs256({ ...VALID, iat: NOW_SECONDS })
    expect((await bySecret(token, NOW_SECONDS - 29)).ok).toBe(true)
    expect(await bySecret(token, NOW_SECONDS - 31)).toEqual({ ok: false, why: 'token_early' })
  })

  test('for the issuer and the audience that are asked for', async () => {
    const verify = verifier([secretKey(SECRET)], { issuers: ['a', 'b'], audiences: ['comet'] })
    const given = { ...VALID, iss: 'b', aud: ['other', 'comet'] }
    expect((await verify(hs256(given))).ok).toBe(true)
    expect(await verify(hs256({ ...given, iss: 'c' }))).toEqual({ ok: false, why: 'token_issuer' })
    expect(await verify(hs256({ ...VALID, aud: 'comet' }))).toEqual({
      ok: false,
      why: 'token_issuer',
    })
    expect(await verify(hs256({ ...given, aud: 'other' }))).toEqual({
      ok: false,
      why: 'token_audience',
    })
  })
})

describe('claims', () => {
  test.each([
    ['no exp', { sub: 'alice' }],
    ['no sub', { exp: VALID['exp'] }],
    ['a sub that is no user', { ...VALID, sub: 'a b' }],
    ['a sub of digits with a zero before them', { ...VALID, sub: '007' }],
    ['a sub that is a number', { ...VALID, sub: 7 }],
    ['an exp in text', { ...VALID, exp: '1800003600' }],
    ['patterns that are text', { ...VALID, comet: { read: 'news' } }],
    ['a pattern that is none', { ...VALID, comet: { read: ['a*b'] } }],
    ['101 patterns', { ...VALID, comet: { read: Array.from({ length: 101 }, () => 'a') } }],
    ['a claim comet that is no object', { ...VALID, comet: true }],
  ])('with %s are refused', async (_, claims) => {
    expect(await bySecret(hs256(claims))).toEqual({ ok: false, why: 'token_claims' })
  })

  test('list what else may be read', async () => {
    const token = hs256({ ...VALID, comet: { read: ['news', 'room:*', '*'], other: 1 } })
    expect(await bySecret(token)).toMatchObject({ value: { read: ['news', 'room:*', '*'] } })
  })
})

describe('what is no token is refused', () => {
  test.each(['', '.', '..', 'a.b.c', 'null', 'e30.e30.e30', `${'x'.repeat(4_097)}`])(
    '%j',
    async (text) => {
      const { ok, why } = (await byAll(text)) as { ok: boolean; why: string }
      expect(ok).toBe(false)
      expect(['token_malformed', 'token_algorithm']).toContain(why)
    },
  )

  test('a token of more than 4 KiB', async () => {
    const token = hs256({ ...VALID, more: 'x'.repeat(4_096) })
    expect(await bySecret(token)).toEqual({ ok: false, why: 'token_malformed' })
  })
})

test('of 10,000 random tokens none passes, and nothing is thrown', async () => {
  const token = hs256(VALID)
  let seed = 1
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  const alphabet = 'ABCabc019-_.=+/{}" '
  for (let times = 0; times < 10_000; times++) {
    const characters = [...token]
    for (let changes = 1 + random(3); changes > 0; changes--) {
      const at = random(characters.length)
      const kind = random(3)
      if (kind === 0) characters.splice(at, 1)
      else characters.splice(at, kind - 1, alphabet[random(alphabet.length)] ?? '.')
    }
    const changed = characters.join('')
    if (changed !== token && !isSameSignature(changed, token)) {
      expect((await bySecret(changed)).ok).toBe(false)
    }
  }
})

/** The last character of base64url has bits that count for nothing. */
function isSameSignature(one: string, other: string): boolean {
  const parts = (token: string) => token.split('.')
  const [[header, claims, signature = ''], [header2, claims2, signature2 = '']] = [
    parts(one),
    parts(other),
  ] as const
  return (
    header === header2 &&
    claims === claims2 &&
    Buffer.from(signature, 'base64url').equals(Buffer.from(signature2, 'base64url'))
  )
}
