// Where a server's streams are: in this process, or in its workers. To the control port both are
// the same; this file has the interface, and its fulfilment for the one process.

import type { HostFigures } from '../control/stats.ts'
import type { Address } from '../core/address.ts'
import type { DescriptorBudget } from '../http/descriptor-budget.ts'
import type { Listener } from '../http/listener.ts'
import type { PublicPort } from '../public/port.ts'
import type { Pace } from './drain.ts'
import type { Limiter, StreamLimiter } from './limiter.ts'
import { LocalOutlet, type Outlet } from './outlet.ts'
import type { StreamRules } from './rules.ts'
import type { UserPresence } from './store.ts'

export interface StreamHost {
  /** Where clients open streams. */
  readonly addresses: readonly Address[]
  readonly outlet: Outlet
  /** Looks after the open files of this process. */
  readonly budget: DescriptorBudget
  /** Is there no room for one more stream? */
  readonly full: boolean
  /** Workers that have given no sign of life for a while. */
  readonly silentWorkers: readonly number[]
  userPresence(user: number): Promise<UserPresence>
  figures(): Promise<HostFigures>
  /** The same as they were told last, without asking. */
  told(): HostFigures
  /** Begins to look after this process, its control port included. */
  watch(control: Listener): void
  /** Is there anybody whom a message could reach? */
  readonly isEmpty: boolean
  /** From now on these rules hold; answers why they cannot, or null. */
  change(rules: StreamRules): string | null
  /** Ends every stream properly, evenly. Answers whether there were clients that had to be cut. */
  drain(pace: Pace): Promise<boolean>
}

/** The door to a doorman of this process. */
export function localLimiter(limiter: StreamLimiter): Limiter {
  return {
    waiting: 0,
    ask: (network) => limiter.ask(OWN, network),
    left: (network) => limiter.left(OWN, network),
  }
}

/** The one process that holds the streams. */
const OWN = 0

/** Is there nobody left to send to? Until then a message that comes while draining is delivered. */
export function hasEnded({ budget, isEmpty }: StreamHost): boolean {
  return budget.draining && isEmpty
}

export class LocalHost implements StreamHost {
  readonly outlet: LocalOutlet
  readonly #publicPort: PublicPort
  readonly #limiter: StreamLimiter

  constructor(publicPort: PublicPort, limiter: StreamLimiter) {
    this.#publicPort = publicPort
    this.#limiter = limiter
    this.outlet = new LocalOutlet(publicPort.streams)
  }

  get addresses(): readonly Address[] {
    return this.#publicPort.listener.addresses
  }

  get budget(): DescriptorBudget {
    return this.#publicPort.budget
  }

  get full(): boolean {
    return this.budget.full
  }

  get silentWorkers(): readonly number[] {
    return []
  }

  userPresence(user: number): Promise<UserPresence> {
    return Promise.resolve(this.#publicPort.streams.presence(user))
  }

  figures(): Promise<HostFigures> {
    return Promise.resolve(this.told())
  }

  told(): HostFigures {
    const figures = this.#publicPort.figures()
    const { open, limit, users, queuedBytes } = figures
    return { open, limit, users, queuedBytes, totals: figures, lost: 0, workers: [] }
  }

  watch(control: Listener): void {
    this.#publicPort.watch(control)
  }

  get isEmpty(): boolean {
    return this.#publicPort.streams.open === 0
  }

  change(rules: StreamRules): string | null {
    const why = this.#publicPort.change(rules)
    if (why === null) this.#limiter.change(rules)
    return why
  }

  drain(pace: Pace): Promise<boolean> {
    return this.#publicPort.drain(pace)
  }
}
