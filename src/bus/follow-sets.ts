// Subscriptions in Redis: one set of subjects for each user who follows any. A node reads all sets
// when it starts, and a bulk load writes them. Single changes are made together with the log.

import { type FollowLimits, followLimits } from '../core/follow-limits.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { Waiter } from '../core/waiter.ts'
import { busKeys } from './bus-keys.ts'
import type { RedisConnection, RedisFailure } from './redis-connection.ts'

/** The prefix of the keys of all sets; the rest of a key is the user, as people write it. */
export function followsPrefix(prefix: string): string {
  return busKeys(prefix).followsOf('')
}

/**
 * Takes a user and the subjects it follows, each once; a user may come twice. Returns false if
 * there is no room for more.
 */
export type OnFollows = (user: string, subjects: readonly string[]) => boolean

const NO_ROOM: RedisFailure = { kind: 'error', text: 'there is no room for so many subscriptions' }
const NO_ANSWER: RedisFailure = { kind: 'error', text: 'Redis gave an unexpected answer' }

/**
 * Reads all sets, about 0.3 µs a subject, a few at a time: no command keeps Redis busy for longer
 * than a millisecond or two. A script that answers with many sets in one text took 5.6 s for 15
 * million subjects; this takes 4 s. Each key of another program in the same database takes 0.5 µs.
 * Of a set that changes meanwhile, it returns all members that stay, and perhaps some of the
 * others.
 */
export async function readFollows(
  connection: RedisConnection,
  prefix: string,
  onFollows: OnFollows,
  limits: FollowLimits = followLimits,
): Promise<Result<void, RedisFailure>> {
  const keyPrefix = followsPrefix(prefix)
  const sends = new Sends(limits.commandsMax)
  const scan = (cursor: string) => {
    const args = [cursor, 'MATCH', `${keyPrefix}*`, 'COUNT', String(limits.scanKeys)]
    return connection.send('SCAN', args)
  }
  const read = async (key: string): Promise<Result<void, RedisFailure>> => {
    const subjects = await readSet(connection, key, limits)
    if (!subjects.ok) return subjects
    return onFollows(key.slice(keyPrefix.length), subjects.value) ? OK : refused(NO_ROOM)
  }
  for (let next: ReturnType<typeof scan> | null = scan('0'); next !== null; ) {
    const page = scannedOf(await next)
    if (!page.ok) return page
    const [cursor, keys] = page.value
    // Requested before the sets, so that Redis need not wait for this process.
    next = cursor === '0' ? null : scan(cursor)
    for (const key of keys) {
      const room = await sends.room()
      if (!room.ok) return room
      sends.add(read(key))
    }
  }
  return await sends.end()
}

/** All members of a set. Redis returns a small set in one answer. */
async function readSet(
  connection: RedisConnection,
  key: string,
  { scanSubjects }: FollowLimits,
): Promise<Result<readonly string[], RedisFailure>> {
  const count = String(scanSubjects)
  const first = await connection.send('SSCAN', [key, '0', 'COUNT', count])
  // A key of another program with the same prefix.
  if (!first.ok && first.why.text.startsWith('WRONGTYPE')) return success([])
  const page = scannedOf(first)
  if (!page.ok) return page
  let [cursor, members] = page.value
  if (cursor === '0') return success(members)
  // SSCAN may return members of a large set twice.
  const all = new Set(members)
  while (cursor !== '0') {
    const more = scannedOf(await connection.send('SSCAN', [key, cursor, 'COUNT', count]))
    if (!more.ok) return more
    ;[cursor, members] = more.value
    for (const member of members) all.add(member)
  }
  return success([...all])
}

/** Parses an answer to `SCAN` or `SSCAN`: where to continue, and what was found. */
function scannedOf(
  answer: Result<unknown, RedisFailure>,
): Result<readonly [string, readonly string[]], RedisFailure> {
  if (!answer.ok) return answer
  const [cursor, found] = Array.isArray(answer.value) ? answer.value : []
  if (typeof cursor !== 'string' || !Array.isArray(found)) return refused(NO_ANSWER)
  return success([cursor, found])
}

/** Commands under way, up to a limit. */
class Sends {
  readonly #underWayMax: number
  #underWay = 0
  readonly #waiter = new Waiter()
  #failure: RedisFailure | null = null

  constructor(underWayMax: number) {
    this.#underWayMax = underWayMax
  }

  /** Settles when there is room for another one. After a failure, there is none. */
  async room(): Promise<Result<void, RedisFailure>> {
    if (this.#underWay >= this.#underWayMax) await this.#waiter.wait(this.#underWayMax / 2)
    return this.#failure === null ? OK : refused(this.#failure)
  }

  add(sent: Promise<Result<void, RedisFailure>>): void {
    this.#underWay++
    void sent.then((result) => {
      this.#underWay--
      if (!result.ok) this.#failure ??= result.why
      this.#waiter.update(this.#underWay)
    })
  }

  async end(): Promise<Result<void, RedisFailure>> {
    if (this.#underWay > 0) await this.#waiter.wait(0)
    return this.#failure === null ? OK : refused(this.#failure)
  }
}

export interface WriteFollowsOptions {
  /** Pairs `subscriber, subject, …`, those of one subscriber together. */
  readonly pairs: Uint32Array
  /** A user or subject as people write it. */
  readonly textOf: (id: number) => string
  readonly onProgress?: (pairs: number) => void
  readonly limits?: FollowLimits
}

/**
 * Adds pairs to the sets; {@link announceFollows} then notifies the nodes. After a failure,
 * some of them may have been added.
 *
 * @returns how many were new
 */
export async function writeFollows(
  connection: RedisConnection,
  prefix: string,
  { pairs, textOf, onProgress, limits = followLimits }: WriteFollowsOptions,
): Promise<Result<number, RedisFailure>> {
  const keyPrefix = followsPrefix(prefix)
  const sends = new Sends(limits.commandsMax)
  let added = 0
  const write = async (args: readonly string[]): Promise<Result<void, RedisFailure>> => {
    const answer = await connection.send('SADD', args)
    if (!answer.ok) return answer
    added += Number(answer.value)
    return OK
  }
  for (let at = 0; at < pairs.length; ) {
    const user = pairs[at] as number
    const args = [`${keyPrefix}${textOf(user)}`]
    for (; pairs[at] === user && args.length <= limits.addSubjects; at += 2) {
      args.push(textOf(pairs[at + 1] as number))
    }
    const room = await sends.room()
    if (!room.ok) return room
    sends.add(write(args))
    onProgress?.(at / 2)
  }
  const ended = await sends.end()
  return ended.ok ? success(added) : ended
}

/*
 * Adds a barrier to the log, as a node would: a batch of one item. Does not trim the log, since
 * only nodes know how long it may be.
 *
 * KEYS log, state · ARGV origin
 */
const ANNOUNCE = `
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if not epoch then return 'none' end
local id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', epoch .. '-*',
  'o', ARGV[1], 'n', '1', 'c', '1', 't', redis.call('TIME')[1], 'h', 'b', 'm', '')
return id and 'told' or 'none'`

/**
 * Tells all nodes that sets were written: each of them reads all sets again.
 *
 * @param origin 16 unique hexadecimal digits
 * @returns whether there is a log, and so there may be nodes
 */
export async function announceFollows(
  connection: RedisConnection,
  prefix: string,
  origin: string,
): Promise<Result<boolean, RedisFailure>> {
  const { log, state } = busKeys(prefix)
  const told = await connection.send('EVAL', [ANNOUNCE, '2', log, state, origin])
  return told.ok ? success(told.value === 'told') : told
}
