// The script for a batch that Redis may resolve to no entry at all, in one step: its text, its
// arguments and its answers.

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
 * Adds a batch that has a condition, or one that was in the log before. Each batch is added once,
 * and the batches of one origin in their order.
 *
 * Numbers of an origin. A batch that is resolved to nothing also advances the number of its origin,
 * so that later batches, which may be under way already, are accepted. The key of the origin then
 * has two numbers: the last batch that was resolved, and the last one in the log. The next entry
 * has the second number as `p`: the batches between were resolved to nothing, so no reader waits
 * for them. A batch is accepted if all batches up to its `previous` one were resolved. Usually that
 * is the batch before it. It is an earlier one if the node knows that those between were resolved
 * to nothing: a log that has lost its state does not know that.
 *
 * Repeated requests. A node that has lost an answer sends the batch again with the same number. If
 * it was resolved before, nothing is done, and the key of the message tells the outcome. The key
 * has this batch: it is in the log (`seen`). The key has another batch: it was a repetition, or a
 * conflict. There is no key: the outcome is not known any more (`unclear`). The outcome of changes
 * is known only until the next batch of the origin. If the log has lost the batch, it is resolved
 * again. No publisher was told of the first outcome: they are told of a repetition only once their
 * node has read the entry that is repeated.
 *
 * Entries added again. A key is set together with its entry, so a replica or a file has both or
 * none. When an entry is added again, its key is set again and its changes are made again. It is
 * not added (`nothing`) if another batch has taken the key meanwhile, or if its own node has sent
 * it again first, when there was nothing to change. Nodes that had the entry then tell a gap. If
 * the key has the same message, the message is in the log with that batch. If not, a message is
 * lost, and all nodes tell a gap. Changes that change nothing now become barriers: readers assume
 * that each change in the log reverses the state before it.
 *
 * KEYS log, origin, state, then that of the key of the message; or for each change that of its user
 * ARGV epoch, batch, previous batch, may it be the first, origin, count, head, name and bytes of
 * the body, id before which entries may be removed, the id that it had before or nothing, seconds
 * that the batch's number is kept; the condition: `k`, `f`, `u`, or nothing if it has none
 *   k     hash of the content, milliseconds that the key is kept
 *   f, u  subjects that a user may follow or nothing, length of the prefix of the keys of users,
 *         then the subject of each change, or nothing for a barrier
 * Answers a word, or the word and the cursor of the entry that was found.
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
 * The outcome of a batch. `added` and `seen`: it is in the log. `nothing`: it was in the log, and
 * is not added again. `repeated`: an earlier batch has done the same. `conflict`, `limit`,
 * `damaged`: it was refused, the last because another program has written to a key of comet.
 * `unclear`: it was resolved before, and the outcome is not known any more. `order`, `gone`,
 * `fenced`: not accepted now; the node has to read the state of the log first.
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
  /** The entry with the same key; for changes, the last entry when there was nothing to change. */
  readonly cursor: Cursor | null
}

/** The arguments of the script, after its hash. */
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
  /** Keys after the first three. */
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
  // A barrier has no key of its own; that of the log fills the place.
  const more = items.map((item) => {
    return item === BARRIER ? keys.log : keys.followsOf(textOf(item.user))
  })
  const subjects = items.map((item) => (item === BARRIER ? '' : textOf(item.subject)))
  const limit = perUserMax === null ? '' : String(perUserMax)
  const lengthText = String(Buffer.byteLength(keys.followsOf('')))
  return { more, letter: follows ? 'f' : 'u', parameters: [limit, lengthText, ...subjects] }
}

/** Null if it is not an answer of the script. */
export function parseResolved(answer: unknown): Resolved | null {
  const [resolution, cursorText] = Array.isArray(answer) ? answer : [answer, null]
  if (!RESOLUTIONS.includes(resolution)) return null
  const cursor = cursorText === null ? null : parseId(cursorText)
  if (cursorText !== null && cursor === null) return null
  return { resolution, cursor }
}
