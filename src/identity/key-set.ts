// The keys of the current settings, ready to check tokens: which of them may have signed one, and
// each as the platform wants it.

import { importJWK } from 'jose'
import { identityLimits } from '../core/identity-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { RefusalReason } from '../hub/refusals.ts'
import type { TokenKey } from '../hub/settings.ts'
import { algorithmOf } from './algorithm.ts'

/** What of a token's header chooses its key. */
export interface KeyHint {
  readonly alg?: unknown
  readonly kid?: unknown
}

export class KeySet {
  readonly #keys: readonly TokenKey[]
  /** Imported at their first use. There are as many as keys. */
  readonly #imported = new Map<TokenKey, Promise<CryptoKey>>()

  constructor(keys: readonly TokenKey[]) {
    this.#keys = keys
  }

  /**
   * The keys that may have signed a token with this header: that of its key id, or else those
   * without an id, or without an id of its own all; for its algorithm. A token chooses among the
   * keys here and can name no other.
   */
  candidates({ alg, kid }: KeyHint): Result<readonly TokenKey[], RefusalReason> {
    const own = this.#keys.filter(({ id }) => id !== null && id === kid)
    const others = kid === undefined ? this.#keys : this.#keys.filter(({ id }) => id === null)
    const named = own.length > 0 ? own : others
    if (named.length === 0) return refused('token_key')
    const algorithm = algorithmOf(alg)
    const fitting = named.filter((key) => key.algorithm === algorithm)
    if (fitting.length === 0) return refused('token_algorithm')
    return fitting.length > identityLimits.keysTriedMax ? refused('token_key') : success(fitting)
  }

  /** Does the header name a key that is not here? */
  isUnknown({ kid }: KeyHint): boolean {
    return kid !== undefined && !this.#keys.some(({ id }) => id === kid)
  }

  imported(key: TokenKey): Promise<CryptoKey> {
    let imported = this.#imported.get(key)
    if (imported === undefined) {
      imported = importKey(key)
      this.#imported.set(key, imported)
    }
    return imported
  }
}

function importKey({ algorithm, jwk }: TokenKey): Promise<CryptoKey> {
  if (algorithm !== 'HS256') return importJWK(jwk, algorithm) as Promise<CryptoKey>
  // jose would import the bytes of a secret again for each token.
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  return crypto.subtle.importKey('jwk', jwk, hmac, false, ['verify'])
}
