// Goal: whatever happens to Redis, the bus has a session again soon after, on new connections, and
// people are told of it once. Method: faults of a real server and of a proxy before it.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import { systemClock } from '../core/clock.ts'
import { until } from '../core/time.fixture.ts'
import { addressOf, SHORT_LIMITS } from './redis.fixture.ts'
import { type LinkState, RedisLink, type RedisSession } from './redis-link.ts'

class Observed implements AsyncDisposable {
  readonly sessions: RedisSession[] = []
  readonly states: LinkState[] = []
  readonly link: RedisLink

  constructor(url: string) {
    this.link = new RedisLink({
      address: addressOf(url),
      clock: systemClock,
      limits: SHORT_LIMITS,
      random: () => 1,
      use: async (session) => {
        this.sessions.push(session)
        // As the bus does: a command is always under way.
        while (!session.reader.isClosed) {
          const args = ['BLOCK', '50', 'STREAMS', 'none', '0']
          await session.reader.send('XREAD', args, 50)
        }
      },
      onChange: (state) => this.states.push(state),
    })
  }

  async has(count: number): Promise<void> {
    await until(`there are ${count} sessions`, () => this.sessions.length >= count)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.link.stop()
  }
}

describe.skipIf(!HAS_REDIS)('the link to Redis', () => {
  test('has a session again after a kill and a start of the server', async () => {
    await using redis = await RedisServer.start()
    await using observed = new Observed(redis.url)
    await observed.has(1)
    const first = observed.sessions[0]?.info.runId
    await redis.kill()
    await until('it is away', () => !observed.link.state.isConnected)
    await until('it has failed thrice', () => observed.link.state.failures >= 3)
    await redis.startAgain()
    await observed.has(2)
    expect(observed.sessions[1]?.info.runId).not.toBe(first)
    expect(observed.states.map(({ isConnected }) => isConnected)).toEqual([true, false, true])
    expect(observed.states[1]?.why).toBe('Redis closed the connection.')
  })

  test('has new connections after both were cut, or only one of them', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    await using observed = new Observed(proxy.url)
    await observed.has(1)
    proxy.cut()
    await observed.has(2)
    observed.sessions[1]?.writer.close('one of them')
    await observed.has(3)
    expect(observed.sessions[1]?.reader.isClosed).toBe(true)
  })

  test('has new connections soon after the old ones have gone silent', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    await using observed = new Observed(proxy.url)
    await observed.has(1)
    proxy.swallow('both')
    await observed.has(2)
    expect(observed.states[1]?.why).toBe('Redis gave no answer in 400 ms.')
  })

  test('has new connections after a server that stood still goes on', async () => {
    await using redis = await RedisServer.start()
    await using observed = new Observed(redis.url)
    await observed.has(1)
    redis.pause()
    await until('it is away', () => !observed.link.state.isConnected)
    redis.resume()
    await observed.has(2)
  })

  test('waits twice as long after each failure, up to the limit', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    proxy.isRefusing = true
    await using observed = new Observed(proxy.url)
    await until('it has failed', () => observed.link.state.failures >= 6)
    // Five, ten, twenty, forty, and fifty milliseconds; each time by two connections.
    expect(proxy.accepted).toBeLessThanOrEqual(2 * (observed.link.state.failures + 1))
    expect(observed.states).toHaveLength(1)
    proxy.isRefusing = false
    await observed.has(1)
  })

  test('stops at once, whatever it waits for', async () => {
    await using redis = await RedisServer.start()
    const observed = new Observed(redis.url)
    await observed.has(1)
    await observed.link.stop()
    expect(observed.sessions[0]?.writer.isClosed).toBe(true)
    await redis.kill()
    const away = new Observed(redis.url)
    await until('it has failed', () => away.link.state.failures >= 2)
    await away.link.stop()
    expect(away.sessions).toEqual([])
  })
})
