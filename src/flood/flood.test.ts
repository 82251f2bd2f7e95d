// Goal: each latency of a flood is taken once, on both kinds of connections. Method: a flood in
// this process, of a small real server that sends stamped messages.

import { expect, test } from 'bun:test'
import { systemClock } from '../core/clock.ts'
import { refused } from '../core/result.ts'
import { stampedText } from '../core/stamp.ts'
import { until } from '../core/time.fixture.ts'
import { startFlood } from './flood.ts'
import { plainBehaviour } from './plan.ts'
import { LINES, SmallServer } from './server.fixture.ts'
import { percentileMs } from './totals.ts'

test.each([
  ['descriptors', undefined],
  ['sockets of Bun', async () => refused('they are not wanted')],
])('over %s the latency is that of what came since it was last taken', async (kind, check) => {
  using server = new SmallServer(LINES)
  const target = { host: 'x', address: '127.0.0.1', port: server.port, pathTemplate: '/{id}' }
  const started = await startFlood(
    {
      behaviour: plainBehaviour({ protocol: 'http', ...target }),
      ...{ connections: 2, firstId: 1, ratePerSecond: null, pendingMax: 2, sources: [] },
      ...{ durationMs: null, storm: null, holdMs: null, inOwnProcess: false },
    },
    systemClock,
    null,
    check,
  )
  if (!started.ok) throw new Error(started.why)
  const flood = started.value
  expect(flood.descriptors.ok).toBe(kind === 'descriptors' && process.platform === 'linux')
  await until('both streams are open', () => flood.counters().opened === 2)
  expect(percentileMs(flood.takeLatency(), 100)).toBeNull()
  for (const [at, lateMs] of [3_000, 1_000].entries()) {
    const dueMicros = Math.round((systemClock.nowMs() - lateMs) * 1_000)
    const text = stampedText(1, { generator: 1, sequence: at + 1, dueMicros })
    server.send(Buffer.from(`${text}\n`))
    await until('both have received it', () => flood.counters().messages === 2 * (at + 1))
    const latency = flood.takeLatency()
    expect(latency.totalCount).toBe(2)
    expect(percentileMs(latency, 100)).toBeWithin(lateMs, lateMs + 1_999)
  }
  expect(flood.sample().latency.maxMs).toBeNull()
  flood.stop()
  const totals = await flood.totals
  expect(totals.latency.totalCount).toBe(4)
})
