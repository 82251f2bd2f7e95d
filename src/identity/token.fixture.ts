// Tokens made by hand with node:crypto, so that what checks them is checked by something else.

import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto'

export const SECRET = 'a secret of more than thirty-two bytes'

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export const RSA: KeyPair = generateKeyPairSync('rsa', { modulusLength: 2_048 })
export const P256: KeyPair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const ED25519: KeyPair = generateKeyPairSync('ed25519')

export type Claims = Readonly<Record<string, unknown>>

export function publicPem({ publicKey }: KeyPair): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString()
}

export function publicJwkOf({ publicKey }: KeyPair): Record<string, unknown> {
  return publicKey.export({ format: 'jwk' }) as Record<string, unknown>
}

/** Signs the claims by the algorithm that the header names. */
export function signToken(header: Claims, claims: Claims, key: KeyObject | string): string {
  const body = `${encoded(header)}.${encoded(claims)}`
  return `${body}.${signatureOf(String(header['alg']), body, key).toString('base64url')}`
}

/** A token of a user, signed with {@link SECRET}. */
export function tokenFor(user: string, seconds = 3_600): string {
  const exp = Math.floor(Date.now() / 1_000) + seconds
  return signToken({ alg: 'HS256' }, { sub: user, exp }, SECRET)
}

function signatureOf(algorithm: string, body: string, key: KeyObject | string): Buffer {
  if (algorithm === 'HS256') return createHmac('sha256', key).update(body).digest()
  const privateKey = typeof key === 'string' ? createPrivateKey(key) : key
  if (algorithm === 'RS256') return sign('sha256', Buffer.from(body), privateKey)
  // JWS has the two numbers of a signature one after the other (RFC 7518 section 3.4).
  if (algorithm === 'ES256') {
    return sign('sha256', Buffer.from(body), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  }
  return sign(null, Buffer.from(body), privateKey)
}

export function encoded(json: unknown): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url')
}
