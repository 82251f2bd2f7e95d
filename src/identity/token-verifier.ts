// Checks one token (RFC 7519, RFC 8725): signed by a key of ours, by that key's own algorithm,
// valid now, for this server; and what it says of its client.

import {
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import { identityLimits } from '../core/identity-limits.ts'
import { isPattern, isSubject } from '../core/name.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { RefusalReason } from '../hub/refusals.ts'
import type { TokenKey, TokenRules } from '../hub/settings.ts'
import { type KeyHint, KeySet } from './key-set.ts'

/** Who a client is, by a token. */
export interface Identity {
  /** Whose stream it may open: a number or a name. */
  readonly user: string
  /** Patterns of the subjects that it may read besides. */
  readonly read: readonly string[]
  /** Seconds since 1970; null if the token does not say. */
  readonly issuedAtSeconds: number | null
  readonly expiresAtSeconds: number
}

/** Checks tokens by the keys and rules of one settings record. */
export class TokenVerifier {
  readonly #keys: KeySet
  readonly #options: JWTVerifyOptions

  constructor({ keys, issuers, audiences }: TokenRules & { readonly keys: readonly TokenKey[] }) {
    this.#keys = new KeySet(keys)
    this.#options = {
      ...(issuers.length > 0 && { issuer: [...issuers] }),
      ...(audiences.length > 0 && { audience: [...audiences] }),
      clockTolerance: identityLimits.leewaySeconds,
      requiredClaims: ['exp', 'sub'],
    }
  }

  /**
   * Once a stream that comes, where clients need tokens.
   *
   * @param nowMs since 1970
   */
  async verify(token: string, nowMs: number): Promise<Result<Identity, RefusalReason>> {
    if (token.length > identityLimits.tokenBytesMax) return refused('token_malformed')
    const hint = headerOf(token)
    if (hint === null) return refused('token_malformed')
    const candidates = this.#keys.candidates(hint)
    if (!candidates.ok) return candidates
    let reason: RefusalReason = 'token_signature'
    for (const key of candidates.value) {
      const checked = await this.#checkBy(key, token, nowMs)
      if (checked.ok) return identityOf(checked.value, nowMs)
      reason = checked.why
      // Another key of the same algorithm may have signed it.
      if (reason !== 'token_signature') break
    }
    return refused(reason)
  }

  /** Does the token name a key that is not among those of the settings? */
  namesUnknownKey(token: string): boolean {
    const hint = token.length > identityLimits.tokenBytesMax ? null : headerOf(token)
    return hint !== null && this.#keys.isUnknown(hint)
  }

  async #checkBy(
    key: TokenKey,
    token: string,
    nowMs: number,
  ): Promise<Result<JWTPayload, RefusalReason>> {
    try {
      const { payload } = await jwtVerify(token, await this.#keys.imported(key), {
        ...this.#options,
        algorithms: key.algorithm === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [key.algorithm],
        currentDate: new Date(nowMs),
      })
      return success(payload)
    } catch (error) {
      return refused(reasonOf(error))
    }
  }
}

function headerOf(token: string): KeyHint | null {
  try {
    return decodeProtectedHeader(token)
  } catch (error) {
    // jose refuses text that is no token with TypeErrors.
    if (error instanceof TypeError || error instanceof errors.JOSEError) return null
    throw error
  }
}

/** What is thrown is jose's for each token that is not valid; all else is a bug. */
function reasonOf(error: unknown): RefusalReason {
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'token_signature'
  if (error instanceof errors.JWTExpired) return 'token_expired'
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf' && error.reason === 'check_failed') return 'token_early'
    if (error.claim === 'iss') return 'token_issuer'
    return error.claim === 'aud' ? 'token_audience' : 'token_claims'
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'token_algorithm'
  if (error instanceof errors.JOSEError) return 'token_malformed'
  throw error
}

function identityOf(
  { sub, exp, iat, ...claims }: JWTPayload,
  nowMs: number,
): Result<Identity, RefusalReason> {
  const read = patternsOf(claims['comet'])
  if (read === null || typeof sub !== 'string' || !isSubject(sub)) return refused('token_claims')
  if (!isTime(exp) || (iat !== undefined && !isTime(iat))) return refused('token_claims')
  // It would outlast a revocation.
  const isFuture = iat !== undefined && iat > nowMs / 1_000 + identityLimits.leewaySeconds
  if (isFuture) return refused('token_early')
  const issuedAtSeconds = iat ?? null
  return success({ user: sub, read, issuedAtSeconds, expiresAtSeconds: exp })
}

/** Seconds since 1970 (RFC 7519 section 2), within 32 bits. */
function isTime(seconds: number | undefined): seconds is number {
  return seconds !== undefined && seconds >= 0 && seconds < 2 ** 32
}

/** `{"read": [...]}`; null if it is something else. */
function patternsOf(claim: unknown): readonly string[] | null {
  if (claim === undefined) return []
  if (typeof claim !== 'object' || claim === null) return null
  const { read = [] } = claim as { readonly read?: unknown }
  if (!Array.isArray(read) || read.length > identityLimits.patternsMax) return null
  return read.every((one) => typeof one === 'string' && isPattern(one)) ? read : null
}
