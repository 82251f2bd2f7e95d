// Goal: users and subjects with names are like those with numbers, in every process and over
// restarts, and what nobody uses is forgotten. Method: the executable with and without workers.

import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { SECRET, signToken, tokenFor } from '../../../src/identity/token.fixture.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, run, serve } from '../../support/comet.ts'
import { makeFolder, privateFile } from '../../support/folder.ts'
import { get, RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const KINDS = [[[]], [['--wire', 'socket']], [['--workers', '3']]]

async function open(server: CometServer, path: string, fields = ''): Promise<RawClient> {
  const text = get(path).replace('\r\n\r\n', `\r\n${fields}\r\n`)
  const client = await RawClient.open(server.publicPort, text)
  await waitFor('the head', () => client.text.includes('\r\n\r\n') || client.end !== null)
  return client
}

/** The messages that have come in lines of JSON, without their ids. */
function linesOf({ text }: RawClient): unknown[] {
  const lines = text.slice(text.indexOf('\r\n\r\n') + 4).split(/\r?\n/)
  const objects = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  // The first one has nothing but the id of where the client is.
  return objects.slice(1).map(({ id: _, ...message }) => message)
}

async function asked(server: CometServer, path: string, init: RequestInit = {}): Promise<unknown> {
  return await (await server.ask(path, init)).json()
}

describe.each(KINDS)('a user with a name, %p', (args) => {
  test('gets what is sent to the name, and about the names that it follows', async () => {
    await using server = await serve(args)
    using alice = await open(server, '/stream/alice')
    using again = await open(server, '/stream/alice')
    using bob = await open(server, '/stream/bob%40example.org')
    const put = (path: string) => asked(server, path, { method: 'PUT' })
    expect(await put('/users/alice/subscriptions/room:42')).toEqual({ changed: true })
    expect(await put('/users/alice/subscriptions/room:42')).toEqual({ changed: false })
    expect(await put('/users/7/subscriptions/room:42')).toEqual({ changed: true })
    using seven = await open(server, '/stream/7')

    expect(await server.publish({ to: 'alice', body: 'hello' })).toBe(2)
    expect(await server.publish({ subject: 'room:42', event: 'e', data: [1] })).toBe(3)
    expect(await server.publish({ to: 'bob@example.org', body: 'a "quote"' })).toBe(1)
    expect(await server.publish({ to: '7', body: 'a number as text' })).toBe(1)
    expect(await server.publish({ subject: 'nobody', body: 'x' })).toBe(0)
    expect(await server.publish({ to: '*', body: 'all' })).toBe(4)
    await waitFor('all', () => linesOf(seven).length === 3 && linesOf(alice).length === 3)
    await waitFor('the others', () => linesOf(bob).length === 2 && linesOf(again).length === 3)
    expect(linesOf(alice)).toEqual([
      { to: 'alice', body: 'hello' },
      { subject: 'room:42', event: 'e', data: [1] },
      { to: '*', body: 'all' },
    ])
    expect(linesOf(bob)[0]).toEqual({ to: 'bob@example.org', body: 'a "quote"' })
    expect(linesOf(seven)[1]).toEqual({ to: 7, body: 'a number as text' })
  })

  test('is told of by its name', async () => {
    await using server = await serve(args)
    using _alice = await open(server, '/stream/alice?format=raw')
    using _bob = await open(server, '/stream/bob')
    using _seven = await open(server, '/stream/7')
    await waitFor('all are there', async () => (await server.stats()).streams.open === 3)
    expect(await asked(server, '/users/alice')).toMatchObject({ user: 'alice', connections: 1 })
    expect(await asked(server, '/users/carol')).toMatchObject({ user: 'carol', connections: 0 })
    const first = (await asked(server, '/users?limit=2')) as { users: unknown[]; next: number }
    const rest = (await asked(server, `/users?limit=2&after=${first.next}`)) as typeof first
    expect([...first.users, ...rest.users].toSorted()).toEqual([7, 'alice', 'bob'])
    expect([first.users[0], rest.next]).toEqual([7, null])

    const pairs = 'alice room:1\nbob\troom:1\n7 room:1\nalice alice\nx* y\n'
    expect(await asked(server, '/subscriptions', { method: 'POST', body: pairs })).toMatchObject({
      ...{ changed: 3, rejectedCount: 2 },
    })
    const page = (await asked(server, '/users/room:1/subscribers')) as typeof first
    expect(page.users.toSorted()).toEqual([7, 'alice', 'bob'])
    expect(await asked(server, '/users/alice/subscriptions')).toEqual({
      ...{ users: ['room:1'], next: null },
    })
    expect((await server.stats()).names).toMatchObject({ used: 3 })
    const response = await server.ask('/users/alice', { method: 'POST', body: 'by hand' })
    expect(await response.json()).toMatchObject({ delivered: 1 })
  })

  test('has a token by its name, and none for another', async () => {
    await using folder = await makeFolder()
    const secret = privateFile(folder.path, SECRET)
    await using server = await serve(['--jwt-secret-file', secret, ...args])
    const bearerOf = (user: string) => `Authorization: Bearer ${tokenFor(user)}\r\n`
    using own = await open(server, '/stream/alice', bearerOf('alice'))
    using short = await open(server, '/stream', bearerOf('alice'))
    using other = await open(server, '/stream/alice', bearerOf('bob'))
    using number = await open(server, '/test/7', bearerOf('alice'))
    expect([own, short].map(({ text }) => text.slice(9, 12))).toEqual(['200', '200'])
    expect([other, number].map(({ text }) => text.slice(9, 12))).toEqual(['403', '403'])
    expect(await server.publish({ to: 'alice', body: 'x' })).toBe(2)

    const ended = await asked(server, '/users/alice/streams', { method: 'DELETE' })
    expect(ended).toEqual({ ended: 2 })
    const head = get('/stream/alice').replace('GET', 'HEAD')
    const headOf = async (user: string) => {
      const text = head.replace('\r\n\r\n', `\r\n${bearerOf(user)}\r\n`).replace('alice', user)
      using client = await RawClient.open(server.publicPort, text)
      await waitFor('the head', () => client.text.includes('\r\n\r\n'))
      return client.text.slice(9, 12)
    }
    expect([await headOf('alice'), await headOf('bob')]).toEqual(['401', '200'])
    using late = await open(server, '/stream', bearerOf('alice'))
    await waitFor('the answer', () => late.end !== null)
    expect(late.text).toContain('token_revoked')
    const body = JSON.stringify({ user: 'bob' })
    const { ticket } = (await asked(server, '/tickets', { method: 'POST', body })) as {
      ticket: string
    }
    using byTicket = await open(server, `/stream?ticket=${ticket}`)
    expect(byTicket.text).toStartWith('HTTP/1.1 200 ')
    expect(await server.publish({ to: 'bob', body: 'x' })).toBe(1)
  })
})

describe.each(KINDS)('a stream that follows subjects for itself, %p', (args) => {
  test('gets messages about them once, also when its user follows them, until it ends', async () => {
    await using server = await serve(args)
    using one = await open(server, '/stream/alice?subjects=room:42,news,7')
    using other = await open(server, '/stream/alice')
    using stranger = await open(server, '/stream/bob?subjects=room:42&format=raw')
    await asked(server, '/users/alice/subscriptions/room:42', { method: 'PUT' })
    await server.open(3)
    expect(await server.publish({ subject: 'room:42', body: 'all three' })).toBe(3)
    expect(await server.publish({ subject: 'news', body: 'one' })).toBe(1)
    expect(await server.publish({ subject: 7, body: 'a number' })).toBe(1)
    expect(await server.publish({ to: 'news', body: 'a user alone' })).toBe(0)
    await waitFor('all', () => linesOf(one).length === 3 && linesOf(other).length === 1)
    await waitFor('the raw one', () => stranger.text.includes('all three'))
    expect(linesOf(one).map((line) => (line as { body: string }).body)).toEqual([
      ...['all three', 'one', 'a number'],
    ])
    expect(await asked(server, '/subjects/room:42')).toEqual({ subject: 'room:42', connections: 3 })
    expect(await asked(server, '/subjects/news')).toEqual({ subject: 'news', connections: 1 })
    expect(await asked(server, '/subjects/alice')).toEqual({ subject: 'alice', connections: 2 })
    expect(await asked(server, '/subjects/nobody')).toEqual({ subject: 'nobody', connections: 0 })
    one.terminate()
    await server.open(2)
    expect(await server.publish({ subject: 'news', body: 'nobody' })).toBe(0)
    expect(await server.publish({ subject: 'room:42', body: 'two' })).toBe(2)
  })

  test('follows what its token allows, and nothing else', async () => {
    await using folder = await makeFolder()
    const secret = privateFile(folder.path, SECRET)
    await using server = await serve(['--jwt-secret-file', secret, ...args])
    const exp = Math.floor(Date.now() / 1_000) + 600
    const claims = { sub: 'alice', exp, comet: { read: ['room:*', 'news'] } }
    const token = `Authorization: Bearer ${signToken({ alg: 'HS256' }, claims, SECRET)}\r\n`
    using allowed = await open(server, '/stream?subjects=room:42,news', token)
    using refused = await open(server, '/stream?subjects=room:42,sports', token)
    await waitFor('the answer', () => refused.end !== null)
    expect(allowed.text).toStartWith('HTTP/1.1 200 ')
    expect(refused.text).toStartWith('HTTP/1.1 403 ')
    expect(refused.text).toContain('subject: The token does not allow')
    expect(await server.publish({ subject: 'sports', body: 'x' })).toBe(0)
    expect(await server.publish({ subject: 'room:42', body: 'x' })).toBe(1)
    const body = JSON.stringify({ user: 'bob', read: ['sports'] })
    const { ticket } = (await asked(server, '/tickets', { method: 'POST', body })) as {
      ticket: string
    }
    using byTicket = await open(server, `/stream?subjects=sports&ticket=${ticket}`)
    expect(byTicket.text).toStartWith('HTTP/1.1 200 ')
    expect(await server.publish({ subject: 'sports', body: 'x' })).toBe(1)
  })
})

test('names in subscriptions and revocations are there after a restart, others are not', async () => {
  await using folder = await makeFolder()
  const args = ['--db', `${folder.path}/comet.db`]
  {
    await using server = await serve(args)
    await asked(server, '/subscriptions', { method: 'POST', body: 'alice news\nbob news\n' })
    using _carol = await open(server, '/stream/carol')
    await asked(server, '/users/dave/streams', { method: 'DELETE' })
    expect((await server.stats()).names.used).toBe(5)
    server.kill('SIGKILL')
  }
  await using server = await serve(args)
  expect((await server.stats()).names.used).toBe(4)
  using bob = await open(server, '/stream/bob')
  using _carol = await open(server, '/stream/carol')
  expect(await server.publish({ subject: 'news', body: 'x' })).toBe(1)
  await waitFor('it', () => linesOf(bob).length === 1)
  expect(linesOf(bob)).toEqual([{ subject: 'news', body: 'x' }])
  await asked(server, '/subscriptions', { method: 'DELETE', body: 'alice news\nbob news\n' })
  expect(await server.publish({ subject: 'news', body: 'x' })).toBe(0)
})

test.each([
  '/stream/..',
  '/stream/.',
  '/stream/a%2fb',
  '/stream/a%20b',
  '/stream/a%00',
  '/stream/a%0d%0aX:y',
  '/stream/%C3%A9',
  `/stream/${'x'.repeat(65)}`,
  '/test/alice',
])('%s is the stream of nobody', async (path) => {
  await using server = await serve()
  using client = await open(server, path)
  expect(client.text.slice(9, 12)).toBe('404')
})

test('names for shells: a token, a stream and a message by name', async () => {
  await using folder = await makeFolder()
  const secret = privateFile(folder.path, SECRET)
  await using server = await serve(['--jwt-secret-file', secret])
  const made = await run([
    ...['token', 'create', '--user', 'alice', '--read', 'room:*', '--jwt-secret-file', secret],
  ])
  const token = `${folder.path}/token`
  writeFileSync(token, made.stdout)
  const url = `http://127.0.0.1:${server.publicPort}`
  const listening = run([
    ...[
      'listen',
      '--url',
      url,
      '--token-file',
      token,
      '--count',
      '2',
      '--subjects',
      'room:1,room:2',
    ],
  ])
  await waitFor('it listens', async () => (await server.stats()).streams.open === 1)
  const control = `http://127.0.0.1:${server.controlPort}`
  const published = await run(['publish', 'alice', 'hello', 'alice', '--control', control])
  expect(published).toMatchObject({ exitCode: 0, stdout: '1 delivered\n' })
  const about = await run(['publish', '--subject', 'room:2', 'Goal!', '--control', control])
  expect(about).toMatchObject({ exitCode: 0, stdout: '1 delivered\n' })
  expect(await listening).toMatchObject({ exitCode: 0, stdout: 'hello alice\nGoal!\n' })
  const none = await run(['listen', 'alice', '--subjects', 'a*'])
  expect([none.exitCode, none.stderr.includes('names like room:42')]).toEqual([2, true])
})
