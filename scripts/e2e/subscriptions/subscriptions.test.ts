// Goal: subscriptions are changed, listed, kept on disk and used for routing; a foreign database is
// refused and left unchanged. Method: the executable, real files, real kills.

import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type CometServer, serve, start } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

const folder = folderOfTests()
let server: CometServer

beforeAll(async () => {
  server = await serve(['--max-subscriptions-per-user', '5', '--max-users', '1m'])
})

afterAll(() => server[Symbol.asyncDispose]())

interface Answer {
  readonly status: number
  readonly body: unknown
}

async function ask(method: string, path: string, of = server): Promise<Answer> {
  const response = await of.ask(path, { method })
  return { status: response.status, body: await response.json() }
}

async function bulk(method: string, lines: string, of = server): Promise<Record<string, unknown>> {
  const response = await of.ask('/subscriptions', { method, body: lines })
  return (await response.json()) as Record<string, unknown>
}

const follow = (user: number, subject: number, of = server) =>
  ask('PUT', `/users/${user}/subscriptions/${subject}`, of)

describe('one subscription', () => {
  test('is added and removed, and the same request again changes nothing', async () => {
    expect(await follow(1, 2)).toEqual({ status: 200, body: { changed: true } })
    expect(await follow(1, 2)).toEqual({ status: 200, body: { changed: false } })
    const path = '/users/1/subscriptions/2'
    expect(await ask('DELETE', path)).toEqual({ status: 200, body: { changed: true } })
    expect(await ask('DELETE', path)).toEqual({ status: 200, body: { changed: false } })
  })

  test.each([
    ['/users/3/subscriptions/3', 422, 'subscription_to_self'],
    ['/users/0/subscriptions/3', 400, 'invalid_user_id'],
    ['/users/3/subscriptions/1000001', 404, 'unknown_user'],
    ['/users/a!/subscriptions/3', 400, 'invalid_user_id'],
  ])('%p is refused with %p %p', async (path, status, code) => {
    const answer = await ask('PUT', path)
    expect([answer.status, (answer.body as { error: { code: string } }).error.code]).toEqual([
      status,
      code,
    ])
  })

  test('beyond the limit of a user is refused, and one that exists is not', async () => {
    for (let subject = 101; subject <= 105; subject++) await follow(100, subject)
    expect((await follow(100, 106)).status).toBe(409)
    expect(await follow(100, 101)).toEqual({ status: 200, body: { changed: false } })
  })

  test('decides who receives a message about its subject', async () => {
    await using subject = await RawClient.stream(server.publicPort, 10)
    await using follower = await RawClient.stream(server.publicPort, 11)
    await using again = await RawClient.stream(server.publicPort, 11)
    await using stranger = await RawClient.stream(server.publicPort, 12)
    await follow(11, 10)
    expect(await server.publish({ subject: 10, body: 'news' })).toBe(3)
    expect(await server.publish({ to: 10, body: 'private' })).toBe(1)
    await subject.received(chunk('news') + chunk('private'))
    await follower.received(chunk('news'))
    await again.received(chunk('news'))
    await ask('DELETE', '/users/11/subscriptions/10')
    expect(await server.publish({ subject: 10, body: 'more' })).toBe(1)
    expect(follower.text).not.toContain('private')
    expect(stranger.text).not.toContain('news')
  })
})

describe('a bulk change of subscriptions', () => {
  test('applies line by line, and refuses invalid lines by number', async () => {
    const lines = '20 21\n20 22\r\n\nrubbish\n20 20\n0 5\n20 21\n20 9999999\n1 2 3\n23 21'
    const receipt = await bulk('POST', lines)
    const rejected = receipt['rejected'] as { line: number; error: { code: string } }[]
    const { lines: read, changed, unchanged, rejectedCount } = receipt
    expect([read, changed, unchanged, rejectedCount]).toEqual([10, 3, 1, 5])
    expect(rejected.map(({ line, error }) => [line, error.code])).toEqual([
      [4, 'invalid_subscription'],
      [5, 'subscription_to_self'],
      [6, 'invalid_user_id'],
      [8, 'unknown_user'],
      [9, 'invalid_subscription'],
    ])
    expect((await ask('GET', '/users/21/subscribers')).body).toEqual({
      users: [20, 23],
      next: null,
    })
    expect(await bulk('DELETE', '20 21\n20 22\n23 21\n23 24')).toMatchObject({
      changed: 3,
      unchanged: 1,
    })
  })

  test('applies the limit of each user exactly', async () => {
    const pairs = [1, 2, 3, 1, 2, 3, 4, 5, 6, 7].map((subject) => `30 ${200 + subject}`)
    expect(await bulk('POST', pairs.join('\n'))).toMatchObject({
      changed: 5,
      unchanged: 3,
      rejectedCount: 2,
    })
  })

  test('reports its progress', async () => {
    const lines = Array.from({ length: 250_000 }, (_, at) => `${1_000 + at} 999`).join('\n')
    const response = await server.ask('/subscriptions', {
      method: 'POST',
      headers: { accept: 'application/x-ndjson' },
      body: lines,
    })
    expect(response.headers.get('content-type')).toBe('application/x-ndjson')
    const answers = (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(answers.length).toBeGreaterThan(1)
    expect(answers[0].lines).toBeGreaterThanOrEqual(100_000)
    expect(answers.at(-1)).toMatchObject({ lines: 250_000, changed: 250_000, rejectedCount: 0 })
    expect((await server.stats()).subscriptions.held).toBeGreaterThanOrEqual(250_000)
    expect(await bulk('DELETE', lines)).toMatchObject({ lines: 250_000, changed: 250_000 })
  })
})

test('subscriptions are listed in pages with a cursor', async () => {
  await bulk('POST', [41, 42, 43, 44].map((user) => `${user} 40`).join('\n'))
  const path = '/users/40/subscribers?limit=3'
  expect((await ask('GET', path)).body).toEqual({ users: [41, 42, 43], next: 43 })
  expect((await ask('GET', `${path}&after=43`)).body).toEqual({ users: [44], next: null })
  expect((await ask('GET', '/users/41/subscriptions')).body).toEqual({ users: [40], next: null })
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'after=-1', 'after=x']) {
    expect((await ask('GET', `/users/40/subscribers?${query}`)).status).toBe(400)
  }
})

describe('a database file', () => {
  test('has every change that was answered, after a kill too', async () => {
    const file = `${folder}/killed.db`
    let round = 0
    for (; round < 3; round++) {
      await using killed = await serve(['--db', file])
      expect((await killed.stats()).subscriptions.held).toBe(round * 22)
      const base = round * 100
      for (let at = 1; at <= 20; at++) await follow(base + at, base + 50, killed)
      await bulk('POST', `${base + 1} ${base + 60}\n${base + 2} ${base + 60}\n`, killed)
      killed.kill('SIGKILL')
      await killed.finished
    }
    await using again = await serve(['--db', file])
    expect((await again.stats()).subscriptions.held).toBe(66)
    await using follower = await RawClient.stream(again.publicPort, 203)
    expect(await again.publish({ subject: 250, body: 'x' })).toBe(1)
    await follower.received(chunk('x'))
    expect(again.stderr).toContain('66 subscriptions in')
  })

  test.each([
    [
      'another process uses',
      async (file: string) => serve(['--db', file]),
      'is in use by another process; give another with --db, or --db :memory:',
    ],
    [
      'is no database',
      async (file: string) => void (await Bun.write(file, 'hello\n'.repeat(99))),
      'is not a database',
    ],
    ['is of another program', async (file: string) => foreign(file, 7, 1), 'of another program'],
    [
      'is of a newer comet',
      async (file: string) => foreign(file, 0x636f6d74, 99),
      'from a newer comet (version 99',
    ],
    ['is damaged', damaged, 'is damaged'],
  ])('that %s is an error at once, exit 69, and is left as it was', async (what, prepare, why) => {
    const file = `${folder}/${what.replaceAll(' ', '-')}.db`
    await using owner = (await prepare(file)) ?? null
    const before = Bun.hash(await Bun.file(file).bytes())
    await using refused = start([
      'serve',
      '--db',
      file,
      '--listen',
      '127.0.0.1:0',
      '--control',
      '127.0.0.1:0',
    ])
    const { exitCode, stderr } = await refused.finished
    expect(exitCode).toBe(69)
    expect(stderr).toContain(why)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(Bun.hash(await Bun.file(file).bytes())).toBe(before)
    expect(owner?.exitCode ?? null).toBeNull()
  })
})

function foreign(file: string, applicationId: number, version: number): void {
  using database = new Database(file)
  database.run(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version};`)
  database.run('CREATE TABLE anything (something)')
}

/** A database of comet's with a page in its middle overwritten. */
async function damaged(file: string): Promise<void> {
  {
    await using good = await serve(['--db', file])
    await bulk('POST', Array.from({ length: 20_000 }, (_, at) => `${at + 2} 1`).join('\n'), good)
    good.kill('SIGTERM')
    await good.finished
  }
  const bytes = await Bun.file(file).bytes()
  bytes.fill(0xff, 8 * 4096, 12 * 4096)
  await Bun.write(file, bytes)
}
