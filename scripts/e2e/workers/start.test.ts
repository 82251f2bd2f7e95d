// Goal: a server starts as many workers as it is told, deals its limits out to them, and shares its
// port with them but with no other server. Method: the executable under low limits and taken ports.

import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, getPriority } from 'node:os'
import { childrenOf, waitFor } from '../../support/child-process.ts'
import { NO_FILE, NONE_REFUSED, run, serve } from '../../support/comet.ts'
import { scrape } from '../../support/metrics.ts'
import { get, RawClient } from '../../support/raw-client.ts'
import { floodReport } from '../../support/reports.ts'
import {
  endFlood,
  flood,
  noProcessIsLeft,
  publishAll,
  serveWorkers,
  toEach,
  upFrom,
} from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const FREE = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', ...NO_FILE]

test.if(process.platform === 'linux')('a worker without streams has little memory', async () => {
  await using server = await serve(['--workers', '2'])
  const { samples } = await scrape(server)
  for (const process of ['worker-0', 'worker-1']) {
    const bytes = samples.get(`comet_process_anonymous_memory_bytes{process="${process}"}`)
    // 4.2 MB; 12 before a worker loaded only what it runs.
    expect(bytes).toBeWithin(1_000_000, 6_500_000)
  }
})

// On few cores, where that is few workers.
test.if(process.platform === 'linux' && availableParallelism() <= 4)(
  'eight workers a core run after the process that they depend on, and fewer do not',
  async () => {
    for (const [count, nice] of [
      [8 * availableParallelism(), 10],
      [2, 0],
    ] as const) {
      await using server = await serve(['--workers', String(count)])
      const workers = (await server.stats()).workers.flatMap(({ pid }) => pid ?? [])
      expect(workers).toHaveLength(count)
      expect(getPriority(server.pid)).toBe(0)
      expect(workers.map((pid) => getPriority(pid))).toEqual(Array(count).fill(nice))
      await waitFor('their sessions to yield', () => workers.every((pid) => yields(pid, nice)))
      await using _client = await RawClient.stream(server.publicPort, 1)
      expect(await server.publish({ to: 1, body: 'x' })).toBe(1)
    }
  },
)

/** Has the session of a process this nice value, where the kernel shares CPU time by session? */
function yields(pid: number, nice: number): boolean {
  const session = `/proc/${pid}/autogroup`
  return !existsSync(session) || readFileSync(session, 'utf8').endsWith(` nice ${nice}\n`)
}

describe('the number of workers', () => {
  test('is that of the cores with --workers auto', async () => {
    await using server = await serve(['--workers', 'auto'])
    const cores = availableParallelism()
    expect((await server.stats()).workers).toHaveLength(cores === 1 ? 0 : cores)
    await using _client = await RawClient.stream(server.publicPort, 1)
    expect(await server.publish({ to: 1, body: 'x' })).toBe(1)
  })

  test('is what --connections takes under the open-files limit', async () => {
    await using server = await serve(['--connections', '1k'], { openFiles: 400 })
    const { workers, streams } = await server.stats()
    // Each has 336 files for streams; three would have no room for an uneven deal.
    expect(workers).toHaveLength(4)
    expect(streams.limit).toBe(4 * 336)
    await server.logged('Up to 1,344 streams in 4 workers')
    await using flooding = await flood(server, 1_000)
    expect((await server.stats()).streams).toMatchObject({
      open: 1_000,
      users: 1_000,
      refused: NONE_REFUSED,
    })
    expect(await publishAll(server, toEach(upFrom(1, 1_000), 'x'))).toMatchObject({
      delivered: 1_000,
    })
    const report = await endFlood(flooding)
    expect(report.connections).toEqual({ wanted: 1_000, opened: 1_000, failed: 0, closed: 0 })
  })

  test('is zero when --connections fits into one process', async () => {
    await using server = await serve(['--connections', '300'], { openFiles: 400 })
    expect((await server.stats()).workers).toEqual([])
    expect(childrenOf(server.pid)).toEqual([])
  })

  test.each([
    [['--workers', '2', '--connections', '1k'], 'give --workers or --connections, not both'],
    [['--workers', '0'], '--workers'],
    [['--workers', 'many'], '--workers'],
    [['--workers', '1025'], '--workers'],
    [['--connections', '1m'], 'more than 1,024 workers'],
    [['--workers', '100'], '100 workers take 200 open files, and this process may have 200'],
  ])('%p is a usage error, exit 2', async (args, why) => {
    const finished = await run(['serve', ...FREE, ...args], { openFiles: 200 })
    expect([finished.exitCode, finished.stdout]).toEqual([2, ''])
    expect(finished.stderr).toContain(why)
  })

  test('divides --max-streams, and a server with only full workers is full', async () => {
    await using server = await serveWorkers(['--max-streams', '400'])
    const url = `${server.publicUrl}/test/{id}`
    const flooded = await run(['flood', url, '--connections', '1k', '--hold', '100ms', '--json'])
    expect(floodReport(flooded).errors).toEqual({ status_503: 600 })
    // That its clients have left is noticed a moment later.
    await server.open(0)
    await using crowd = new AsyncDisposableStack()
    for (const user of upFrom(1, 1_000)) {
      crowd.use(await RawClient.open(server.publicPort, get(`/test/${user}`)))
    }
    const { workers, streams, state } = await waitFor('all to be answered', async () => {
      const stats = await server.stats()
      return stats.streams.refused.full === 1_200 && stats
    })
    expect([streams.open, streams.limit, state]).toEqual([400, 400, 'full'])
    expect(workers.map(({ open, limit }) => [open, limit])).toEqual(Array(4).fill([100, 100]))
    expect((await server.ask('/readyz')).status).toBe(503)
  })
})

describe('a port in use ends the start with exit code 69', () => {
  test.each([
    ['workers', 'workers'],
    ['workers', 'none'],
    ['none', 'workers'],
  ])('the first with %s, the second with %s', async (first, second) => {
    const args = (which: string) => (which === 'workers' ? ['--workers', '4'] : [])
    await using server = await serve(args(first))
    const address = `127.0.0.1:${server.publicPort}`
    const listen = ['--listen', address, '--control', '127.0.0.1:0', ...NO_FILE]
    const refused = await run(['serve', ...listen, ...args(second)])
    expect(refused.exitCode).toBe(69)
    expect(refused.stderr).toContain(`the public port ${address} is in use`)
    expect(refused.stderr.trim().split('\n')).toHaveLength(1)
    const control = `127.0.0.1:${server.controlPort}`
    const controls = ['--listen', '127.0.0.1:0', '--control', control, ...NO_FILE]
    const alsoRefused = await run(['serve', ...controls, ...args(second)])
    expect(alsoRefused.exitCode).toBe(69)
    expect(alsoRefused.stderr).toContain(`the control port ${control} is in use`)
    // The one that is there has not noticed.
    await using _client = await RawClient.stream(server.publicPort, 1)
    expect(await server.publish({ to: 1, body: 'x' })).toBe(1)
  })
})
