// Goal: what is published with a key goes out once, and each answer is that of the first: over two
// connections at the same time, after a restart, and when the server was killed. Method: the
// executable, in one process and in several, with streams that say what came.

import { afterEach, describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, run, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { LogStream } from '../../support/log-stream.ts'
import { RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

const NDJSON = 'application/x-ndjson'

async function post(
  server: CometServer,
  body: string,
  path = '/messages',
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<Answer> {
  const response = await server.ask(path, { method: 'POST', headers, body })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

function message(key: string, body: string, to: number | string = 7): string {
  return JSON.stringify({ to, body, key })
}

function codeOf({ status, body }: Answer): unknown[] {
  return [status, (body['error'] as { code?: unknown } | undefined)?.code]
}

/** A message without a key, behind which none is to come. */
async function endOf(stream: LogStream, server: CometServer): Promise<readonly string[]> {
  await server.publish({ to: 7, body: 'end' })
  await stream.has('end')
  return stream.messages.slice(0, -1)
}

describe.each([[[]], [['--workers', '3']]])('%p', (args) => {
  test('a message that is sent again goes out once, and has the same answer', async () => {
    await using server = await serve(args)
    using one = await LogStream.open(server, 7, 'json')
    using _two = await LogStream.open(server, 7, 'json')
    const first = await post(server, message('k', 'Hello'))
    expect(first).toMatchObject({ status: 200, body: { delivered: 2 } })
    expect(first.body['id']).toMatch(/^[0-9a-f]{12}-000000000001$/)
    for (let round = 0; round < 3; round++) {
      expect(await post(server, message('k', 'Hello'))).toEqual(first)
    }
    for (const other of [message('k', 'Hello!'), message('k', 'Hello', 8)]) {
      expect(codeOf(await post(server, other))).toEqual([409, 'key_conflict'])
    }
    expect(await endOf(one, server)).toEqual(['Hello'])
    const { messages, deliveries } = await server.stats()
    expect([messages.accepted, messages.rejected, deliveries.delivered]).toEqual([2, 2, 4])
  })

  test('duplicates over two connections at the same time are one message', async () => {
    await using server = await serve(args)
    using stream = await LogStream.open(server, 7, 'json')
    const rounds = 200
    const requests = Array.from({ length: rounds }, (_, at) => {
      const body = message(`k${at}`, `${at}`)
      const head = `POST /messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}`
      return `${head}\r\n\r\n${body}`
    }).join('')
    using left = await RawClient.open(server.controlPort)
    using right = await RawClient.open(server.controlPort)
    left.send(requests)
    right.send(requests)
    const answersOf = ({ text }: RawClient) => text.match(/\{"delivered":1,"id":"[-0-9a-f]{25}"\}/g)
    const areAnswered = () => [left, right].every((each) => answersOf(each)?.length === rounds)
    await waitFor('all answers', areAnswered)
    expect(answersOf(right)).toEqual(answersOf(left))
    expect(await endOf(stream, server)).toEqual(Array.from({ length: rounds }, (_, at) => `${at}`))
  })

  test('a batch that is sent again is answered alike, as lines and as an array', async () => {
    await using server = await serve(args)
    using stream = await LogStream.open(server, 7, 'json')
    const lines = Array.from({ length: 3 }, (_, at) => message(`k${at}`, `${at}`))
    const first = await post(server, lines.join('\n'), '/messages', { 'content-type': NDJSON })
    expect(first).toMatchObject({ status: 200, body: { accepted: 3, delivered: 3 } })
    const again = await post(server, lines.join('\n'), '/messages', { 'content-type': NDJSON })
    const array = await post(server, `[${lines.join()}]`)
    expect([again, array]).toEqual([first, first])
    expect(await endOf(stream, server)).toEqual(['0', '1', '2'])
    const { messages, deliveries } = await server.stats()
    expect([messages.accepted, deliveries.delivered]).toEqual([4, 4])
  })

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'keys are known after a server that ended by %s, but not how many took their messages',
    async (signal) => {
      await using folder = await makeFolder()
      const options = [...args, '--db', `${folder.path}/comet.db`]
      const sent: (readonly [body: string, id: unknown])[] = []
      {
        await using server = await serve(options)
        using _stream = await LogStream.open(server, 7, 'json')
        for (const to of [7, 'alice', '*']) {
          const body = message(`to ${to}`, 'x', to)
          const answer = await post(server, body)
          expect(answer).toMatchObject({ status: 200, body: { delivered: to === 'alice' ? 0 : 1 } })
          sent.push([body, answer.body['id']])
        }
        server.kill(signal)
        await server.exited
      }
      await using again = await serve(options)
      using stream = await LogStream.open(again, 7, 'json')
      for (const [body, id] of sent) {
        const restored = { delivered: 0, id, restored: true }
        expect(await post(again, body)).toEqual({ status: 200, body: restored })
      }
      const lines = [...sent.map(([body]) => body), message('to 7', 'y'), message('new', 'z')]
      const batch = await post(again, lines.join('\n'), '/messages', { 'content-type': NDJSON })
      expect(batch.body).toMatchObject({ accepted: 4, delivered: 1, restored: 3, rejectedCount: 1 })
      expect(await endOf(stream, again)).toEqual(['z'])
    },
  )
})

test('a body to a user or about a subject has its key in a header', async () => {
  await using server = await serve()
  using stream = await LogStream.open(server, 7, 'json')
  const key = { 'idempotency-key': '8e03978e-40d5-43dd-bc93-6894a57f9324' }
  const first = await post(server, 'text', '/users/7', key)
  expect(first).toMatchObject({ status: 200, body: { delivered: 1 } })
  expect(await post(server, 'text', '/users/7', key)).toEqual(first)
  expect(codeOf(await post(server, 'text', '/subjects/7', key))).toEqual([409, 'key_conflict'])
  // The same message, in another way.
  expect(await post(server, message(key['idempotency-key'], 'text'))).toEqual(first)
  const long = { 'idempotency-key': 'k'.repeat(129) }
  expect(codeOf(await post(server, 'text', '/users/7', long))).toEqual([422, 'invalid_message'])
  expect(await endOf(stream, server)).toEqual(['text'])
})

test('comet publish sends its key, and says what is no key and no event', async () => {
  await using server = await serve()
  using stream = await LogStream.open(server, 7, 'json')
  const publish = (...args: string[]) =>
    run(['publish', '7', ...args, '--control', server.controlUrl])
  for (let round = 0; round < 2; round++) {
    const { exitCode, stdout } = await publish('Hello', '--key', 'a "key"')
    expect([exitCode, stdout]).toEqual([0, '1 delivered\n'])
  }
  const conflict = await publish('other', '--key', 'a "key"')
  expect([conflict.exitCode, conflict.stderr]).toEqual([
    1,
    expect.stringContaining('This key was used less than five minutes ago'),
  ])
  const refused: (readonly [option: string, value: string, why: string])[] = [
    ['--key', 'ä', '1 to 128 printable characters of ASCII'],
    ['--event', 'start', "not start, gap or end, which are comet's own"],
    ['--event', 'gap', "not start, gap or end, which are comet's own"],
    ['--event', 'end', "not start, gap or end, which are comet's own"],
  ]
  for (const [option, value, why] of refused) {
    const { exitCode, stderr } = await publish('x', option, value)
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(why)])
  }
  expect(await endOf(stream, server)).toEqual(['Hello'])
})

test.each(['gap', 'end'])('the event %s is comet’s own, and refused', async (event) => {
  await using server = await serve()
  const answer = await post(server, JSON.stringify({ to: 7, body: 'x', event }))
  expect(codeOf(answer)).toEqual([422, 'invalid_message'])
  expect(JSON.stringify(answer.body)).toContain("not start, gap or end, which are comet's own")
})
