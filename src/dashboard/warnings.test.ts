// Goal: every condition has its warning, a healthy server has none, and each says what to do.
// Method: a table of what goes wrong with a healthy server, one row for each code.

import { expect, test } from 'bun:test'
import {
  type Condition,
  type Recent,
  WARNING_CODES,
  type WarningCode,
  warningsOf,
} from './warnings.ts'

const CALM: Recent = {
  ...{ refused: 0, limited: 0, slow: 9, lostGaps: 0, skipped: 0, rejected: 0, restarted: 0 },
  ...{ busRefused: 0, busGaps: 0 },
  lateMs: 250,
}
const REDIS = {
  product: 'Redis',
  ...{ version: '7.0.15', durable: true, evictionPolicy: 'noeviction' },
  ...{ usedBytes: 89, limitBytes: 100 },
} as const
const QUEUE = {
  ...{ messages: 49, limitMessages: 100, bytes: 490, limitBytes: 1_000, oldestAgeSeconds: 1 },
}
const BUS = { connected: true, seconds: 9, why: null, queue: QUEUE, redis: REDIS } as const
const HEALTHY: Condition = {
  ...{ state: 'ready', open: 899, limit: 1_000, openFiles: 900, openFilesLimit: 1_024 },
  workers: [{ number: 0, state: 'running' }],
  silentWorkers: [],
  erlang: { registered: true, peer: { name: 'a@b', state: 'connected', why: null } },
  tcp: { memoryBytes: 10, memoryLimitBytes: 100 },
  system: { memoryBytes: 1_000, memoryAvailableBytes: 100 },
  history: { place: { kind: 'file', reason: null }, oldestAgeSeconds: 90 },
  bus: BUS,
  recent: CALM,
}

const ofBus = (changes: Partial<NonNullable<Condition['bus']>>) => ({ bus: { ...BUS, ...changes } })
const recently = (changes: Partial<Recent>) => ({ recent: { ...CALM, ...changes } })

const FAULTS: Record<WarningCode, readonly [Partial<Condition>, string]> = {
  draining: [{ state: 'draining', open: 1 }, '1 stream left'],
  full: [{ state: 'full', open: 1_000 }, 'the limit is 1,000'],
  near_limit: [{ open: 900 }, '900 streams of at most 1,000'],
  files_short: [{ openFiles: 1_000 }, '1,000 of 1,024 files'],
  refused: [recently({ refused: 3 }), '3 streams were refused'],
  limited: [recently({ limited: 1 }), '1 stream was refused in the last minute by --max'],
  workers_down: [{ workers: [{ number: 4, state: 'waiting' }] }, 'Worker 4 is not running'],
  workers_restarted: [recently({ restarted: 2 }), '2 times'],
  workers_silent: [{ silentWorkers: [1, 2, 3, 4, 5, 6, 7] }, '1, 2, 3, 4, 5 and 2 more are not'],
  bus_lost: [
    ofBus({ connected: false, seconds: 12, why: 'It is away.' }),
    'Not connected to Redis for 12 s. It is away.',
  ],
  bus_refused: [recently({ busRefused: 7 }), 'disconnected or slow: 7.'],
  bus_queue_filling: [ofBus({ queue: { ...QUEUE, bytes: 500 } }), '50% full; 49 messages in it'],
  bus_gaps: [recently({ busGaps: 1 }), 'told of a gap once in the last minute'],
  bus_not_durable: [
    ofBus({ redis: { ...REDIS, durable: false } }),
    'Redis runs without an append-only file',
  ],
  bus_evicts: [ofBus({ redis: { ...REDIS, evictionPolicy: 'allkeys-lru' } }), '(allkeys-lru)'],
  redis_memory_short: [ofBus({ redis: { ...REDIS, usedBytes: 90 } }), 'uses 90 of 100 (maxmemory)'],
  erlang_down: [
    { erlang: { registered: true, peer: { name: 'a@b', state: 'waiting', why: 'no epmd' } } },
    'the Erlang node a@b (no epmd)',
  ],
  erlang_unregistered: [{ erlang: { registered: false, peer: null } }, 'not registered'],
  skipped: [recently({ skipped: 1_234.4 }), 'too far behind: 1,234.'],
  slow: [recently({ slow: 10 }), '10 streams were closed'],
  gaps: [
    recently({ lostGaps: 2 }),
    '2 streams were told of a gap in the last minute; the oldest message kept is 1 min old.',
  ],
  history_in_memory: [
    { history: { place: { kind: 'memory', reason: 'x cannot be made' }, oldestAgeSeconds: null } },
    'in memory alone (x cannot be made).',
  ],
  loop_late: [recently({ lateMs: 500 }), 'up to 500 ms'],
  memory_short: [
    { system: { memoryBytes: 1_000, memoryAvailableBytes: 99 } },
    '99 of 1 kB of memory',
  ],
  tcp_memory_short: [{ tcp: { memoryBytes: 90, memoryLimitBytes: 100 } }, '90 of the 100 allowed'],
  rejected: [recently({ rejected: 5 }), 'last minute: 5.'],
}

test('a healthy server has no warnings, and neither has one with unknown figures', () => {
  expect(warningsOf(HEALTHY)).toEqual([])
  const little = { erlang: null, tcp: null, system: null, bus: null, workers: [] }
  expect(warningsOf({ ...HEALTHY, ...little })).toEqual([])
  const unlimited = { memoryBytes: 5, memoryLimitBytes: null }
  expect(warningsOf({ ...HEALTHY, tcp: unlimited, limit: 0, open: 0 })).toEqual([])
})

test('a Redis without a limit of its memory evicts nothing, and one that is unknown has no fault', () => {
  const redis = { ...REDIS, limitBytes: null, evictionPolicy: 'allkeys-lru' }
  expect(warningsOf({ ...HEALTHY, ...ofBus({ redis }) })).toEqual([])
  expect(warningsOf({ ...HEALTHY, ...ofBus({ redis: null }) })).toEqual([])
})

test.each(WARNING_CODES)('%s is found, with its figures and advice', (code) => {
  const [change, words] = FAULTS[code]
  const warnings = warningsOf({ ...HEALTHY, ...change })
  expect(warnings.map((warning) => warning.code)).toEqual([code])
  expect(warnings[0]?.text).toContain(words)
  expect(warnings[0]?.advice).toMatch(/^[A-Z].*\.$/)
})

test('a gap of a log that keeps nothing says so', () => {
  const history = { ...HEALTHY.history, oldestAgeSeconds: null }
  const [warning] = warningsOf({ ...HEALTHY, ...recently({ lostGaps: 1 }), history })
  expect(warning?.text).toBe('1 stream was told of a gap in the last minute; no message is kept.')
})

test('a worker that restarted once did so by the rounded figure too', () => {
  const [warning] = warningsOf({ ...HEALTHY, ...recently({ restarted: 1.000_4 }) })
  expect(warning?.text).toBe('Workers restarted once in the last minute.')
})

test('the most important warning comes first', () => {
  const both = { ...HEALTHY, ...recently({ rejected: 1 }), open: 950 }
  expect(warningsOf(both).map(({ code }) => code)).toEqual(['near_limit', 'rejected'])
})
