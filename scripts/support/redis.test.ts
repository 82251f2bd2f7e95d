// Goal: the Redis and the proxy of other tests do what these rely on. Method: a value is written,
// and looked for after each fault.

import { describe, expect, test } from 'bun:test'
import { makeCertificate } from './certificate.ts'
import { waitFor } from './child-process.ts'
import { makeFolder } from './folder.ts'
import { HAS_CLOCKS, HAS_REDIS, RedisServer } from './redis.ts'
import { TcpProxy } from './tcp-proxy.ts'

function clientOf(url: string, options: Bun.RedisOptions = {}): Bun.RedisClient {
  return new Bun.RedisClient(url, { autoReconnect: false, connectionTimeout: 5_000, ...options })
}

/** Is there a connection whose bytes the server has not read? */
async function hasUnread(port: number): Promise<boolean> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const lines = (await Bun.file('/proc/net/tcp').text()).split('\n')
  return lines.some((line) => {
    const [, local = '', , state, queues = ''] = line.trim().split(/\s+/)
    const isOfServer = local.endsWith(`:${hex}`) && state === '01'
    return isOfServer && !queues.endsWith(':00000000')
  })
}

describe.skipIf(!HAS_REDIS)('redis-server in tests', () => {
  test('one with a file of its commands keeps a value over a kill', async () => {
    await using redis = await RedisServer.start({ isDurable: true })
    await redis.command('SET', 'a', '1')
    await redis.restart()
    expect(await redis.command('GET', 'a')).toBe('1')
    await redis.stop()
    await redis.startAgain()
    expect(await redis.command('GET', 'a')).toBe('1')
  })

  test.skipIf(!HAS_CLOCKS)(
    'one with a clock of its own goes by it, over a start, too',
    async () => {
      await using redis = await RedisServer.start({ isDurable: true, hasOwnClock: true })
      const secondsAhead = async () => {
        return (
          Number(await redis.command('EVAL', "return redis.call('TIME')[1]", '0')) -
          Date.now() / 1e3
        )
      }
      expect(await secondsAhead()).toBeWithin(-30, 30)
      for (const seconds of [-3_600, 7_200]) {
        redis.setClock(seconds)
        expect(await secondsAhead()).toBeWithin(seconds - 30, seconds + 30)
        await redis.restart()
        expect(await secondsAhead()).toBeWithin(seconds - 30, seconds + 30)
      }
      // What it waits for, it waits for by the real time.
      const startedMs = performance.now()
      expect(await redis.command('BLPOP', 'none', '0.2')).toBeNull()
      expect(performance.now() - startedMs).toBeWithin(150, 5_000)
    },
  )

  test('one without it has lost the value', async () => {
    await using redis = await RedisServer.start()
    await redis.command('SET', 'a', '1')
    await redis.restart()
    expect(await redis.command('GET', 'a')).toBeNull()
  })

  test('one that is paused answers when it goes on', async () => {
    await using redis = await RedisServer.start()
    redis.pause()
    const answers: unknown[] = []
    const answer = redis.command('PING').then((text) => answers.push(text))
    await waitFor('the connection in its queue', async () => await hasUnread(redis.port))
    expect(answers).toEqual([])
    redis.resume()
    await answer
    expect(answers).toEqual(['PONG'])
  })

  test('a replica has what its master has, and may become one', async () => {
    await using master = await RedisServer.start({ password: 'a-word' })
    await using replica = await RedisServer.start({
      password: 'a-word',
      replicaOf: master.port,
    })
    await replica.followsMaster()
    await master.command('SET', 'a', '1')
    await waitFor('the value', async () => (await replica.command('GET', 'a')) === '1')
    expect(await replica.info('role')).toBe('slave')
    await replica.command('REPLICAOF', 'NO', 'ONE')
    expect(await replica.info('role')).toBe('master')
  })

  test('one with TLS answers on its second port', async () => {
    await using folder = await makeFolder()
    const tls = await makeCertificate(folder.path, 'redis')
    await using redis = await RedisServer.start({ tls })
    const ca = await Bun.file(tls.cert).text()
    const client = clientOf(`rediss://localhost:${redis.tlsPort}`, { tls: { ca } })
    await client.connect()
    expect(await client.send('PING', [])).toBe('PONG')
    client.close()
  })
})

describe.skipIf(!HAS_REDIS)('the proxy in between', () => {
  test('passes commands on until it cuts, and then again those of new connections', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const first = clientOf(proxy.url)
    await first.connect()
    expect(await first.send('SET', ['a', '1'])).toBe('OK')
    const closed = Promise.withResolvers<void>()
    first.onclose = () => closed.resolve()
    proxy.cut()
    await closed.promise
    const second = clientOf(proxy.url)
    await second.connect()
    expect(await second.send('GET', ['a'])).toBe('1')
    second.close()
  })

  test('swallows answers of commands that were carried out', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const client = clientOf(proxy.url)
    await client.connect()
    proxy.swallow('answers')
    const answer = client.send('SET', ['a', '1']).catch(() => 'none')
    await waitFor('the value', async () => (await redis.command('GET', 'a')) === '1')
    client.close()
    expect(await answer).toBe('none')
  })

  test('cuts in the middle of a command, which is then not carried out', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const client = clientOf(proxy.url)
    await client.connect()
    proxy.cutAfter(20)
    const answer = client.send('SET', ['a', 'x'.repeat(100)]).catch(() => 'none')
    expect(await answer).toBe('none')
    expect(await redis.command('GET', 'a')).toBeNull()
  })

  test('moves new connections to another server', async () => {
    await using left = await RedisServer.start()
    await using right = await RedisServer.start()
    await right.command('SET', 'a', 'right')
    await using proxy = await TcpProxy.start(left.port)
    proxy.targetPort = right.port
    const client = clientOf(proxy.url)
    await client.connect()
    expect(await client.send('GET', ['a'])).toBe('right')
    client.close()
  })
})
