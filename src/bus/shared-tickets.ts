// One-time tickets that any server redeems, whichever issued them: each is a key of Redis that ends
// by itself, and is read and removed in one step.

import type { Clock } from '../core/clock.ts'
import { type Failure, failed } from '../core/errors.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { parseJson } from '../core/json.ts'
import { isPattern } from '../core/name.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { IssuedTicket, TicketIssuer, TicketRequest } from '../identity/tickets.ts'
import type { Identity } from '../identity/token-verifier.ts'
import { commandFailure, type RedisCommands } from './redis-commands.ts'

export interface SharedTicketsOptions {
  readonly redis: RedisCommands
  readonly prefix: string
  readonly clock: Clock
  /** A text that nobody can guess, and that may stand in a URL. */
  readonly random: () => string
}

export class SharedTickets implements TicketIssuer {
  readonly #options: SharedTicketsOptions

  constructor(options: SharedTicketsOptions) {
    this.#options = options
  }

  async issue({ user, read, ttlSeconds }: TicketRequest): Promise<Result<IssuedTicket, Failure>> {
    const { redis, clock, random } = this.#options
    const nowMs = clock.nowMs()
    const ticket = random()
    const issuedAtSeconds = nowMs / 1_000
    const expiresAtSeconds = Math.floor(issuedAtSeconds) + ttlSeconds
    const identity: Identity = { user, read, issuedAtSeconds, expiresAtSeconds }
    const { ticketMs } = identityLimits
    const args = [this.#keyOf(ticket), JSON.stringify(identity), 'PX', String(ticketMs)]
    const kept = await redis.send('SET', args)
    if (!kept.ok) return refused(commandFailure(kept.why))
    return success({ ticket, expiresAtSeconds: Math.floor((nowMs + ticketMs) / 1_000) })
  }

  async redeem(ticket: string): Promise<Result<Identity, 'ticket' | 'busy'>> {
    // Anyone may send anything; no other key of Redis is to be found so.
    if (!TICKET.test(ticket)) return refused('ticket')
    const found = await this.#options.redis.send('GETDEL', [this.#keyOf(ticket)])
    if (!found.ok) return refused('busy')
    const identity = identityOf(found.value)
    return identity === null ? refused('ticket') : success(identity)
  }

  #keyOf(ticket: string): string {
    return `${this.#options.prefix}ticket:${ticket}`
  }
}

const TICKET = /^[A-Za-z0-9_-]{16,128}$/

/** Null for what no server has written. */
function identityOf(value: unknown): Identity | null {
  const parsed = typeof value === 'string' ? parseJson(value) : failed('invalid_json', '')
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null) return null
  const { user, read, issuedAtSeconds, expiresAtSeconds } = parsed.value as Partial<Identity>
  if (typeof user !== 'string' || !Array.isArray(read) || !read.every(isPattern)) return null
  if (typeof issuedAtSeconds !== 'number' || typeof expiresAtSeconds !== 'number') return null
  return { user, read, issuedAtSeconds, expiresAtSeconds }
}
