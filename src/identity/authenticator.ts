// Who a request comes from: one function from its head to an identity, or to why it has none. Its
// credential is a token in the Authorization header or in the cookie of an allowed page, or a
// ticket in the query.

import { isLoopbackHost } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { bearerToken } from '../http/bearer.ts'
import type { Head } from '../http/exchange.ts'
import { isOwnOrigin } from '../http/origin.ts'
import type { RefusalReason } from '../hub/refusals.ts'
import { derived, type IdentitySettings, type Settings } from '../hub/settings.ts'
import type { TicketIssuer } from './tickets.ts'
import type { Identity, TokenVerifier } from './token-verifier.ts'

/** A page of another site cannot set it, by its prefix (RFC 6265bis section 4.1.3.2). */
export const COOKIE = '__Host-comet'

export interface AuthenticatorOptions {
  readonly settings: Settings<'identity' | 'corsOrigins'>
  readonly clock: Clock
  readonly redeem: TicketIssuer['redeem']
  /** Has the keys at the URL of the settings fetched again; settles when those are current. */
  readonly refreshKeys: () => Promise<unknown>
}

export class Authenticator {
  readonly #settings: AuthenticatorOptions['settings']
  readonly #clock: Clock
  readonly #redeem: AuthenticatorOptions['redeem']
  readonly #refreshKeys: AuthenticatorOptions['refreshKeys']
  /** When that was asked for last, and until it is done. */
  #refreshedMs = Number.NEGATIVE_INFINITY
  #refreshing: Promise<unknown> | null = null
  /** Loaded when there are keys: a worker without them does not pay for it. */
  readonly #verifier: () => Promise<TokenVerifier> | null

  constructor({ settings, clock, redeem, refreshKeys }: AuthenticatorOptions) {
    this.#redeem = redeem
    this.#refreshKeys = refreshKeys
    this.#settings = settings
    this.#clock = clock
    this.#verifier = derived(settings, ({ identity }) =>
      identity === null ? null : verifierOf(identity),
    )
  }

  /** Once a stream that comes, where clients need a token. */
  async identify(head: Head): Promise<Result<Identity, RefusalReason>> {
    const verifier = this.#verifier()
    if (verifier === null) throw new Error('there are no keys to check a token with')
    const credential = this.#credentialOf(head)
    if (!credential.ok) return credential
    if ('ticket' in credential.value) return await this.#redeem(credential.value.ticket)
    const { token } = credential.value
    const now = await verifier
    const verified = await now.verify(token, this.#clock.nowMs())
    if (verified.ok || !now.namesUnknownKey(token)) return verified
    // Its issuer may have a new key.
    await this.#refresh()
    const renewed = this.#verifier()
    return renewed === null || renewed === verifier
      ? verified
      : (await renewed).verify(token, this.#clock.nowMs())
  }

  /** Is a ticket what the request proves with who it is? To identify it uses the ticket up. */
  hasTicket(head: Head): boolean {
    const credential = this.#credentialOf(head)
    return credential.ok && 'ticket' in credential.value
  }

  /** Settles at once if that was done a moment ago: tokens cannot have it done all the time. */
  async #refresh(): Promise<void> {
    if ((this.#settings.current.identity?.keysUrl ?? null) === null) return
    const nowMs = this.#clock.elapsedMs()
    const isDue = nowMs - this.#refreshedMs >= identityLimits.keysAskedEveryMs
    if (this.#refreshing === null && !isDue) return
    this.#refreshedMs = nowMs
    this.#refreshing ??= this.#refreshKeys().finally(() => {
      this.#refreshing = null
    })
    await this.#refreshing
  }

  #credentialOf(head: Head): Result<Credential, RefusalReason> {
    const token = bearerToken(head.header('authorization'))
    if (token !== null) return success({ token })
    // One request uses a ticket up, and that is not one for the head alone.
    const mayHaveTicket = head.query !== '' && head.method === 'GET'
    const ticket = mayHaveTicket ? new URLSearchParams(head.query).get('ticket') : null
    if (ticket !== null) return success({ ticket: ticket.slice(0, identityLimits.tokenBytesMax) })
    const cookie = cookieOf(head.header('cookie'))
    if (cookie === null) return refused('token_missing')
    // A browser sends it for every page that asks, and any page may.
    return this.#isAllowedPage(head) ? success({ token: cookie }) : refused('origin')
  }

  #isAllowedPage(head: Head): boolean {
    const origin = head.header('origin')
    // It names its origin when it asks for a WebSocket, and not when it only reads. The cookie came
    // over TLS, and a page that did not may be anyone's; but no one is between it and its machine.
    const isSafe = origin === null || origin.startsWith('https:') || isLoopbackHost(head.host ?? '')
    if (isSafe && isOwnOrigin(head)) return true
    // `*` in the list is for those that come without cookies, and no origin.
    return origin !== null && origin !== '*' && this.#settings.current.corsOrigins.includes(origin)
  }
}

/** What a client proves with who it is. */
type Credential = { readonly token: string } | { readonly ticket: string }

async function verifierOf(identity: IdentitySettings): Promise<TokenVerifier> {
  const { TokenVerifier } = await import('./token-verifier.ts')
  return new TokenVerifier({ ...identity, keys: [...identity.keys, ...identity.remoteKeys] })
}

/** The value of comet's cookie (RFC 6265 section 5.4); null if it is not there. */
function cookieOf(header: string | null): string | null {
  if (header === null) return null
  const pair = header.split(/; */).find((each) => each.startsWith(`${COOKIE}=`))
  const value = pair?.slice(COOKIE.length + 1) ?? ''
  return value === '' ? null : value
}
