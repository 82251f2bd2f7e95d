// The gate of the public port: whether one more stream may be opened, by the room that this process has
// and by what the doorman says of the client's address and of how many come.

import { clientNetwork, parseIp } from '../core/ip.ts'
import { streamLimits } from '../core/limits.ts'
import type { Door, Verdict } from '../stream/doorman.ts'
import { NONE_REFUSED, type RefusalReason } from '../stream/figures.ts'
import type { StreamRules } from '../stream/rules.ts'
import type { Admission, Gate, Guest } from '../transport/admission.ts'
import { Proxies } from '../transport/forwarded.ts'
import type { Guard } from './guard.ts'
import type { Log } from './log.ts'

type GateRules = Pick<StreamRules, 'perAddressMax' | 'newPerSecondMax' | 'proxies'>

export interface StreamGateOptions {
  readonly guard: Guard
  readonly door: Door
  readonly rules: GateRules
  /** The other end of a request's connection; null if it is gone already. */
  readonly peerOf: (request: Request) => string | null
  readonly log: Log
}

const ADMITTED: Admission = { admitted: true, guest: null }

export class StreamGate implements Gate {
  /** Streams refused since the start. */
  readonly refused: Record<RefusalReason, number> = { ...NONE_REFUSED }
  readonly #options: StreamGateOptions
  #rules: GateRules
  #proxies: Proxies

  constructor(options: StreamGateOptions) {
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
    const shut = this.#options.guard.shut()
    if (shut !== null) return this.#refuse(shut, streamLimits.retryAfterSeconds)
    const { perAddressMax, newPerSecondMax } = this.#rules
    if (perAddressMax === null && newPerSecondMax === null) return ADMITTED
    const network = perAddressMax === null ? null : this.#networkOf(request)
    const verdict = this.#options.door.ask(network)
    return verdict instanceof Promise
      ? verdict.then((of) => this.#answer(of, request, network))
      : this.#answer(verdict, request, network)
  }

  #networkOf(request: Request): string | null {
    const peer = this.#options.peerOf(request)
    return peer === null ? null : clientNetwork(this.#proxies.clientOf(peer, request.headers))
  }

  #answer(verdict: Verdict, request: Request, network: string | null): Admission {
    if (verdict.admitted) {
      const guest = network === null ? null : this.#guest(network)
      if (!this.#options.guard.draining)
        return guest === null ? ADMITTED : { admitted: true, guest }
      // It began to stop while the parent was asked.
      guest?.left()
      return this.#refuse('draining', streamLimits.retryAfterSeconds)
    }
    const { reason, retryAfterSeconds } = verdict
    this.#tell(reason, request, network)
    return this.#refuse(reason, retryAfterSeconds)
  }

  #guest(network: string): Guest {
    const { door } = this.#options
    return { left: () => door.left(network) }
  }

  #refuse(reason: RefusalReason, retryAfterSeconds: number): Admission {
    this.refused[reason]++
    return { admitted: false, reason, retryAfterSeconds }
  }

  #tell(reason: RefusalReason, request: Request, network: string | null): void {
    const { log } = this.#options
    const { perAddressMax, newPerSecondMax } = this.#rules
    if (reason === 'address') {
      const text = `A stream was refused: ${network} has ${perAddressMax} open, the most of one address.`
      log.repeated('refused_address', text)
      this.#suspect(request)
    } else if (reason === 'rate') {
      const text = `A stream was refused: ${newPerSecondMax} a second are the most.`
      log.repeated('refused_rate', text)
    } else {
      log.repeated('refused', 'A stream was refused: the server did not answer its worker in time.')
    }
  }

  /** Behind a proxy that is not known as one, all clients are one. */
  #suspect(request: Request): void {
    const { header } = this.#rules.proxies
    if (!request.headers.has(header)) return
    const peer = parseIp(this.#options.peerOf(request) ?? '')
    if (peer === undefined || this.#proxies.trusts(peer)) return
    const text = `${peer} names other clients in ${header}, but is no --trusted-proxy`
    this.#options.log.repeated('untrusted_proxy', `${text}: all count as its own address.`)
  }
}
