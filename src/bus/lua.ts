// What the scripts that run in Redis share: functions in Lua, and how scripts are loaded.

import { type Result, refused, success } from '../core/result.ts'
import type { RedisConnection, RedisFailure } from './redis-connection.ts'

/** Lua: the id of the last entry of a stream that exists. */
export const LAST_ID = `
local function lastId(log)
  local info = redis.call('XINFO', 'STREAM', log)
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then return info[at + 1] end
  end
end`

/** Lua: a whole number from a value of Redis, or 0: another program may have written it. */
export const WHOLE = `
local function whole(text)
  local value = tonumber(text or '') or 0
  return value >= 0 and value < 2 ^ 48 and math.floor(value) or 0
end`

/**
 * Lua: why an `XADD` has added nothing, by its answer; nil if it has. `gone`: the log does not
 * exist. `fenced`: it has a newer epoch. Any other error is returned as it is.
 */
export const WHY_NOT_ADDED = `
local function whyNotAdded(id)
  if not id then return 'gone' end
  if type(id) ~= 'table' then return nil end
  return string.find(id.err, 'equal or smaller', 1, true) and 'fenced' or id
end`

/** The failure of a script whose answer cannot be read. */
export const UNEXPECTED_ANSWER = refused({
  kind: 'error',
  text: 'ERR unexpected answer of a script',
} as const)

/** Loads scripts. Returns the hash of each, by its name. */
export async function loadScripts<Name extends string>(
  connection: RedisConnection,
  texts: Readonly<Record<Name, string>>,
): Promise<Result<Record<Name, string>, RedisFailure>> {
  const hashes: Partial<Record<Name, string>> = {}
  for (const name of Object.keys(texts) as Name[]) {
    const loaded = await connection.send('SCRIPT', ['LOAD', texts[name]])
    if (!loaded.ok) return loaded
    hashes[name] = String(loaded.value)
  }
  return success(hashes as Record<Name, string>)
}
