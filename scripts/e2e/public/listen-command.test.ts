// Goal: comet listen loses no message and prints none twice, whatever happens to its connection,
// its server and its token; it says what it cannot get, and ends when nothing more will come.
// Method: the executable, and servers that are stopped and killed while messages are published.

import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { SECRET, signToken } from '../../../src/identity/token.fixture.ts'
import { waitFor } from '../../support/child-process.ts'
import { ask, type CometServer, freePort, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const PATIENCE_MS = 60_000
const PUBLISH_EVERY_MS = 15

function listen(url: string, ...args: string[]) {
  return start(['listen', ...args, '--url', url])
}

/** The id that the publisher is told. */
async function publish(server: CometServer, message: object): Promise<string> {
  const response = await server.ask('/messages', { method: 'POST', body: JSON.stringify(message) })
  expect(response.status).toBe(200)
  return ((await response.json()) as { id: string }).id
}

/** Publishes numbers, one after the other, whether there is a server or not. */
class Publisher implements AsyncDisposable {
  /** Those that were answered: they are in the log. */
  readonly accepted: number[] = []
  readonly #url: string
  readonly #done: Promise<void>
  #isStopped = false
  #next = 0

  constructor(url: string) {
    this.#url = url
    this.#done = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const number = ++this.#next
      const body = JSON.stringify({ subject: 'news', body: String(number) })
      try {
        const answer = await ask(this.#url, '/messages', { method: 'POST', body })
        if (answer.status === 200) this.accepted.push(number)
      } catch {
        // No server, or one that was killed before it answered: the message may be in the log.
      }
      // More than a thousand missed ones would be a gap.
      await Bun.sleep(PUBLISH_EVERY_MS)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    await this.#done
  }
}

describe.each([[[]], [['--workers', '2']]])('a server with a file, %p', (args) => {
  test(
    'is stopped and killed while messages are published: none is lost, none comes twice',
    async () => {
      await using folder = await makeFolder()
      const [port, control] = [freePort(), freePort()]
      const urls = ['--listen', `127.0.0.1:${port}`, '--control', `127.0.0.1:${control}`]
      await using stack = new AsyncDisposableStack()
      const again = async () =>
        stack.use(await serve([...args, ...urls, '--db', `${folder.path}/comet.db`]))
      let server = await again()
      const listening = stack.use(listen(server.publicUrl, '7', '--subjects', 'news'))
      await server.open(1)
      const publisher = stack.use(new Publisher(server.controlUrl))
      const received = () => listening.stdout.split('\n').slice(0, -1).map(Number)
      for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
        const count = received().length + 30
        await waitFor('messages', () => received().length >= count, PATIENCE_MS)
        server.kill(signal)
        await server.exited
        server = await again()
      }
      await server.open(1, PATIENCE_MS)
      await publisher[Symbol.asyncDispose]()
      const last = publisher.accepted.at(-1) ?? 0
      await waitFor('the last one', () => received().at(-1) === last)
      expect(listening.stderr).not.toContain('gap')
      const got = received()
      expect(got.every((number, at) => at === 0 || number > (got[at - 1] ?? 0))).toBe(true)
      expect(publisher.accepted.filter((number) => !got.includes(number))).toEqual([])
      expect(listening.stderr).toContain('the connection was lost (ECONNRESET); connecting again\n')
      expect(listening.stderr).toContain('connected again')
    },
    PATIENCE_MS,
  )
})

describe('a gap', () => {
  test.each([[[]], [['--json']]])(
    'is said, and the stream goes on behind it, %p',
    async (args) => {
      const ports = ['--listen', `127.0.0.1:${freePort()}`, '--control', `127.0.0.1:${freePort()}`]
      await using stack = new AsyncDisposableStack()
      let server = stack.use(await serve(ports))
      const listening = stack.use(listen(server.publicUrl, '7', ...args))
      await server.open(1)
      const after = await publish(server, { to: 7, body: 'one' })
      await waitFor('the message', () => listening.stdout.includes('one'))
      server.kill('SIGKILL')
      await server.exited
      // Without a file it has another log.
      server = stack.use(await serve(ports))
      await server.open(1, PATIENCE_MS)
      const id = await publish(server, { to: 7, body: 'two' })
      await waitFor('the next one', () => listening.stdout.includes('two'))
      const resume = `${id.slice(0, 13)}000000000000`
      if (args.length === 0) {
        expect(listening.stdout).toBe('one\ntwo\n')
        expect(listening.stderr).toContain(
          `messages were missed: the server has another log (gap from ${after} to ${resume})\n`,
        )
      } else {
        expect(listening.stdout.split('\n').map((line) => line && JSON.parse(line))).toEqual([
          { id: after, to: 7, body: 'one' },
          { gap: { after, resume, reason: 'unknown' } },
          { id, to: 7, body: 'two' },
          '',
        ])
        expect(listening.stderr).not.toContain('missed')
      }
    },
    PATIENCE_MS,
  )
})

describe('where it begins', () => {
  test('is the oldest message, behind one, or before the last ones', async () => {
    await using server = await serve()
    const ids: string[] = []
    for (const body of ['one', 'two', 'three']) ids.push(await publish(server, { to: 7, body }))
    const printed = async (...args: string[]) =>
      (await listen(server.publicUrl, '7', ...args).finished).stdout
    expect(await printed('--after', 'oldest', '--count', '3')).toBe('one\ntwo\nthree\n')
    expect(await printed('--after', ids[0] ?? '', '--count', '2')).toBe('two\nthree\n')
    expect(await printed('--last', '2', '--count', '1')).toBe('two\n')
  })
})

describe('the end of a stream', () => {
  test('by an operator is for good, and is told with the way to go on', async () => {
    await using server = await serve()
    await using listening = listen(server.publicUrl, '7')
    await server.open(1)
    const id = await publish(server, { to: 7, body: 'one' })
    await waitFor('the message', () => listening.stdout === 'one\n')
    await server.ask('/users/7/streams?note=bye', { method: 'DELETE' })
    const { exitCode, stderr } = await listening.finished
    expect([exitCode, stderr]).toEqual([
      1,
      `comet listen: the server has ended the stream: ended, bye; --after ${id} goes on from here\n`,
    ])
  })

  describe('by its token', () => {
    /** Listens with a token that expires soon, and has another one in its file by then. */
    async function expiring(secretOfNext: string) {
      const folder = await makeFolder()
      const [secret, path] = [`${folder.path}/secret`, `${folder.path}/token`]
      writeFileSync(secret, SECRET, { mode: 0o600 })
      const writeToken = (seconds: number, key: string) => {
        const exp = Math.floor(Date.now() / 1_000) + seconds
        writeFileSync(path, signToken({ alg: 'HS256' }, { sub: '7', exp }, key))
      }
      writeToken(3, SECRET)
      const server = await serve(['--jwt-secret-file', secret])
      const listening = listen(server.publicUrl, '--token-file', path)
      await server.open(1)
      writeToken(60, secretOfNext)
      const words = 'the server has ended the stream: expired; connecting again'
      await waitFor('the end', () => listening.stderr.includes(words), PATIENCE_MS)
      return {
        ...{ server, listening },
        async [Symbol.asyncDispose]() {
          for (const each of [listening, server, folder]) await each[Symbol.asyncDispose]()
        },
      }
    }

    test(
      'is followed by another one, with the token that the file has then',
      async () => {
        await using expired = await expiring(SECRET)
        await publish(expired.server, { to: 7, body: 'between' })
        await waitFor('the message', () => expired.listening.stdout === 'between\n')
      },
      PATIENCE_MS,
    )

    test(
      'is for good if the next token is refused',
      async () => {
        await using expired = await expiring(`${SECRET}, and another`)
        const { exitCode, stderr } = await expired.listening.finished
        expect([exitCode, stderr.includes(' answered 401, ')]).toEqual([1, true])
      },
      PATIENCE_MS,
    )
  })
})
