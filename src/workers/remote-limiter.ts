// The limiter of a worker: asks the parent, which alone knows what all workers hold. A decision
// that comes after the time limit is given back.

import { streamLimits } from '../core/limits.ts'
import type { Subject } from '../core/user.ts'
import type { Limiter, LimiterDecision, RevocableToken, StreamRequest } from '../hub/limiter.ts'
import type { Link } from './link.ts'
import { TO_PARENT } from './protocol.ts'

const BUSY: LimiterDecision = {
  admitted: false,
  reason: 'busy',
  retryAfterSeconds: streamLimits.retryAfterSeconds,
}

export class RemoteLimiter implements Limiter {
  readonly #link: Pick<Link, 'json' | 'request' | 'takesRequests' | 'waiting'>

  constructor(link: Pick<Link, 'json' | 'request' | 'takesRequests' | 'waiting'>) {
    this.#link = link
  }

  get waiting(): number {
    return this.#link.waiting
  }

  acquire(request: StreamRequest): LimiterDecision | Promise<LimiterDecision> {
    const { network } = request
    if (!this.#link.takesRequests) return BUSY
    // A stream that was admitted too late counts at the parent, and was refused here.
    const onLate = ({ admitted }: LimiterDecision) => {
      if (admitted && network !== null) this.release(network)
    }
    return this.#link
      .request<LimiterDecision>(TO_PARENT.acquire, request, onLate)
      .then((decision) => decision ?? BUSY)
  }

  async isRevoked(token: RevocableToken): Promise<boolean | null> {
    return (await this.#link.request<boolean>(TO_PARENT.isRevoked, token)) ?? null
  }

  /** The parent has the names. */
  idNow(user: Subject): number | null {
    return typeof user === 'number' ? user : null
  }

  release(network: string): void {
    this.#link.json(TO_PARENT.release, network)
  }
}
