// Goal: servers that share a Redis are one server to clients and publishers: publish anywhere, be
// connected anywhere, resume anywhere. Method: three of the executable on a real redis-server, one
// process each and with workers.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { SECRET, tokenFor } from '../../../src/identity/token.fixture.ts'
import { BusCluster, publish } from '../../support/bus-cluster.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, run, serve } from '../../support/comet.ts'
import { folderOfTests, privateFile } from '../../support/folder.ts'
import { LOG_FORMATS, LogStream, type Told } from '../../support/log-stream.ts'
import { PROXIED_FORMATS, ProxiedStream } from '../../support/proxied-streams.ts'
import { get, RawClient } from '../../support/raw-client.ts'
import { HAS_REDIS, RedisServer } from '../../support/redis.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

const folder = folderOfTests()

async function subjectsOf(server: CometServer, user: string): Promise<unknown> {
  return ((await (await server.ask(`/users/${user}/subscriptions`)).json()) as { users: unknown })
    .users
}

const WORKERS = [[[]], [['--workers', '2']]]

describe.skipIf(!HAS_REDIS).each(WORKERS)('three nodes, %p', (args) => {
  let cluster: BusCluster

  beforeAll(async () => {
    cluster = await BusCluster.start({ args })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await noProcessIsLeft()
  })

  test.each(LOG_FORMATS)(
    'in %s a message of any kind reaches the streams of all',
    async (format) => {
      const [name, number] = [`amy-${format}`, 100 + LOG_FORMATS.indexOf(format)]
      await cluster.at(2).changeFollow('PUT', name, `news-${format}`)
      await cluster.at(0).changeFollow('PUT', String(number), `news-${format}`)
      const open = (at: number, user: string | number) =>
        LogStream.open(cluster.at(at), user, format)
      // One of each user on each node.
      const streams = await Promise.all(
        [0, 1, 2].flatMap((at) => [open(at, name), open(at, number)]),
      )
      const sent = [
        { to: name, body: 'to a name' },
        { to: number, body: 'to a number' },
        { subject: `news-${format}`, body: 'followed', event: 'news' },
        { subject: name, body: 'é€😀 and\na line' },
        { subject: number, data: { deep: [1, 'two', null] } },
        { to: '*', body: 'all' },
      ]
      const ids: string[] = []
      for (const [at, message] of sent.entries()) {
        ids.push((await publish(cluster.at(at % 3), message)).id)
      }
      expect(ids.toSorted()).toEqual(ids)
      for (const [at, stream] of streams.entries()) {
        await stream.has('all')
        const isFor = (message: (typeof sent)[number]) => {
          const target = message.to ?? message.subject
          return ['*', `news-${format}`, at % 2 === 0 ? name : number].includes(target as string)
        }
        // The plain format of events has neither targets nor JSON.
        const expected = sent.flatMap((message, n) => {
          if (!isFor(message)) return []
          const { event, body, data } = message
          const id = ids[n] as string
          const content = data === undefined ? { body } : { data }
          if (format !== 'sse') return { ...message, id, ...content }
          return { id, ...(event && { event }), body: body ?? JSON.stringify(data) }
        })
        const got = stream.told.filter(({ body, data }) => body !== undefined || data !== undefined)
        expect(got as unknown).toEqual(expected)
        stream.client.terminate()
      }
    },
  )

  test.each(PROXIED_FORMATS)(
    'a stream in %s gets what another node has published',
    async (format) => {
      const [first, second] = [crypto.randomUUID(), crypto.randomUUID()]
      using stream = await ProxiedStream.open({ port: cluster.at(1).publicPort }, format)
      await cluster.at(1).open(1)
      await publish(cluster.at(0), { to: 'alice', body: first })
      await stream.got(first)
      if (format === 'poll') return
      await publish(cluster.at(2), { subject: 'alice', body: second })
      await stream.got(second)
    },
  )

  test.each(LOG_FORMATS)('in %s a client resumes on another node', async (format) => {
    const [user, other] = [`bob-${format}`, `carol-${format}`]
    const own = `room:${format}`
    const query = `subjects=${own}`
    await cluster.at(0).changeFollow('PUT', user, `old-${format}`)
    let cursor: string
    {
      using stream = await LogStream.open(cluster.at(0), user, format, query)
      await publish(cluster.at(1), { to: user, body: 'had' })
      await stream.has('had')
      cursor = stream.cursor
    }
    const missed: string[] = []
    const say = async (when: string) => {
      for (const [at, subject] of [`old-${format}`, `new-${format}`, own].entries()) {
        await publish(cluster.at(at), { subject, body: `${subject} ${when}` })
      }
      await publish(cluster.at(0), { to: other, body: 'of another' })
    }
    const follows = async (subject: string, has: boolean) => {
      // A node that has not read the change yet would publish after it nevertheless.
      for (const node of cluster.all) {
        const look = async () => ((await subjectsOf(node, user)) as string[]).includes(subject)
        await waitFor('the change to arrive', async () => (await look()) === has)
      }
    }
    await say('first')
    missed.push(`old-${format} first`, `${own} first`)
    await cluster.at(2).changeFollow('PUT', user, `new-${format}`)
    await follows(`new-${format}`, true)
    await say('second')
    missed.push(`old-${format} second`, `new-${format} second`, `${own} second`)
    await cluster.at(1).changeFollow('DELETE', user, `old-${format}`)
    await follows(`old-${format}`, false)
    await say('third')
    missed.push(`new-${format} third`, `${own} third`)
    using again = await LogStream.open(cluster.at(1), user, format, `${query}&after=${cursor}`)
    const { id } = await publish(cluster.at(2), { to: user, body: 'live' })
    await again.has('live')
    expect([again.messages, again.gap]).toEqual([[...missed, 'live'], undefined])
    expect(again.told[0]).toEqual({ id: cursor })
    expect(again.cursor).toBe(id)
    // And once more, on a third one, which has the same numbers.
    using third = await LogStream.open(cluster.at(2), user, format, `${query}&after=${cursor}`)
    await third.has('live')
    expect(third.told).toEqual(again.told)
  })

  test('a change of subscriptions counts on its node at once, and soon on all', async () => {
    const user = 'dave'
    for (let at = 0; at < 3; at++) {
      await cluster.at(at).changeFollow('PUT', user, 'topic')
      expect(await subjectsOf(cluster.at(at), user)).toEqual(['topic'])
      for (const node of cluster.all) {
        await waitFor('it to follow', async () =>
          Bun.deepEquals(await subjectsOf(node, user), ['topic']),
        )
      }
      const streams = await Promise.all(
        cluster.all.map((node) => LogStream.open(node, user, 'json')),
      )
      await publish(cluster.at(at), { subject: 'topic', body: 'followed' })
      await Promise.all(streams.map((stream) => stream.has('followed')))
      await cluster.at(at).changeFollow('DELETE', user, 'topic')
      expect(await subjectsOf(cluster.at(at), user)).toEqual([])
      await publish(cluster.at(at), { subject: 'topic', body: 'not followed' })
      await publish(cluster.at(at), { to: user, body: 'end' })
      await Promise.all(streams.map((stream) => stream.has('end')))
      for (const stream of streams) expect(stream.messages).toEqual(['followed', 'end'])
      for (const stream of streams) stream.client.terminate()
    }
  })

  test('a message whose key was used on another node does not go out again', async () => {
    const streams = await Promise.all(
      cluster.all.map((node) => LogStream.open(node, 'eve', 'json')),
    )
    const message = { to: 'eve', body: 'once', key: 'order-1' }
    // All at the same moment, and each of them again.
    const answers = await Promise.all(
      [...cluster.all, ...cluster.all].map((at) => publish(at, message)),
    )
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
    const other = await cluster.at(1).ask('/messages', {
      method: 'POST',
      body: JSON.stringify({ ...message, body: 'another' }),
    })
    expect([other.status, await other.json()]).toMatchObject([
      409,
      { error: { code: 'key_conflict' } },
    ])
    await publish(cluster.at(2), { to: 'eve', body: 'end' })
    for (const stream of streams) {
      await stream.has('end')
      expect(stream.messages).toEqual(['once', 'end'])
      stream.client.terminate()
    }
  })

  test('what is asked of one node is answered for all of them', async () => {
    const streams = await Promise.all(
      cluster.all.map((node) => LogStream.open(node, 'zoe', 'json')),
    )
    const names = ['node-0', 'node-1', 'node-2']
    for (const node of cluster.all) {
      // A node that has just started may not know all others yet.
      await waitFor('all nodes to know each other', async () => {
        const { nodes } = (await (await node.ask('/stats?all')).json()) as {
          nodes: { name: string; stats: { streams: { open: number } } }[]
        }
        const opened = nodes.every(({ stats }) => stats.streams.open >= 1)
        return opened && Bun.deepEquals(nodes.map(({ name }) => name).toSorted(), names)
      })
      const presence = await (await node.ask('/users/zoe')).json()
      expect(presence).toMatchObject({ user: 'zoe', connections: 3 })
      expect(presence).not.toHaveProperty('missing')
      const request = { method: 'POST', body: JSON.stringify({ to: 'zoe', body: 'counted' }) }
      const answer = await (await node.ask('/messages?receipt=all', request)).json()
      expect(answer).toEqual({ delivered: 3, id: expect.any(String) })
      expect(await publish(node, { to: 'zoe', body: 'x' })).toMatchObject({ delivered: 1 })
    }
    for (const stream of streams) stream.client.terminate()
  })

  test('many messages in one request are in order for all', async () => {
    const streams = await Promise.all(cluster.all.map((node) => LogStream.open(node, 'mia', 'sse')))
    const bodies = Array.from({ length: 3_000 }, (_, at) => String(at))
    const body = bodies.map((text) => JSON.stringify({ to: 'mia', body: text })).join('\n')
    const headers = { 'content-type': 'application/x-ndjson' }
    const response = await cluster.at(0).ask('/messages', { method: 'POST', headers, body })
    expect(await response.json()).toMatchObject({ accepted: 3_000 })
    for (const stream of streams) {
      await stream.has('2999')
      expect(stream.messages).toEqual(bodies)
      stream.client.terminate()
    }
  })
})

describe.skipIf(!HAS_REDIS).each(WORKERS)('with tokens, %p', (args) => {
  let cluster: BusCluster

  beforeAll(async () => {
    const secret = privateFile(folder, SECRET)
    cluster = await BusCluster.start({ args: ['--jwt-secret-file', secret, ...args] })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await noProcessIsLeft()
  })

  /** A stream, or a refusal, whose head has come. */
  async function opened(at: number, path: string, fields = ''): Promise<RawClient> {
    const text = get(path).replace('\r\n\r\n', `\r\n${fields}\r\n`)
    const client = await RawClient.open(cluster.at(at).publicPort, text)
    await client.headed()
    return client
  }

  test('a ticket of one node opens one stream on another, once', async () => {
    const request = { method: 'POST', body: JSON.stringify({ user: 'alice' }) }
    const headers = { 'content-type': 'application/json' }
    const response = await cluster.at(0).ask('/tickets', { ...request, headers })
    expect(response.status).toBeLessThan(300)
    const { ticket } = (await response.json()) as { ticket: string }
    // At the same moment on all of them.
    const tries = await Promise.all([0, 1, 2].map((at) => opened(at, `/stream?ticket=${ticket}`)))
    const statuses = await Promise.all(tries.map(async (client) => (await client.headed()).status))
    expect(statuses.toSorted()).toEqual([200, 401, 401])
    const stream = tries[statuses.indexOf(200)] as RawClient
    await publish(cluster.at(1), { to: 'alice', body: 'by a ticket' })
    await stream.received('by a ticket')
    const late = await opened(2, `/stream?ticket=${ticket}`)
    expect((await late.headed()).status).toBe(401)
    for (const client of [...tries, late]) client.terminate()
  })

  test('DELETE /users/{id}/streams on one node ends those on all, and old tokens', async () => {
    const tokenOf = (user: string) => `Authorization: Bearer ${tokenFor(user)}\r\n`
    const old = tokenOf('bob')
    const streams = await Promise.all([0, 1, 2].map((at) => opened(at, '/stream?format=json', old)))
    const others = await Promise.all([0, 1, 2].map((at) => opened(at, '/stream', tokenOf('carol'))))
    await waitFor('all nodes to count them', async () => {
      const { connections } = (await (await cluster.at(0).ask('/users/bob')).json()) as {
        connections: number
      }
      return connections === 3
    })
    const ended = await cluster.at(1).ask('/users/bob/streams?note=bye', { method: 'DELETE' })
    expect(await ended.json()).toEqual({ ended: 3 })
    for (const stream of streams) {
      await stream.ended()
      expect(stream.text).toContain('{"end":"ended","note":"bye"}')
      expect(stream.ending).toBe('final')
    }
    for (let at = 0; at < 3; at++) {
      const again = await opened(at, '/stream', old)
      expect((await again.headed()).status).toBe(401)
      await again.ended()
      expect(again.text).toContain('token_revoked')
    }
    // A node that starts later knows it, too.
    await cluster.end(2, 'SIGKILL')
    await cluster.start(2)
    const late = await opened(2, '/stream', old)
    expect((await late.headed()).status).toBe(401)
    late.terminate()
    for (const other of others.slice(0, 2)) expect(other.end).toBeNull()
    for (const other of others) other.terminate()
  })
})

describe.skipIf(!HAS_REDIS)('one Redis', () => {
  test('servers of two prefixes share nothing', async () => {
    await using redis = await RedisServer.start({ hasOwnAddress: true })
    const open = (prefix: string) => serve(['--bus', redis.url, '--bus-prefix', prefix])
    await using one = await open('one:')
    await using other = await open('other:')
    await using beside = await open('other:')
    await one.changeFollow('PUT', 'alice', 'news')
    const streams: LogStream[] = []
    for (const server of [one, other, beside]) {
      streams.push(await LogStream.open(server, 'alice', 'json'))
    }
    const said = [
      [one, { to: 'alice', body: 'of one', key: 'k' }],
      [other, { to: 'alice', body: 'of another', key: 'k' }],
      [other, { subject: 'news', body: 'not followed' }],
      [one, { subject: 'news', body: 'followed' }],
      [one, { to: 'alice', body: 'end' }],
      [beside, { to: 'alice', body: 'end' }],
    ] as const
    for (const [server, message] of said) await publish(server, message)
    for (const stream of streams) await stream.has('end')
    expect(streams.map(({ messages }) => messages)).toEqual([
      ['of one', 'followed', 'end'],
      ['of another', 'end'],
      ['of another', 'end'],
    ])
    expect(await subjectsOf(beside, 'alice')).toEqual([])
    // An id of one log is none of another.
    const after = (streams[0] as LogStream).told.at(-1)?.id ?? ''
    using stream = await LogStream.open(other, 'alice', 'json', `after=${after}`)
    expect(stream.gap).toMatchObject({ after, reason: 'unknown' } satisfies Partial<Told['gap']>)
    for (const each of streams) each.client.terminate()
  })

  test('a password comes from a file', async () => {
    await using redis = await RedisServer.start({ password: 'correct-horse', hasOwnAddress: true })
    const file = privateFile(folder, 'correct-horse')
    await using server = await serve(['--bus', redis.url, '--bus-password-file', file])
    await publish(server, { to: 'alice', body: 'taken' })
  })

  test('a start without a Redis, or a password that it takes, ends soon and says why', async () => {
    await using redis = await RedisServer.start({ password: 'correct-horse', hasOwnAddress: true })
    const away = await RedisServer.start({ hasOwnAddress: true })
    await away.kill()
    const wrong = ['--bus-password-file', privateFile(folder, 'battery-staple')]
    const starts = await Promise.all([
      failing(['--bus', redis.url, ...wrong]),
      failing(['--bus', redis.url]),
      failing(['--bus', away.url]),
    ])
    for (const { exitCode, stderr, ms } of starts) {
      expect([exitCode, stderr]).toEqual([69, expect.stringMatching(/^comet serve: Redis at 127/)])
      expect(stderr).toContain(' cannot be used. ')
      expect(stderr).not.toMatch(/horse|battery/)
      expect(stderr.split('\n')).toHaveLength(2)
      expect(ms).toBeLessThan(13_000)
    }
    const [ofWrong, ofNone, ofAway] = starts.map(({ stderr }) => stderr)
    expect(ofWrong).toMatch(/password/i)
    expect(ofNone).toMatch(/password/i)
    expect(ofAway).toContain(new URL(away.url).host)
  })
})

/** A server that does not start, and how long that takes. */
async function failing(args: readonly string[]) {
  const startedMs = performance.now()
  const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0']
  const { exitCode, stderr } = await run(['serve', ...ports, ...args])
  return { exitCode, stderr, ms: performance.now() - startedMs }
}

test('help and config show the options of the bus, and config no password', async () => {
  const { stdout } = await run(['serve', '--help'])
  const names = [
    'bus',
    'bus-password-file',
    'bus-ca-file',
    'bus-prefix',
    'bus-required',
    'node-name',
  ]
  for (const name of names) expect(stdout).toContain(`  --${name} `)
  const env = {
    COMET_BUS: 'redis://cache.example:6380/2',
    COMET_NODE_NAME: 'eu-1',
    COMET_BUS_REQUIRED: 'true',
  }
  const config = await run(['config', 'serve'], { env })
  for (const value of ['cache.example:6380/2', 'eu-1', 'comet:'])
    expect(config.stdout).toContain(value)
  const refused = await run(['serve', '--bus', 'redis://comet:pass-word@cache.example'])
  expect([refused.exitCode, refused.stderr]).toEqual([
    2,
    expect.stringContaining('name its file with --bus-password-file'),
  ])
})
