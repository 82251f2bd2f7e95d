// Goal: streams open, close, return, stop reading and vanish as the options say, and are counted
// so, over both kinds of connections. Method: a small real server on a free port, a clock that the
// test moves, waits for conditions.

import { describe, expect, test } from 'bun:test'
import { FakeClock, until } from '../core/time.fixture.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { FloodClient } from './client.ts'
import { plainBehaviour, type Share, type StreamBehaviour } from './plan.ts'
import { openCount } from './process-stats.ts'
import { LINES, SmallServer } from './server.fixture.ts'
import { addTimes, newHistogram, percentileMs } from './totals.ts'

interface Wanted extends Partial<Omit<Share, 'behaviour'>> {
  readonly behaviour?: Partial<StreamBehaviour>
  readonly protocol?: 'http' | 'ws'
  readonly random?: () => number
}

const KINDS = [
  ['sockets of Bun', false],
  ...(process.platform === 'linux' ? [['descriptors', true] as const] : []),
] as const

/** A client of a small server, stopped when the test is over. */
class Run implements AsyncDisposable {
  readonly clock = new FakeClock()
  readonly client: FloodClient

  constructor(server: SmallServer, { behaviour, protocol = 'http', random, ...share }: Wanted) {
    const { port } = server
    const target = { protocol, host: 'x', address: '127.0.0.1', port, pathTemplate: '/{id}' }
    const whole = { ...plainBehaviour(target), ...behaviour }
    const usual = { connections: 4, firstId: 1, ratePerSecond: null, pendingMax: 100, storm: null }
    const here = { sources: [], portOffset: 0, onDescriptors: false }
    const shared = { ...usual, ...here, ...share, behaviour: whole }
    this.client = new FloodClient(shared, this.clock, random)
    this.client.start()
  }

  get counters() {
    return this.client.stats.counters
  }

  async opened(count: number): Promise<void> {
    await until(`${count} streams are open`, () => this.counters.opened === count)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.stop()
  }
}

describe.each(KINDS)('over %s', (_, onDescriptors) => {
  const runOf = (server: SmallServer, wanted: Wanted) =>
    new Run(server, { onDescriptors, ...wanted })

  describe('streams', () => {
    test('are opened for one user each, read, and over when the server cuts them', async () => {
      using server = new SmallServer()
      await using run = runOf(server, { firstId: 5, connections: 3 })
      await run.opened(3)
      const paths = [...server.clients].map(({ data }) => data.received.split(' ')[1])
      expect(paths.toSorted()).toEqual(['/5', '/6', '/7'])
      server.send(Buffer.from('hello\nhe'))
      await until('a line came to each', () => run.counters.chunks === 3)
      server.cut()
      await run.client.finished
      expect(run.counters).toMatchObject({ opened: 3, closed: 3, failed: 0, chunks: 6, bytes: 21 })
      expect(run.client.stats.errors).toEqual({ cut_short: 3 })
    })

    test.each([
      ['status_503', 'HTTP/1.1 503 Busy\r\n\r\n'],
      ['not_a_stream', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc'],
      ['status_101', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
      ['bad_status_line', 'SSH-2.0\r\n\r\n'],
    ])('fail as %s', async (kind, answer) => {
      using server = new SmallServer(answer)
      await using run = runOf(server, { connections: 2 })
      await run.client.finished
      expect(run.counters).toMatchObject({ opened: 0, failed: 2, closed: 0 })
      expect(run.client.stats.errors).toEqual({ [kind]: 2 })
    })

    test('fail when nothing is answered in time', async () => {
      using server = new SmallServer('')
      await using run = runOf(server, { connections: 2 })
      await until('both have connected', () => server.accepted === 2)
      run.clock.advance(floodLimits.firstByteMs + 1)
      await run.client.finished
      expect(run.client.stats.errors).toEqual({ first_byte_timeout: 2 })
    })

    test('of a WebSocket answer a ping and end with a close', async () => {
      using server = new SmallServer('HTTP/1.1 101 Switching Protocols\r\n\r\n')
      await using run = runOf(server, { protocol: 'ws', connections: 1 })
      await run.opened(1)
      server.send(Buffer.from('\x89\x02hi\x81\x01a', 'latin1'))
      const pong = '\x8a\x82\0\0\0\0hi'
      const [client] = server.clients
      await until('the pong came', () => client?.data.received.endsWith(pong) === true)
      server.send(Buffer.from('\x88\0', 'latin1'))
      await run.client.finished
      expect(run.counters).toMatchObject({ chunks: 1, closed: 1 })
      expect(run.client.stats.errors).toEqual({ ended: 1 })
    })
  })

  describe('churn', () => {
    test('closes a share of all streams each second and opens them again', async () => {
      using server = new SmallServer()
      await using run = runOf(server, { connections: 10, behaviour: { churn: 0.5 } })
      await run.opened(10)
      let passedMs = 0
      await until('each was closed once and one of them twice', () => {
        run.clock.advance(10)
        passedMs += 10
        return run.counters.churned > 10
      })
      await until('all are back', () => run.counters.reopened === run.counters.churned)
      await until('the server saw the others leave', () => server.clients.size === 10)
      const { churned } = run.counters
      // Half of ten a second, or fewer where the client's timer has not yet come.
      expect(churned).toBeLessThanOrEqual((passedMs * 5) / 1_000)
      expect(run.counters).toMatchObject({ opened: 10, closed: 0, failed: 0 })
      expect([server.accepted, openCount(run.counters)]).toEqual([10 + churned, 10])
      expect(run.client.stats.errors).toEqual({})
    })
  })

  describe('reconnect', () => {
    test('tries streams again that were cut, each after a time of its own', async () => {
      using server = new SmallServer()
      const randoms = [0, 0.9]
      const random = () => randoms.shift() ?? 0.5
      await using run = runOf(server, { connections: 2, behaviour: { reconnectMs: 1_000 }, random })
      await run.opened(2)
      server.cut()
      await until('both are cut', () => run.counters.closed === 2)
      run.clock.advance(500)
      await until('the first is back', () => run.counters.reopened === 1)
      expect(server.accepted).toBe(3)
      run.clock.advance(900)
      await until('the second is back', () => run.counters.reopened === 2)
      expect([openCount(run.counters), run.client.stats.errors]).toEqual([2, { cut_short: 2 }])
    })

    test('goes on after failures', async () => {
      using server = new SmallServer('HTTP/1.1 503 Busy\r\n\r\n')
      const random = () => 0.5
      await using run = runOf(server, { connections: 1, behaviour: { reconnectMs: 100 }, random })
      for (const [failures, delayMs] of [100, 200, 400].entries()) {
        await until('it failed', () => run.counters.failed === failures + 1)
        if (failures === 2) server.answer = LINES
        run.clock.advance(delayMs)
      }
      await run.opened(1)
      expect(run.counters).toMatchObject({ failed: 3, reopened: 0, opened: 1 })
      expect(run.client.stats.errors).toEqual({ status_503: 3 })
    })
  })

  describe('slow streams', () => {
    test('read no more, so that the server cannot send', async () => {
      using server = new SmallServer()
      await using run = runOf(server, { connections: 4, behaviour: { slow: 0.5 } })
      await run.opened(4)
      expect(run.counters.slow).toBe(2)
      const line = Buffer.alloc(65_536, 'x')
      line[line.length - 1] = 0x0a
      const lines = 192
      server.send(Buffer.concat(Array.from({ length: lines }, () => line)))
      await until('two have read all', () => run.counters.chunks === 2 * lines)
      expect(server.behind).toBe(2)
      expect(run.counters.bytes).toBe(2 * lines * (line.length - 1))
      server.reset()
      await until('the others are over', () => run.counters.closed === 2)
      // Elsewhere a socket that is not read may not report its end.
      if (process.platform !== 'linux') return
      await until('the slow ones are over too', () => run.counters.slowEnded === 2)
      expect(openCount(run.counters)).toBe(0)
    })
  })

  describe.if(process.platform === 'linux')('vanished streams', () => {
    test('receive nothing more, and send neither FIN nor RST', async () => {
      using server = new SmallServer()
      await using run = runOf(server, { connections: 2, behaviour: { silentDrop: 0.5 } })
      await run.opened(2)
      expect(run.counters.vanished).toBe(1)
      server.send(Buffer.from('hello\n'))
      await until('the other received it', () => run.counters.chunks === 1)
      expect(server.clients.size).toBe(2)
      server.cut()
      await until('the other is over', () => run.counters.closed === 1)
      expect(run.counters).toMatchObject({ opened: 2, closed: 1, vanished: 1, chunks: 1 })
    })
  })

  describe('a paced opening', () => {
    test('that must wait for answers is late, and its times are from when it was due', async () => {
      using server = new SmallServer('')
      const paced = { connections: 3, ratePerSecond: 1_000, pendingMax: 1 }
      await using run = runOf(server, paced)
      await until('the first is asked', () => server.accepted === 1)
      run.clock.advance(500)
      for (const count of [1, 2, 3]) {
        const newest = () => [...server.clients][count - 1]
        await until('it has asked', () => (newest()?.data.received ?? '') !== '')
        newest()?.write(LINES)
        await run.opened(count)
      }
      const { stats } = run.client
      expect(stats.counters).toMatchObject({ opened: 3, late: 2 })
      expect(stats.lateMsMax).toBe(499)
      const histogram = newHistogram()
      addTimes(histogram, stats.connect.take())
      const times = [1, 50, 100].map((percentile) => percentileMs(histogram, percentile))
      for (const [at, ms] of [498, 499, 500].entries()) expect(times[at]).toBeCloseTo(ms, 0)
    })

    test('begins no stream before it is due', async () => {
      using server = new SmallServer()
      await using run = runOf(server, { connections: 3, ratePerSecond: 1 })
      await run.opened(1)
      run.clock.advance(1_000)
      await run.opened(2)
      expect(server.accepted).toBe(2)
      expect(run.counters).toMatchObject({ opened: 2, late: 0 })
    })

    test('begins no more streams than it was told to, however long it takes', async () => {
      using server = new SmallServer()
      await using run = runOf(server, { connections: 3, ratePerSecond: 10 })
      await run.opened(1)
      run.clock.advance(1e9)
      await run.opened(3)
      run.clock.advance(1e9)
      // Enough for a timer, if one were left, to begin another.
      await Bun.sleep(2 * floodLimits.checkEveryMsMin)
      expect(server.accepted).toBe(3)
    })
  })
})
