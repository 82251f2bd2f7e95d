// Goal: clients that nobody here wrote open WebSocket streams, get messages, subscribe, and are
// told the end with the right code, clean. Method: the executable, with one process and with
// workers, in the clear and over TLS; `ws` and undici in Node, Bun's own, Chromium and Firefox.

import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { SECRET, signToken } from '../../../src/identity/token.fixture.ts'
import { BROWSERS, BrowserPage, withBrowser } from '../../support/browser.ts'
import { makeCertificate } from '../../support/certificate.ts'
import { ChildProcess, waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const NODE = Bun.which('node')
const DRIVER = `${import.meta.dir}/../../support/websocket-client.mjs`

const LIBRARIES = ['ws', 'undici', 'global'] as const
type Library = (typeof LIBRARIES)[number]

/** `global` is Bun's own; the others run in Node: Bun has replacements of its own for them. */
function withLibrary(library: Library) {
  return test.skipIf(library !== 'global' && NODE === null)
}

interface ClientEvent {
  readonly open?: { readonly extensions: string }
  readonly message?: string
  readonly pong?: string
  readonly ping?: true
  readonly status?: number
  readonly error?: string
  readonly close?: { readonly code: number; readonly reason: string; readonly wasClean: boolean }
}

/** A client of another project. */
class Client implements AsyncDisposable {
  readonly #process: ChildProcess

  constructor(library: Library, url: string, headers: Readonly<Record<string, string>> = {}) {
    const program = library === 'global' ? process.execPath : (NODE ?? 'node')
    const command = [program, DRIVER, library, url, JSON.stringify(headers)]
    this.#process = new ChildProcess(command, { name: library, stdin: 'pipe' })
  }

  get events(): ClientEvent[] {
    const lines = this.#process.stdout.split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as ClientEvent)
  }

  get messages(): string[] {
    return this.events.flatMap(({ message }) => message ?? [])
  }

  do(what: object): void {
    this.#process.send(JSON.stringify(what))
  }

  async until(what: string, isSo: (client: this) => boolean): Promise<void> {
    await waitFor(what, () => isSo(this)).catch((error: unknown) => {
      throw new Error(`${error}\n${this.#process.stdout}\n${this.#process.stderr}`)
    })
  }

  /** The first message has come: where the client is in the log. */
  async welcomed(): Promise<this> {
    await this.until('its welcome', ({ messages }) => messages.length === 1)
    expect(this.messages[0]).toMatch(/^{"id":"[0-9a-f]{12}-[0-9a-f]{12}"}$/)
    return this
  }

  async closed(): Promise<ClientEvent['close']> {
    await this.until('its end', ({ events }) => events.at(-1)?.close !== undefined)
    return this.events.at(-1)?.close
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }
}

function urlOf(server: CometServer, path: string): string {
  return server.publicUrl.replace(/^http/, 'ws') + path
}

/** Without where in the log it was. */
function withoutId(text: string): unknown {
  const { id, ...rest } = JSON.parse(text) as { readonly id?: string }
  return rest
}

async function endStreams(server: CometServer, user: string): Promise<void> {
  await server.ask(`/users/${user}/streams`, { method: 'DELETE' })
}

/** What a client does and gets, from its welcome to its end by an operator. */
async function followsAStream(client: Client, server: CometServer): Promise<void> {
  await client.welcomed()
  expect(client.events[0]).toEqual({ open: { extensions: '' } })
  expect(await server.publish({ to: 'alice', body: 'é€😀' })).toBe(1)
  client.do({ send: '{"subscribe":["room:42",7]}' })
  client.do({ send: '{"subscribe":[' })
  await client.until('its answers', ({ messages }) => messages.length === 4)
  expect(await server.publish({ subject: 'room:42', event: 'e', data: { n: 1 } })).toBe(1)
  expect(await server.publish({ subject: 7, body: 'x'.repeat(65_536) })).toBe(1)
  await client.until('what was published', ({ messages }) => messages.length === 6)
  client.do({ send: '{"unsubscribe":["room:42"]}' })
  await client.until('the answer', ({ messages }) => messages.length === 7)
  expect(await server.publish({ subject: 'room:42', body: 'too late' })).toBe(0)
  expect(client.messages.slice(1).map(withoutId)).toEqual([
    { to: 'alice', body: 'é€😀' },
    { subscribed: ['room:42', 7] },
    { error: { code: 'invalid_json', message: 'The message is not JSON.' } },
    { subject: 'room:42', event: 'e', data: { n: 1 } },
    { subject: 7, body: 'x'.repeat(65_536) },
    { unsubscribed: ['room:42'] },
  ])
  await endStreams(server, 'alice')
  expect(await client.closed()).toEqual({ code: 4002, reason: 'ended', wasClean: true })
  expect(client.messages.at(-1)).toBe('{"end":"ended"}')
}

describe.each(LIBRARIES)('the client %s', (library) => {
  withLibrary(library)(
    'follows a stream to its end, with one process and with workers',
    async () => {
      for (const args of [[], ['--workers', '2']]) {
        await using server = await serve(args)
        await using client = new Client(library, urlOf(server, '/stream/alice'))
        await followsAStream(client, server)
        await server.open(0)
        expect((await server.stats()).streams.closed).toMatchObject({ ended: 1, client: 0 })
      }
    },
  )

  withLibrary(library)('follows a stream to its end over TLS', async () => {
    await using folder = await makeFolder()
    const { cert, key } = await makeCertificate(folder.path, 'localhost')
    await using server = await serve(['--tls-cert', cert, '--tls-key', key])
    await using client = new Client(library, urlOf(server, '/stream/alice'))
    await followsAStream(client, server)
    await server.open(0)
    await using other = new Client(library, urlOf(server, '/stream/7'))
    await other.welcomed()
    other.do({ binary: 'abc' })
    expect(await other.closed()).toMatchObject({ code: 1003, wasClean: true })
    await server.open(0)
  })

  withLibrary(library)('comes back to what it has missed', async () => {
    await using server = await serve()
    await using client = new Client(library, urlOf(server, '/stream/7'))
    await client.welcomed()
    await server.publish({ to: 7, body: 'a' })
    await client.until('the message', ({ messages }) => messages.length === 2)
    const { id } = JSON.parse(client.messages[1] ?? '') as { readonly id: string }
    client.do({ close: [] })
    await client.closed()
    await server.publish({ to: 7, body: 'b' })
    await using again = new Client(library, urlOf(server, `/stream/7?after=${id}`))
    await again.until('what it has missed', ({ messages }) => messages.length === 2)
    expect(again.messages.map(withoutId)).toEqual([{}, { to: 7, body: 'b' }])
    const unknown = '000000000001-000000000001'
    await using lost = new Client(library, urlOf(server, `/stream/7?after=${unknown}`))
    await lost.until('the gap', ({ messages }) => messages.length === 2)
    const gap = `{"gap":{"after":"${unknown}","resume":"${id.slice(0, 12)}-000000000002"`
    expect(lost.messages[0]).toBe(`${gap},"reason":"unknown"}}`)
  })

  withLibrary(library)(
    'ends its stream, and is told by a code when it breaks the rules',
    async () => {
      await using server = await serve()
      for (const [what, expected] of [
        [{ close: [4123, 'bye'] }, { code: 4123 }],
        [{ binary: 'abc' }, { code: 1003, reason: 'messages are text' }],
        [
          { send: 'x'.repeat(1_000_000) },
          { code: 1009, reason: 'a message has at most 16384 bytes' },
        ],
      ] as const) {
        await using client = new Client(library, urlOf(server, '/stream/7'))
        await client.welcomed()
        client.do(what)
        expect(await client.closed()).toMatchObject({ ...expected, wasClean: true })
        await server.open(0)
      }
      expect((await server.stats()).streams.closed).toMatchObject({ client: 1, protocol: 2 })
    },
  )

  withLibrary(library)('is told that the server stops, behind its last message', async () => {
    for (const args of [[], ['--workers', '2']]) {
      await using server = await serve([...args, '--drain', '100ms'])
      await using client = new Client(library, urlOf(server, '/stream/7'))
      await client.welcomed()
      await server.publish({ to: 7, body: 'last' })
      const stoppedMs = performance.now()
      server.kill('SIGTERM')
      expect(await client.closed()).toEqual({ code: 1001, reason: 'drained', wasClean: true })
      expect(client.messages.slice(1).map(withoutId)).toEqual([
        { to: 7, body: 'last' },
        { end: 'drained' },
      ])
      expect((await server.finished).exitCode).toBe(0)
      expect(performance.now() - stoppedMs).toBeLessThan(5_000)
    }
  })

  withLibrary(library)(
    'with a token follows what that allows, until it expires',
    async () => {
      await using folder = await makeFolder()
      const secret = `${folder.path}/secret`
      writeFileSync(secret, SECRET, { mode: 0o600 })
      await using server = await serve(['--jwt-secret-file', secret, '--workers', '2'])
      const exp = Math.floor(Date.now() / 1_000) + 4
      const claims = { sub: 'alice', exp, comet: { read: ['room:*'] } }
      const authorization = `Bearer ${signToken({ alg: 'HS256' }, claims, SECRET)}`
      await using client = new Client(library, urlOf(server, '/stream'), { authorization })
      await client.welcomed()
      client.do({ send: '{"subscribe":["room:1"]}' })
      client.do({ send: '{"subscribe":["news"]}' })
      await client.until('its answers', ({ messages }) => messages.length === 3)
      expect(withoutId(client.messages[1] ?? '')).toEqual({ subscribed: ['room:1'] })
      expect(client.messages[2]).toContain('"subject_not_allowed"')
      expect(await server.publish({ subject: 'room:1', body: 'a' })).toBe(1)
      expect(await server.publish({ subject: 'news', body: 'b' })).toBe(0)
      expect(await client.closed()).toEqual({ code: 4001, reason: 'expired', wasClean: true })
      expect(client.messages.at(-1)).toBe('{"end":"expired"}')
    },
    30_000,
  )
})

withLibrary('ws')('the client ws is answered when it pings, and answers pings', async () => {
  await using server = await serve(['--heartbeat', '1s'])
  await using client = new Client('ws', urlOf(server, '/stream/7'))
  await client.welcomed()
  client.do({ ping: 'hello' })
  await client.until('the pong', ({ events }) => events.some(({ pong }) => pong === 'hello'))
  await client.until('two pings', ({ events }) => events.filter(({ ping }) => ping).length >= 2)
  expect((await server.stats()).streams.open).toBe(1)
})

withLibrary('ws')('a client that is refused is told by a status', async () => {
  await using server = await serve(['--cors-origin', 'https://app.example'])
  const statusOf = async (path: string, headers: Record<string, string> = {}) => {
    await using client = new Client('ws', urlOf(server, path), headers)
    await client.until('its answer', ({ events }) => events.some(({ status }) => status))
    return client.events[0]?.status
  }
  expect(await statusOf('/stream/a%20b')).toBe(404)
  expect(await statusOf('/stream/7?after=x')).toBe(400)
  expect(await statusOf('/stream/7', { origin: 'https://evil.example' })).toBe(403)
  const { streams } = await server.stats()
  expect(streams.refused).toMatchObject({ origin: 1, full: 0 })
  await using client = new Client('ws', urlOf(server, '/stream/7'), {
    origin: 'https://app.example',
  })
  await client.welcomed()
})

/** Opens a WebSocket in the page, whose events are in `window.told`. */
const OPEN = `(url) => {
  window.told = []
  window.socket = new WebSocket(url)
  socket.onopen = () => told.push('open')
  socket.onmessage = ({ data }) => told.push(data)
  socket.onerror = () => told.push('error')
  socket.onclose = ({ code, reason, wasClean }) =>
    told.push(['close', code, reason, wasClean].join(' '))
}`

for (const browser of BROWSERS) {
  withBrowser(browser)(
    `a page in ${browser} follows a stream, and one of another site does not`,
    async () => {
      await using pages = Bun.serve({
        ...{ hostname: '127.0.0.1', port: 0 },
        fetch: () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } }),
      })
      const origin = `http://127.0.0.1:${pages.port}`
      await using server = await serve(['--cors-origin', origin, '--workers', '2'])
      await using page = await BrowserPage.open({ browser })
      const opens = (path: string) => page.ask(`(${OPEN})('${urlOf(server, path)}')`)
      const told = () => page.ask<string[]>('window.told')
      await page.goTo(`${origin}/`)
      await opens('/stream/alice')
      await page.until('told.length === 2')
      await page.ask(`socket.send('{"subscribe":["room:1"]}')`)
      await page.until('told.length === 3')
      expect(await server.publish({ subject: 'room:1', body: 'é' })).toBe(1)
      await page.until('told.length === 4')
      await endStreams(server, 'alice')
      await page.until(`told.at(-1).startsWith('close')`)
      const [opened, , , message, ...end] = await told()
      expect([opened, withoutId(message ?? ''), ...end]).toEqual([
        'open',
        { subject: 'room:1', body: 'é' },
        '{"end":"ended"}',
        'close 4002 ended true',
      ])

      await opens('/stream/alice')
      await page.until('told.length === 2')
      await page.ask('socket.close(4123)')
      await page.until(`told.at(-1).startsWith('close')`)
      expect((await told()).at(-1)).toBe('close 4123  true')

      await opens('/stream/alice')
      await page.until('told.length === 2')
      await page.ask(`socket.send('x'.repeat(1_000_000))`)
      await page.until(`told.at(-1).startsWith('close')`)
      // Firefox does not call it clean: it had no time to answer.
      expect((await told()).at(-1)).toStartWith('close 1009 a message has at most 16384 bytes ')

      await page.goTo(`http://localhost:${pages.port}/`)
      await opens('/stream/alice')
      await page.until(`told.at(-1)?.startsWith('close')`)
      expect(await told()).toEqual(['error', 'close 1006  false'])
    },
    60_000,
  )
}
