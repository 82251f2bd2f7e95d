// The keys at one URL (a JWKS): fetched at the start, from time to time, and when a token names a
// key that is not among them, but never more often than once a minute, whatever tokens say.

import { readWithin } from '../core/bounded-read.ts'
import type { Clock } from '../core/clock.ts'
import { identityLimits } from '../core/identity-limits.ts'
import type { Log } from '../core/log.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import type { TokenKey } from '../hub/settings.ts'
import { parsePublicKeySet } from './keys.ts'

export interface RemoteKeysOptions {
  /** The only one that is ever asked. */
  readonly url: string
  readonly clock: Clock
  readonly log: Log
  /** Other keys than before have come. */
  readonly onChange: () => void
}

export class RemoteKeys {
  /** Those that came last: a fetch that fails changes nothing. */
  keys: readonly TokenKey[] = []
  readonly #options: RemoteKeysOptions
  /** When the last fetch began; null before the first. */
  #fetchedMs: number | null = null
  #fetching: Promise<Result<void>> | null = null

  constructor(options: RemoteKeysOptions) {
    this.#options = options
  }

  /** Fetches them now, or says why there are none. */
  async load(): Promise<Result<void>> {
    const { url, clock } = this.#options
    this.#fetchedMs = clock.elapsedMs()
    const fetched = await fetchKeys(url)
    if (!fetched.ok) return fetched
    if (!Bun.deepEquals(fetched.value, this.keys)) {
      this.keys = fetched.value
      this.#options.onChange()
    }
    return OK
  }

  /** Fetches them again unless that was done within the last minute; settles when it is done. */
  async refresh(): Promise<void> {
    const { clock, log } = this.#options
    const sinceMs = clock.elapsedMs() - (this.#fetchedMs ?? Number.NEGATIVE_INFINITY)
    if (this.#fetching === null && sinceMs < identityLimits.keysFetchedEveryMs) return
    this.#fetching ??= this.load().finally(() => {
      this.#fetching = null
    })
    const fetched = await this.#fetching
    if (!fetched.ok) log.repeated('keys_failed', `The keys stay as they are: ${fetched.why}.`)
  }

  /** Fetches them from time to time, so that a key that was withdrawn counts no longer. */
  watch(): () => void {
    const timer = setInterval(() => this.refresh(), identityLimits.keysAgeMsMax)
    return () => clearInterval(timer)
  }
}

/** The public keys at a URL, or why there are none, without its query. */
export async function fetchKeys(url: string): Promise<Result<TokenKey[]>> {
  // Without its query: the rest says which it is.
  const { origin, pathname } = new URL(url)
  const body = await fetchText(url)
  const keys = body.ok ? parsePublicKeySet(body.value) : body
  return keys.ok ? keys : refused(`${origin}${pathname} ${keys.why}`)
}

async function fetchText(url: string): Promise<Result<string>> {
  const { keysFetchMsMax, keysBytesMax } = identityLimits
  try {
    const response = await fetch(url, {
      // Another server is not the one that was configured.
      redirect: 'error',
      // On loopback no proxy answers for it; one that the environment names may stand before https.
      ...(url.startsWith('http:') && { proxy: false }),
      signal: AbortSignal.timeout(keysFetchMsMax),
      headers: { accept: 'application/jwk-set+json, application/json' },
    })
    if (response.status !== 200) return refused(`answered ${response.status}`)
    const body = await readWithin(response.body, keysBytesMax)
    return body === null
      ? refused(`has more than ${keysBytesMax} bytes`)
      : success(body.toString('utf8'))
  } catch (error) {
    if (!(error instanceof Error)) throw error
    // Not its message, which has the whole URL.
    return refused(`cannot be fetched (${codeOf(error) ?? error.name})`)
  }
}
