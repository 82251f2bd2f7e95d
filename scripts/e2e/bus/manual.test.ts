// Goal: every command of the manual page about several machines does what it says there, and what
// the page says of an absent Redis, of limits and of failover is so. Method: the marked blocks,
// with free ports in place of other machines, run by a shell.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import { busLimits, nodeLimits } from '../../../src/core/bus-limits.ts'
import { sharedFeedLimits } from '../../../src/core/feed-limits.ts'
import { formatCount } from '../../../src/core/units.ts'
import { makeCertificate } from '../../support/certificate.ts'
import { ChildProcess, waitFor } from '../../support/child-process.ts'
import { ask, COMET, type CometServer, freePort, serve } from '../../support/comet.ts'
import { documentedCommands } from '../../support/documented-commands.ts'
import { FeedClient } from '../../support/feed-client.ts'
import { folderOfTests } from '../../support/folder.ts'
import { withoutIds } from '../../support/ids.ts'
import { hasProxy } from '../../support/proxies.ts'
import { RawClient } from '../../support/raw-client.ts'
import { HAS_REDIS, RedisServer } from '../../support/redis.ts'

const PAGE = `${import.meta.dir}/../../../src/manual/several-machines.md`
const page = await Bun.file(PAGE).text()

const PATH = `${process.env['PATH']}:/usr/sbin`
const HAS_CURL = Bun.which('curl') !== null
const ANY_PORTS = ['--listen 127.0.0.1:0', '--control 127.0.0.1:0'].join(' ')

const folder = folderOfTests()

type Pairs = readonly (readonly [from: string, to: string])[]

/** The lines of a block, with these changes, of which each is of something that is there. */
function linesOf(name: string, pairs: Pairs): string[] {
  const lines = documentedCommands(page, name).map(({ line }) => line)
  const text = pairs.reduce((whole, [from, to]) => {
    if (!whole.includes(from)) throw new Error(`there is no ${from} in ${whole}`)
    return whole.replaceAll(from, to)
  }, lines.join('\n'))
  if (text === '') throw new Error(`there is no block ${name}`)
  return text.split('\n')
}

function shell(line: string): ChildProcess {
  const options = { name: line, cwd: folder, env: { PATH: `${folder}:${PATH}` } }
  return new ChildProcess(['bash', '-c', `exec ${line}`], options)
}

/** A node that was started by a line; both of its ports. */
async function portsOf(node: ChildProcess): Promise<{ publicUrl: string; controlUrl: string }> {
  await node.logged('"event":"listening"')
  const [, publicUrl = '', controlUrl = ''] =
    /"public":"([^"]*)","control":"([^"]*)"/.exec(node.stderr) ?? []
  return { publicUrl, controlUrl }
}

async function namesOf(controlUrl: string): Promise<string[]> {
  const stats = await (await ask(controlUrl, '/stats?all')).json()
  return (stats as { nodes: { name: string }[] }).nodes.map(({ name }) => name).sort()
}

async function answer(request: Promise<Response>) {
  const response = await request
  return { status: response.status, headers: response.headers, body: await response.text() }
}

beforeAll(async () => {
  await Bun.$`ln -s ${COMET} ${folder}/comet`
})

test('the page is short', () => {
  expect(Buffer.byteLength(page)).toBeLessThanOrEqual(8 * 1024)
})

test('the limits that the page names are those of the program', () => {
  const { waitMsMax, queueBytesMax, queueMessagesMax, recentBytesMax, startMsMax } = busLimits
  const seconds = (ms: number) => `${ms / 1_000} s`
  const mebibytes = (bytes: number) => `${bytes / 2 ** 20} MiB`
  const count = formatCount(queueMessagesMax)
  const text = page.replaceAll(/\s+/g, ' ')
  for (const claim of [
    `wait up to ${seconds(waitMsMax)}, in a queue of ${mebibytes(queueBytesMax)} or ${count} messages`,
    `within ${seconds(startMsMax)} of its start`,
    `(the last ${mebibytes(recentBytesMax)})`,
    `do not answer within ${nodeLimits.answerMs} ms`,
    `counts all, after ${nodeLimits.receiptMs} ms at most`,
    `${sharedFeedLimits.eventBytes} bytes each`,
  ]) {
    expect(text).toContain(claim)
  }
})

test('every option that the page names is one of its command', async () => {
  const commands = ['serve', 'doctor', 'friends load', 'friends export', 'listen']
  const texts = await Promise.all(
    commands.map((name) => Bun.$`${COMET} ${name.split(' ')} --help`.text()),
  )
  const own = page.replaceAll(/^redis-server .*$/gm, '')
  const named = new Set([...own.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([option]) => option))
  const known = new Set(texts.join('\n').match(/--[a-z][a-z-]+/g))
  expect([...named].filter((option) => !known.has(option))).toEqual([])
})

describe.skipIf(!HAS_REDIS)('the commands of the page', () => {
  const port = freePort()
  const redisUrl = `redis://127.0.0.1:${port}`
  const ADDRESS = ['redis://10.0.0.5', redisUrl] as const
  let redis: ChildProcess

  beforeAll(async () => {
    const [line] = linesOf('redis', [])
    redis = shell(`${line} --port ${port} --bind 127.0.0.1 --dir ${folder} --save ""`)
    const isReady = (text: string) => text.includes('Ready to accept') || undefined
    await redis.line('it accepts connections', isReady, 20_000)
  })

  afterAll(() => redis[Symbol.asyncDispose]())

  test('let doctor find nothing wrong in that Redis', async () => {
    const [line = ''] = linesOf('check', [ADDRESS])
    const { stdout, exitCode } = await shell(line).finished
    expect(stdout).not.toMatch(/^(WRONG|advice) {2}(?!.*round trip)/m)
    expect([exitCode, stdout.includes('Nodes can share it')]).toEqual([0, true])
  })

  test.skipIf(!HAS_CURL)('start two nodes, and one has what the other publishes', async () => {
    const [first = '', second = ''] = linesOf('nodes', [
      ADDRESS,
      ['--listen 0.0.0.0:8000', ANY_PORTS],
    ])
    await using one = shell(first)
    await using two = shell(second)
    const [left, right] = [await portsOf(one), await portsOf(two)]
    await waitFor('both to be there', async () => (await namesOf(left.controlUrl)).length === 2)
    expect(await namesOf(right.controlUrl)).toEqual(['one', 'two'])
    const [listen = '', publish = ''] = linesOf('use', [
      ['http://10.0.0.12:8000', right.publicUrl],
      ['http://127.0.0.1:8001', left.controlUrl],
    ])
    await using listening = shell(listen)
    await waitFor('the stream to be there', async () => {
      const presence = await (await ask(left.controlUrl, '/users/alice')).json()
      return (presence as { connections: number }).connections === 1
    })
    const { stdout } = await shell(publish).finished
    const [, expected] = documentedCommands(page, 'use').map((command) => command.expected)
    expect(withoutIds(stdout)).toBe(withoutIds(expected))
    await waitFor('the message', () => listening.stdout === 'Hello\n')
  })

  test('copy who follows whom, and write no database', async () => {
    const pairs = '1 2\n1 room:42\nalice 7\n'
    await Bun.write(`${folder}/pairs`, pairs)
    await Bun.$`${COMET} friends load pairs --names --db comet.db`.cwd(folder).quiet()
    const [line = ''] = linesOf('move', [ADDRESS])
    expect((await shell(`bash -c '${line}'`).finished).stdout).toStartWith('3 subscriptions added')
    const args = ['--bus', redisUrl, '--db', `${folder}/unused.db`]
    await using node = await serve(args)
    const { next: _, ...follows } = (await (
      await node.ask('/users/1/subscriptions')
    ).json()) as Record<string, unknown>
    expect(Object.values(follows)).toEqual([[2, 'room:42']])
    expect(await Bun.file(`${folder}/unused.db`).exists()).toBe(false)
    const back = await Bun.$`${COMET} friends export --bus ${redisUrl}`.text()
    expect(back.split('\n').sort()).toEqual(pairs.split('\n').sort())
  })

  test('connect over TLS as a user of its own, with the rights that doctor prints', async () => {
    const { cert, key } = await makeCertificate(folder, 'ca')
    await using safe = await RedisServer.start({ tls: { cert, key } })
    await safe.command('ACL', 'SETUSER', 'comet', 'reset', 'on', '>secret')
    await Bun.write(`${folder}/redis-password`, 'secret\n')
    await chmod(`${folder}/redis-password`, 0o400)
    const address = ['cache.example', `localhost:${safe.tlsPort}`] as const
    const [line = ''] = linesOf('tls', [address])
    const doctor = await shell(line.replace('comet serve', 'comet doctor')).finished
    const [, rule = ''] = /redis-cli (ACL SETUSER .*)/.exec(doctor.stdout) ?? []
    const [command = '', ...args] = rule.replaceAll("'", '').split(' ')
    await safe.command(command, ...args)
    await using node = shell(`${line} ${ANY_PORTS}`)
    const { controlUrl } = await portsOf(node)
    const post = (path: string, body: string) => ask(controlUrl, path, { method: 'POST', body })
    const put = (path: string) => ask(controlUrl, path, { method: 'PUT' })
    const statuses = [
      await post('/users/alice', 'Hello'),
      await put('/users/alice/subscriptions/room:42'),
      await ask(controlUrl, '/users/alice/subscriptions/room:42', { method: 'DELETE' }),
      await ask(controlUrl, '/users/alice/streams', { method: 'DELETE' }),
    ].map(({ status }) => status)
    expect(statuses).toEqual([200, 200, 200, 200])
  })
})

/** Two nodes of one Redis. */
async function two(redis: RedisServer, args: readonly string[] = []) {
  const node = (name: string) => serve(['--bus', redis.url, '--node-name', name, ...args])
  const [one, other] = await Promise.all([node('one'), node('two')])
  await waitFor('both to be there', async () => (await namesOf(one.controlUrl)).length === 2)
  return { one, other }
}

function publish(server: CometServer, body: string, key: string) {
  const headers = { 'idempotency-key': key }
  return answer(server.ask('/users/alice', { method: 'POST', body, headers }))
}

describe.skipIf(!HAS_REDIS)('while Redis is away', () => {
  test('streams stay and begin, publishers wait and are told, and what has a key goes out once', async () => {
    await using redis = await RedisServer.start({ isDurable: true })
    const { one, other } = await two(redis)
    await using _one = one
    await using _other = other
    await using required = await serve(['--bus', redis.url, '--bus-required'])
    await using stream = await RawClient.request(other.publicPort, 'GET /stream/alice HTTP/1.1')
    expect((await publish(one, 'before', 'a')).status).toBe(200)
    const id = /"id":"([0-9a-f-]+)","to"/.exec(await stream.received('before'))?.[1] ?? ''
    redis.pause()
    const sent = publish(one, 'sent', 'b')
    await one.logged('"event":"bus_lost"')
    const kept = publish(one, 'kept', 'c')
    await required.logged('"event":"bus_lost"')
    await waitFor('it not to be ready', async () => (await required.ask('/readyz')).status === 503)
    await waitFor('it to say so to proxies', async () => {
      return (await fetch(`${required.publicUrl}/health`)).status === 503
    })
    expect((await one.ask('/readyz')).status).toBe(200)
    expect((await fetch(`${one.publicUrl}/health`)).status).toBe(200)
    const line = `GET /stream/alice?after=${id} HTTP/1.1`
    await using late = await RawClient.request(other.publicPort, line)
    await late.received(`{"id":"${id}"}`)
    const unknown = await sent
    expect([unknown.status, unknown.body]).toEqual([
      504,
      expect.stringContaining('"outcome_unknown"'),
    ])
    const refused = await kept
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    expect(refused.body).toContain('"bus_unavailable"')
    redis.resume()
    await one.logged('Connected to', 20_000)
    for (const [body, key] of [
      ['sent', 'b'],
      ['kept', 'c'],
    ] as const) {
      const again = async () => (await publish(one, body, key)).status === 200
      await waitFor('it to be taken', again)
    }
    for (const client of [stream, late]) {
      const text = await client.received('"body":"kept"')
      expect(text.match(/"body":"\w+"/g)?.slice(-2)).toEqual(['"body":"sent"', '"body":"kept"'])
      expect(text).not.toContain('"gap"')
    }
    expect(one.timesLogged('bus_lost')).toBe(1)
  }, 60_000)

  test('a node that starts gives up after ten seconds, with 69', async () => {
    const started = performance.now()
    const url = `redis://127.0.0.1:${freePort()}`
    const line = `comet serve --bus ${url} ${ANY_PORTS}`
    expect((await shell(line).finished).exitCode).toBe(69)
    expect(performance.now() - started).toBeGreaterThan(9_500)
  }, 30_000)
})

describe.skipIf(!HAS_REDIS)('two nodes', () => {
  test('have two connections each, and two more for readers of the feed of one', async () => {
    await using redis = await RedisServer.start()
    const clients = async () => Number(await redis.info('connected_clients'))
    const before = await clients()
    const { one, other } = await two(redis)
    await using _one = one
    await using _other = other
    await waitFor('two for each', async () => (await clients()) === before + 4)
    using _first = await FeedClient.open(one)
    using _second = await FeedClient.open(one)
    await waitFor('two for both readers', async () => (await clients()) === before + 6)
    await one.publish({ to: 1, body: 'a' })
    expect(await clients()).toBe(before + 6)
  })

  test('keep their messages when Redis has no file and restarts, and lose who follows whom', async () => {
    await using redis = await RedisServer.start()
    const { one, other } = await two(redis)
    await using _one = one
    await using _other = other
    await using early = await RawClient.request(other.publicPort, 'GET /stream/alice HTTP/1.1')
    const id = /"id":"([0-9a-f-]+)"/.exec(await early.received('"id"'))?.[1] ?? ''
    await one.changeFollow('PUT', 'alice', 7)
    await publish(one, 'kept', 'a')
    await early.received('kept')
    const followed = async () => (await other.ask('/users/alice/subscriptions')).text()
    expect(await followed()).toContain('[7]')
    await redis.restart()
    await waitFor('what is followed to be read again', async () => {
      return (await followed()).includes('[]')
    })
    expect((await publish(one, 'later', 'b')).status).toBe(200)
    await early.received('later')
    for (const node of [one, other]) {
      const line = `GET /stream/alice?after=${id} HTTP/1.1`
      await using back = await RawClient.request(node.publicPort, line)
      const text = await back.received('"body":"later"')
      expect(text.match(/"body":"\w+"/g)).toEqual(['"body":"kept"', '"body":"later"'])
      expect(text).not.toContain('"gap"')
    }
  })

  test('name the one that does not answer, and limit streams each for itself', async () => {
    await using redis = await RedisServer.start()
    const { one, other } = await two(redis, ['--max-streams-per-address', '1'])
    await using _one = one
    await using _other = other
    await using _left = await RawClient.stream(one.publicPort, 7)
    await using _right = await RawClient.stream(other.publicPort, 7)
    const refusal = await fetch(`${one.publicUrl}/test/7`)
    expect(refusal.status).toBe(429)
    other.kill('SIGSTOP')
    const missing = { missing: ['two'] }
    const method = 'POST'
    const published = await one.ask('/users/7?receipt=all', { method, body: 'Hello' })
    expect(await published.json()).toMatchObject({ delivered: 1, ...missing })
    expect(await (await one.ask('/users/7')).json()).toMatchObject({ connections: 1, ...missing })
    expect(await (await one.ask('/stats?all')).json()).toMatchObject(missing)
    const ended = await one.ask('/users/7/streams', { method: 'DELETE' })
    expect(await ended.json()).toEqual({ ended: 1, ...missing })
    other.kill('SIGCONT')
    await other.open(0)
  })
})

describe.skipIf(!HAS_REDIS || !hasProxy('haproxy'))('HAProxy in front of Redis', () => {
  test('leads to the replica that becomes the master', async () => {
    await using master = await RedisServer.start()
    await using replica = await RedisServer.start({ replicaOf: master.port })
    await replica.followsMaster()
    const [, config = ''] = /^```haproxy\n([\s\S]*?)^```$/m.exec(page) ?? []
    const port = freePort()
    const site = config
      .replace('127.0.0.1:6379', `127.0.0.1:${port}`)
      .replace('10.0.0.5:6379', `127.0.0.1:${master.port}`)
      .replace('10.0.0.6:6379', `127.0.0.1:${replica.port}`)
    expect(site).not.toMatch(/10\.0|6379/)
    const timeouts = ['connect', 'client', 'server'].map((of) => `\ttimeout ${of} 50s\n`)
    await Bun.write(`${folder}/haproxy.cfg`, `defaults\n${timeouts.join('')}\n${site}`)
    await using _proxy = shell(`haproxy -W -db -f ${folder}/haproxy.cfg`)
    await using node = await serve(['--bus', `redis://127.0.0.1:${port}`])
    await using stream = await RawClient.request(node.publicPort, 'GET /stream/alice HTTP/1.1')
    expect((await publish(node, 'before', 'a')).status).toBe(200)
    await stream.received('before')
    await master.kill()
    await replica.command('REPLICAOF', 'NO', 'ONE')
    expect((await publish(node, 'after', 'b')).status).toBe(200)
    expect(await stream.received('after')).not.toContain('"gap"')
  }, 60_000)
})
