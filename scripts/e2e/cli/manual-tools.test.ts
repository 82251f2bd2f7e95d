// Goal: every example of the manual about the tools, Erlang and Redis does what its page says.
// Method: as manual.test.ts. What would take long, or another server, is run in small; or its
// options are read by `comet config`.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { COMET, type CometServer, serve } from '../../support/comet.ts'
import { ANY_PLACES, commandsOf, DocumentedShell, linesOf } from '../../support/documented-shell.ts'
import { COOKIE, Erlang, MASTER, withErlang } from '../../support/erlang.ts'
import { folderOfTests } from '../../support/folder.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'
import { HAS_REDIS, RedisServer } from '../../support/redis.ts'

const folder = folderOfTests()
let server: CometServer
let shell: DocumentedShell

beforeAll(async () => {
  server = await serve()
  shell = await DocumentedShell.open(folder, server)
})

afterAll(() => server[Symbol.asyncDispose]())

/** Starts the first line, the second once so many streams are open, and awaits both. */
async function runBoth(page: string, name: string, streams: number, more = '') {
  const [first = '', second = ''] = await linesOf(page, name)
  await using flooding = shell.start(first)
  await server.open(streams)
  const generated = await shell.start(second.replace('comet gen', `comet gen ${more}`)).finished
  const flooded = await flooding.finished
  await server.open(0)
  return { flooded, generated }
}

describe('load-testing', () => {
  test.each([
    ['load-testing', 'flood'],
    ['capacity', 'own'],
  ])('a flood gets what the generator sends: %s %s', async (page, name) => {
    const { flooded, generated } = await runBoth(page, name, 100)
    expect(flooded.stdout).toContain('0 duplicated, 0 out of order')
    expect([generated.exitCode, flooded.exitCode]).toEqual([0, 0])
  })

  test.each([
    ['load-testing', 'expect'],
    ['generator', 'names'],
  ])('it compares as the page says: %s %s', async (page, name) => {
    const { flooded } = await runBoth(page, name, 1_000)
    expect(flooded.stdout).toContain('promised  2,000 deliveries, 0 lost, 0 more than promised')
    expect(flooded.exitCode).toBe(0)
  })

  test('streams resume, and nothing is missed', async () => {
    // The page's flood has a stream for each user that the generator sends to by default.
    const { flooded, generated } = await runBoth('load-testing', 'resume', 100, '--users 100')
    expect([generated.exitCode, flooded.exitCode, flooded.stderr]).toEqual([0, 0, ''])
  })

  test.each([
    ['load-testing', 'storm'],
    ['capacity', 'storm'],
  ])('a storm comes back: %s %s', async (page, name) => {
    for (const line of await linesOf(page, name)) {
      const { exitCode, stdout } = await shell.start(line).finished
      expect(stdout).toContain('caught up')
      expect(exitCode).toBe(0)
    }
    await server.open(0)
  })
})

describe('generator', () => {
  test('it sends as many as it says', async () => {
    for (const { line } of await commandsOf('generator', 'gen')) {
      const { exitCode, stdout } = await shell.start(line).finished
      expect(stdout).toContain('2,000 messages in 2.0 s')
      expect(exitCode).toBe(0)
    }
  })

  test('it posts to another server', async () => {
    const paths = new Set<string>()
    using other = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request) => {
        paths.add(new URL(request.url).pathname.replace(/\d+$/, ''))
        return Response.json({ subscribers: 0 })
      },
    })
    const [line = ''] = await linesOf('generator', 'post')
    const { exitCode } = await shell.start(line, [['127.0.0.1:8080', `127.0.0.1:${other.port}`]])
      .finished
    expect([exitCode, [...paths]]).toEqual([0, ['/pub/']])
  })
})

test.each([
  ['generator', 'find'],
  ['doctor', 'bus'],
])('the options are those of the command: %s %s', async (page, name) => {
  await Bun.write(`${folder}/redis-password`, 'secret')
  for (const line of await linesOf(page, name)) {
    const shown = line
      .replace(/^comet (gen|doctor)/, 'comet config $1')
      .replace('/etc/comet/redis', `${folder}/redis-password`)
    const { exitCode, stderr } = await shell.start(shown).finished
    expect([line, exitCode, stderr]).toEqual([line, 0, ''])
  }
})

test('the friends commands do what the page says', async () => {
  for (const line of await linesOf('friends', 'friends')) {
    const { exitCode, stderr } = await shell.start(line).finished
    expect([exitCode, stderr]).toEqual([0, ''])
  }
  const stats = await Bun.$`${COMET} friends stats --db ${folder}/comet.db`.text()
  expect(stats).toContain('14,880 subscriptions')
  expect(await Bun.file(`${folder}/followers.svg`).text()).toStartWith('<svg')
})

test.skipIf(!HAS_REDIS)('a pipe moves a graph into Redis, and export reads it', async () => {
  await using redis = await RedisServer.start()
  await Bun.write(`${folder}/few`, '1 2\nalice 7\n')
  await Bun.$`rm -f comet.db && ${COMET} friends load few --names --db comet.db`.cwd(folder).quiet()
  for (const line of await linesOf('friends', 'redis')) {
    const done = await shell.start(line, [['redis://cache.example', redis.url]]).finished
    expect([line, done.exitCode]).toEqual([line, 0])
  }
  const exported = await Bun.file(`${folder}/friends.txt`).text()
  expect(exported.trim().split('\n').sort()).toEqual(['1 2', 'alice 7'])
})

test('the doctor does what the page says', async () => {
  for (const { line } of await commandsOf('doctor', 'doctor')) {
    const { exitCode, stdout } = await shell.start(line).finished
    expect(stdout).toContain('100')
    expect([line, exitCode]).toEqual([line, 0])
  }
})

withErlang('the Erlang shell says what the page says', async () => {
  const [node, comet, ...expressions] = await commandsOf('erlang', 'erlang')
  expect(node?.line).toBe(`erl -sname ${MASTER} -setcookie ${COOKIE}`)
  await using erlang = await Erlang.start()
  await using running = await erlang.node()
  const line = `env ERL_EPMD_PORT=${erlang.env['ERL_EPMD_PORT']} ${comet?.line} ${ANY_PLACES}`
  await using started = shell.start(`exec ${line}`)
  const [, port] = await waitFor('the server to listen', () => {
    return /"event":"listening".*"public":"http:\/\/0?[^:]*:(\d+)"/.exec(started.stderr) ?? false
  })
  await waitFor('the connection', async () => (await running.run('nodes(hidden).')) !== '[]')
  await using client = await RawClient.stream(Number(port), 123)
  expect(expressions.length).toBeGreaterThan(4)
  for (const { line, expected } of expressions) {
    expect([line, await running.run(line)]).toEqual([line, String(expected)])
  }
  expect(await client.received('one')).toEndWith(
    ['Hello', 'to all who follow', 'one'].map(chunk).join(''),
  )
})
