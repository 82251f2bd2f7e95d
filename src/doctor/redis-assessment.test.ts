// Goal: each thing that is wrong with a Redis is found by itself, and what is not known is not
// called fine. Method: a made Redis that is as it should be, of which one thing after another is
// changed; those that real servers can have are in the end-to-end tests.

import { describe, expect, test } from 'bun:test'
import { addressOf } from '../bus/redis.fixture.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { refused, success } from '../core/result.ts'
import { assessRedis, type RedisAssessment, type RedisFinding } from './redis-assessment.ts'
import type { LatencyFacts, ServerFacts } from './redis-facts.ts'
import type { Greeting } from './redis-greeting.ts'

const MIB = 1024 * 1024

const INFO = {
  ...{ redis_mode: 'standalone', cluster_enabled: '0', connected_slaves: '1' },
  ...{ aof_enabled: '1', aof_last_write_status: 'ok', rdb_changes_since_last_save: '7' },
  ...{ used_memory: String(20 * MIB), maxmemory: String(1024 * MIB) },
  ...{ maxmemory_policy: 'noeviction', total_system_memory: String(4096 * MIB) },
}

const CONFIG = {
  ...{ appendfsync: 'everysec', save: '', 'min-replicas-to-write': '0' },
  'client-output-buffer-limit': 'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8 60',
}

const LATENCY: LatencyFacts = { p50Ms: 0.2, p99Ms: 1, aheadMs: 3 }

interface Changes {
  readonly info?: Readonly<Record<string, string | undefined>>
  /** Null where it is forbidden. */
  readonly config?: Readonly<Record<string, string>> | null
  readonly server?: Partial<ServerFacts>
  readonly greeting?: Partial<Greeting>
  readonly address?: Partial<RedisAddress>
}

/** What is found in a Redis that is as it should be, but for these changes. */
function assess({ info, config, server, greeting, address }: Changes = {}): RedisAssessment {
  const lines = Object.entries({ ...INFO, ...info }).filter(([, value]) => value !== undefined)
  const facts = {
    greeting: success({ asksForPassword: true, server: new Map(), ...greeting }),
    server: success({
      ...{ product: 'Redis', version: '7.4.1', isMaster: true, isLoading: false },
      info: new Map(lines as [string, string][]),
      config: config === null ? null : new Map(Object.entries({ ...CONFIG, ...config })),
      logBytes: 0,
      latency: LATENCY,
      rights: { forbidden: [], hasKeys: true, writeError: null },
      ...server,
    }),
  }
  const at = addressOf('rediss://comet:word@cache.example')
  return assessRedis(facts, {
    ...{ address: { ...at, ...address }, prefix: 'comet:', historyBytes: 64 * MIB },
  })
}

/** What is not as it should be. */
function others({ findings }: RedisAssessment): RedisFinding[] {
  return findings.filter(({ state }) => state !== 'ok')
}

test('a Redis that is as it should be has nothing else to it', () => {
  const assessment = assess()
  expect(others(assessment)).toEqual([])
  expect(assessment.isUsable).toBe(true)
  expect(assessment.findings.every(({ cure }) => cure === null)).toBe(true)
})

describe('it cannot be shared', () => {
  test.each<[string, string, Changes]>([
    ['version', 'Redis 6.2.14', { server: { version: '6.2.14' } }],
    ['version', 'Valkey 6.9.0', { server: { version: '6.9.0', product: 'Valkey' } }],
    ['role', 'master, loading', { server: { isLoading: true } }],
    ['cluster mode', 'on', { info: { cluster_enabled: '1' } }],
    ['cluster mode', 'on', { info: { cluster_enabled: undefined, redis_mode: 'cluster' } }],
    ['append-only file', 'on, write failed', { info: { aof_last_write_status: 'err' } }],
    ['maxmemory-policy', 'volatile-lru', { info: { maxmemory_policy: 'volatile-lru' } }],
    // 20 MiB are in use, and 96 MiB are for messages.
    ['maxmemory', '115.0 MiB', { info: { maxmemory: String(115 * MIB) } }],
    ['replicas', '1, min-replicas-to-write 2', { config: { 'min-replicas-to-write': '2' } }],
  ])('for its %s: %s', (name, is, changes) => {
    const assessment = assess(changes)
    expect(assessment.isUsable).toBe(false)
    expect(others(assessment)).toMatchObject([{ name, is, state: 'wrong' }])
    expect(others(assessment)[0]?.cure).toBeString()
  })

  test('if its client finds something else there than its greeting', () => {
    const demand = { address: addressOf('redis://[::1]/99'), prefix: 'comet:', historyBytes: 0 }
    const greeting = success({ asksForPassword: true, server: new Map() })
    const server = refused('ERR DB index is out of range')
    const assessment = assessRedis({ greeting, server }, demand)
    expect(assessment.isUsable).toBe(false)
    expect(others(assessment)).toMatchObject([{ name: 'session', why: server.why }])
  })
})

describe('it can be shared, and could be better', () => {
  test.each<[string, string, Changes]>([
    ['TLS', 'no', { address: { isTls: false } }],
    ['login', 'as comet, others without a password', { greeting: { asksForPassword: false } }],
    ['append-only file', 'off, no snapshots', { info: { aof_enabled: '0' } }],
    ['appendfsync', 'no', { config: { appendfsync: 'no' } }],
    [
      'maxmemory-policy',
      'allkeys-lru',
      { info: { maxmemory: '0', maxmemory_policy: 'allkeys-lru' } },
    ],
    [
      'maxmemory',
      'no limit of 100.0 MiB',
      { info: { maxmemory: '0', total_system_memory: String(100 * MIB) } },
    ],
    [
      'client-output-buffer-limit',
      '1.0 MiB',
      { config: { 'client-output-buffer-limit': `normal 0 ${MIB} 10 slave 0 0 0` } },
    ],
    [
      'round trip',
      '6.00 ms, p99 7.00 ms',
      { server: { latency: { ...LATENCY, p50Ms: 6, p99Ms: 7 } } },
    ],
    ['round trip', '0.20 ms, p99 60.0 ms', { server: { latency: { ...LATENCY, p99Ms: 60 } } }],
    ['clock', '2.00 s behind', { server: { latency: { ...LATENCY, aheadMs: -2_000 } } }],
    ['clock', '2.00 s ahead', { server: { latency: { ...LATENCY, aheadMs: 2_000 } } }],
  ])('in its %s: %s', (name, is, changes) => {
    const assessment = assess(changes)
    expect(assessment.isUsable).toBe(true)
    expect(others(assessment)).toMatchObject([{ name, is, state: 'advice' }])
    expect(others(assessment)[0]?.cure).toBeString()
  })

  test('says what a kill loses without a file of commands', () => {
    const whyOf = (config: Changes['config']) => {
      const { findings } = assess({ info: { aof_enabled: '0' }, config: config ?? null })
      return findings.find(({ name }) => name === 'append-only file')?.why
    }
    expect(whyOf({ save: '' })).toContain('all messages, and who follows whom')
    expect(whyOf({ save: '3600 1' })).toContain('which would now be 7 changes')
    expect(whyOf(null)).toContain('everything that no snapshot has')
  })
})

describe('what is not known', () => {
  test.each<[string, readonly string[], Changes]>([
    ['settings', ['appendfsync', 'client-output-buffer-limit'], { config: null }],
    ['the time', ['round trip', 'clock'], { server: { latency: null } }],
    [
      'memory',
      ['maxmemory-policy', 'maxmemory'],
      { info: { maxmemory: undefined, maxmemory_policy: undefined } },
    ],
    ['the file of commands', ['append-only file'], { info: { aof_enabled: undefined } }],
    ['replicas', ['replicas'], { info: { connected_slaves: undefined } }],
    ['the mode', ['cluster mode'], { info: { cluster_enabled: undefined, redis_mode: undefined } }],
  ])('of %s is not called fine, and is not a reason to refuse', (_, names, changes) => {
    const { findings, isUsable } = assess(changes)
    expect(isUsable).toBe(true)
    const unknown = findings.filter(({ state }) => state === 'unknown')
    expect(unknown.map(({ name }) => name)).toEqual([...names])
    expect(new Set(unknown.map(({ is }) => is))).toEqual(new Set(['not known']))
  })

  test.each([
    ['unknown', 100],
    ['wrong', 95],
    ['ok', 117],
  ])('of the log makes its memory %s at %d MiB', (state, mebibytes) => {
    const info = { maxmemory: String(mebibytes * MIB) }
    const { findings } = assess({ info, server: { logBytes: null } })
    expect(findings.find(({ name }) => name === 'maxmemory')?.state).toBe(state as 'ok')
  })
})

test('on this machine neither TLS nor a password is missed', () => {
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    const address = { host, isTls: false, user: null, password: null }
    expect(others(assess({ address, greeting: { asksForPassword: false } }))).toEqual([])
  }
})

test('a replica is not written to, and its master is named', () => {
  const info = { master_host: '10.0.0.1', master_port: '6379' }
  const assessment = assess({ info, server: { isMaster: false, rights: null } })
  expect(others(assessment)).toMatchObject([
    { name: 'role', is: 'replica of 10.0.0.1:6379', cure: expect.stringContaining('10.0.0.1') },
  ])
  expect(assessment.findings.map(({ name }) => name)).not.toContain('writes')
})
