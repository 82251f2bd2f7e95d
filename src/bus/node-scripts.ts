// The scripts about nodes, each one atomic step in Redis: heartbeats, members, and what one node
// sends to another.

import { type NodeLimits, nodeLimits } from '../core/bus-limits.ts'
import { type Result, success } from '../core/result.ts'
import type { BusKeys } from './bus-keys.ts'
import { LAST_ID, loadScripts, UNEXPECTED_ANSWER, WHOLE, WHY_NOT_ADDED } from './lua.ts'
import { MEMBERS_ORIGIN, type Member, memberText, parseMember } from './member-entry.ts'
import type { MemberSnapshot, Members } from './members.ts'
import type { RedisConnection, RedisFailure } from './redis-connection.ts'
import { parseId } from './stream-entry.ts'

/*
 * A heartbeat.
 *
 * KEYS of the node, members, of the members' batches, inbox; of each watched node
 * ARGV description of the node, milliseconds that the heartbeat is valid, origin, seconds that
 * members are kept, milliseconds that the inbox is kept
 * Answers whether the last heartbeat was still valid, whether it is a member, the members' version,
 * and whether each of the watched nodes is alive.
 */
const BEAT = `${WHOLE}
local wasAlive = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[4])
redis.call('EXPIRE', KEYS[3], ARGV[4])
redis.call('PEXPIRE', KEYS[4], ARGV[5])
local answer = { wasAlive, redis.call('HEXISTS', KEYS[2], ARGV[3]),
  whole(redis.call('HGET', KEYS[2], 'version')) }
for at = 5, #KEYS do answer[#answer + 1] = redis.call('EXISTS', KEYS[at]) end
return answer`

/*
 * Changes the members and adds the change to the log, once for several nodes that ask for it. A
 * node is declared dead only if it has no valid heartbeat at this moment.
 *
 * KEYS log, of the members' batches, members, of the node · ARGV join, stopped or dead; origin of
 * the node, its description, epoch, origin of the batches, seconds that members are kept
 * Answers done, or why not: same, alive, fenced, gone.
 */
const CHANGE = `${WHOLE}${WHY_NOT_ADDED}
local isMember = redis.call('HEXISTS', KEYS[3], ARGV[2]) == 1
if (ARGV[1] == 'join') == isMember then return 'same' end
if ARGV[1] == 'dead' and redis.call('EXISTS', KEYS[4]) == 1 then return 'alive' end
local version = string.format('%.0f', whole(redis.call('HGET', KEYS[3], 'version')) + 1)
local batch = string.format('%.0f', whole(redis.call('GET', KEYS[2])) + 1)
local time = redis.call('TIME')[1]
local head = (ARGV[1] == 'join' and 'j' or 'l') .. ARGV[2] .. ',' .. version
local id = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', ARGV[4] .. '-*', 'o', ARGV[5], 'n', batch,
  'c', '1', 't', time, 'h', head, 'm', ARGV[1] == 'join' and ARGV[3] or ARGV[1])
local why = whyNotAdded(id)
if why then return why end
if ARGV[1] == 'join' then
  redis.call('HSET', KEYS[3], ARGV[2], ARGV[4] .. ' ' .. time .. ' ' .. ARGV[3])
else
  redis.call('HDEL', KEYS[3], ARGV[2])
  redis.call('DEL', KEYS[4])
end
redis.call('HSET', KEYS[3], 'version', version)
redis.call('EXPIRE', KEYS[3], ARGV[6])
redis.call('SET', KEYS[2], batch, 'EX', ARGV[6])
return 'done'`

/*
 * All members. If the asking node knows a later version, Redis has lost it: by a kill, a failover
 * or FLUSHALL. Then the members are those that the node knows and those that have joined since, in
 * a later epoch. Nodes among them that have ended are declared dead later.
 *
 * KEYS members, log · ARGV version that the node knows, the epoch at that version, and its members:
 * origin and text of each
 * Answers the version, the last id of the log, and the members.
 */
const MEMBERS = `${WHOLE}${LAST_ID}
local version = whole(redis.call('HGET', KEYS[1], 'version'))
if version < tonumber(ARGV[1]) then
  local isKnown = { version = true }
  for at = 3, #ARGV, 2 do
    isKnown[ARGV[at]] = true
    redis.call('HSETNX', KEYS[1], ARGV[at], ARGV[at + 1])
  end
  local all = redis.call('HGETALL', KEYS[1])
  for at = 1, #all, 2 do
    local isOld = whole(string.match(all[at + 1], '^(%d+) ')) <= tonumber(ARGV[2])
    if isOld and not isKnown[all[at]] then redis.call('HDEL', KEYS[1], all[at]) end
  end
  version = tonumber(ARGV[1]) + 1
  redis.call('HSET', KEYS[1], 'version', string.format('%.0f', version))
end
local last = redis.call('EXISTS', KEYS[2]) == 1 and lastId(KEYS[2]) or '0-0'
local answer = { string.format('%.0f', version), last }
for _, text in ipairs(redis.call('HGETALL', KEYS[1])) do answer[#answer + 1] = text end
return answer`

/*
 * KEYS inbox, of the node · ARGV origin of the sender, text, entries that are kept, milliseconds
 * Answers whether the node is alive; if not, nothing is sent.
 */
const SEND = `
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'f', ARGV[1], 'm', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1`

const SCRIPTS = { beat: BEAT, change: CHANGE, members: MEMBERS, send: SEND } as const

export interface Beat {
  /** Was the heartbeat before it still valid? */
  readonly wasAlive: boolean
  readonly isMember: boolean
  readonly version: number
  /** Those of the watched nodes that send no heartbeats. */
  readonly silent: readonly string[]
}

export interface ChangeRequest {
  readonly kind: 'join' | 'stopped' | 'dead'
  readonly origin: string
  /** The node's description, if it joins. */
  readonly description: string
  readonly epoch: number
}

/** The scripts, loaded on one connection. */
export class NodeScripts {
  readonly #connection: RedisConnection
  readonly #keys: BusKeys
  readonly #hashes: Readonly<Record<keyof typeof SCRIPTS, string>>
  readonly #limits: NodeLimits

  static async load(
    connection: RedisConnection,
    keys: BusKeys,
    limits: NodeLimits = nodeLimits,
  ): Promise<Result<NodeScripts, RedisFailure>> {
    const loaded = await loadScripts(connection, SCRIPTS)
    return loaded.ok ? success(new NodeScripts(connection, keys, loaded.value, limits)) : loaded
  }

  private constructor(
    connection: RedisConnection,
    keys: BusKeys,
    hashes: Readonly<Record<keyof typeof SCRIPTS, string>>,
    limits: NodeLimits,
  ) {
    this.#connection = connection
    this.#keys = keys
    this.#hashes = hashes
    this.#limits = limits
  }

  #run(name: keyof typeof SCRIPTS, keys: readonly string[], args: readonly (string | number)[]) {
    const all = [this.#hashes[name], keys.length, ...keys, ...args].map(String)
    return this.#connection.send('EVALSHA', all)
  }

  async beat(
    origin: string,
    description: string,
    watched: readonly Member[],
  ): Promise<Result<Beat, RedisFailure>> {
    const { members, nodeOf, originOf, inboxOf } = this.#keys
    const own = [nodeOf(origin), members, originOf(MEMBERS_ORIGIN), inboxOf(origin)]
    const keys = [...own, ...watched.map((member) => nodeOf(member.origin))]
    const { aliveMs, membersSeconds, inboxMs } = this.#limits
    const args = [description, aliveMs, origin, membersSeconds, inboxMs]
    const answer = await this.#run('beat', keys, args)
    if (!answer.ok) return answer
    if (!Array.isArray(answer.value)) return UNEXPECTED_ANSWER
    const [wasAlive, isMember, version, ...alive] = answer.value
    return success({
      wasAlive: wasAlive === 1,
      isMember: isMember === 1,
      version: Number(version),
      silent: watched.filter((_, at) => alive[at] === 0).map((member) => member.origin),
    })
  }

  /** Returns whether the members have changed. */
  async change(request: ChangeRequest): Promise<Result<boolean, RedisFailure>> {
    const { kind, origin, description, epoch } = request
    const { log, members, nodeOf, originOf } = this.#keys
    const keys = [log, originOf(MEMBERS_ORIGIN), members, nodeOf(origin)]
    const args = [kind, origin, description, epoch, MEMBERS_ORIGIN, this.#limits.membersSeconds]
    const answer = await this.#run('change', keys, args)
    return answer.ok ? success(answer.value === 'done') : answer
  }

  /** @param known the members as this node knows them */
  async members(
    known: Pick<Members, 'version' | 'epoch' | 'all'>,
  ): Promise<Result<MemberSnapshot, RedisFailure>> {
    const { version, epoch, all } = known
    const texts = all.flatMap((member) => [member.origin, memberText(member, epoch)])
    const keys = [this.#keys.members, this.#keys.log]
    const answer = await this.#run('members', keys, [version, epoch, ...texts])
    return answer.ok ? snapshotOf(answer.value) : answer
  }

  /** Returns whether the node is alive. Hot path: once a node in each turn with items for it. */
  async send(to: string, from: string, text: string): Promise<Result<boolean, RedisFailure>> {
    const { inboxEntries, inboxMs } = this.#limits
    const keys = [this.#keys.inboxOf(to), this.#keys.nodeOf(to)]
    const answer = await this.#run('send', keys, [from, text, inboxEntries, inboxMs])
    return answer.ok ? success(answer.value === 1) : answer
  }

  async clearInbox(origin: string): Promise<void> {
    await this.#connection.send('DEL', [this.#keys.inboxOf(origin)])
  }
}

/** Skips what is not a member: another program may have written it. */
function snapshotOf(answer: unknown): Result<MemberSnapshot, RedisFailure> {
  if (!Array.isArray(answer)) return UNEXPECTED_ANSWER
  const [version, last, ...texts] = answer
  const at = parseId(last)
  if (at === null) return UNEXPECTED_ANSWER
  const members: Member[] = []
  for (let index = 0; index < texts.length; index += 2) {
    const member = parseMember(texts[index], texts[index + 1])
    if (member !== null) members.push(member)
  }
  return success({ at, version: Number(version), members })
}
