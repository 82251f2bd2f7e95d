// The keys that clients' tokens are checked with: what a key file or a key set may hold, and what
// of it is kept. Each key is for one algorithm, which follows from the key, never from a token.

import { createPublicKey } from 'node:crypto'
import { identityLimits } from '../core/identity-limits.ts'
import { isObject, parseObject } from '../core/json.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import type { Jwk, KeyAlgorithm, TokenKey } from '../hub/settings.ts'
import { algorithmOf } from './algorithm.ts'

type Json = Readonly<Record<string, unknown>>

/** A shared secret, as HS256 uses it: its bytes are the text in UTF-8. */
export function secretKey(secret: string): TokenKey {
  const k = Buffer.from(secret, 'utf8').toString('base64url')
  return { id: null, algorithm: 'HS256', jwk: { kty: 'oct', k } }
}

/** The keys of a file: public keys or certificates in PEM, a JWK, or a JWKS. */
export function parseKeys(text: string): Result<TokenKey[]> {
  const trimmed = text.trim()
  if (trimmed.startsWith('-----BEGIN ')) return parsePem(trimmed)
  const json = parseObject(trimmed)
  if (json === null) return refused('is neither PEM nor a JWK or JWKS in JSON')
  if (Array.isArray(json['keys'])) return usableKeys(json['keys'])
  const key = parseJwk(json)
  return key.ok ? success([key.value]) : refused(`has a key that ${key.why}`)
}

/**
 * The public keys of a set that anyone may read (RFC 7517 section 5). Keys that are not for tokens
 * like ours are passed over, as that section asks for; so are secrets, which are none there.
 */
export function parsePublicKeySet(text: string): Result<TokenKey[]> {
  const json = parseObject(text)
  if (json === null || !Array.isArray(json['keys'])) return refused('is no JWKS')
  const keys = usableKeys(json['keys'].filter((key) => isObject(key) && key['kty'] !== 'oct'))
  const checked = keys.ok ? checkUnnamed(keys.value) : keys
  return checked.ok ? keys : checked
}

/** A token is tried with few keys, so there must be few that it can mean. */
export function checkUnnamed(keys: readonly TokenKey[]): Result<void> {
  const { keysTriedMax } = identityLimits
  const unnamed = Map.groupBy(
    keys.filter(({ id }) => id === null),
    ({ algorithm }) => algorithm,
  )
  for (const [algorithm, of] of unnamed) {
    if (of.length <= keysTriedMax) continue
    return refused(
      `has ${of.length} keys of ${algorithm} without an id, and a token is tried with ` +
        `${keysTriedMax}; give them ids in a JWKS`,
    )
  }
  return OK
}

function usableKeys(jwks: readonly unknown[]): Result<TokenKey[]> {
  const { keysMax } = identityLimits
  if (jwks.length > keysMax) return refused(`has more than ${keysMax} keys`)
  let firstWhy = ''
  const keys = jwks.flatMap((jwk) => {
    const key = parseJwk(jwk)
    if (key.ok) return [key.value]
    firstWhy ||= `: the first ${key.why}`
    return []
  })
  return keys.length > 0 ? success(keys) : refused(`has no key that can be used${firstWhy}`)
}

/** The blocks of a PEM file (RFC 7468); several are the old and the new key of a rotation. */
function parsePem(text: string): Result<TokenKey[]> {
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g)]
  const { keysMax } = identityLimits
  if (blocks.length === 0) return refused('has no whole block of PEM')
  if (blocks.length > keysMax) return refused(`has more than ${keysMax} keys`)
  const keys: TokenKey[] = []
  for (const [block, label = ''] of blocks) {
    if (label.includes('PRIVATE KEY')) return refused(`has a key that ${PRIVATE}`)
    const jwk = publicJwk(() => createPublicKey(block))
    const key = jwk === null ? refused('cannot be read') : parseJwk(jwk)
    if (!key.ok) return refused(`has a ${label.toLowerCase()} that ${key.why}`)
    keys.push(key.value)
  }
  return success(keys)
}

const PRIVATE = 'is private; comet checks tokens with the public one alone'

/** One key, or why it is not one that tokens are checked with. */
export function parseJwk(jwk: unknown): Result<TokenKey> {
  if (!isObject(jwk)) return refused('is no JSON object')
  const { kid, alg, use, key_ops: operations } = jwk
  const { keyIdLengthMax } = identityLimits
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > keyIdLengthMax)) {
    return refused(`has an id that is no text of up to ${keyIdLengthMax} characters`)
  }
  if (use !== undefined && use !== 'sig') return refused('is not for signatures, by its use')
  if (Array.isArray(operations) && !operations.includes('verify')) {
    return refused('does not verify signatures, by its key_ops')
  }
  if (jwk['d'] !== undefined) return refused(PRIVATE)
  const read = materialOf(jwk)
  if (!read.ok) return read
  const { algorithm } = read.value
  if (alg !== undefined && algorithmOf(alg) !== algorithm) {
    const other = typeof alg === 'string' ? alg.slice(0, 20) : 'another algorithm'
    return refused(`is for ${other}, not ${algorithm}`)
  }
  return success({ id: kid ?? null, ...read.value })
}

/** What of a JWK makes the key, and the algorithm that it is for. */
function materialOf(jwk: Json): Result<Omit<TokenKey, 'id'>> {
  if (jwk['kty'] === 'oct') return secretOf(jwk['k'])
  const algorithm = asymmetricAlgorithm(jwk)
  if (algorithm === null) {
    return refused('is of another kind than a secret, RSA, P-256 or Ed25519')
  }
  // Only what is checked here is kept: no field of the file reaches what verifies tokens.
  const plain = publicJwk(() => createPublicKey({ key: { ...jwk }, format: 'jwk' }))
  if (plain === null) return refused('is damaged')
  if (algorithm === 'RS256' && !isExponent(plain['e'] ?? '')) return refused('is damaged')
  const { rsaBitsMin, rsaBitsMax } = identityLimits
  const bits = algorithm === 'RS256' ? bitsOf(plain['n'] ?? '') : rsaBitsMin
  if (bits < rsaBitsMin) return refused(`has ${bits} bits; RSA takes ${rsaBitsMin} at least`)
  if (bits > rsaBitsMax) return refused(`has ${bits} bits; ${rsaBitsMax} are the most`)
  return success({ algorithm, jwk: plain })
}

function secretOf(k: unknown): Result<Omit<TokenKey, 'id'>> {
  const { secretBytesMin } = identityLimits
  const bytes = typeof k === 'string' ? Buffer.from(k, 'base64url') : Buffer.of()
  if (bytes.length < secretBytesMin) return refused(`is shorter than ${secretBytesMin} bytes`)
  // Not as it is written: it may be base64 of another alphabet, or padded.
  return success({ algorithm: 'HS256', jwk: { kty: 'oct', k: bytes.toString('base64url') } })
}

function asymmetricAlgorithm({ kty, crv }: Json): KeyAlgorithm | null {
  if (kty === 'RSA') return 'RS256'
  if (kty === 'EC' && crv === 'P-256') return 'ES256'
  return kty === 'OKP' && crv === 'Ed25519' ? 'EdDSA' : null
}

/** The public parts alone; null if it is no key. */
function publicJwk(read: () => ReturnType<typeof createPublicKey>): Jwk | null {
  try {
    return read().export({ format: 'jwk' }) as Jwk
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}

/** Is it odd, and more than 1 (RFC 8017 section 3.1)? */
function isExponent(number: string): boolean {
  const bytes = Buffer.from(number, 'base64url')
  return ((bytes.at(-1) ?? 0) & 1) === 1 && bitsOf(number) > 1
}

/** The bits of a whole number in base64url. */
function bitsOf(number: string): number {
  const bytes = Buffer.from(number, 'base64url')
  const first = bytes.findIndex((byte) => byte !== 0)
  return first < 0 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first] ?? 0) - 24)
}
