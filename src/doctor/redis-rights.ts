// What a user of Redis must be allowed, tried on one key under the prefix, which Redis forgets by
// itself. `ACL DRYRUN` would tell, too, but only administrators may run it.

import type { RedisConnection, RedisFailure } from '../bus/redis-connection.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { type Result, refused, success } from '../core/result.ts'
import { doctorLimits } from '../core/tool-limits.ts'

/** A command as the rules of a user have it, and one that changes nothing of this key, a text. */
type Trial = readonly [rule: string, words: (key: string) => readonly string[]]

/** Sets the key that the others are tried with. */
const SET: Trial = ['set', (key) => ['SET', key, '1', 'EX', String(doctorLimits.trialSeconds)]]

/**
 * What the bus runs, by itself and in its scripts, where the rules of the user hold as well. Most
 * of these fail, since the key is a text and no stream; what counts is that they are not forbidden.
 */
const TRIALS: readonly Trial[] = [
  SET,
  ['get', (key) => ['GET', key]],
  ['exists', (key) => ['EXISTS', key]],
  ['hmget', (key) => ['HMGET', key, 'field']],
  ['hget', (key) => ['HGET', key, 'field']],
  ['hgetall', (key) => ['HGETALL', key]],
  ['hexists', (key) => ['HEXISTS', key, 'field']],
  ['hscan', (key) => ['HSCAN', key, '0']],
  ['hlen', (key) => ['HLEN', key]],
  ['hset', (key) => ['HSET', key, 'field', '1']],
  ['hsetnx', (key) => ['HSETNX', key, 'field', '1']],
  ['hdel', (key) => ['HDEL', key, 'field']],
  ['expire', (key) => ['EXPIRE', key, String(doctorLimits.trialSeconds)]],
  ['pexpire', (key) => ['PEXPIRE', key, String(doctorLimits.trialSeconds * 1_000)]],
  ['sadd', (key) => ['SADD', key, '1']],
  ['srem', (key) => ['SREM', key, '1']],
  ['scard', (key) => ['SCARD', key]],
  ['sismember', (key) => ['SISMEMBER', key, '1']],
  ['sscan', (key) => ['SSCAN', key, '0']],
  ['scan', (key) => ['SCAN', '0', 'MATCH', key, 'COUNT', '1']],
  ['xadd', (key) => ['XADD', key, 'NOMKSTREAM', '*', 'field', '1']],
  ['xread', (key) => ['XREAD', 'COUNT', '1', 'STREAMS', key, '0']],
  ['xrevrange', (key) => ['XREVRANGE', key, '+', '-', 'COUNT', '1']],
  ['xsetid', (key) => ['XSETID', key, '1-1']],
  ['xinfo|stream', (key) => ['XINFO', 'STREAM', key]],
  ['time', () => ['TIME']],
  ['info', () => ['INFO', 'server']],
  ['script|load', () => ['SCRIPT', 'LOAD', 'return 1']],
  ['evalsha', (key) => ['EVALSHA', '0'.repeat(40), '1', key]],
  ['eval', (key) => ['EVAL', 'return 1', '1', key]],
  // Last: they remove the key.
  ['getdel', (key) => ['GETDEL', key]],
  ['unlink', (key) => ['UNLINK', key]],
  ['del', (key) => ['DEL', key]],
]

/** The commands that a user must be allowed, as its rules have them. */
export const NEEDED_COMMANDS: readonly string[] = TRIALS.map(([rule]) => rule)

export interface Rights {
  /** Those of {@link NEEDED_COMMANDS} that Redis refuses to this user, or has not at all. */
  readonly forbidden: readonly string[]
  /** May it use the keys under the prefix? */
  readonly hasKeys: boolean
  /** What Redis says to a write that is allowed; null if it takes it. */
  readonly writeError: string | null
}

/** @param key that no other program uses */
export async function tryRights(
  connection: RedisConnection,
  key: string,
): Promise<Result<Rights, RedisFailure>> {
  const forbidden: string[] = []
  let hasKeys = true
  let writeError: string | null = null
  for (const trial of TRIALS) {
    const [rule, words] = trial
    const [command = '', ...args] = words(key)
    const answer = await connection.send(command, args)
    if (answer.ok) continue
    const { kind, text } = answer.why
    if (kind === 'lost') return refused(answer.why)
    if (/^NOPERM .*\bkeys?\b/.test(text)) hasKeys = false
    else if (/^NOPERM|^ERR unknown (sub)?command/.test(text)) forbidden.push(rule)
    else if (trial === SET) writeError = text
  }
  return success({ forbidden, hasKeys, writeError })
}

/** What an administrator types so that a user may do all that the bus does, and no more. */
export function rightsRule({ user, database }: RedisAddress, prefix: string): string {
  const needed = database === 0 ? NEEDED_COMMANDS : [...NEEDED_COMMANDS, 'select']
  const rules = needed.map((rule) => `'+${rule}'`).join(' ')
  return `redis-cli ACL SETUSER ${user ?? 'default'} '~${prefix}*' ${rules}`
}
