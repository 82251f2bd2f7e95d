// One-time tickets, for clients that can send no header and should not have a token in a URL: each
// stands for an identity, opens one stream, and is worth nothing half a minute later.

import type { Clock } from '../core/clock.ts'
import { type Failure, failed } from '../core/errors.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
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

/** Of this server, or of all that share Redis. */
export interface TicketIssuer {
  issue(request: TicketRequest): Promise<Result<IssuedTicket, Failure>>
  /** Whose it is, once; `ticket` if it was used, is too old, or never was; `busy` for ask again. */
  redeem(ticket: string): Promise<Result<Identity, 'ticket' | 'busy'>>
}

export interface TicketsOptions {
  readonly clock: Clock
  /** A text that nobody can guess, and that may stand in a URL. */
  readonly random: () => string
}

/** Of this server. */
export class Tickets implements TicketIssuer {
  readonly #clock: Clock
  readonly #random: () => string
  /** Those that were not used, the oldest first. */
  readonly #open = new Map<string, { readonly identity: Identity; readonly untilMs: number }>()

  constructor({ clock, random }: TicketsOptions) {
    this.#clock = clock
    this.#random = random
  }

  async issue({ user, read, ttlSeconds }: TicketRequest): Promise<Result<IssuedTicket, Failure>> {
    this.#forgetOld()
    const { ticketsMax, ticketMs } = identityLimits
    if (this.#open.size >= ticketsMax) {
      return failed('too_many_tickets', 'Too many tickets wait to be used.')
    }
    const nowMs = this.#clock.nowMs()
    const ticket = this.#random()
    // To the millisecond: one that is issued right after a revocation is not revoked.
    const issuedAtSeconds = nowMs / 1_000
    const expiresAtSeconds = Math.floor(issuedAtSeconds) + ttlSeconds
    const identity = { user, read, issuedAtSeconds, expiresAtSeconds }
    this.#open.set(ticket, { identity, untilMs: this.#clock.elapsedMs() + ticketMs })
    return success({ ticket, expiresAtSeconds: Math.floor((nowMs + ticketMs) / 1_000) })
  }

  async redeem(ticket: string): Promise<Result<Identity, 'ticket'>> {
    const found = this.#open.get(ticket)
    if (found === undefined) return refused('ticket')
    this.#open.delete(ticket)
    const isValid = found.untilMs > this.#clock.elapsedMs()
    return isValid ? success(found.identity) : refused('ticket')
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
