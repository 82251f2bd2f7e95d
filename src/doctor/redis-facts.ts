// What a Redis says of itself, and how it answers: everything that the doctor looks at. It changes
// nothing there but one key, which Redis forgets.

import { busKeys } from '../bus/bus-keys.ts'
import { RedisConnection } from '../bus/redis-connection.ts'
import { infoFields } from '../bus/redis-info.ts'
import { redisLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { type Result, refused, success } from '../core/result.ts'
import { doctorLimits } from '../core/tool-limits.ts'
import { type Greeting, type GreetingFailure, greet } from './redis-greeting.ts'
import { type Rights, tryRights } from './redis-rights.ts'

export interface LatencyFacts {
  readonly p50Ms: number
  readonly p99Ms: number
  /** By how much the clock there is ahead of that here; half of a round trip is not known. */
  readonly aheadMs: number
}

export interface ServerFacts {
  readonly product: string
  readonly version: string
  readonly isMaster: boolean
  readonly isLoading: boolean
  /** All of `INFO`. */
  readonly info: ReadonlyMap<string, string>
  /** Of `CONFIG GET`; null if it is forbidden, as on a managed server. */
  readonly config: ReadonlyMap<string, string> | null
  /** Bytes of the log that is there already; null if that is not known. */
  readonly logBytes: number | null
  /** Null if this user may not ask for the time. */
  readonly latency: LatencyFacts | null
  /** Null for a replica, where nothing can be written. */
  readonly rights: Rights | null
}

export interface RedisFacts {
  readonly greeting: Result<Greeting, GreetingFailure>
  /** Null if it was not greeted, or does not say what it is. */
  readonly server: Result<ServerFacts> | null
}

export interface FactsOptions {
  readonly address: RedisAddress
  readonly prefix: string
  readonly clock: Clock
  /** Behind the prefix, the name of a key that no other program uses. */
  readonly trialKey: string
}

/** The owner of the connection learns from `refused` that it is closed. */
type Asked<T> = Promise<Result<T>>

export async function readRedisFacts(options: FactsOptions): Promise<RedisFacts> {
  const greeting = await greet(options.address, redisLimits.openMsMax)
  // Who may not ask what it is can do nothing with it.
  if (!greeting.ok || greeting.value.server === null) return { greeting, server: null }
  const opened = await RedisConnection.open({
    ...{ address: options.address, clock: options.clock, limits: redisLimits },
    // A replica and an old server are looked at, too.
    whyRefused: () => null,
  })
  if (!opened.ok) return { greeting, server: opened }
  try {
    return { greeting, server: await readServer(opened.value, options) }
  } finally {
    opened.value.close('All is read.')
  }
}

async function readServer(connection: RedisConnection, options: FactsOptions): Asked<ServerFacts> {
  const { product, version, isMaster, isLoading } = connection.info
  const info = await ask(connection, 'INFO', [])
  if (!info.ok) return info
  const config = await readConfig(connection)
  if (!config.ok) return config
  const log = await ask(connection, 'MEMORY', ['USAGE', busKeys(options.prefix).log])
  if (!log.ok) return log
  const latency = await measure(connection, options.clock)
  if (!latency.ok) return latency
  const canWrite = isMaster && !isLoading
  const key = options.prefix + options.trialKey
  const rights = canWrite ? await tryRights(connection, key) : success(null)
  if (!rights.ok) return refused(rights.why.text)
  return success({
    ...{ product, version, isMaster, isLoading },
    info: infoFields(String(info.value)),
    config: config.value,
    logBytes: log.value === undefined ? null : Number(log.value ?? 0),
    latency: latency.value,
    rights: rights.value,
  })
}

/** Undefined for a command that this user may not run, or that the server does not have. */
async function ask(connection: RedisConnection, command: string, args: readonly string[]) {
  const answer = await connection.send(command, args)
  if (answer.ok) return answer
  return answer.why.kind === 'lost' ? refused(answer.why.text) : success(undefined)
}

const SETTINGS = [
  'appendfsync',
  'save',
  'client-output-buffer-limit',
  'min-replicas-to-write',
] as const

async function readConfig(connection: RedisConnection): Asked<ReadonlyMap<string, string> | null> {
  const config = new Map<string, string>()
  for (const setting of SETTINGS) {
    const answer = await ask(connection, 'CONFIG', ['GET', setting])
    if (!answer.ok) return answer
    if (answer.value === undefined) return success(null)
    for (const [name, value] of Object.entries(answer.value ?? {})) config.set(name, String(value))
  }
  return success(config)
}

async function measure(connection: RedisConnection, clock: Clock): Asked<LatencyFacts | null> {
  const tookMs: number[] = []
  let shortestMs = Number.POSITIVE_INFINITY
  let aheadMs = 0
  for (let trip = 0; trip < doctorLimits.roundTrips; trip++) {
    const sentMs = clock.nowMs()
    const startMs = clock.elapsedMs()
    const answer = await ask(connection, 'TIME', [])
    if (!answer.ok) return answer
    if (!Array.isArray(answer.value)) return success(null)
    const ms = clock.elapsedMs() - startMs
    tookMs.push(ms)
    if (ms >= shortestMs) continue
    shortestMs = ms
    const [seconds, microseconds] = answer.value.map(Number)
    aheadMs = (seconds ?? 0) * 1_000 + (microseconds ?? 0) / 1_000 - (sentMs + ms / 2)
  }
  const sorted = tookMs.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  return success({ p50Ms: at(0.5), p99Ms: at(0.99), aheadMs })
}
