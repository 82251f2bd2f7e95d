// The `INFO` of a Redis server, and whether the bus can use it.

import { type Result, refused, success } from '../core/result.ts'

export interface RedisInfo {
  readonly product: 'Redis' | 'Valkey'
  readonly version: string
  /** Changes with each start. */
  readonly runId: string
  readonly isMaster: boolean
  readonly isLoading: boolean
  /** Is the append-only file on? */
  readonly isDurable: boolean
  /** Its `maxmemory-policy`; the bus needs `noeviction`. */
  readonly evictionPolicy: string
  readonly usedBytes: number
  /** Its `maxmemory`; null for no limit. */
  readonly limitBytes: number | null
}

/** The sections that {@link parseInfo} reads. */
export const INFO_SECTIONS: readonly string[] = ['server', 'replication', 'persistence', 'memory']

/** The lines of an answer to `INFO`, by their names. */
export function infoFields(answer: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of answer.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}

/** Reads the answer to `INFO`, which may be anything. */
export function parseInfo(answer: unknown): Result<RedisInfo> {
  if (typeof answer !== 'string') return refused('It did not answer INFO.')
  const fields = infoFields(answer)
  const valkey = fields.get('valkey_version')
  const version = valkey ?? fields.get('redis_version')
  const runId = fields.get('run_id')
  const role = fields.get('role')
  if (version === undefined || runId === undefined || role === undefined) {
    return refused('Its INFO has no version, run_id or role.')
  }
  if (!/^\d{1,4}\.[\w.-]{1,40}$/.test(version) || !/^[0-9a-f]{40}$/.test(runId)) {
    return refused('Its INFO has an invalid version or run_id.')
  }
  return success({
    product: valkey === undefined ? 'Redis' : 'Valkey',
    version,
    runId,
    isMaster: role === 'master',
    isLoading: fields.get('loading') === '1',
    isDurable: fields.get('aof_enabled') === '1',
    evictionPolicy: fields.get('maxmemory_policy') ?? 'unknown',
    usedBytes: bytesOf(fields.get('used_memory')) ?? 0,
    limitBytes: bytesOf(fields.get('maxmemory')),
  })
}

/** Null for 0, which means no limit, and for what is not a number. */
function bytesOf(digits: string | undefined): number | null {
  const bytes = Number(digits)
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null
}

/** Why the bus cannot use this server now; null if it can. */
export function whyUnusable(info: RedisInfo, versionMin: number): string | null {
  const { product, version, isMaster, isLoading } = info
  if (Number.parseInt(version, 10) < versionMin) {
    return `It is ${product} ${version}; the bus needs version ${versionMin} or newer.`
  }
  if (isLoading) return 'It is still loading its data.'
  return isMaster ? null : 'It is a replica; give the address of its master.'
}
