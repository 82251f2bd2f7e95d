// One-time tickets that any node redeems, whichever issued them: each is a key of Redis that
// expires, and is read and removed in one step.

import type { Clock } from '../core/clock.ts'
import { type Failure, failed } from '../core/errors.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { parseJson } from '../core/json.ts'
import { isPattern } from '../core/name.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { IssuedTicket, TicketIssuer, TicketRequest } from '../identity/tickets.ts'
import type { Identity } from '../identity/token-verifier.ts'
import type { BusKeys } from './bus-keys.ts'
import { commandFailure, type RedisCommands } from './redis-commands.ts'

export interface SharedTicketsOptions {
  readonly redis: RedisCommands
  readonly keys: Pick<BusKeys, 'ticketOf'>
  readonly clock: Clock
  /** Makes an unguessable ticket, safe in a URL. */
  readonly random: () => string
}

export class SharedTickets implements TicketIssuer {
  readonly #options: SharedTicketsOptions

  constructor(options: SharedTicketsOptions) {
    this.#options = options
  }

  async issue({ user, read, ttlSeconds }: TicketRequest): Promise<Result<IssuedTicket, Failure>> {
    const { redis, keys, clock, random } = this.#options
    const nowMs = clock.nowMs()
    const ticket = random()
    const issuedAtSeconds = nowMs / 1_000
    const expiresAtSeconds = Math.floor(issuedAtSeconds) + ttlSeconds
    const identity: Identity = { user, read, issuedAtSeconds, expiresAtSeconds }
    const { ticketMs } = identityLimits
    const args = [keys.ticketOf(ticket), JSON.stringify(identity), 'PX', String(ticketMs)]
    const kept = await redis.send('SET', args)
    if (!kept.ok) return refused(commandFailure(kept.why))
    return success({ ticket, expiresAtSeconds: Math.floor((nowMs + ticketMs) / 1_000) })
  }

  async redeem(ticket: string): Promise<Result<Identity, 'ticket' | 'busy'>> {
    // A client may send any text; it must not reach another key of Redis.
    if (!TICKET.test(ticket)) return refused('ticket')
    const { redis, keys } = this.#options
    const found = await redis.send('GETDEL', [keys.ticketOf(ticket)])
    if (!found.ok) return refused('busy')
    const identity = identityOf(found.value)
    return identity === null ? refused('ticket') : success(identity)
  }
}

const TICKET = /^[A-Za-z0-9_-]{16,128}$/

/** Null if no node has written it. */
function identityOf(value: unknown): Identity | null {
  const parsed = typeof value === 'string' ? parseJson(value) : failed('invalid_json', '')
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null) return null
  const { user, read, issuedAtSeconds, expiresAtSeconds } = parsed.value as Partial<Identity>
  if (typeof user !== 'string' || !Array.isArray(read) || !read.every(isPattern)) return null
  if (typeof issuedAtSeconds !== 'number' || typeof expiresAtSeconds !== 'number') return null
  return { user, read, issuedAtSeconds, expiresAtSeconds }
}
