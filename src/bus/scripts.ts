// The scripts of the log: each is one atomic step in Redis. See conditional-script.ts for batches
// with a condition.

import { busLimits } from '../core/bus-limits.ts'
import type { Cursor } from '../core/cursor.ts'
import { keyLimits } from '../core/history-limits.ts'
import { type Result, success } from '../core/result.ts'
import type { AppendRequest, ConditionalRequest } from './append-request.ts'
import type { BusKeys } from './bus-keys.ts'
import { CONDITIONAL, conditionalArgs, parseResolved, type Resolved } from './conditional-script.ts'
import { type Fork, parseForks } from './forks.ts'
import { LAST_ID, loadScripts, UNEXPECTED_ANSWER, WHY_NOT_ADDED } from './lua.ts'
import type { Argument, RedisConnection, RedisFailure } from './redis-connection.ts'
import { parseId } from './stream-entry.ts'

/*
 * Run on each new connection before anything is added, and whenever no entry has come for a while.
 *
 * If this is not the run of Redis in which the newest epoch began, entries may be lost: a kill can
 * lose the last second, a failover what the replica did not have, FLUSHALL everything. So a new
 * epoch begins after the last entry. It is above all epochs before, also if the clock was set back.
 *
 * If the log is missing, or comet did not write it, the new epoch begins after the last entry that
 * the asking node has read. The node restores the last batch of each origin that it has read:
 * without it, a batch that its node has not read back would be added a second time. It also
 * restores the keys of messages that it knows: a key that is forgotten early would let its message
 * be sent twice. If it may not know all keys that count, all nodes tell a gap. The subscriptions
 * are lost.
 *
 * The forks are kept, the newest first, each as "<epoch> <base>;": a node that has missed some of
 * them finds out whether the log has everything that it has read.
 *
 * KEYS log, state, origin · ARGV epoch and number of the asking node's last entry; the last batches
 * that it has read as "<origin> <batch> …", or nothing: the script then asks for them if it needs
 * them; prefix of the keys of origins; seconds that they are kept; the keys of messages as lines of
 * "<hash> <seconds since 1970> <value>"; their prefix; milliseconds that they are kept; the second
 * since which the node knows all of them, or `all`, or `none`; how many bytes of forks are kept
 * Answers the last id, the last batch of this origin or nil, and the forks. If another program has
 * written to one of the keys, it changes nothing and answers an error.
 */
const HELLO = `${LAST_ID}
local most = 2 ^ 48 - 1
local function wrong(key, answer)
  if type(answer) ~= 'table' or not answer.err then return nil end
  if not string.find(answer.err, 'WRONGTYPE', 1, true) then return answer end
  return redis.error_reply('WRONGTYPE ' .. key .. ' is not as comet writes it')
end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local known = redis.pcall('HMGET', KEYS[2], 'epoch', 'run', 'forks')
local info
if redis.call('EXISTS', KEYS[1]) == 1 then info = redis.pcall('XINFO', 'STREAM', KEYS[1]) end
local why = wrong(KEYS[1], info) or wrong(KEYS[2], known)
  or wrong(KEYS[3], redis.pcall('GET', KEYS[3]))
if why then return why end
local knownEpoch = tonumber(known[1] or '0')
if not knownEpoch or not (knownEpoch >= 0 and knownEpoch < most) then
  return redis.error_reply('ERR ' .. KEYS[2] .. ' has an epoch that comet has not written')
end
local mineEpoch, mineNumber = tonumber(ARGV[1]), tonumber(ARGV[2])
local forks = known[3] or ''
local epoch, number = 0, 0
if info then
  local left, right = string.match(lastId(KEYS[1]), '(%d+)-(%d+)')
  epoch, number = tonumber(left), tonumber(right)
  if epoch >= most or number >= most then
    return redis.error_reply('ERR ' .. KEYS[1] .. ' has an id that comet has not written')
  end
end
local isForeign = epoch == 0 or (knownEpoch > 0 and epoch ~= knownEpoch)
local isBehind = epoch == mineEpoch and number < mineNumber
if isForeign or epoch ~= knownEpoch or known[2] ~= run or isBehind then
  if isForeign and ARGV[3] == '' then return 'batches' end
  local time = redis.call('TIME')
  local next = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  next = math.max(next, epoch + 1, knownEpoch + 1, mineEpoch + 1)
  if isForeign then
    epoch, number = mineEpoch, mineNumber
    for origin, batch in string.gmatch(ARGV[3], '(%x+) (%d+)') do
      redis.call('SET', ARGV[4] .. origin, batch, 'EX', ARGV[5])
    end
    local keptMs = tonumber(ARGV[8])
    for hash, seconds, value in string.gmatch(ARGV[6], '(%x+) (%d+) ([^\\n]+)') do
      local leftMs = math.min(keptMs, keptMs - (tonumber(time[1]) - tonumber(seconds)) * 1000)
      if leftMs > 0 then
        redis.call('SET', ARGV[7] .. hash, value, 'PX', string.format('%.0f', leftMs))
      end
    end
  end
  redis.call('XADD', KEYS[1], string.format('%.0f-%.0f', next, number),
    'fork', string.format('%.0f-%.0f', epoch, number), 'run', run,
    'batches', isForeign and ARGV[3] or '')
  local fork = string.format('%.0f %.0f-%.0f;', next, epoch, number)
  forks = isForeign and fork or string.sub(fork .. forks, 1, tonumber(ARGV[10]))
  redis.call('HSET', KEYS[2], 'epoch', string.format('%.0f', next), 'run', run, 'forks', forks)
  epoch = next
  if isForeign and mineEpoch > 0 and ARGV[9] ~= 'all' then
    local since = tonumber(ARGV[9])
    if not since or (tonumber(time[1]) - since) * 1000 <= tonumber(ARGV[8]) then
      number = number + 1
      redis.call('XADD', KEYS[1], string.format('%.0f-%.0f', epoch, number), 'lost', '1')
    end
  end
end
return { string.format('%.0f-%.0f', epoch, number), redis.call('GET', KEYS[3]), forks }`

/*
 * Adds a batch. Each batch is added once, and the batches of one origin in their order, even if
 * answers are lost: it has to be the next one after the last batch that Redis has of this origin.
 * If Redis has none, because the key has expired or everything is lost, the batch has to be one
 * that may be the first. The number of an entry is that of its first item; the next entry follows
 * its last item. See conditional-script.ts for batches with a condition, and for the second number
 * that an origin may have.
 *
 * KEYS log, origin · ARGV epoch, batch, may it be the first, origin, count, head, name and bytes of
 * the body, id before which entries may be removed, seconds that the batch's number is kept
 */
const APPEND = `${LAST_ID}${WHY_NOT_ADDED}
local value = redis.call('GET', KEYS[2])
local batch = tonumber(ARGV[2])
local logged
if value then
  local last = tonumber(value)
  if not last then
    last, logged = string.match(value, '(%d+) (%d+)')
    last = tonumber(last)
  end
  if batch <= last then return 'seen' end
  if batch > last + 1 then
    if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
    return string.match(lastId(KEYS[1]), '^%d+') == ARGV[1] and 'order' or 'fenced'
  end
elseif ARGV[3] ~= '1' then
  return 'gone'
end
local time = redis.call('TIME')[1]
local id
if not logged then
  id = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', 'MINID', '~', ARGV[9], ARGV[1] .. '-*',
    'o', ARGV[4], 'n', ARGV[2], 'c', ARGV[5], 't', time, 'h', ARGV[6], ARGV[7], ARGV[8])
else
  id = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', 'MINID', '~', ARGV[9], ARGV[1] .. '-*',
    'o', ARGV[4], 'n', ARGV[2], 'c', ARGV[5], 't', time, 'h', ARGV[6], ARGV[7], ARGV[8],
    'p', logged)
end
local why = whyNotAdded(id)
if why then return why end
local count = tonumber(ARGV[5])
if count > 1 then
  local number = tonumber(string.match(id, '-(%d+)'))
  redis.call('XSETID', KEYS[1], string.format('%s-%.0f', ARGV[1], number + count - 1))
end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[10])
return 'added'`

/*
 * Tells all nodes that something is lost for good: batches of this origin, or other batches that
 * this node cannot add again.
 *
 * KEYS log, origin · ARGV epoch, the last batch of the origin that is not sent again, seconds that
 * it is kept
 */
const LOST = `${WHY_NOT_ADDED}
local id = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', ARGV[1] .. '-*', 'lost', '1')
local why = whyNotAdded(id)
if why then return why end
if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) end
return 'added'`

const SCRIPTS = { hello: HELLO, append: APPEND, conditional: CONDITIONAL, lost: LOST } as const

/** `seen`: it was added before. The others: refused; the node has to read the state of the log. */
export type Appended = 'added' | 'seen' | 'order' | 'gone' | 'fenced'

const APPENDED: readonly unknown[] = ['added', 'seen', 'order', 'gone', 'fenced']

export interface Hello {
  readonly top: Cursor
  /** The last batch of this origin that Redis has resolved; 0 for none. */
  readonly batch: number
  /** The last one of them that is in the log. */
  readonly logged: number
  /** The forks of the log, the newest first; not all, if there were many. */
  readonly forks: readonly Fork[]
}

/** What a node has read, to restore a log that Redis has lost. */
export interface LogReaderState {
  readonly cursor: Cursor
  readonly batches: Iterable<readonly [string, number]>
  /** The keys of messages that it knows; see the script. */
  readonly keys: { readonly lines: string; readonly since: string }
}

/** The scripts, loaded on one connection. */
export class BusScripts {
  readonly #connection: RedisConnection
  readonly #keys: BusKeys
  readonly #hashes: Readonly<Record<keyof typeof SCRIPTS, string>>
  readonly #originSeconds: string

  static async load(
    connection: RedisConnection,
    keys: BusKeys,
    originSeconds: number,
  ): Promise<Result<BusScripts, RedisFailure>> {
    const loaded = await loadScripts(connection, SCRIPTS)
    if (!loaded.ok) return loaded
    return success(new BusScripts(connection, keys, loaded.value, originSeconds))
  }

  private constructor(
    connection: RedisConnection,
    keys: BusKeys,
    hashes: Readonly<Record<keyof typeof SCRIPTS, string>>,
    originSeconds: number,
  ) {
    this.#connection = connection
    this.#keys = keys
    this.#hashes = hashes
    this.#originSeconds = String(originSeconds)
  }

  /** @param reader what the node has read; batches and keys are sent only if Redis needs them */
  async hello(origin: string, reader: LogReaderState): Promise<Result<Hello, RedisFailure>> {
    const first = await this.#hello(origin, reader.cursor, '', NO_KEYS)
    if (!first.ok || first.value !== 'batches') return helloOf(first)
    // Both in their current state: more may have been read since.
    const texts = Array.from(reader.batches, ([one, batch]) => `${one} ${batch}`)
    const list = texts.length === 0 ? '-' : texts.join(' ')
    return helloOf(await this.#hello(origin, reader.cursor, list, reader.keys))
  }

  #hello(
    origin: string,
    { epoch, number }: Cursor,
    batches: string,
    messageKeys: LogReaderState['keys'],
  ) {
    const { log, state } = this.#keys
    const keys = ['3', log, state, this.#keys.originOf(origin)]
    const own = [String(epoch), String(number), batches]
    const origins = [this.#keys.originOf(''), this.#originSeconds]
    const { lines, since } = messageKeys
    const kept = [String(keyLimits.keptMs), since, String(busLimits.forksLengthMax)]
    const more = [lines, this.#keys.keyOf(''), ...kept]
    const args = [this.#hashes.hello, ...keys, ...own, ...origins, ...more]
    return this.#connection.send('EVALSHA', args)
  }

  /** Hot path: once a batch. */
  async append(request: AppendRequest): Promise<Result<Appended, RedisFailure>> {
    const { epoch, origin, batch, mayBeFirst, content, minId } = request
    const args: readonly Argument[] = [
      this.#hashes.append,
      '2',
      this.#keys.log,
      this.#keys.originOf(origin),
      String(epoch),
      String(batch),
      mayBeFirst ? '1' : '0',
      origin,
      String(content.count),
      content.head,
      content.isText ? 'm' : 'x',
      content.body,
      minId,
      this.#originSeconds,
    ]
    return appendedOf(await this.#connection.send('EVALSHA', args))
  }

  /** Adds a batch that has a condition, or one that was in the log before. */
  async resolve(request: ConditionalRequest): Promise<Result<Resolved, RedisFailure>> {
    const args = conditionalArgs(request, this.#keys, this.#originSeconds)
    const answer = await this.#connection.send('EVALSHA', [this.#hashes.conditional, ...args])
    if (!answer.ok) return answer
    const resolved = parseResolved(answer.value)
    return resolved === null ? UNEXPECTED_ANSWER : success(resolved)
  }

  async lost(
    epoch: number,
    origin: string,
    upToBatch: number,
  ): Promise<Result<Appended, RedisFailure>> {
    const keys = ['2', this.#keys.log, this.#keys.originOf(origin)]
    const args = [this.#hashes.lost, ...keys, String(epoch), String(upToBatch), this.#originSeconds]
    return appendedOf(await this.#connection.send('EVALSHA', args))
  }
}

const NO_KEYS = { lines: '', since: 'none' }

function helloOf(answer: Result<unknown, RedisFailure>): Result<Hello, RedisFailure> {
  if (!answer.ok) return answer
  const [id, value, forks] = Array.isArray(answer.value) ? answer.value : []
  const top = parseId(id)
  if (top === null) return UNEXPECTED_ANSWER
  const [batch = 0, logged = batch] = String(value ?? 0)
    .split(' ')
    .map(Number)
  return success({ top, batch, logged, forks: parseForks(String(forks ?? '')) })
}

function appendedOf(answer: Result<unknown, RedisFailure>): Result<Appended, RedisFailure> {
  if (!answer.ok) return answer
  return APPENDED.includes(answer.value) ? success(answer.value as Appended) : UNEXPECTED_ANSWER
}
