// Goal: a connection answers its requests one after the other, in order and each once, however they
// arrive, and ends so that its client can read the last answer. Method: real ports and raw clients
// that speak byte by byte.

import { describe, expect, test } from 'bun:test'
import { answersIn } from '../../scripts/support/answers.ts'
import { get, RawClient } from '../../scripts/support/raw-client.ts'
import { controlRejection } from '../control/answer.ts'
import { httpLimits } from '../core/http-limits.ts'
import { until } from '../core/time.fixture.ts'
import type { Exchange } from './exchange.ts'
import { echo, listening } from './listener.fixture.ts'

const MIB = 1024 * 1024

/** The bodies of the answers that have come whole. */
function bodiesIn({ text }: RawClient): string[] {
  return answersIn(text).answers.map(({ body }) => body)
}

/** Lets the port read what was sent. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate)
}

describe('pipelined requests', () => {
  test('are handled one after the other, and answered in order, though the first takes long', async () => {
    const exchanges: Exchange[] = []
    await using port = listening({ handle: (exchange) => void exchanges.push(exchange) })
    using client = await RawClient.open(port.port, get('/1') + get('/2') + get('/3'))
    await until('the first is handled', () => exchanges.length === 1)
    await turn()
    expect([exchanges.length, client.text]).toEqual([1, ''])
    exchanges[0]?.reply({ status: 200, body: 'one' })
    exchanges[1]?.reply({ status: 200, body: 'two' })
    exchanges[2]?.reply({ status: 200, body: 'three' })
    await until('three answers', () => bodiesIn(client).length === 3)
    expect(bodiesIn(client)).toEqual(['one', 'two', 'three'])
    expect(exchanges.map(({ path }) => path)).toEqual(['/1', '/2', '/3'])
  })

  const BODIES = [
    get('/a'),
    'POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello',
    'POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    '\r\nPUT /d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n',
  ]
  const ANSWERS = ['GET /a ', 'POST /b hello', 'POST /c abcde', 'PUT /d ']

  test('by the hundred are answered in order, whole and in pieces of any size', async () => {
    await using port = listening({ handle: echo })
    const wire = BODIES.join('').repeat(25)
    for (const pieceBytes of [wire.length, 1_000, 97, 41, 7]) {
      using client = await RawClient.open(port.port)
      for (let at = 0; at < wire.length; at += pieceBytes) {
        client.send(wire.slice(at, at + pieceBytes))
        if (at % (10 * pieceBytes) === 0) await turn()
      }
      await until('a hundred answers', () => bodiesIn(client).length === 100)
      expect(bodiesIn(client)).toEqual(new Array(25).fill(ANSWERS).flat())
    }
  })

  test('cut at any byte are answered', async () => {
    await using port = listening({ handle: echo })
    const wire = BODIES.join('')
    const cuts = Array.from({ length: wire.length }, (_, at) => at)
    const found = await Promise.all(
      cuts.map(async (cut) => {
        using client = await RawClient.open(port.port, wire.slice(0, cut))
        await turn()
        client.send(wire.slice(cut))
        await until('four answers', () => bodiesIn(client).length === 4)
        return bodiesIn(client)
      }),
    )
    expect(found).toEqual(cuts.map(() => ANSWERS))
  })

  test.each([
    ['at once', (exchange: Exchange) => exchange.reply({ status: 204 })],
    ['in a microtask', async (exchange: Exchange) => exchange.reply({ status: 204 })],
  ])('leave the event loop to others, answered %s', async (_, answer) => {
    let handled = 0
    const handle = (exchange: Exchange) => {
      handled++
      Promise.resolve(exchange).then(answer)
    }
    await using port = listening({ handle })
    using client = await RawClient.open(port.port, get('/').repeat(5_000))
    client.closeSendingHalf()
    const perTurn: number[] = []
    for (let before = 0; client.end === null; before = handled) {
      await new Promise(setImmediate)
      perTurn.push(handled - before)
    }
    expect(answersIn(client.text, []).answers).toHaveLength(5_000)
    // An immediate of ours may lie between two of the connection's.
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(2 * httpLimits.requestsPerTurn)
  })

  test('make the client wait while the first is handled, and are answered then', async () => {
    const first = Promise.withResolvers<void>()
    let answered = 0
    const handle = async (exchange: Exchange) => {
      if (answered++ === 0) await first.promise
      exchange.reply({ status: 204 })
    }
    await using port = listening({ handle })
    const wire = `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(8_000)}\r\n\r\n`
    // More than the kernel holds.
    const count = 2_000
    using client = await RawClient.open(port.port, wire.repeat(count))
    await until('the first is handled', () => answered === 1)
    await Bun.sleep(50)
    expect(client.hasSent).toBe(false)
    first.resolve()
    await until('all are answered', () => answered === count)
    client.close()
  }, 30_000)
})

describe('a connection', () => {
  test.each([
    ['1.1', '', true],
    ['1.1', 'Connection: keep-alive', true],
    ['1.1', 'Connection: close', false],
    ['1.1', 'Connection: x, Close', false],
    ['1.0', '', false],
    ['1.0', 'Connection: keep-alive', true],
    ['1.0', 'Connection: keep-alive, close', false],
  ])('of HTTP/%s with %p is kept: %p', async (version, field, isKept) => {
    await using port = listening({ handle: echo })
    const wire = `GET /a HTTP/${version}\r\nHost: x\r\n${field}${field === '' ? '' : '\r\n'}\r\n`
    using client = await RawClient.open(port.port, wire)
    const { fields } = await client.headed()
    const expected = isKept ? (version === '1.0' ? 'keep-alive' : undefined) : 'close'
    expect(fields.get('connection')).toBe(expected)
    if (isKept) {
      client.send(get('/b'))
      await until('another answer', () => bodiesIn(client).length === 2)
    } else await until('its end', () => client.ending === 'cut')
    expect(bodiesIn(client)).toEqual(isKept ? ['GET /a ', 'GET /b '] : ['GET /a '])
  })

  test('is closed after an answer that says so, and what follows is no request', async () => {
    const seen: string[] = []
    const handle = (exchange: Exchange) => {
      seen.push(exchange.path)
      exchange.reply({ status: 503, headers: { connection: 'close' }, body: exchange.path })
    }
    await using port = listening({ handle })
    using client = await RawClient.open(port.port, get('/1') + get('/2'))
    await until('its end', () => client.ending === 'cut')
    expect([seen, bodiesIn(client)]).toEqual([['/1'], ['/1']])
  })

  test('whose client closes its half after its requests still gets all answers', async () => {
    const handle = async (exchange: Exchange) => {
      await turn()
      exchange.reply({ status: 200, body: exchange.path })
    }
    await using port = listening({ handle })
    using client = await RawClient.open(port.port, get('/1') + get('/2') + get('/3'))
    client.closeSendingHalf()
    await until('its end', () => client.ending === 'cut')
    expect(bodiesIn(client)).toEqual(['/1', '/2', '/3'])
  })

  test('whose client closes its half without a request, or within one, is closed', async () => {
    await using port = listening({ handle: echo })
    for (const text of ['', 'GET / HT', `${get('/')}GET / HT`]) {
      using client = await RawClient.open(port.port, text)
      client.closeSendingHalf()
      await until('its end', () => client.ending === 'cut')
      expect(bodiesIn(client)).toHaveLength(text.startsWith('GET / HTTP') ? 1 : 0)
    }
  })

  test('sends a large answer to a client that reads slowly, and goes on then', async () => {
    const large = 'x'.repeat(12 * MIB)
    const handle = (exchange: Exchange) => {
      exchange.reply({ status: 200, body: exchange.path === '/large' ? large : 'small' })
    }
    await using port = listening({ handle })
    using client = await RawClient.open(port.port, get('/large') + get('/small'))
    for (let pauses = 0; pauses < 5; pauses++) {
      await until('more has come', () => client.bytes > pauses * 2 * MIB)
      client.pause()
      await Bun.sleep(10)
      client.resume()
    }
    await until('both answers', () => client.text.endsWith('small'))
    expect(bodiesIn(client).map(({ length }) => length)).toEqual([large.length, 5])
  }, 30_000)

  test('closed by its client while an answer waits is forgotten', async () => {
    const { promise, resolve } = Promise.withResolvers<Exchange>()
    await using port = listening({ handle: resolve })
    const client = await RawClient.open(port.port, get('/large'))
    client.pause()
    const exchange = await promise
    exchange.reply({ status: 200, body: 'x'.repeat(12 * MIB) })
    client.terminate()
    await until('it is gone', () => exchange.isGone)
    expect(await port.stop(1_000)).toBe(false)
  })
})

describe('what is no HTTP', () => {
  const TLS_HELLO = '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'

  test.each([
    ['text', 'hello\r\n\r\n', 400],
    ['a record of TLS', TLS_HELLO, 400],
    ['a request without a host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['a request line in LF', 'GET / HTTP/1.1\nHost: x\n\n', 400],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
    ],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    ['a long target', `GET /${'x'.repeat(httpLimits.targetBytesMax)} HTTP/1.1\r\n`, 414],
    ['a long head', `GET / HTTP/1.1\r\n${'a: b\r\n'.repeat(99)}c: ${'x'.repeat(16_384)}`, 431],
  ])('is answered once and the connection closed, as %s', async (_, wire, status) => {
    const handled: string[] = []
    const handle = (exchange: Exchange) => {
      handled.push(exchange.path)
      exchange.reply({ status: 200, body: 'first' })
    }
    await using port = listening({ handle, rejection: controlRejection })
    using client = await RawClient.open(port.port, get('/first') + wire + get('/behind'))
    await until('its end', () => client.ending === 'cut')
    const { answers } = answersIn(client.text)
    expect(answers.map((answer) => answer.status)).toEqual([200, status])
    expect(answers[1]?.fields.get('connection')).toBe('close')
    expect(JSON.parse(answers[1]?.body ?? '')).toEqual({
      error: { code: expect.any(String), message: expect.stringMatching(/^(Send|End) .*\.$/) },
    })
    expect(handled).toEqual(['/first'])
  })

  test('is answered though the client goes on sending', async () => {
    await using port = listening({ handle: echo })
    using client = await RawClient.open(port.port, TLS_HELLO)
    for (let at = 0; at < 100; at++) {
      client.send('x'.repeat(10_000))
      await turn()
    }
    await until('its end', () => client.end !== null)
    expect([answersIn(client.text).answers[0]?.status, client.ending]).toEqual([400, 'cut'])
  })
})

describe('an answer from the head of a request with a long body', () => {
  const head = (bytes: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`
  const handle = (exchange: Exchange) => exchange.reply({ status: 401, body: 'refused' })

  test.each([httpLimits.skippedBytesMax + 1, 4 * MIB, httpLimits.lingerBytesMax])(
    'is read whole by a client that first sends all of it, %d bytes',
    async (bytes) => {
      await using port = listening({ handle })
      using client = await RawClient.open(port.port, head(bytes))
      client.pause()
      client.send(Buffer.alloc(bytes))
      await until('all is sent', () => client.hasSent)
      client.resume()
      await until('its end', () => client.end !== null)
      expect(answersIn(client.text).answers).toMatchObject([{ status: 401, body: 'refused' }])
      expect(client.ending).toBe('cut')
    },
  )

  test('is read whole by a client that reads while it sends, however long it is', async () => {
    await using port = listening({ handle })
    const bytes = 4 * httpLimits.lingerBytesMax
    using client = await RawClient.open(port.port, head(bytes))
    client.send(Buffer.alloc(bytes))
    await until('its end', () => client.end !== null)
    expect(answersIn(client.text).answers).toMatchObject([{ status: 401, body: 'refused' }])
    expect(client.ending).toBe('cut')
  })
})
