// Goal: probes are spread evenly, a client that answers is left alone, and one that answers none of
// six is cut. Method: a clock of ours and connections that are plain numbers; the end-to-end tests
// use real ones.

import { expect, test } from 'bun:test'
import { keepaliveLimits } from '../core/limits.ts'
import { Log } from '../core/log.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { KeepaliveSweep, keepaliveTimes, watchKeepalive } from './keepalive.ts'

const KEEPALIVE_MS = 120_000
const ADDRESS = { hostname: '127.0.0.1', port: 1 }

function logged(clock: FakeClock) {
  const lines: string[] = []
  return { lines, log: new Log({ format: 'json', clock, write: (line) => lines.push(line) > 0 }) }
}

/** Connections that are silent from the start; those that have vanished never answer a probe. */
function sweepOver(count: number, hasVanished: (descriptor: number) => boolean) {
  const clock = new FakeClock()
  const heardMs = new Map(Array.from({ length: count }, (_, at) => [at, 0]))
  const unacked = new Map<number, number>()
  const probes: { readonly descriptor: number; readonly atMs: number }[] = []
  const cuts: { readonly descriptor: number; readonly atMs: number }[] = []
  const sweep = new KeepaliveSweep({
    addresses: [ADDRESS],
    keepaliveMs: KEEPALIVE_MS,
    lastDescriptor: () => count - 1,
    sockets: {
      silence: (descriptor) => {
        const heard = heardMs.get(descriptor)
        if (heard === undefined) return null
        return { ms: clock.elapsedMs() - heard, probes: unacked.get(descriptor) ?? 0 }
      },
      isAt: () => true,
      probe: (descriptor) => {
        probes.push({ descriptor, atMs: clock.elapsedMs() })
        if (!hasVanished(descriptor)) heardMs.set(descriptor, clock.elapsedMs())
        else unacked.set(descriptor, (unacked.get(descriptor) ?? 0) + 1)
        return true
      },
      cut: (descriptor) => {
        cuts.push({ descriptor, atMs: clock.elapsedMs() })
        return heardMs.delete(descriptor)
      },
    },
    log: logged(clock).log,
    clock,
  })
  const runFor = (ms: number) => {
    const endMs = clock.elapsedMs() + ms
    while (clock.elapsedMs() < endMs) {
      clock.advance(sweep.nextTickMs)
      sweep.tick()
    }
  }
  return { probes, cuts, runFor, clock, sweep }
}

test.each([
  [120_000, 60_000, 54_000, 10_000],
  [10_000, 5_000, 4_500, 1_000],
  [1_000, 1_000, 450, 1_000],
])('--keepalive of %p ms', (keepaliveMs, silentMs, passMs, retryMs) => {
  expect(keepaliveTimes(keepaliveMs)).toEqual({ silentMs, passMs, retryMs })
})

test('every silent client is asked once within the interval, in no burst', () => {
  const { probes, cuts, runFor } = sweepOver(15_000, () => false)
  runFor(KEEPALIVE_MS)
  const first = new Set(probes.map(({ descriptor }) => descriptor))
  expect([first.size, cuts.length]).toEqual([15_000, 0])
  const perSecond = new Map<number, number>()
  for (const { atMs } of probes) {
    const second = Math.floor(atMs / 1_000)
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
  }
  expect(Math.max(...perSecond.values())).toBeLessThan((15_000 / 54) * 1.5)
})

test('a client that answers none of six probes is cut within one and a half intervals', () => {
  const { probes, cuts, runFor } = sweepOver(1_000, (descriptor) => descriptor === 7)
  runFor(KEEPALIVE_MS * 1.5)
  expect(cuts.map(({ descriptor }) => descriptor)).toEqual([7])
  expect(probes.filter(({ descriptor }) => descriptor === 7)).toHaveLength(keepaliveLimits.probes)
})

test('a process that was stopped does not ask everybody at once when it goes on', () => {
  const { probes, clock, sweep } = sweepOver(15_000, () => false)
  clock.advance(3_600_000)
  sweep.tick()
  expect(probes.length).toBeLessThanOrEqual(keepaliveLimits.checksPerTickMax)
})

test('after a stop, those who could not answer before are not asked again in one burst', () => {
  let isAway = true
  const { probes, cuts, runFor, clock, sweep } = sweepOver(15_000, () => isAway)
  const { silentMs, retryMs } = keepaliveTimes(KEEPALIVE_MS)
  runFor(silentMs + retryMs)
  const before = probes.length
  clock.advance(2 * retryMs)
  sweep.tick()
  const { descriptorsPerTick, checksPerTickMax } = keepaliveLimits
  expect(probes.length - before).toBeLessThanOrEqual(2 * descriptorsPerTick + checksPerTickMax)
  isAway = false
  runFor(KEEPALIVE_MS)
  expect(cuts).toEqual([])
})

test('when all have vanished, all are cut within three and a half intervals', () => {
  const { cuts, runFor } = sweepOver(15_000, () => true)
  runFor(KEEPALIVE_MS * 3.5)
  expect(cuts).toHaveLength(15_000)
})

test('a system without probes says so, unless probes are off', () => {
  const clock = new FakeClock()
  const { lines, log } = logged(clock)
  const options = { addresses: [ADDRESS], lastDescriptor: () => 0, sockets: null, log, clock }
  watchKeepalive({ ...options, keepaliveMs: 0 })()
  expect(lines).toEqual([])
  watchKeepalive({ ...options, keepaliveMs: 1_000 })()
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(['keepalive'])
})
