// The private keys that `comet token create` signs with. The server has none of them.

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { parseObject } from '../core/json.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { Jwk, TokenKey } from '../hub/settings.ts'
import { parseJwk } from './keys.ts'

/** A private key in PEM (PKCS #8, PKCS #1 or SEC 1), or a private or secret JWK. */
export function parseSigningKey(text: string): Result<TokenKey> {
  const trimmed = text.trim()
  const jwk = parseObject(trimmed)
  if (jwk?.['kty'] === 'oct') return named(parseJwk(jwk))
  if (jwk !== null && jwk['d'] === undefined) return refused(PUBLIC)
  if (trimmed.startsWith('-----BEGIN PUBLIC KEY-----')) return refused(PUBLIC)
  const key = privateKey(jwk === null ? trimmed : { key: { ...jwk }, format: 'jwk' })
  if (key === null) return refused('is neither a private key in PEM nor one as a JWK')
  // Checked as the server checks its public part: it must accept what is signed.
  const { kid, alg, use } = jwk ?? {}
  const hints = Object.entries({ kid, alg, use }).filter(([, value]) => value !== undefined)
  const publicPart = createPublicKey(key).export({ format: 'jwk' })
  const checked = named(parseJwk({ ...publicPart, ...Object.fromEntries(hints) }))
  if (!checked.ok) return checked
  return success({ ...checked.value, jwk: key.export({ format: 'jwk' }) as Jwk })
}

const PUBLIC = 'has a public key; tokens are signed with the private one'

function named(key: Result<TokenKey>): Result<TokenKey> {
  return key.ok ? key : refused(`has a key that ${key.why}`)
}

function privateKey(input: Parameters<typeof createPrivateKey>[0]): KeyObject | null {
  try {
    return createPrivateKey(input)
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}
