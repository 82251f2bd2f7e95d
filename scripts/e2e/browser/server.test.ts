// Goal: the client library and the server understand each other: messages, cursors, gaps, subjects,
// tokens, ends. Method: the executable, with workers and without, and the library in Bun.

import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import type { CometFormat } from '../../../src/browser/api.ts'
import { Received } from '../../../src/browser/received.fixture.ts'
import { SECRET, signToken } from '../../../src/identity/token.fixture.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, freePort, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'

const FORMATS: readonly CometFormat[] = ['websocket', 'sse', 'json', 'poll']
const PROCESSES = [
  ['one process', []],
  ['workers', ['--workers', '2']],
] as const

const ASKED = { openMs: 2_000, retryMs: 50, retryMsMax: 500 }

async function got(received: Received, count: number): Promise<void> {
  await waitFor(`${count} messages`, () => received.messages.length >= count)
}

function tokenOf(sub: string, seconds: number, read: readonly string[] = []): string {
  const exp = Math.floor(Date.now() / 1_000) + seconds
  return signToken({ alg: 'HS256' }, { sub, exp, comet: { read } }, SECRET)
}

/** Ends all streams of a user, for good. */
async function end(server: CometServer, user: string): Promise<void> {
  const response = await server.ask(`/users/${user}/streams`, { method: 'DELETE' })
  expect(response.status).toBe(200)
}

describe.each(PROCESSES)('a server of %s', (_, args) => {
  describe.each(FORMATS)('by %s', (format) => {
    test('gives each message once, and subjects as they are followed', async () => {
      await using server = await serve(args)
      const url = `${server.publicUrl}/stream/alice`
      using alice = new Received(url, { ...ASKED, format, subjects: ['room:1'] })
      await waitFor('it to be open', () => alice.stream.cursor)
      await server.publish({ to: 'alice', body: 'm1\nm1' })
      await server.publish({ subject: 'room:1', event: 'typing', data: { on: true } })
      await got(alice, 2)
      await alice.stream.subscribe('room:2')
      await server.publish({ subject: 'room:2', body: 'm3' })
      await got(alice, 3)
      await alice.stream.unsubscribe('room:1')
      await server.publish({ subject: 'room:1', body: 'no' })
      await server.publish({ to: '*', body: 'm4' })
      await got(alice, 4)
      expect(alice.messages).toEqual([
        { id: expect.any(String), to: 'alice', body: 'm1\nm1' },
        { id: expect.any(String), subject: 'room:1', event: 'typing', data: { on: true } },
        { id: expect.any(String), subject: 'room:2', body: 'm3' },
        { id: expect.any(String), to: '*', body: 'm4' },
      ])
      expect([alice.count('gap'), alice.count('error')]).toEqual([0, 0])
      expect(alice.stream.format).toBe(format)
    })
  })
})

describe.each(FORMATS)('by %s', (format) => {
  test('a server that restarts with its window is gone on with, without a loss', async () => {
    await using folder = await makeFolder()
    const port = freePort()
    const args = ['--db', `${folder.path}/comet.db`, '--listen', `127.0.0.1:${port}`]
    const first = await serve(args)
    using alice = new Received(`${first.publicUrl}/stream/alice`, { ...ASKED, format })
    await waitFor('it to be open', () => alice.stream.cursor)
    await first.publish({ to: 'alice', body: 'm1' })
    await got(alice, 1)
    await first[Symbol.asyncDispose]()
    await using second = await serve(args)
    await second.publish({ to: 'alice', body: 'm2' })
    await got(alice, 2)
    expect(alice.bodies).toEqual(['m1', 'm2'])
    expect(alice.count('gap')).toBe(0)
  })

  test('another log is told as a gap', async () => {
    const port = freePort()
    const args = ['--listen', `127.0.0.1:${port}`]
    const first = await serve(args)
    using alice = new Received(`${first.publicUrl}/stream/alice`, { ...ASKED, format })
    await waitFor('it to be open', () => alice.stream.cursor)
    await first[Symbol.asyncDispose]()
    await using second = await serve(args)
    await waitFor('the gap', () => alice.count('gap') === 1)
    await second.publish({ to: 'alice', body: 'm1' })
    await got(alice, 1)
    expect(alice.details('gap')[0]?.reason).toBe('unknown')
  })

  // A poll does not end with its token, and the next one may have it for half a minute more.
  test.skipIf(format === 'poll')('tokens are renewed, and an end is for good', async () => {
    await using folder = await makeFolder()
    const secret = `${folder.path}/secret`
    writeFileSync(secret, SECRET, { mode: 0o600 })
    await using server = await serve(['--jwt-secret-file', secret])
    let tokens = 0
    const credentials =
      format === 'websocket'
        ? {
            ticket: async () => {
              const request = { method: 'POST', body: JSON.stringify({ user: 'alice', ttl: 3 }) }
              tokens++
              const answer = await (await server.ask('/tickets', request)).json()
              return (answer as { ticket: string }).ticket
            },
          }
        : { token: () => tokenOf('alice', tokens++ === 0 ? 3 : 3_600) }
    using alice = new Received(`${server.publicUrl}/stream`, { ...ASKED, ...credentials, format })
    await waitFor('it to be open', () => alice.stream.cursor)
    await server.publish({ to: 'alice', body: 'm1' })
    await waitFor('a new one', () => tokens > 1 && alice.stream.state === 'open', 15_000)
    await server.publish({ to: 'alice', body: 'm2' })
    await got(alice, 2)
    expect([alice.bodies, alice.count('error')]).toEqual([['m1', 'm2'], 0])
    await end(server, 'alice')
    await waitFor('the end', () => alice.ended !== null)
    expect(alice.ended).toBe('end')
  })

  // No page is told why a WebSocket is not opened.
  test.skipIf(format === 'websocket')('a stream of another user is refused', async () => {
    await using folder = await makeFolder()
    const secret = `${folder.path}/secret`
    writeFileSync(secret, SECRET, { mode: 0o600 })
    await using server = await serve(['--jwt-secret-file', secret])
    const token = tokenOf('alice', 3_600)
    using bob = new Received(`${server.publicUrl}/stream/bob`, { ...ASKED, format, token })
    await waitFor('the end', () => bob.ended !== null)
    expect(bob.ended).toMatchObject({ status: 403, code: 'user' })
  })
})
