// Goal: comet doctor --bus says whether nodes can share a Redis, and its exit code is true; what
// it cannot know it does not call fine. Method: run the executable against real servers of many
// kinds, and against what is none.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { RedisReport } from '../../../src/doctor/redis-report.ts'
import { makeCertificate } from '../../support/certificate.ts'
import { freePort, run } from '../../support/comet.ts'
import { folderOfTests, privateFile } from '../../support/folder.ts'
import { HAS_REDIS, RedisServer, type RedisServerOptions } from '../../support/redis.ts'

const folder = folderOfTests()

function doctor(url: string, ...args: readonly string[]) {
  return run(['doctor', '--bus', url, ...args])
}

interface Report {
  readonly exitCode: number | null
  readonly usable: boolean
  /** The finding of a name, which has to be there. */
  finding(name: string): RedisReport['findings'][number]
  /** Names of findings in a state, without those that depend on how busy this machine is. */
  in(state: string): string[]
}

async function reportOn(url: string, ...args: readonly string[]): Promise<Report> {
  const { exitCode, stdout, stderr } = await doctor(url, '--json', ...args)
  expect(stderr).toBe('')
  const report = JSON.parse(stdout) as RedisReport
  expect([...Value.Errors(RedisReport, report)]).toEqual([])
  return {
    exitCode,
    usable: report.usable,
    finding(name) {
      const found = report.findings.find((finding) => finding.name === name)
      if (found === undefined) throw new Error(`there is no ${name} in ${stdout}`)
      return found
    },
    in: (wanted) =>
      report.findings.flatMap(({ name, state }) =>
        state === wanted && name !== 'round trip' ? [name] : [],
      ),
  }
}

/** What is found in a server of these options. */
async function reportOf(options: RedisServerOptions): Promise<Report> {
  await using redis = await RedisServer.start(options)
  return await reportOn(redis.url)
}

describe.skipIf(!HAS_REDIS)('a Redis', () => {
  test('with a file of its commands, a password and a replica is as it should be', async () => {
    const password = 'topsecretword'
    await using redis = await RedisServer.start({ isDurable: true, password })
    await using replica = await RedisServer.start({ password, replicaOf: redis.port })
    await replica.followsMaster()
    const path = privateFile(folder, password)
    const report = await reportOn(redis.url, '--bus-password-file', path)
    expect([report.exitCode, report.usable]).toEqual([0, true])
    for (const state of ['wrong', 'advice', 'unknown']) expect(report.in(state)).toEqual([])
    expect(report.finding('login')).toMatchObject({ is: 'as default' })
    expect(report.finding('replicas')).toMatchObject({ is: '1, min-replicas-to-write 0' })

    const { exitCode, stdout, stderr } = await doctor(redis.url, '--bus-password-file', path)
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^ok {6}version +Redis 7\S+ {2}at least 7$/m)
    expect(stdout).toMatch(/^ok {6}appendfsync +always {2}everysec or always$/m)
    expect(stdout).toContain(
      `Nodes can share it: comet serve --bus ${redis.url}/0 --bus-password-file <file>\n`,
    )
    expect(stdout).not.toContain(password)
  })

  test.each([
    ['nothing is kept', [], 'off, no snapshots'],
    ['there are snapshots alone', ['save 3600 1'], 'off, snapshots only'],
  ])('where %s can be shared, and could be better', async (_, settings, is) => {
    const report = await reportOf({ settings })
    expect([report.exitCode, report.in('wrong'), report.in('unknown')]).toEqual([0, [], []])
    expect(report.in('advice')).toEqual(['append-only file'])
    expect(report.finding('append-only file')).toMatchObject({ is, shouldBe: 'on' })
  })

  test('that may remove keys cannot be shared, once it has a limit of memory', async () => {
    const policy = ['maxmemory-policy allkeys-lru']
    const limited = await reportOf({ settings: [...policy, 'maxmemory 1gb'] })
    expect([limited.exitCode, limited.in('wrong')]).toEqual([1, ['maxmemory-policy']])
    const unlimited = await reportOf({ settings: policy })
    expect(unlimited.exitCode).toBe(0)
    expect(unlimited.finding('maxmemory-policy')).toMatchObject({
      ...{ state: 'advice', is: 'allkeys-lru', shouldBe: 'noeviction' },
    })
  })

  test('needs memory for the messages that are kept', async () => {
    await using redis = await RedisServer.start({ settings: ['maxmemory 64mb'] })
    const { exitCode, stdout } = await doctor(redis.url)
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^WRONG {3}maxmemory +64.0 MiB {2}at least 9\d.\d MiB$/m)
    expect(stdout).toMatch(
      /^ {2}maxmemory: a maxmemory of .* MiB or more, or a smaller --history$/m,
    )
    expect((await reportOn(redis.url, '--history', '16MiB')).exitCode).toBe(0)
  })

  test('that has the messages already does not need memory for them again', async () => {
    await using redis = await RedisServer.start({ settings: ['maxmemory 20mb'] })
    const fill = "for _ = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'm', ARGV[2]) end"
    await redis.command('EVAL', fill, '1', 'comet:log', '12000', 'x'.repeat(1_000))
    const args = ['--history', '10MiB']
    expect((await reportOn(redis.url, ...args)).finding('maxmemory')).toMatchObject({ state: 'ok' })
    const elsewhere = await reportOn(redis.url, ...args, '--bus-prefix', 'other:')
    expect(elsewhere.finding('maxmemory')).toMatchObject({ state: 'wrong' })
  })

  test('that is a replica is not used, and its master is named', async () => {
    await using master = await RedisServer.start()
    await using replica = await RedisServer.start({ replicaOf: master.port })
    await replica.followsMaster()
    const report = await reportOn(replica.url)
    expect([report.exitCode, report.in('wrong')]).toEqual([1, ['role']])
    expect(report.finding('role')).toMatchObject({
      is: `replica of 127.0.0.1:${master.port}`,
      cure: `give its master in --bus, redis://127.0.0.1:${master.port}`,
    })
  })

  test('in cluster mode is not used', async () => {
    const report = await reportOf({
      settings: ['cluster-enabled yes', `cluster-port ${freePort()}`],
    })
    expect(report.exitCode).toBe(1)
    expect(report.in('wrong')).toContain('cluster mode')
  })

  test('that refuses writes for want of a replica is not used', async () => {
    const report = await reportOf({ settings: ['min-replicas-to-write 1'] })
    expect([report.exitCode, report.in('wrong')]).toEqual([1, ['writes', 'replicas']])
    expect(report.finding('writes')).toMatchObject({ is: 'refused, NOREPLICAS' })
  })

  test('that cuts slow readers could be better', async () => {
    const limit = 'client-output-buffer-limit normal 10mb 0 0'
    const report = await reportOf({ isDurable: true, settings: [limit] })
    expect([report.exitCode, report.in('advice')]).toEqual([0, ['client-output-buffer-limit']])
  })

  test('that does not say how it is set is not called fine for that', async () => {
    const settings = ['rename-command CONFIG ""']
    await using redis = await RedisServer.start({ isDurable: true, settings })
    const report = await reportOn(redis.url)
    expect([report.exitCode, report.in('wrong'), report.in('advice')]).toEqual([0, [], []])
    const unknown = ['appendfsync', 'client-output-buffer-limit']
    expect(report.in('unknown')).toEqual(unknown)
    expect((await doctor(redis.url)).stdout).toContain(
      `It does not say, and has to be looked up: ${unknown.join(', ')}.`,
    )
  })

  test('keeps nothing of it', async () => {
    await using redis = await RedisServer.start()
    const report = await reportOn(redis.url, '--bus-prefix', 'staging:')
    expect(report.in('wrong')).toEqual([])
    expect(await redis.command('KEYS', '*')).toEqual([])
  })
})

describe.skipIf(!HAS_REDIS)('a user of Redis', () => {
  const password = 'topsecretword'

  test.each([
    ['no password', [], 'it asks for a password'],
    ['a wrong one', ['wrong'], 'refused, WRONGPASS'],
  ])('with %s is not let in', async (_, given, is) => {
    await using redis = await RedisServer.start({ password })
    const paths = given.map((text) => privateFile(folder, text))
    const args = paths.flatMap((path) => ['--bus-password-file', path])
    const report = await reportOn(redis.url, ...args)
    expect([report.exitCode, report.in('wrong')]).toEqual([1, ['login']])
    expect(report.finding('login')).toMatchObject({ is, state: 'wrong' })
    expect(report.in('ok')).toEqual(['connection', 'TLS', 'protocol'])
  })

  /** What is found for a user with these rules besides. */
  async function userReport(redis: RedisServer, rules: readonly string[], prefix = 'comet:') {
    await redis.command('ACL', 'SETUSER', 'comet', 'reset', 'on', `>${password}`, ...rules)
    const url = redis.url.replace('//', '//comet@')
    const path = privateFile(folder, password)
    return await reportOn(url, '--bus-password-file', path, '--bus-prefix', prefix)
  }

  test('without rights is told what to type, and that is enough', async () => {
    await using redis = await RedisServer.start({ isDurable: true })
    const none = await userReport(redis, [])
    expect([none.exitCode, none.in('wrong')]).toEqual([1, ['rights of the user']])
    expect(none.finding('login').is).toBe('as comet, others without a password')
    const { is, cure } = none.finding('rights of the user')
    expect(is).toBe('not info')
    const rules = String(cure).match(/'[^']+'/g) ?? []
    expect(cure).toBe(`redis-cli ACL SETUSER comet ${rules.join(' ')}`)
    const enough = await userReport(
      redis,
      rules.map((rule) => rule.slice(1, -1)),
    )
    expect([enough.exitCode, enough.in('wrong')]).toEqual([0, []])
    // Settings are for administrators.
    expect(enough.in('unknown')).toContain('appendfsync')
  })

  test('is told which rights are missing, of commands and of keys', async () => {
    await using redis = await RedisServer.start()
    const some = await userReport(redis, ['~comet:*', '+@all', '-xadd', '-script|load'])
    expect(some.in('wrong')).toEqual(['rights of the user'])
    expect(some.finding('rights of the user').is).toBe('not xadd, script|load')
    const elsewhere = await userReport(redis, ['~comet:*', '+@all'], 'staging:')
    expect([elsewhere.exitCode, elsewhere.in('wrong')]).toEqual([1, ['rights of the user']])
    expect(elsewhere.finding('rights of the user').is).toBe('not keys staging:*')
    expect(elsewhere.finding('writes').state).toBe('unknown')
  })
})

describe.skipIf(!HAS_REDIS)('TLS', () => {
  test('is checked by the certificate that is given', async () => {
    const [tls, other] = [
      await makeCertificate(folder, 'redis'),
      await makeCertificate(folder, 'other'),
    ]
    await using redis = await RedisServer.start({ isDurable: true, tls })
    const url = `rediss://127.0.0.1:${redis.tlsPort}`
    const trusted = await reportOn(url, '--bus-ca-file', tls.cert)
    expect([trusted.exitCode, trusted.finding('TLS').is]).toEqual([0, 'yes'])
    for (const args of [[], ['--bus-ca-file', other.cert]]) {
      const report = await reportOn(url, ...args)
      expect([report.exitCode, report.in('wrong')]).toEqual([1, ['TLS']])
      expect(report.finding('TLS').is).toBe('signed by nobody who is trusted here')
    }
  })

  test('where there is none is said, and so is none where it is asked for', async () => {
    const tls = await makeCertificate(folder, 'redis')
    await using redis = await RedisServer.start({ tls, password: 'topsecretword' })
    const clear = await reportOn(`rediss://127.0.0.1:${redis.port}`)
    expect([clear.exitCode, clear.in('wrong')]).toEqual([1, ['TLS']])
    expect(clear.finding('TLS').cure).toBe('give the port of TLS, or redis:// for none')
    const hidden = await reportOn(`redis://127.0.0.1:${redis.tlsPort}`)
    expect([hidden.exitCode, hidden.in('wrong')]).toEqual([1, ['protocol']])
    expect(hidden.finding('protocol').cure).toBe('if it has TLS, give rediss://')
  })
})

describe('what is no Redis', () => {
  test('because nobody is there, has one finding and exit code 1', async () => {
    const { exitCode, stdout, stderr } = await doctor(`redis://127.0.0.1:${freePort()}`)
    expect([exitCode, stderr]).toEqual([1, ''])
    expect(stdout).toMatch(/^WRONG {3}connection {2}nothing listens there {2}open$/m)
    expect(stdout).toContain('Nodes cannot share it unless this is changed:')
  })

  test('because there is no such host', async () => {
    const report = await reportOn('redis://no-such-host.invalid')
    expect([report.exitCode, report.finding('connection').is]).toEqual([1, 'no such host'])
  })

  test('but a web server, is told apart', async () => {
    using web = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('hello') })
    const report = await reportOn(`redis://127.0.0.1:${web.port}`)
    expect([report.exitCode, report.in('wrong')]).toEqual([1, ['protocol']])
    expect(report.finding('protocol').is).toBe('something else')
  })

  test('but a server that says nothing, is given up', async () => {
    using silent = Bun.listen({
      ...{ port: 0, hostname: '127.0.0.1' },
      socket: { data: () => undefined },
    })
    const report = await reportOn(`redis://127.0.0.1:${silent.port}`)
    expect([report.exitCode, report.finding('protocol').is]).toEqual([1, 'no answer in 3000 ms'])
  })
})

describe('options that are invalid', () => {
  test.each([
    [['--bus', 'localhost'], 'a URL like redis://cache.example:6379/0'],
    [['--bus', 'redis://localhost', '--connections', '5'], 'give --bus or --connections, not both'],
    [['--bus', 'redis://localhost', '--sysctl'], 'give --bus or --sysctl, not both'],
    [['--bus-password-file', 'file'], '--bus-password-file requires --bus'],
    [['--history', '1MiB'], '--history requires --bus'],
    [['--bus', 'redis://comet@localhost'], 'whose password --bus-password-file names'],
    [['--bus', 'redis://localhost', '--bus-ca-file', 'file'], '--bus-ca-file is for TLS'],
    [['--bus', 'redis://localhost', '--bus-password-file', '/nonexistent'], 'is not there'],
  ])('%p are refused in one line', async (args, text) => {
    const { exitCode, stdout, stderr } = await run(['doctor', ...args])
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(text)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  test('a password in the address is refused, and is in no message', async () => {
    for (const url of ['redis://:topsecret@localhost', 'redis://comet:top@secret@localhost']) {
      const { exitCode, stdout, stderr } = await doctor(url)
      expect([exitCode, stdout]).toEqual([2, ''])
      expect(stderr).toContain('name its file with --bus-password-file')
      expect(stderr).not.toMatch(/top|secret/)
    }
  })
})

test('the help shows the options of a Redis', async () => {
  const { exitCode, stdout } = await run(['doctor', '--help'])
  expect(exitCode).toBe(0)
  const options = [
    '--bus <url>',
    '--bus-password-file',
    '--bus-ca-file',
    '--bus-prefix',
    '--history',
  ]
  for (const option of options) expect(stdout).toContain(option)
})
