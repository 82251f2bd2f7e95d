// Limits new streams by how many there are from one address and by how many are opened a second,
// and to tokens that were not revoked; and finds or makes the handle of a user's name. One for the
// whole server, so that its limits are exact however many processes hold the streams.

import type { Clock } from '../core/clock.ts'
import { streamLimits } from '../core/limits.ts'
import type { Subject } from '../core/user.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import type { RefusalReason } from './refusals.ts'
import type { Settings } from './settings.ts'

export type LimiterDecision =
  | {
      readonly admitted: true
      /** Numbers, or the handles of names. */
      readonly user: number
      readonly subjects: readonly number[]
    }
  | {
      readonly admitted: false
      readonly reason: Extract<
        RefusalReason,
        'address' | 'rate' | 'names' | 'busy' | 'token_revoked'
      >
      /** Null if to try again is no help. */
      readonly retryAfterSeconds: number | null
    }

/** A stream that is to be opened. */
export interface StreamRequest {
  readonly user: Subject
  /** What it follows for itself. */
  readonly subjects: readonly Subject[]
  /** Of its client; null when no per-address limit is set. */
  readonly network: string | null
  /** Null where clients have no tokens. */
  readonly token: TokenClaim | null
}

/** What a token says of itself. */
export interface TokenClaim {
  /** Seconds since 1970; null if the token does not say, and then it counts as old. */
  readonly issuedAtSeconds: number | null
}

/** A token of a user. */
export interface RevocableToken {
  readonly user: Subject
  readonly token: TokenClaim
}

/** Knows the tokens that count no longer. */
export interface RevokedTokens {
  isRevoked(user: number, issuedAtSeconds: number | null): boolean
}

/**
 * What admission asks; in a worker the answer comes from its parent (workers/remote-limiter.ts).
 */
export interface Limiter {
  /** Streams that wait for a decision. */
  readonly waiting: number
  /** May one more stream be opened? One that is admitted counts until it is released. */
  acquire(request: StreamRequest): LimiterDecision | Promise<LimiterDecision>
  /** Was the token revoked? Null if that cannot be known now. */
  isRevoked(token: RevocableToken): boolean | null | Promise<boolean | null>
  /** The number of a user, or the handle of its name; null if that takes a look elsewhere. */
  idNow(user: Subject): number | null
  /** A stream that counted has ended. */
  release(network: string): void
}

/** The limiter of a process that holds all streams itself. */
export function localLimiter(limiter: StreamLimiter): Limiter {
  const holder = 0
  return {
    waiting: 0,
    acquire: (request) => limiter.acquire(holder, request),
    isRevoked: (token) => limiter.isRevoked(token),
    idNow: (user) => limiter.idNow(user),
    release: (network) => limiter.release(holder, network),
  }
}

type LimiterSettings = Settings<'streamsPerAddressMax' | 'newStreamsPerSecondMax'>

const REVOKED: LimiterDecision = {
  ...{ admitted: false, reason: 'token_revoked' },
  retryAfterSeconds: null,
}

const NO_NAME: LimiterDecision = {
  ...{ admitted: false, reason: 'names' },
  retryAfterSeconds: streamLimits.retryAfterSecondsMax,
}

export interface StreamLimiterOptions {
  readonly settings: LimiterSettings
  readonly clock: Clock
  readonly revoked: RevokedTokens
  readonly names: Pick<NameTable, 'idOf' | 'intern'>
}

export class StreamLimiter {
  readonly #settings: LimiterSettings
  readonly #clock: Clock
  readonly #revoked: RevokedTokens
  readonly #names: StreamLimiterOptions['names']
  /** Streams by network. One without streams is not in it, so there are never more than streams. */
  readonly #open = new Map<string, number>()
  /** The same by the process that holds them, for when that process ends. */
  readonly #held = new Map<number, Map<string, number>>()
  /** When the last admitted stream would have come, had all come evenly. */
  #dueMs = 0
  /** The same of the refused, by the times at which they were told to retry, at this rate. */
  #retryMs = 0
  #retryRate: number | null = null

  constructor({ settings, clock, revoked, names }: StreamLimiterOptions) {
    this.#revoked = revoked
    this.#names = names
    this.#settings = settings
    this.#clock = clock
  }

  /** Networks from which there are streams. */
  get networks(): number {
    return this.#open.size
  }

  /** Decides, and counts a stream that is admitted. Once a stream that comes. */
  acquire(holder: number, { user, subjects, network, token }: StreamRequest): LimiterDecision {
    if (token !== null && this.isRevoked({ user, token })) return REVOKED
    const { streamsPerAddressMax } = this.#settings.current
    if (network !== null && streamsPerAddressMax !== null) {
      if ((this.#open.get(network) ?? 0) >= streamsPerAddressMax) {
        const { retryAfterSeconds } = streamLimits
        return { admitted: false, reason: 'address', retryAfterSeconds }
      }
    }
    const refused = this.#refuseByRate()
    if (refused !== null) return refused
    // Last: a client that is refused leaves no name behind.
    const ids: number[] = []
    for (const subject of [user, ...subjects]) {
      const id = this.#names.intern(subject)
      if (id === null) return NO_NAME
      ids.push(id)
    }
    if (network !== null) {
      change(this.#open, network, 1)
      change(this.#of(holder), network, 1)
    }
    const [id = 0, ...followed] = ids
    return { admitted: true, user: id, subjects: followed }
  }

  isRevoked({ user, token: { issuedAtSeconds } }: RevocableToken): boolean {
    return this.#revoked.isRevoked(this.#names.idOf(user), issuedAtSeconds)
  }

  idNow(user: Subject): number | null {
    return this.#names.intern(user)
  }

  release(holder: number, network: string): void {
    change(this.#open, network, -1)
    change(this.#of(holder), network, -1)
  }

  /** A process has ended, with all streams that it held. */
  forget(holder: number): void {
    for (const [network, count] of this.#of(holder)) change(this.#open, network, -count)
    this.#held.delete(holder)
  }

  #of(holder: number): Map<string, number> {
    let held = this.#held.get(holder)
    if (held === undefined) {
      held = new Map()
      this.#held.set(holder, held)
    }
    return held
  }

  /**
   * The generic cell rate algorithm (ITU-T I.371), with room for what comes in a second at once.
   * Each refused client is told a time of its own, at the same rate, so that they do not all retry
   * at the same moment.
   */
  #refuseByRate(): LimiterDecision | null {
    const { newStreamsPerSecondMax } = this.#settings.current
    if (newStreamsPerSecondMax !== this.#retryRate) {
      this.#retryRate = newStreamsPerSecondMax
      this.#retryMs = 0
    }
    if (newStreamsPerSecondMax === null) return null
    const nowMs = this.#clock.elapsedMs()
    const eachMs = 1_000 / newStreamsPerSecondMax
    const dueMs = Math.max(this.#dueMs, nowMs) + eachMs
    // A millionth of a second, for what is lost in adding up.
    if (dueMs - nowMs <= 1_000 + 1e-3) {
      this.#dueMs = dueMs
      return null
    }
    const mostMs = streamLimits.retryAfterSecondsMax * 1_000
    this.#retryMs = Math.max(this.#retryMs, nowMs) + eachMs
    // Beyond the longest Retry-After, the times start over.
    if (this.#retryMs - nowMs > mostMs) this.#retryMs = nowMs + eachMs
    const retryAfterSeconds = Math.max(1, Math.ceil((this.#retryMs - nowMs) / 1_000))
    return { admitted: false, reason: 'rate', retryAfterSeconds }
  }
}

function change(counts: Map<string, number>, network: string, by: number): void {
  const count = (counts.get(network) ?? 0) + by
  if (count < 0) throw new Error(`more streams of ${network} were released than acquired`)
  if (count === 0) counts.delete(network)
  else counts.set(network, count)
}
