// Admission: may this request open a stream? One pipeline for every transport, before anything is
// kept of the stream: identity, room, limits.

import { clientNetwork, parseIp } from '../core/address.ts'
import { streamLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import type { DescriptorBudget } from '../http/descriptor-budget.ts'
import type { Head } from '../http/exchange.ts'
import type { Limiter, LimiterDecision } from '../hub/limiter.ts'
import { REFUSALS, type RefusalReason, zeroCounts } from '../hub/refusals.ts'
import { derived, type Settings } from '../hub/settings.ts'
import { type Lease, type StreamTerms, UNLIMITED } from '../hub/stream.ts'
import type { Authenticator } from '../identity/authenticator.ts'
import { Proxies } from './client-address.ts'

export type AdmissionResult =
  | ({ readonly admitted: true } & StreamTerms)
  | {
      readonly admitted: false
      readonly reason: RefusalReason
      /** Null if to try again is no help. */
      readonly retryAfterSeconds: number | null
    }

export interface AdmissionOptions {
  readonly budget: Pick<DescriptorBudget, 'refusal' | 'draining' | 'streams'>
  readonly limiter: Limiter
  readonly authenticator: Pick<Authenticator, 'identify'>
  readonly settings: Settings<
    'identity' | 'streamsPerAddressMax' | 'newStreamsPerSecondMax' | 'proxies'
  >
  readonly log: Log
}

const ADMITTED: AdmissionResult = { admitted: true, ...UNLIMITED }

const NEVER_SECONDS = UNLIMITED.expiresAtSeconds

export class Admission {
  /** Streams refused since the start. */
  readonly refused = zeroCounts(REFUSALS)
  readonly #options: AdmissionOptions
  readonly #proxies: () => Proxies

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#proxies = derived(options.settings, ({ proxies }) => new Proxies(proxies))
  }

  /**
   * May this client open the stream of this user? Without keys every client may open every stream.
   * Hot path: once a stream that is opened.
   */
  admit(head: Head, user: number): AdmissionResult | Promise<AdmissionResult> {
    if (this.#options.settings.current.identity === null) return this.#admit(head, NEVER_SECONDS)
    return this.#options.authenticator.identify(head).then((identified) => {
      if (!identified.ok) return this.#refuseForGood(identified.why)
      const { user: own, expiresAtSeconds } = identified.value
      return own === String(user)
        ? this.#admit(head, expiresAtSeconds)
        : this.#refuseForGood('user')
    })
  }

  /**
   * Room comes before limits, since it takes nothing: a full server neither asks its parent nor
   * spends what it may open a second.
   */
  #admit(head: Head, expiresAtSeconds: number): AdmissionResult | Promise<AdmissionResult> {
    const { budget, limiter, settings } = this.#options
    const noRoom = budget.refusal()
    if (noRoom !== null) return this.#refuse(noRoom, String(budget.streams))
    if (!this.#isLimited) return admittedUntil(expiresAtSeconds, null)
    const { streamsPerAddressMax } = settings.current
    const network = streamsPerAddressMax === null ? null : this.#networkOf(head)
    const decision = limiter.acquire(network)
    return decision instanceof Promise
      ? decision.then((of) => this.#decide(of, head, network, expiresAtSeconds))
      : this.#decide(decision, head, network, expiresAtSeconds)
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
    expiresAtSeconds: number,
  ): AdmissionResult {
    if (!decision.admitted) {
      const { reason, retryAfterSeconds } = decision
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
    return admittedUntil(expiresAtSeconds, lease)
  }

  /** What the client sends is not valid, and will not be. */
  #refuseForGood(reason: RefusalReason): AdmissionResult {
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

function admittedUntil(expiresAtSeconds: number, lease: Lease | null): AdmissionResult {
  if (lease === null && expiresAtSeconds === NEVER_SECONDS) return ADMITTED
  return { admitted: true, lease, expiresAtSeconds }
}
