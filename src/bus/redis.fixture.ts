// Connections to a Redis of tests, with limits so short that tests do not wait.

import { afterAll, beforeAll } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { type RedisLimits, redisLimits } from '../core/bus-limits.ts'
import { systemClock } from '../core/clock.ts'
import { parseRedisUrl, type RedisAddress } from '../core/redis-address.ts'
import { RedisConnection } from './redis-connection.ts'

/** A machine that is busy takes a hundred milliseconds now and then. */
export const SHORT_LIMITS: RedisLimits = {
  ...redisLimits,
  openMsMax: 1_000,
  answerMsMax: 400,
  firstRetryMs: 5,
  maxRetryMs: 50,
}

export function addressOf(url: string, other: Partial<RedisAddress> = {}): RedisAddress {
  const address = parseRedisUrl(url)
  if (!address.ok) throw new Error(address.why)
  return { ...address.value, ...other }
}

export async function tryToConnect(
  url: string,
  other: Partial<RedisAddress> = {},
  limits: RedisLimits = SHORT_LIMITS,
) {
  return await RedisConnection.open({ address: addressOf(url, other), clock: systemClock, limits })
}

export async function connected(url: string, other: Partial<RedisAddress> = {}) {
  const opened = await tryToConnect(url, other)
  if (!opened.ok) throw new Error(opened.why)
  return opened.value
}

/** A Redis, and a connection to it. */
export interface SharedRedis {
  readonly redis: RedisServer
  readonly connection: RedisConnection
}

/** One for all tests of a file or a `describe`, in which this is called. */
export function sharedRedis(): SharedRedis {
  let redis: RedisServer
  let connection: RedisConnection
  beforeAll(async () => {
    if (!HAS_REDIS) return
    redis = await RedisServer.start()
    connection = await connected(redis.url)
  })
  afterAll(async () => {
    if (!HAS_REDIS) return
    connection.close('The tests are over.')
    await redis[Symbol.asyncDispose]()
  })
  return {
    get redis() {
      return redis
    },
    get connection() {
      return connection
    },
  }
}
