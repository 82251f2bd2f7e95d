// Since when each user's tokens are valid, on all nodes: kept in Redis, and in the memory of each
// node because every new stream looks it up.

import { busLimits } from '../core/bus-limits.ts'
import type { Failure } from '../core/errors.ts'
import { isName } from '../core/name.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { type Subject, userIdOf } from '../core/user.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import type { TokenRevocations } from '../subscriptions/revocations.ts'
import type { BusKeys } from './bus-keys.ts'
import { commandFailure, type RedisCommands } from './redis-commands.ts'
import type { RedisFailure } from './redis-connection.ts'

/**
 * Keeps the later of two times, whichever is sent first.
 *
 * KEYS hash · ARGV user, milliseconds since 1970
 */
const REVOKE = `
local known = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) > known then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1`

export interface SharedRevocationsOptions {
  readonly redis: RedisCommands
  readonly keys: Pick<BusKeys, 'revoked'>
  readonly names: Pick<NameTable, 'intern' | 'subjectOf'>
}

export class SharedRevocations implements TokenRevocations {
  /** Called for each user whose tokens another node revoked while this node was disconnected. */
  onMissed: (user: number) => void = () => undefined
  readonly #options: SharedRevocationsOptions
  readonly #key: string
  /** By user; their handles stay in use. Bounded by the number in Redis. */
  readonly #revokedMs = new Map<number, number>()

  constructor(options: SharedRevocationsOptions) {
    this.#options = options
    this.#key = options.keys.revoked
  }

  /** Reads all revocations from Redis: at the start and after each reconnect. */
  async load(): Promise<Result<void, RedisFailure>> {
    const { redis } = this.#options
    const count = String(busLimits.scanFields)
    let cursor = '0'
    do {
      const page = await redis.send('HSCAN', [this.#key, cursor, 'COUNT', count])
      if (!page.ok) return refused({ ...page.why, text: `${page.why.text} (${this.#key})` })
      const [next, fields] = Array.isArray(page.value) ? page.value : ['0', []]
      cursor = String(next)
      this.#addAll(Array.isArray(fields) ? fields : [])
    } while (cursor !== '0')
    return OK
  }

  #addAll(fields: readonly unknown[]): void {
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const user = subjectIn(String(fields[at]))
      const atMs = Number(fields[at + 1])
      if (user === null || !Number.isSafeInteger(atMs)) continue
      const id = this.add(user, atMs)
      if (id !== null) this.onMissed(id)
    }
  }

  /** Another node has revoked. Returns the user; null if known, or if the name table is full. */
  add(user: Subject, atMs: number): number | null {
    const id = this.#options.names.intern(user)
    if (id === null || (this.#revokedMs.get(id) ?? 0) >= atMs) return null
    this.#revokedMs.set(id, atMs)
    return id
  }

  async revoke(user: number, nowMs: number): Promise<Result<void, Failure>> {
    const { redis, names } = this.#options
    const subject = names.subjectOf(user)
    const atMs = Math.floor(nowMs)
    const args = [REVOKE, '1', this.#key, String(subject), String(atMs)]
    const kept = await redis.send('EVAL', args)
    if (!kept.ok) return refused(commandFailure(kept.why))
    this.add(subject, atMs)
    return success(undefined)
  }

  isRevoked(user: number, issuedAtSeconds: number | null): boolean {
    const atMs = this.#revokedMs.get(user)
    return atMs !== undefined && (issuedAtSeconds ?? 0) * 1_000 <= atMs
  }

  /** Is the handle of a name in use here? */
  refersTo(handle: number): boolean {
    return this.#revokedMs.has(handle)
  }
}

/** Null if no node has written it. */
function subjectIn(text: string): Subject | null {
  const id = userIdOf(text)
  if (id > 0) return id
  return isName(text) ? text : null
}
