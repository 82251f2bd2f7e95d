// The gate of the public port: whether one more stream may be opened, by the room that this process has
// and by what the doorman says of the client's address and of how many come.

import { clientNetwork, parseIp } from '../core/ip.ts'
import { streamLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import type { DescriptorBudget } from '../http/descriptor-budget.ts'
import { NONE_REFUSED, type RefusalReason } from '../hub/figures.ts'
import type { Limiter, LimiterDecision } from '../hub/limiter.ts'
import type { StreamRules } from '../hub/rules.ts'
import type { Admission, Gate, Lease } from './admission.ts'
import { Proxies } from './client-address.ts'

type GateRules = Pick<StreamRules, 'perAddressMax' | 'newPerSecondMax' | 'proxies'>

export interface AdmissionOptions {
  readonly budget: DescriptorBudget
  readonly limiter: Limiter
  readonly rules: GateRules
  /** The other end of a request's connection; null if it is gone already. */
  readonly peerOf: (request: Request) => string | null
  readonly log: Log
}

const ADMITTED: Admission = { admitted: true, lease: null }

export class StreamAdmission implements Gate {
  /** Streams refused since the start. */
  readonly refused: Record<RefusalReason, number> = { ...NONE_REFUSED }
  readonly #options: AdmissionOptions
  #rules: GateRules
  #proxies: Proxies

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#rules = options.rules
    this.#proxies = new Proxies(options.rules.proxies)
  }

  /** From now on these rules hold. */
  change(rules: GateRules): void {
    this.#rules = rules
    this.#proxies = new Proxies(rules.proxies)
  }

  /** Without limits it asks nobody. Once a stream that comes. */
  admit(request: Request): Admission | Promise<Admission> {
    const shut = this.#options.budget.shut()
    if (shut !== null) return this.#refuse(shut, streamLimits.retryAfterSeconds)
    const { perAddressMax, newPerSecondMax } = this.#rules
    if (perAddressMax === null && newPerSecondMax === null) return ADMITTED
    const network = perAddressMax === null ? null : this.#networkOf(request)
    const verdict = this.#options.limiter.ask(network)
    return verdict instanceof Promise
      ? verdict.then((of) => this.#answer(of, request, network))
      : this.#answer(verdict, request, network)
  }

  #networkOf(request: Request): string | null {
    const peer = this.#options.peerOf(request)
    return peer === null ? null : clientNetwork(this.#proxies.clientOf(peer, request.headers))
  }

  #answer(verdict: LimiterDecision, request: Request, network: string | null): Admission {
    if (verdict.admitted) {
      const lease = network === null ? null : this.#lease(network)
      if (!this.#options.budget.draining)
        return lease === null ? ADMITTED : { admitted: true, lease }
      // It began to stop while the parent was asked.
      lease?.left()
      return this.#refuse('draining', streamLimits.retryAfterSeconds)
    }
    const { reason, retryAfterSeconds } = verdict
    this.#tell(reason, request, network)
    return this.#refuse(reason, retryAfterSeconds)
  }

  #lease(network: string): Lease {
    const { limiter } = this.#options
    return { left: () => limiter.left(network) }
  }

  #refuse(reason: RefusalReason, retryAfterSeconds: number): Admission {
    this.refused[reason]++
    return { admitted: false, reason, retryAfterSeconds }
  }

  #tell(reason: RefusalReason, request: Request, network: string | null): void {
    const { log } = this.#options
    if (reason === 'rate') {
      const text = 'A stream was refused: more come a second than --max-new-streams allows.'
      log.repeated('refused_rate', text)
    } else if (reason === 'address') {
      const limit = '--max-streams-per-address'
      const text = `A stream was refused: ${network} has as many open as ${limit} allows.`
      log.repeated('refused_address', text)
      this.#suspect(request)
    } else {
      const text = 'A stream was refused: the server did not answer its worker in time.'
      log.repeated('refused_busy', text)
    }
  }

  /** All clients are one behind a proxy that is not known as one, or that names nobody. */
  #suspect(request: Request): void {
    const { log } = this.#options
    const { header } = this.#rules.proxies
    const peer = parseIp(this.#options.peerOf(request) ?? '')
    if (peer === undefined) return
    const names = request.headers.has(header)
    if (this.#proxies.trusts(peer) && !names) {
      const text = `The trusted proxy ${peer} names no client in ${header}: all count as its own.`
      log.repeated('no_client_named', text)
    } else if (!this.#proxies.trusts(peer) && names) {
      const text = `If ${peer} is a proxy, name it by --trusted-proxy: it names clients in ${header}`
      log.repeated('untrusted_proxy', `${text}, and all count as its own.`)
    }
  }
}
