// The scripts of the shared feed, each one atomic step in Redis: events and the open connections
// are changed together, so that they always agree.

import type { Cursor } from '../core/cursor.ts'
import type { SharedFeedLimits } from '../core/feed-limits.ts'
import { type Result, success } from '../core/result.ts'
import type { BusKeys } from './bus-keys.ts'
import type { ConnectionField } from './feed-entry.ts'
import { UNEXPECTED_ANSWER, WHOLE } from './lua.ts'
import type { RedisCommands } from './redis-commands.ts'
import type { RedisFailure } from './redis-connection.ts'

/*
 * Adds lines, one for each event, and answers the number of the last one. The id of an entry is the
 * number of its last event, so that a reader can continue after any event. Answers nil if another
 * program has added an entry with a higher id: then a new epoch has to begin.
 *
 * KEYS feed, state · epoch, node, lines, their count, events that are kept
 */
const ADD = `${WHOLE}
local function add(epoch, node, lines, count, kept)
  local number = whole(redis.call('HGET', KEYS[2], 'number')) + count
  local text = string.format('%.0f', number)
  local id = redis.pcall('XADD', KEYS[1], 'MINID', '~',
    epoch .. '-' .. string.format('%.0f', math.max(0, number - kept)),
    epoch .. '-' .. text, 'n', node, 'e', lines)
  if type(id) == 'table' then
    if not string.find(id.err, 'equal or smaller', 1, true) then error(id) end
    redis.call('DEL', KEYS[2])
    return nil
  end
  redis.call('HSET', KEYS[2], 'number', text)
  return text
end`

/*
 * Run on each new connection before anything is added or read. If this is not the run of Redis in
 * which the epoch began, or the feed ends before an event that was read, events may be lost, and
 * numbers would be used twice. So a new epoch begins, above all earlier ones. It has no connections
 * until the nodes tell theirs again.
 *
 * KEYS feed, state, nodes · ARGV epoch and number that the asking node knows, prefix of the keys of
 * connections
 * Answers epoch and number.
 */
const HELLO = `${WHOLE}
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local known = redis.call('HMGET', KEYS[2], 'epoch', 'run', 'number')
local epoch, number = whole(known[1]), whole(known[3])
local mineEpoch, mineNumber = tonumber(ARGV[1]), tonumber(ARGV[2])
local isBehind = epoch < mineEpoch or (epoch == mineEpoch and number < mineNumber)
if epoch == 0 or known[2] ~= run or isBehind then
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  epoch, number = math.max(now, epoch + 1, mineEpoch + 1), 0
  local nodes = redis.call('HGETALL', KEYS[3])
  for at = 1, #nodes, 2 do redis.call('UNLINK', ARGV[3] .. nodes[at]) end
  redis.call('DEL', KEYS[1], KEYS[3])
  local text = string.format('%.0f', epoch)
  redis.call('XADD', KEYS[1], text .. '-0', 'run', run)
  redis.call('HSET', KEYS[2], 'epoch', text, 'run', run, 'number', '0')
end
return { string.format('%.0f', epoch), string.format('%.0f', number) }`

/*
 * Begins the events of a node: first its open connections, then the events after a place of its own
 * feed. The mark has this place, and how often the node has begun.
 *
 * KEYS state, connections, nodes · ARGV epoch, mark, origin, node
 */
const BEGIN = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'gone' end
redis.call('HSET', KEYS[2], '@', ARGV[2])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
return 'added'`

/*
 * Adds events: those after the place of the mark. Each is added once, and those of a node in their
 * order, even if answers are lost.
 *
 * KEYS feed, state, connections · ARGV epoch, mark before and after them, node, lines, count,
 * events that are kept, how many of the following are to set; field and value of each to set, and
 * fields to remove
 */
const APPEND = `${ADD}
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[1] then return 'gone' end
local mark = redis.call('HGET', KEYS[3], '@')
if mark ~= ARGV[2] then return mark == ARGV[3] and 'seen' or 'order' end
local number = add(ARGV[1], ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]))
if not number then return 'gone' end
local removed = 9 + tonumber(ARGV[8])
redis.call('HSET', KEYS[3], '@', ARGV[3], unpack(ARGV, 9, removed - 1))
if removed <= #ARGV then redis.call('HDEL', KEYS[3], unpack(ARGV, removed)) end
return { number }`

/*
 * Adds the open connections of a node that begins: an event for each that was not told before.
 *
 * KEYS feed, state, connections · ARGV epoch, mark, node, events that are kept, how often the node
 * has begun; field and user of each
 */
const PRESENT = `${ADD}
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[1] then return 'gone' end
if redis.call('HGET', KEYS[3], '@') ~= ARGV[2] then return 'order' end
local lines = {}
for at = 6, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[3], ARGV[at]) == 0 then
    lines[#lines + 1] = ARGV[at + 1] .. ' ' .. ARGV[at]
  end
  redis.call('HSET', KEYS[3], ARGV[at], ARGV[5] .. ' ' .. ARGV[at + 1])
end
if #lines == 0 then return 'added' end
local number = add(ARGV[1], ARGV[3], table.concat(lines, '\\n'), #lines, tonumber(ARGV[4]))
return number and { number } or 'gone'`

/*
 * Removes a page of the connections of a node that has ended, with an event for each. Does nothing
 * if the node has a valid heartbeat, or has begun again since the first page. The first page
 * removes its mark, so a node that still runs notices that.
 *
 * KEYS feed, state, connections, nodes, claim, of the node · ARGV epoch, origin of the asking node,
 * milliseconds of its claim, place or nothing for the first page, connections, events that are
 * kept, origin
 * Answers the next place, or done, or why not: nothing (to remove), gone, alive, claimed.
 */
const REMOVE = `${ADD}
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[1] then return 'gone' end
if redis.call('EXISTS', KEYS[6]) == 1 then return 'alive' end
local node = redis.call('HGET', KEYS[4], ARGV[7])
if not node and redis.call('EXISTS', KEYS[3]) == 0 then return 'nothing' end
local holder = redis.call('GET', KEYS[5])
if holder and holder ~= ARGV[2] then return 'claimed' end
redis.call('SET', KEYS[5], ARGV[2], 'PX', ARGV[3])
if ARGV[4] == '' then
  redis.call('HDEL', KEYS[3], '@')
elseif redis.call('HEXISTS', KEYS[3], '@') == 1 then
  return 'alive'
end
local time = redis.call('TIME')
local ms = time[1] .. string.sub('000000' .. time[2], -6, -4)
local place = ARGV[4] == '' and '0' or ARGV[4]
local page = redis.call('HSCAN', KEYS[3], place, 'COUNT', ARGV[5])
local lines, found = {}, page[2]
for at = 1, #found, 2 do
  local user = string.match(found[at + 1], '^%d+ (%S+)$')
  if redis.call('HDEL', KEYS[3], found[at]) == 1 and user then
    lines[#lines + 1] = user .. ' ' .. found[at] .. ' 0 ' .. ms .. ' lost'
  end
end
if #lines > 0 and node then
  add(ARGV[1], node, table.concat(lines, '\\n'), #lines, tonumber(ARGV[6]))
end
if redis.call('EXISTS', KEYS[3]) == 1 then return { page[1] } end
redis.call('HDEL', KEYS[4], ARGV[7])
redis.call('DEL', KEYS[5])
return 'done'`

/*
 * Removes a node that has stopped and has told the end of all its connections.
 *
 * KEYS connections, nodes · ARGV mark, origin
 */
const LEAVE = `
local isEmpty = redis.call('HLEN', KEYS[1]) == 1
if not isEmpty or redis.call('HGET', KEYS[1], '@') ~= ARGV[1] then return 'order' end
redis.call('DEL', KEYS[1])
redis.call('HDEL', KEYS[2], ARGV[2])
return 'added'`

/**
 * `seen`: they were added before. `order`: Redis does not have what this node has told before.
 * `gone`: there is another epoch, or none.
 */
export type FeedAnswer = 'added' | 'seen' | 'order' | 'gone'

const ANSWERS: readonly unknown[] = ['added', 'seen', 'order', 'gone']

/** The outcome for events, and the number of the last one if they were added. */
export interface Added {
  readonly answer: FeedAnswer
  readonly number: number | null
}

export interface AppendedEvents {
  readonly epoch: number
  /** Marks of the node, before and after them. */
  readonly from: string
  readonly to: string
  readonly node: string
  readonly lines: readonly string[]
  readonly opened: readonly ConnectionField[]
  readonly closed: readonly string[]
  /** How often the node has begun. */
  readonly begun: number
}

/** Where to continue, `done` at the end, or why there is nothing to do. */
export type Removed = { readonly next: string } | 'done' | 'nothing' | 'gone' | 'alive' | 'claimed'

export interface FeedScriptsOptions {
  readonly redis: RedisCommands
  readonly keys: BusKeys
  /** Events that are kept. */
  readonly eventsMax: number
  readonly limits: SharedFeedLimits
}

export class FeedScripts {
  readonly #options: FeedScriptsOptions

  constructor(options: FeedScriptsOptions) {
    this.#options = options
  }

  /** @param known the last event that the node knows of */
  async hello(known: Cursor): Promise<Result<Cursor, RedisFailure>> {
    const { feed, feedState, feedNodes, connectedOf } = this.#options.keys
    const keys = [feed, feedState, feedNodes]
    const args = [String(known.epoch), String(known.number), connectedOf('')]
    const answer = await this.#run(HELLO, keys, args)
    return answer.ok ? cursorIn(answer.value) : answer
  }

  /** The last event of the feed; null if there is no feed. */
  async top(): Promise<Result<Cursor | null, RedisFailure>> {
    const { redis, keys } = this.#options
    const answer = await redis.send('HMGET', [keys.feedState, 'epoch', 'number'])
    if (!answer.ok) return answer
    const top = cursorIn(answer.value)
    return success(top.ok ? top.value : null)
  }

  async begin(
    { epoch, from, node }: Pick<AppendedEvents, 'epoch' | 'from' | 'node'>,
    origin: string,
  ): Promise<Result<Added, RedisFailure>> {
    const { feedState, feedNodes, connectedOf } = this.#options.keys
    const keys = [feedState, connectedOf(origin), feedNodes]
    return addedOf(await this.#run(BEGIN, keys, [String(epoch), from, origin, node]))
  }

  /** Hot path: once in some milliseconds. */
  async append(events: AppendedEvents, origin: string): Promise<Result<Added, RedisFailure>> {
    const { epoch, from, to, node, lines, opened, closed, begun } = events
    const { keys, eventsMax } = this.#options
    const counts = [String(lines.length), String(eventsMax), String(2 * opened.length)]
    const args = [String(epoch), from, to, node, lines.join('\n'), ...counts]
    for (const { field, user } of opened) args.push(field, `${begun} ${user}`)
    for (const field of closed) args.push(field)
    const all = [keys.feed, keys.feedState, keys.connectedOf(origin)]
    return addedOf(await this.#run(APPEND, all, args))
  }

  /** Adds open connections of the node, which begins. */
  async present(
    { epoch, from, node, opened, begun }: Omit<AppendedEvents, 'to' | 'lines' | 'closed'>,
    origin: string,
  ): Promise<Result<Added, RedisFailure>> {
    const { keys, eventsMax } = this.#options
    const args = [String(epoch), from, node, String(eventsMax), String(begun)]
    for (const { field, user } of opened) args.push(field, String(user))
    const all = [keys.feed, keys.feedState, keys.connectedOf(origin)]
    return addedOf(await this.#run(PRESENT, all, args))
  }

  /**
   * Removes a page of the connections of a node that has ended.
   *
   * @param place empty for the first page
   */
  async remove(
    request: { readonly epoch: number; readonly origin: string; readonly by: string },
    place: string,
  ): Promise<Result<Removed, RedisFailure>> {
    const { keys, eventsMax, limits } = this.#options
    const { epoch, origin, by } = request
    const { feed, feedState, feedNodes } = keys
    const ofNode = [keys.feedClaimOf(origin), keys.nodeOf(origin)]
    const all = [feed, feedState, keys.connectedOf(origin), feedNodes, ...ofNode]
    const { claimMs, connectionsPerPage } = limits
    const counts = [String(connectionsPerPage), String(eventsMax)]
    const args = [String(epoch), by, String(claimMs), place, ...counts, origin]
    const answer = await this.#run(REMOVE, all, args)
    if (!answer.ok) return answer
    const [next] = Array.isArray(answer.value) ? answer.value : [null]
    if (typeof next === 'string') return success({ next })
    return REMOVED.includes(answer.value) ? success(answer.value as Removed) : UNEXPECTED_ANSWER
  }

  async leave(mark: string, origin: string): Promise<Result<Added, RedisFailure>> {
    const { keys } = this.#options
    const all = [keys.connectedOf(origin), keys.feedNodes]
    return addedOf(await this.#run(LEAVE, all, [mark, origin]))
  }

  /** Runs a script by its hash, and by its text if Redis does not have it. */
  async #run(
    script: string,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<Result<unknown, RedisFailure>> {
    const { redis } = this.#options
    const all = [String(keys.length), ...keys, ...args]
    const answer = await redis.send('EVALSHA', [hashOf(script), ...all])
    if (answer.ok || !answer.why.text.startsWith('NOSCRIPT')) return answer
    return await redis.send('EVAL', [script, ...all])
  }
}

const REMOVED: readonly unknown[] = ['done', 'nothing', 'gone', 'alive', 'claimed']

const HASHES = new Map<string, string>()

function hashOf(script: string): string {
  const known = HASHES.get(script)
  if (known !== undefined) return known
  const hash = new Bun.CryptoHasher('sha1').update(script).digest('hex')
  HASHES.set(script, hash)
  return hash
}

function cursorIn(answer: unknown): Result<Cursor, RedisFailure> {
  const [epoch, number] = (Array.isArray(answer) ? answer : []).map(Number)
  const isRight = Number.isSafeInteger(epoch) && Number.isSafeInteger(number)
  return isRight && Number(epoch) > 0
    ? success({ epoch: Number(epoch), number: Number(number) })
    : UNEXPECTED_ANSWER
}

function addedOf(answer: Result<unknown, RedisFailure>): Result<Added, RedisFailure> {
  if (!answer.ok) return answer
  if (ANSWERS.includes(answer.value)) {
    return success({ answer: answer.value as FeedAnswer, number: null })
  }
  const number = Array.isArray(answer.value) ? Number(answer.value[0]) : Number.NaN
  return Number.isSafeInteger(number) ? success({ answer: 'added', number }) : UNEXPECTED_ANSWER
}
