// Goal: whatever happens to workers, the server and clients, each client gets what it would have
// got, once and in order, or is told of a gap that is true. Method: workers and the server are
// killed, stopped and started again at random under load; a naive model judges. Seeds are printed.

import { afterEach, expect, test } from 'bun:test'
import { Chaos, type ChaosReport } from '../../support/chaos/chaos.ts'
import { makeFolder } from '../../support/folder.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const KIB = 1024
const MIB = 1024 * KIB
/** Milliseconds of chaos, and for the whole test: a server that is ended waits for its clients. */
const CHAOS_MS = 40_000
const TEST_MS_MAX = 120_000

async function chaos(
  args: readonly string[],
  ...windowsBytes: readonly number[]
): Promise<ChaosReport> {
  await using folder = await makeFolder()
  const seed = Math.floor(Math.random() * 2 ** 31)
  console.log(`seed ${seed}`)
  const report = await new Chaos({
    ...{ seed, ms: CHAOS_MS, folder: folder.path, windowsBytes },
    ...{ publishers: 4, clients: 120, pauseMs: 10 },
    args: ['--heartbeat', '1s', ...args],
  }).run()
  console.log(JSON.stringify(report.counts))
  return report
}

test(
  'with workers, all clients get all that they are owed, in every format',
  async () => {
    const { wrong, counts } = await chaos(['--workers', '3'], 64 * MIB, 32 * MIB)
    expect(wrong).toEqual([])
    // The window has all of it.
    expect(counts['gaps lost'] ?? 0).toBe(0)
    expect(counts['messages']).toBeGreaterThan(1_000)
  },
  TEST_MS_MAX,
)

test(
  'with a small window, each gap is true and nothing else is missing',
  async () => {
    const { wrong } = await chaos(['--workers', '3'], 64 * KIB)
    expect(wrong).toEqual([])
  },
  TEST_MS_MAX,
)

test(
  'so it is in one process, on sockets',
  async () => {
    const { wrong, counts } = await chaos(['--wire', 'socket'], 64 * MIB)
    expect(wrong).toEqual([])
    expect(counts['gaps lost'] ?? 0).toBe(0)
  },
  TEST_MS_MAX,
)
