// One-time tickets, for clients that can send no header and should not have a token in a URL: each
// stands for an identity, opens one stream, and is worth nothing half a minute later.

import type { Clock } from '../core/clock.ts'
import { identityLimits } from '../core/identity-limits.ts'
import type { Identity } from './token-verifier.ts'

export interface TicketRequest {
  readonly user: string
  readonly read: readonly string[]
  /** Seconds that a stream lasts which it opens. */
  readonly ttlSeconds: number
}

export interface IssuedTicket {
  readonly ticket: string
  readonly expiresAtSeconds: number
}

export interface TicketsOptions {
  readonly clock: Clock
  /** A text that nobody can guess, and that may stand in a URL. */
  readonly random: () => string
}

export class Tickets {
  readonly #clock: Clock
  readonly #random: () => string
  /** Those that were not used, the oldest first. */
  readonly #open = new Map<string, { readonly identity: Identity; readonly untilMs: number }>()

  constructor({ clock, random }: TicketsOptions) {
    this.#clock = clock
    this.#random = random
  }

  /** Null if too many are open. */
  issue({ user, read, ttlSeconds }: TicketRequest): IssuedTicket | null {
    this.#forgetOld()
    const { ticketsMax, ticketMs } = identityLimits
    if (this.#open.size >= ticketsMax) return null
    const nowMs = this.#clock.nowMs()
    const ticket = this.#random()
    // To the millisecond: one that is issued right after a revocation is not revoked.
    const issuedAtSeconds = nowMs / 1_000
    const expiresAtSeconds = Math.floor(issuedAtSeconds) + ttlSeconds
    const identity = { user, read, issuedAtSeconds, expiresAtSeconds }
    this.#open.set(ticket, { identity, untilMs: this.#clock.elapsedMs() + ticketMs })
    return { ticket, expiresAtSeconds: Math.floor((nowMs + ticketMs) / 1_000) }
  }

  /** Whose it is, once; null if it was used, is too old, or never was. */
  redeem(ticket: string): Identity | null {
    const found = this.#open.get(ticket)
    if (found === undefined) return null
    this.#open.delete(ticket)
    return found.untilMs > this.#clock.elapsedMs() ? found.identity : null
  }

  #forgetOld(): void {
    const nowMs = this.#clock.elapsedMs()
    for (const [ticket, { untilMs }] of this.#open) {
      // All last equally long.
      if (untilMs > nowMs) return
      this.#open.delete(ticket)
    }
  }
}
