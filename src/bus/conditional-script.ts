// A batch that Redis may resolve to no entry at all: the script that does so in one step, what it
// is asked with, and what it answers.

import type { Cursor } from '../core/cursor.ts'
import { keyLimits } from '../core/history-limits.ts'
import { BARRIER } from '../log/message-bus.ts'
import type { ConditionalRequest } from './append-request.ts'
import { textOf } from './batch.ts'
import type { BusKeys } from './bus-keys.ts'
import type { BatchCondition } from './condition.ts'
import { LAST_ID, WHY_NOT_ADDED } from './lua.ts'
import type { Argument } from './redis-connection.ts'
import { idText, parseId } from './stream-entry.ts'

/*
 * Adds a batch that has a condition, or one that was in the log before, once, and each origin's in
 * their order.
 *
 * The number of an origin. A batch that is resolved to nothing advances it as any other, so that
 * those behind it, which are under way already, are taken. Its key then has two numbers: the last
 * batch that was resolved, and the last one that is in the log. The next entry tells the latter as
 * `p`: what lies between is nothing, and nobody waits for it. A batch is taken if all up to its
 * `previous` one were resolved. That is the one before it; but the node that sends it knows of
 * those that were nothing, and the log that has lost them does not, so they count as resolved.
 *
 * Asked again. A node that has lost an answer sends the batch again with its number. If it was
 * resolved, nothing is done: what was published with the key tells what became of it. A key of this
 * batch: it is in the log (`seen`). Of another batch: it was a repetition, or a conflict. None: it
 * is not known any more (`unclear`). Of changes it is known only while no other batch came after
 * them. If the log has lost it, it is resolved anew, as nobody was told anything: publishers are
 * told of a repetition only once their node has read up to what it repeats.
 *
 * A key is set together with the entry, so a replica or a file has both or none. When an entry is
 * added again, its key is set again and its changes are made again. If another batch has taken the
 * key meanwhile, or if its own node has asked once more before that, when there was nothing to
 * change, the entry has no place any more (`nothing`): nodes that had it tell of a gap. If the key
 * is of the same message, it is in the log as that; if not, something is lost, and all nodes tell
 * of a gap. Of its changes, those that change nothing now are barriers: readers take a change to
 * have been the opposite before.
 *
 * KEYS log, origin, state, then that of the key of the message; or for each change that of its user
 * ARGV epoch, batch, previous batch, may it be the first, origin, count, head, name and bytes of
 * the body, id before which entries go, id that it had or nothing, seconds that the batch's number
 * is kept; what it is: `k`, `f`, `u`, or nothing without a condition
 *   k     hash of the content, milliseconds that the key is kept
 *   f, u  subjects that a user may follow or nothing, length of what the keys of users begin with,
 *         then the subject of each change, or nothing for a barrier
 * Answers a word, or with it the cursor of what was found.
 */
export const CONDITIONAL = `${LAST_ID}${WHY_NOT_ADDED}
local batch, previous, kind = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[13]
local isAgain = ARGV[11] ~= ''
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
if redis.call('HGET', KEYS[3], 'epoch') ~= ARGV[1] then return 'fenced' end

local last, logged
local value = redis.call('GET', KEYS[2])
if value then
  local left, right = string.match(value, '^(%d+) ?(%d*)$')
  last = tonumber(left)
  logged = tonumber(right) or last
end

local keyOrigin, keyBatch, keyCursor, keyContent
if kind == 'k' then
  local text = redis.pcall('GET', KEYS[4])
  if type(text) == 'string' then
    keyOrigin, keyBatch, keyCursor, keyContent =
      string.match(text, '^(%S+) (%d+) (%d+%-%d+) (%x+)$')
  end
end
local isMine = keyOrigin == ARGV[5] and keyBatch == ARGV[2]
local isTaken = keyOrigin and not isMine
local isSame = keyContent == ARGV[14]

local changes, isChange = 0, {}
local function look()
  local found, more = {}, {}
  for at = 4, #KEYS do
    local key, subject = KEYS[at], ARGV[at + 12]
    if subject ~= '' then
      local is = redis.pcall('SISMEMBER', key, subject)
      if type(is) == 'table' then
        if not isAgain then return 'damaged' end
      elseif (is == 0) == (kind == 'f') and not found[key .. ' ' .. subject] then
        found[key .. ' ' .. subject] = true
        isChange[at] = true
        changes = changes + 1
        more[key] = (more[key] or 0) + 1
      end
    end
  end
  local max = tonumber(ARGV[14])
  if kind == 'f' and max then
    for key, count in pairs(more) do
      if redis.call('SCARD', key) + count > max then return 'limit' end
    end
  end
end

if last and batch <= last then
  if isAgain then return (isTaken or batch > logged) and 'nothing' or 'seen' end
  if kind == '' then return 'seen' end
  if kind == 'k' then
    if isMine then return { 'seen', keyCursor } end
    if not isTaken then return 'unclear' end
    return isSame and { 'repeated', keyCursor } or 'conflict'
  end
  if batch > logged and not look() and changes == 0 then return { 'repeated', lastId(KEYS[1]) } end
  return 'unclear'
end
if last and last < previous then return 'order' end
if not last and ARGV[4] ~= '1' then return 'gone' end
if not last then logged = previous end

local function nothing(answer)
  local both = string.format('%s %.0f', ARGV[2], logged)
  redis.call('SET', KEYS[2], both, 'EX', ARGV[12])
  return answer
end

if isTaken then
  if not isAgain then return nothing(isSame and { 'repeated', keyCursor } or 'conflict') end
  if not isSame then
    local why = whyNotAdded(redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', ARGV[1] .. '-*', 'lost', '1'))
    if why then return why end
  end
  return nothing('nothing')
end

local count, head = tonumber(ARGV[6]), ARGV[7]
if kind == 'f' or kind == 'u' then
  local why = look()
  if why then return nothing(why) end
  if changes == 0 and not isAgain then return nothing({ 'repeated', lastId(KEYS[1]) }) end
  local items = {}
  for at = 4, #KEYS do
    if isChange[at] then
      local user = string.sub(KEYS[at], tonumber(ARGV[15]) + 1)
      items[#items + 1] = kind .. user .. ',' .. ARGV[at + 12]
    elseif isAgain then
      items[#items + 1] = 'b'
    end
  end
  count, head = #items, table.concat(items, ' ')
end

local fields = { 'o', ARGV[5], 'n', ARGV[2], 'c', string.format('%.0f', count),
  't', redis.call('TIME')[1], 'h', head, ARGV[8], ARGV[9] }
if isAgain then
  fields[13], fields[14] = 'a', ARGV[11]
end
if logged ~= batch - 1 then
  fields[#fields + 1] = 'p'
  fields[#fields + 1] = string.format('%.0f', logged)
end
local id = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', 'MINID', '~', ARGV[10], ARGV[1] .. '-*',
  unpack(fields))
local why = whyNotAdded(id)
if why then return why end
if count > 1 then
  local number = tonumber(string.match(id, '-(%d+)'))
  redis.call('XSETID', KEYS[1], string.format('%s-%.0f', ARGV[1], number + count - 1))
end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[12])
if kind == 'k' then
  local text = string.format('%s %s %s %s', ARGV[5], ARGV[2], id, ARGV[14])
  redis.call('SET', KEYS[4], text, 'PX', ARGV[15])
end
for at = 4, #KEYS do
  if isChange[at] then redis.call(kind == 'f' and 'SADD' or 'SREM', KEYS[at], ARGV[at + 12]) end
end
return 'added'`

/**
 * What became of a batch. `added` and `seen`: it is in the log. `nothing`: it was there, and has no
 * place any more. `repeated`: what it is to do was done. `conflict`, `limit`, `damaged`: it was
 * refused, the last because somebody else has written where comet does. `unclear`: it was resolved,
 * and nobody knows to what. `order`, `gone`, `fenced`: not now, and not before another look at the
 * log.
 */
export type BatchResolution =
  | 'added'
  | 'seen'
  | 'nothing'
  | 'repeated'
  | 'conflict'
  | 'limit'
  | 'damaged'
  | 'unclear'
  | 'order'
  | 'gone'
  | 'fenced'

const RESOLUTIONS: readonly unknown[] = [
  'added',
  'seen',
  'nothing',
  'repeated',
  'conflict',
  'limit',
  'damaged',
  'unclear',
  'order',
  'gone',
  'fenced',
] satisfies BatchResolution[]

export interface Resolved {
  readonly resolution: BatchResolution
  /** Of what has the same key; or up to where it is known that nothing was to change. */
  readonly cursor: Cursor | null
}

/** What the script is called with, behind its name. */
export function conditionalArgs(
  request: ConditionalRequest,
  keys: BusKeys,
  originSeconds: string,
): readonly Argument[] {
  const { epoch, origin, batch, previous, mayBeFirst, content, minId, again, condition } = request
  const { more, letter, parameters } = argsOf(condition, keys)
  return [
    String(3 + more.length),
    keys.log,
    keys.originOf(origin),
    keys.state,
    ...more,
    String(epoch),
    String(batch),
    String(previous),
    mayBeFirst ? '1' : '0',
    origin,
    String(content.count),
    content.head,
    content.isText ? 'm' : 'x',
    content.body,
    minId,
    again === null ? '' : idText(again),
    originSeconds,
    letter,
    ...parameters,
  ]
}

interface ConditionArgs {
  /** Further keys. */
  readonly more: readonly string[]
  readonly letter: 'k' | 'f' | 'u' | ''
  readonly parameters: readonly string[]
}

function argsOf(condition: BatchCondition | null, keys: BusKeys): ConditionArgs {
  if (condition === null) return { more: [], letter: '', parameters: [] }
  if (condition.kind === 'key') {
    const { hash, content } = condition
    return {
      more: [keys.keyOf(hash)],
      letter: 'k',
      parameters: [content, String(keyLimits.keptMs)],
    }
  }
  const { items, follows, perUserMax } = condition
  // A barrier has no key; any stands for it.
  const more = items.map((item) => {
    return item === BARRIER ? keys.log : keys.followsOf(textOf(item.user))
  })
  const subjects = items.map((item) => (item === BARRIER ? '' : textOf(item.subject)))
  const limit = perUserMax === null ? '' : String(perUserMax)
  const lengthText = String(Buffer.byteLength(keys.followsOf('')))
  return { more, letter: follows ? 'f' : 'u', parameters: [limit, lengthText, ...subjects] }
}

/** Null for what is no answer of the script. */
export function parseResolved(answer: unknown): Resolved | null {
  const [resolution, cursorText] = Array.isArray(answer) ? answer : [answer, null]
  if (!RESOLUTIONS.includes(resolution)) return null
  const cursor = cursorText === null ? null : parseId(cursorText)
  if (cursorText !== null && cursor === null) return null
  return { resolution, cursor }
}
