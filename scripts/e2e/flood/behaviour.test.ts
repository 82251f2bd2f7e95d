// Goal: flood begins, holds, closes and tries its streams again as it was asked, and says how
// often. Method: the executable against comet, and against servers that note when they are
// connected to.

import { describe, expect, test } from 'bun:test'
import type { Socket } from 'bun'
import { waitFor } from '../../support/child-process.ts'
import { run, serve, start } from '../../support/comet.ts'
import { chunk } from '../../support/raw-client.ts'
import { floodLines, floodReport } from '../../support/reports.ts'

const WELCOME = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('Welcome')}`
const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'

/**
 * Has each request answered by `answer`, which gets its id and how many there were of it before.
 */
class StreamServer implements Disposable {
  readonly acceptedMs: number[] = []
  readonly requestsOf = new Map<number, number>()
  readonly #listener: Bun.TCPSocketListener<undefined>

  constructor(answer: (socket: Socket<undefined>, id: number, before: number) => void) {
    this.#listener = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        open: () => {
          this.acceptedMs.push(performance.now())
        },
        data: (socket, bytes) => {
          const id = Number(/^GET \/(\d+) /.exec(bytes.toString())?.[1])
          const before = this.requestsOf.get(id) ?? 0
          this.requestsOf.set(id, before + 1)
          answer(socket, id, before)
        },
      },
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.port}/{id}`
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true)
  }
}

const welcome = (socket: Socket<undefined>) => {
  socket.write(WELCOME)
}

describe('begun', () => {
  test('with both --rate and --ramp is an error', async () => {
    const { exitCode, stdout, stderr } = await run(['flood', '--rate', '5', '--ramp', '5s'])
    const why = 'comet flood: give --rate or --ramp, not both\n'
    expect([exitCode, stdout, stderr]).toEqual([2, '', why])
  })

  test('within --ramp, evenly, and held for as long as --hold says after that', async () => {
    using server = new StreamServer(welcome)
    const times = ['--ramp', '1s', '--hold', '700ms']
    const flooded = await run(['flood', server.url, '--connections', '50', ...times, '--json'])
    const endedMs = performance.now()
    expect(flooded.exitCode).toBe(0)
    const { connections, connect } = floodReport(flooded)
    expect(connections).toEqual({ wanted: 50, opened: 50, failed: 0, closed: 0 })
    expect(connect.perSecond).toBeWithin(35, 56)
    const [firstMs = 0, lastMs = 0] = [server.acceptedMs[0], server.acceptedMs.at(-1)]
    expect(lastMs - firstMs).toBeWithin(850, 3_000)
    // Not all at the beginning and not all at the end.
    const early = server.acceptedMs.filter((ms) => ms < (firstMs + lastMs) / 2).length
    expect(early).toBeWithin(15, 36)
    expect(endedMs - lastMs).toBeWithin(700, 5_000)
  })

  test('later than --rate wants, as when the server is slow, they are counted as late', async () => {
    using server = new StreamServer((socket) => {
      setTimeout(() => socket.write(WELCOME), 30)
    })
    const rate = ['--connections', '20', '--rate', '1k', '--pending', '1', '--hold', '1ms']
    const flooded = await run(['flood', server.url, ...rate, '--json'])
    expect(flooded.exitCode).toBe(0)
    const { lateness, connect } = floodReport(flooded)
    // The last of 20 was due after 19 ms, and begun when 19 others had taken 30 ms each.
    expect(lateness.connections).toBeWithin(10, 20)
    expect(lateness.maxMs).toBeGreaterThan(19 * 30 - 40)
    expect(connect.maxMs ?? 0).toBeGreaterThan(lateness.maxMs)
    const { stdout } = await run(['flood', server.url, ...rate])
    expect(stdout).toMatch(/^late {6}\d+ connections, by up to [\d.]+ m?s$/m)
  })
})

describe('held', () => {
  test('from when each stream has opened or failed once, however often some have failed', async () => {
    // Stream 1 is refused again and again, long before the last one is begun.
    using server = new StreamServer((socket, id) => socket.write(id === 1 ? BUSY : WELCOME))
    const flooded = await run([
      ...['flood', server.url, '--connections', '6', '--ramp', '900ms', '--reconnect', '5ms'],
      ...['--hold', '1ms', '--json'],
    ])
    expect(flooded.exitCode).toBe(1)
    const { connections, errors } = floodReport(flooded)
    expect(server.requestsOf.get(1)).toBeGreaterThan(5)
    expect([...server.requestsOf.keys()].toSorted()).toEqual([1, 2, 3, 4, 5, 6])
    expect(connections).toMatchObject({ wanted: 6, opened: 5, closed: 0 })
    expect(errors).toEqual({ status_503: connections.failed })
  })
})

describe('closed and opened again', () => {
  test('by --churn, the longest open first, without a fault', async () => {
    await using server = await serve()
    const url = `${server.publicUrl}/test/{id}`
    const flooded = await run([
      ...['flood', url, '--connections', '40', '--churn', '50%/s', '--hold', '1500ms'],
      '--ndjson',
    ])
    expect(flooded.exitCode).toBe(0)
    const { samples, report } = floodLines(flooded)
    const { churned, reopened } = report.behaviour
    // Twenty a second for a second and a half.
    expect(churned).toBeWithin(25, 45)
    expect(reopened).toBeWithin(churned - 3, churned + 1)
    expect(report.connections).toEqual({ wanted: 40, opened: 40, failed: 0, closed: 0 })
    expect(report.errors).toEqual({})
    // Each stream that was opened has its welcome.
    expect(report.received.chunks).toBe(40 + reopened)
    expect((await server.stats()).streams.opened).toBe(40 + reopened)
    expect(samples[0]?.behaviour.churned).toBeWithin(8, churned)
    expect(samples[0]?.open).toBeWithin(36, 41)
    expect(samples.at(-1)?.behaviour).toEqual(report.behaviour)
  })

  test('is told in the summary', async () => {
    await using server = await serve()
    const url = `${server.publicUrl}/test/{id}`
    const options = ['--connections', '10', '--churn', '100%/s', '--hold', '500ms']
    const { exitCode, stdout } = await run(['flood', url, ...options])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^reopened {2}\d+, \d+ closed by churn$/m)
  })

  test('by --reconnect after the server has cut them, each time', async () => {
    using server = new StreamServer((socket, _id, before) => {
      socket.write(WELCOME)
      if (before === 0) socket.end()
      else if (before === 1) setTimeout(() => socket.terminate(), 20)
    })
    const options = ['--connections', '10', '--reconnect', '20ms', '--json']
    const flood = async (...more: string[]) => {
      server.requestsOf.clear()
      await using flooding = start(['flood', server.url, ...options, ...more])
      await waitFor('the third stream of each', () => {
        const requests = [...server.requestsOf.values()]
        return requests.length === 10 && requests.every((count) => count === 3)
      })
      flooding.kill('SIGINT')
      return await flooding.finished
    }
    const flooded = await flood()
    // They ended, though they came back.
    expect(flooded.exitCode).toBe(1)
    const { connections, behaviour, errors } = floodReport(flooded)
    expect(connections).toEqual({ wanted: 10, opened: 10, failed: 0, closed: 20 })
    expect(behaviour).toMatchObject({ reopened: 20, churned: 0 })
    expect(Object.values(errors).reduce((sum, count) => sum + count, 0)).toBe(20)
    expect(errors['cut_short']).toBeGreaterThanOrEqual(10)
    const asserted = await flood('--assert', 'opened=10,reopened=20,failed=0')
    expect([asserted.exitCode, asserted.stderr]).toEqual([0, ''])
  })

  test('by --reconnect when they were refused at first', async () => {
    using server = new StreamServer((socket, _id, before) =>
      socket.write(before < 2 ? BUSY : WELCOME),
    )
    const options = ['--connections', '10', '--reconnect', '20ms', '--json']
    await using flooding = start(['flood', server.url, ...options])
    await waitFor('the third request of each', () => {
      return [...server.requestsOf.values()].filter((count) => count === 3).length === 10
    })
    flooding.kill('SIGINT')
    const flooded = await flooding.finished
    expect(flooded.exitCode).toBe(1)
    const { connections, behaviour, errors } = floodReport(flooded)
    expect(connections).toEqual({ wanted: 10, opened: 10, failed: 20, closed: 0 })
    expect([behaviour.reopened, errors]).toEqual([0, { status_503: 20 }])
  })
})
