// Admission: may this request open a stream? One pipeline for every transport, before anything is
// kept of the stream: identity, room, limits.

import { clientNetwork, parseIp } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { streamLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { parseSubject, type Subject } from '../core/user.ts'
import type { DescriptorBudget } from '../http/descriptor-budget.ts'
import type { Head } from '../http/exchange.ts'
import type { Limiter, LimiterDecision, TokenClaim } from '../hub/limiter.ts'
import { REFUSALS, type RefusalReason, zeroCounts } from '../hub/refusals.ts'
import { derived, type Settings } from '../hub/settings.ts'
import { type StreamTerms, UNLIMITED } from '../hub/stream.ts'
import type { Authenticator } from '../identity/authenticator.ts'
import { Proxies } from './client-address.ts'
import { allows } from './read-patterns.ts'

/** What a client asks for. */
export interface RequestedStream {
  /** Null for the user that the client's token names. */
  readonly user: Subject | null
  /** What the stream is to follow for itself, each once. */
  readonly subjects: readonly Subject[]
}

/** A client that may read the stream of a user, and about subjects. */
export interface Authorized {
  readonly admitted: true
  readonly user: Subject
  readonly subjects: readonly Subject[]
  /** In seconds since 1970; 0 for never. */
  readonly expiresAtSeconds: number
  /** Patterns of what it may follow later; null for everything. */
  readonly readable: readonly string[] | null
  /** Null where clients have no tokens. */
  readonly token: TokenClaim | null
}

/** A client whose stream may be opened now. */
export interface Admitted extends StreamTerms {
  readonly admitted: true
  /** The number of the user, or the handle of its name. */
  readonly user: number
}

export interface Refused {
  readonly admitted: false
  readonly reason: RefusalReason
  /** Null if to try again is no help. */
  readonly retryAfterSeconds: number | null
}

export type AuthorizationResult = Authorized | Refused
export type AdmissionResult = Admitted | Refused

export interface AdmissionOptions {
  readonly budget: Pick<DescriptorBudget, 'refusal' | 'draining' | 'streams'>
  readonly limiter: Limiter
  readonly authenticator: Pick<Authenticator, 'identify' | 'hasTicket'>
  readonly settings: Settings<
    'identity' | 'userIdMax' | 'streamsPerAddressMax' | 'newStreamsPerSecondMax' | 'proxies'
  >
  readonly log: Log
  readonly clock: Clock
}

export class Admission {
  /** Streams refused since the start. */
  readonly refused = zeroCounts(REFUSALS)
  readonly #options: AdmissionOptions
  readonly #proxies: () => Proxies

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#proxies = derived(options.settings, ({ proxies }) => new Proxies(proxies))
  }

  /** May this client open the stream, now? Hot path: once a stream that is opened. */
  admit(head: Head, requested: RequestedStream): AdmissionResult | Promise<AdmissionResult> {
    const { budget, settings, authenticator } = this.#options
    if (settings.current.identity !== null && authenticator.hasTicket(head)) {
      // It is for one stream, and not for a refusal.
      const noRoom = budget.refusal()
      if (noRoom !== null) return this.#refuse(noRoom, String(budget.streams))
    }
    const authorized = this.#authorize(head, requested)
    if (authorized instanceof Promise) {
      return authorized.then((of) => (of.admitted ? this.#admit(head, of) : of))
    }
    return authorized.admitted ? this.#admit(head, authorized) : authorized
  }

  /** May this client read the stream? Takes nothing of limits and room. */
  async authorize(head: Head, requested: RequestedStream): Promise<AuthorizationResult> {
    const authorized = await this.#authorize(head, requested)
    if (!authorized.admitted || authorized.token === null) return authorized
    const { user, token } = authorized
    const isRevoked = await this.#options.limiter.isRevoked({ user, token })
    if (isRevoked === null) return this.#refuse('busy', '')
    return isRevoked ? this.#refuseForGood('token_revoked') : authorized
  }

  /** Without keys every client may read every stream. */
  #authorize(
    head: Head,
    { user, subjects }: RequestedStream,
  ): AuthorizationResult | Promise<AuthorizationResult> {
    const { settings, authenticator } = this.#options
    const { identity, userIdMax } = settings.current
    if (identity === null) {
      if (user === null) throw new Error('without a token no user is named')
      return { admitted: true, user, subjects, expiresAtSeconds: 0, readable: null, token: null }
    }
    return authenticator.identify(head).then((identified) => {
      if (!identified.ok) return this.#refuseForGood(identified.why)
      const { user: text, read, expiresAtSeconds, issuedAtSeconds } = identified.value
      const own = parseSubject(text, userIdMax)
      if (!own.ok || (user !== null && user !== own.value)) return this.#refuseForGood('user')
      // Its own messages it gets anyway.
      const others = subjects.filter((subject) => subject !== own.value)
      if (!others.every((subject) => allows(read, subject))) return this.#refuseForGood('subject')
      const end = this.#endOf(expiresAtSeconds)
      const token = { issuedAtSeconds }
      return { admitted: true, user: own.value, subjects: others, readable: read, ...end, token }
    })
  }

  /** A stream that is opened by a token within the leeway lasts as long as that. */
  #endOf(expiresAtSeconds: number): Pick<StreamTerms, 'expiresAtSeconds'> {
    const isOver = expiresAtSeconds * 1_000 <= this.#options.clock.nowMs()
    const leewaySeconds = isOver ? identityLimits.leewaySeconds : 0
    return { expiresAtSeconds: expiresAtSeconds + leewaySeconds }
  }

  /**
   * Room comes before limits, since it takes nothing: a full server neither asks its parent nor
   * spends what it may open a second.
   */
  #admit(head: Head, authorized: Authorized): AdmissionResult | Promise<AdmissionResult> {
    const { budget, limiter, settings } = this.#options
    const noRoom = budget.refusal()
    if (noRoom !== null) return this.#refuse(noRoom, String(budget.streams))
    const { user, subjects, token } = authorized
    const isPlain = typeof user === 'number' && subjects.length === 0
    if (!this.#isLimited && token === null && isPlain) {
      return { admitted: true, user, ...UNLIMITED }
    }
    const { streamsPerAddressMax } = settings.current
    const network = streamsPerAddressMax === null ? null : this.#networkOf(head)
    const decision = limiter.acquire({ user, subjects, network, token })
    return decision instanceof Promise
      ? decision.then((of) => this.#decide(of, head, network, authorized))
      : this.#decide(decision, head, network, authorized)
  }

  /** The user of a stream that is admitted without a look at its request; null if none is. */
  admitNow(user: Subject): number | null {
    return this.admitsAll() ? this.#options.limiter.idNow(user) : null
  }

  /** Is every stream admitted now, without a look at its request? */
  admitsAll(): boolean {
    const { identity } = this.#options.settings.current
    return identity === null && !this.#isLimited && this.#options.budget.refusal() === null
  }

  get #isLimited(): boolean {
    const { streamsPerAddressMax, newStreamsPerSecondMax } = this.#options.settings.current
    return streamsPerAddressMax !== null || newStreamsPerSecondMax !== null
  }

  #networkOf(head: Head): string | null {
    const { peer } = head
    return peer === null ? null : clientNetwork(this.#proxies().clientOf(peer, head))
  }

  #decide(
    decision: LimiterDecision,
    head: Head,
    network: string | null,
    { expiresAtSeconds, readable }: Authorized,
  ): AdmissionResult {
    if (!decision.admitted) {
      const { reason, retryAfterSeconds } = decision
      if (retryAfterSeconds === null) return this.#refuseForGood(reason)
      const refused = this.#refuse(reason, network ?? '', retryAfterSeconds)
      if (reason === 'address') this.#warnOfProxy(head)
      return refused
    }
    const { budget, limiter } = this.#options
    if (budget.draining) {
      // The stop began while the parent was asked.
      if (network !== null) limiter.release(network)
      return this.#refuse('draining', '')
    }
    const lease = network === null ? null : { release: () => limiter.release(network) }
    const { user, subjects } = decision
    return { admitted: true, user, subjects, expiresAtSeconds, readable, lease }
  }

  /** The page that asks may not open such a stream: a WebSocket, which browsers allow to all. */
  refuseOrigin(): Refused {
    return this.#refuseForGood('origin')
  }

  /** What the client sends is not valid, and will not be. */
  #refuseForGood(reason: RefusalReason): Refused {
    return { ...this.#refuse(reason, ''), retryAfterSeconds: null }
  }

  #refuse(
    reason: RefusalReason,
    detail: string,
    retryAfterSeconds: number = streamLimits.retryAfterSeconds,
  ) {
    this.refused[reason]++
    const { event, message } = REFUSALS[reason]
    if (event !== null) this.#options.log.repeated(event, message(detail))
    return { admitted: false, reason, retryAfterSeconds } as const
  }

  /** All clients count as one behind a proxy that is not known as one, or that names no client. */
  #warnOfProxy(head: Head): void {
    const { log, settings } = this.#options
    const { header } = settings.current.proxies
    const peer = parseIp(head.peer ?? '')
    if (peer === undefined) return
    const proxies = this.#proxies()
    const names = head.header(proxies.header) !== null
    if (proxies.trusts(peer) && !names) {
      const text = `The trusted proxy ${peer} names no client in ${header}: all count as its own.`
      log.repeated('no_client_named', text)
    } else if (!proxies.trusts(peer) && names) {
      const text = `If ${peer} is a proxy, name it by --trusted-proxy: it names clients in ${header}`
      log.repeated('untrusted_proxy', `${text}, and all count as its own.`)
    }
  }
}
