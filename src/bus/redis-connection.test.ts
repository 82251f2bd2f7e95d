// Goal: whatever becomes of a connection to Redis, its owner is told within the time limit, and
// nothing is sent again by itself. Method: a real server, and a proxy that loses what is under way.

import { describe, expect, test } from 'bun:test'
import { makeCertificate } from '../../scripts/support/certificate.ts'
import { makeFolder } from '../../scripts/support/folder.ts'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import { connected, SHORT_LIMITS, tryToConnect } from './redis.fixture.ts'

const BLOCKED = ['COUNT', '1', 'BLOCK', '60000', 'STREAMS', 'none', '0'] as const

describe.skipIf(!HAS_REDIS)('a connection to Redis', () => {
  test('knows the server, and answers in the order of its commands', async () => {
    await using redis = await RedisServer.start()
    const connection = await connected(redis.url)
    expect(connection.info).toMatchObject({ product: 'Redis', isMaster: true, isDurable: false })
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => connection.send('INCR', ['count'])),
    )
    expect(answers.map((answer) => answer.ok && answer.value)).toEqual(
      Array.from({ length: 100 }, (_, at) => at + 1),
    )
    expect(connection.pending).toBe(0)
    connection.close('the end')
  })

  test('answers what Redis refuses as a value', async () => {
    await using redis = await RedisServer.start()
    const connection = await connected(redis.url)
    expect(await connection.send('EVALSHA', ['0'.repeat(40), '0'])).toEqual({
      ok: false,
      why: { kind: 'error', text: 'NOSCRIPT No matching script. Please use EVAL.' },
    })
    expect(connection.isClosed).toBe(false)
    connection.close('the end')
  })

  test('logs in with a password of any characters, and not with another one', async () => {
    await using redis = await RedisServer.start({ password: 'p/:@%&' })
    const connection = await connected(redis.url, { password: 'p/:@%&' })
    expect(await connection.send('PING', [])).toEqual({ ok: true, value: 'PONG' })
    connection.close('the end')
    for (const password of [null, 'another']) {
      const opened = await tryToConnect(redis.url, { password })
      expect(opened.ok ? '' : opened.why).toContain('Check the address, user and password')
    }
  })

  test('logs in as a user of its own', async () => {
    await using redis = await RedisServer.start()
    await redis.command('ACL', 'SETUSER', 'comet', 'on', '>secret', '~*', '+@all')
    const connection = await connected(redis.url, { user: 'comet', password: 'secret' })
    expect(await connection.send('ACL', ['WHOAMI'])).toEqual({ ok: true, value: 'comet' })
    connection.close('the end')
  })

  test('goes over TLS, and not to a server whose certificate is not signed', async () => {
    await using folder = await makeFolder()
    const tls = await makeCertificate(folder.path, 'redis')
    await using redis = await RedisServer.start({ tls })
    const url = `rediss://localhost:${redis.tlsPort}`
    const connection = await connected(url, { authorities: await Bun.file(tls.cert).text() })
    expect(await connection.send('PING', [])).toEqual({ ok: true, value: 'PONG' })
    connection.close('the end')
    expect((await tryToConnect(url)).ok).toBe(false)
  })

  test('is not opened to a replica, to a closed port, or to what gives no answer', async () => {
    await using redis = await RedisServer.start()
    await using replica = await RedisServer.start({ replicaOf: redis.port })
    const toReplica = await tryToConnect(replica.url)
    expect(toReplica.ok ? '' : toReplica.why).toContain('It is a replica')
    await redis.kill()
    expect((await tryToConnect(redis.url)).ok).toBe(false)
    await redis.startAgain()
    redis.pause()
    const toPaused = await tryToConnect(redis.url)
    expect(toPaused.ok ? '' : toPaused.why).toContain('gave no answer in 1000 ms')
    redis.resume()
  })

  test('fails what is under way when the server is killed, and tells its owner', async () => {
    await using redis = await RedisServer.start()
    const connection = await connected(redis.url)
    const answer = connection.send('XREAD', BLOCKED, 60_000)
    await redis.kill()
    expect(await answer).toMatchObject({ ok: false, why: { kind: 'lost' } })
    await connection.closed
    expect(await connection.send('PING', [])).toMatchObject({ ok: false, why: { kind: 'lost' } })
    expect(connection.pending).toBe(0)
  })

  test('is lost when no answer comes, though the command was carried out', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const connection = await connected(proxy.url)
    proxy.swallow('answers')
    const answer = await connection.send('INCR', ['count'])
    expect(answer).toMatchObject({ ok: false, why: { kind: 'lost' } })
    expect(await connection.closed).toContain('no answer in 400 ms')
    expect(await redis.command('GET', 'count')).toBe('1')
  })

  test('is not lost while Redis waits as long as it was asked to', async () => {
    await using redis = await RedisServer.start()
    const connection = await connected(redis.url)
    const waitMs = 2 * (SHORT_LIMITS.answerMsMax + SHORT_LIMITS.graceMs)
    const args = ['COUNT', '1', 'BLOCK', String(waitMs), 'STREAMS', 'none', '0']
    expect(await connection.send('XREAD', args, waitMs)).toEqual({ ok: true, value: null })
    expect(connection.isClosed).toBe(false)
    connection.close('the end')
  })

  test('survives that this process stood still for longer than the time limit', async () => {
    await using redis = await RedisServer.start()
    const connection = await connected(redis.url)
    const answer = connection.send('PING', [])
    Bun.sleepSync(SHORT_LIMITS.answerMsMax + 50)
    expect(await answer).toEqual({ ok: true, value: 'PONG' })
    expect(connection.isClosed).toBe(false)
    connection.close('the end')
  })

  test('refuses more commands than may be under way', async () => {
    await using redis = await RedisServer.start()
    const opened = await tryToConnect(redis.url, {}, { ...SHORT_LIMITS, commandsMax: 2 })
    if (!opened.ok) throw new Error(opened.why)
    const answers = [1, 2, 3].map(() => opened.value.send('PING', []))
    expect((await Promise.all(answers)).map(({ ok }) => ok)).toEqual([true, true, false])
    opened.value.close('the end')
  })
})
