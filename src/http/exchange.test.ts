// Goal: a handler gets the body of its request, no faster than it reads it; learns when its client
// has gone; and answers once, or takes the connection over. Method: real ports and raw clients.

import { describe, expect, test } from 'bun:test'
import { answersIn } from '../../scripts/support/answers.ts'
import { get, RawClient } from '../../scripts/support/raw-client.ts'
import { type ByteRange, viewOf } from '../core/bytes.ts'
import { httpLimits } from '../core/http-limits.ts'
import { until } from '../core/time.fixture.ts'
import type { Exchange, SocketHolder } from './exchange.ts'
import { echo, listening } from './listener.fixture.ts'

const MIB = 1024 * 1024
const CHUNKS = '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'

function post(framing: string, ...headers: string[]): string {
  return ['POST /a HTTP/1.1', 'Host: x', framing, ...headers, '', ''].join('\r\n')
}

function statusesIn({ text }: RawClient): number[] {
  return answersIn(text).answers.map(({ status }) => status)
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('latin1')
}

function textIn(range: ByteRange | null): string {
  return textOf(range === null ? null : viewOf(range))
}

/** A port that hands over its first exchange. */
function handing() {
  const { promise, resolve } = Promise.withResolvers<Exchange>()
  return { exchange: promise, port: listening({ handle: resolve }) }
}

function thrown(): never {
  throw new Error('a bug')
}

describe('a body', () => {
  test('that has come whole with its head is taken in one go, up to a limit', async () => {
    const taken: (string | null)[] = []
    const handle = (exchange: Exchange) => {
      const whole = [4, 5].map((bytesMax) => exchange.wholeBody(bytesMax))
      taken.push(...whole.map((body) => (body === null ? null : textIn(body))))
      exchange.reply({ status: 204 })
    }
    await using port = listening({ handle })
    const wire = `${post('Content-Length: 5')}hello${post('A: b')}${post('Content-Length: 5')}hell`
    using client = await RawClient.open(port.port, wire)
    await until('three answers', () => statusesIn(client).length === 3)
    expect(taken).toEqual([null, 'hello', '', '', null, null])
  })

  test.each([
    ['a length', post('Content-Length: 5'), 'abcde'],
    ['chunks', post('Transfer-Encoding: chunked'), CHUNKS],
  ])('with %s is read as it comes', async (_, head, body) => {
    const { exchange: handed, port } = handing()
    await using _port = port
    using client = await RawClient.open(port.port, head)
    const exchange = await handed
    const parts: string[] = []
    for (const byte of body) {
      client.send(byte)
      if (!/[a-e]/.test(byte)) continue
      parts.push(textOf(await exchange.readBody()))
    }
    expect(parts).toEqual([...'abcde'])
    expect(await exchange.readBody()).toBeNull()
    expect([exchange.isBodyRead, await exchange.readBody()]).toEqual([true, null])
  })

  test('that is not read makes the client wait, and comes whole when it is read', async () => {
    const { exchange: handed, port } = handing()
    await using _port = port
    const bytes = 32 * MIB
    using client = await RawClient.open(port.port, post(`Content-Length: ${bytes}`))
    client.send(Buffer.alloc(bytes, 'x'))
    const exchange = await handed
    await Bun.sleep(50)
    expect(client.hasSent).toBe(false)
    let read = 0
    for (let part = await exchange.readBody(); part !== null; part = await exchange.readBody()) {
      read += part.length
      // No part is longer than what one read of the socket may bring, and what was held before.
      expect(part.length).toBeLessThanOrEqual(MIB)
    }
    expect(read).toBe(bytes)
    exchange.reply({ status: 204 })
    await until('an answer', () => statusesIn(client).length === 1)
  })

  test.each([
    ['a length', `${post('Content-Length: 65536')}${'x'.repeat(65_536)}`],
    ['chunks', `${post('Transfer-Encoding: chunked')}ffff\r\n${'x'.repeat(65_535)}\r\n0\r\n\r\n`],
  ])('that is not read, and short, is skipped, with %s', async (_, wire) => {
    const handle = (exchange: Exchange) => exchange.reply({ status: 200, body: exchange.path })
    await using port = listening({ handle })
    using client = await RawClient.open(port.port)
    for (let round = 1; round <= 3; round++) {
      client.send(wire.slice(0, 60_000))
      await until('an answer', () => statusesIn(client).length === round)
      client.send(wire.slice(60_000))
    }
    client.send(get('/b'))
    await until('another answer', () => client.text.endsWith('/b'))
    expect(statusesIn(client)).toEqual([200, 200, 200, 200])
    expect(client.text.toLowerCase()).not.toContain('connection: close')
  })

  test.each([
    ['a length', post(`Content-Length: ${httpLimits.skippedBytesMax + 1}`), true],
    ['a length, and read in part', post(`Content-Length: ${httpLimits.skippedBytesMax + 1}`), true],
    // How long it is comes out later.
    ['chunks', `${post('Transfer-Encoding: chunked')}fffff\r\n${'x'.repeat(100_000)}`, false],
    ['chunks that are none', `${post('Transfer-Encoding: chunked')}x`, false],
  ])(
    'that is not read, and long or invalid, ends the connection, with %s',
    async (how, wire, says) => {
      const handle = async (exchange: Exchange) => {
        if (how.endsWith('in part')) await exchange.readBody()
        exchange.reply({ status: 413, body: exchange.path })
      }
      await using port = listening({ handle })
      using client = await RawClient.open(port.port, `${wire}xxxxxx`)
      await until('its end', () => client.ending === 'cut')
      const { answers } = answersIn(client.text)
      expect(answers).toMatchObject([{ status: 413, body: '/a' }])
      expect(answers[0]?.fields.get('connection')).toBe(says ? 'close' : undefined)
    },
  )

  test('that is not HTTP is answered with 400, and its reader learns it', async () => {
    const { exchange: handed, port } = handing()
    await using _port = port
    using client = await RawClient.open(port.port, `${post('Transfer-Encoding: chunked')}1\r\nax`)
    const exchange = await handed
    expect(textOf(await exchange.readBody())).toBe('a')
    await expect(exchange.readBody()).rejects.toMatchObject({ name: 'AbortError' })
    exchange.reply({ status: 200 })
    await until('its end', () => client.ending === 'cut')
    expect(statusesIn(client)).toEqual([400])
  })

  test.each(['Content-Length: 10', 'Transfer-Encoding: chunked'])(
    'with %s that its client does not finish ends with AbortError',
    async (framing) => {
      for (const leave of ['close', 'terminate', 'closeSendingHalf'] as const) {
        const { exchange: handed, port } = handing()
        await using _port = port
        using client = await RawClient.open(port.port, `${post(framing)}1\r\na\r\n`)
        const exchange = await handed
        await exchange.readBody()
        const rest = exchange.readBody()
        client[leave]()
        await expect(rest).rejects.toMatchObject({ name: 'AbortError' })
        // Of a FIN it is not known whether its client still reads.
        expect(exchange.isGone).toBe(leave === 'terminate')
        exchange.reply({ status: 400 })
        await until('its end', () => client.end !== null)
        if (leave === 'closeSendingHalf') expect(statusesIn(client)).toEqual([400])
      }
    },
  )

  test('that is still to come when its request is answered ends with AbortError', async () => {
    const { exchange: handed, port } = handing()
    await using _port = port
    using client = await RawClient.open(port.port, post('Content-Length: 10'))
    const exchange = await handed
    const rest = exchange.readBody()
    exchange.reply({ status: 408, headers: { connection: 'close' } })
    await expect(rest).rejects.toMatchObject({ name: 'AbortError' })
    await expect(exchange.readBody()).rejects.toMatchObject({ name: 'AbortError' })
    await until('its end', () => client.ending === 'cut')
  })

  test('is not the next request, when its handler reads late', async () => {
    const exchanges: Exchange[] = []
    await using port = listening({ handle: (exchange) => void exchanges.push(exchange) })
    const wire = `${post('Content-Length: 5')}hello${post('Content-Length: 5')}world`
    using client = await RawClient.open(port.port, wire)
    await until('the first is handled', () => exchanges.length === 1)
    exchanges[0]?.reply({ status: 204 })
    expect(exchanges[0]?.wholeBody(100)).toBeNull()
    expect(textIn(exchanges[1]?.wholeBody(100) ?? null)).toBe('world')
    expect(statusesIn(client)).toEqual([])
  })
})

describe('a client that expects 100-continue', () => {
  const HEAD = post('Content-Length: 5', 'Expect: 100-continue')
  const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

  test('is asked to continue once, when its body is read', async () => {
    await using port = listening({ handle: echo })
    using client = await RawClient.open(port.port, HEAD)
    await client.received(CONTINUE)
    for (const byte of 'hello') {
      client.send(byte)
      await Bun.sleep(1)
    }
    await until('an answer', () => client.text.endsWith('POST /a hello'))
    client.send(`${HEAD}world`)
    await until('another answer', () => client.text.endsWith('POST /a world'))
    expect(answersIn(client.text).answers.map(({ interim }) => interim)).toEqual([[100], []])
  })

  test.each([
    ['a version that has no 100', HEAD.replace('1.1', '1.0')],
    ['a body that has come', `${HEAD}hello`],
    ['no body', HEAD.replace('5', '0')],
  ])('is not asked with %s', async (_, wire) => {
    await using port = listening({ handle: echo })
    using client = await RawClient.open(port.port, wire)
    if (wire.includes('1.0')) client.send('hello')
    await until('an answer', () => statusesIn(client).length === 1)
    expect(client.text).not.toContain(CONTINUE)
  })

  test('is not asked in the middle of an answer', async () => {
    const { exchange: handed, port } = handing()
    await using _port = port
    using client = await RawClient.open(port.port, HEAD)
    const exchange = await handed
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        controller.enqueue((await exchange.readBody()) ?? new Uint8Array(0))
        if (exchange.isBodyRead) controller.close()
      },
    })
    const streamed = exchange.stream({ status: 200 }, body)
    await client.headed()
    client.send('hello')
    await streamed
    await until('its end', () => client.end !== null)
    expect(answersIn(client.text).answers).toMatchObject([{ body: 'hello', interim: [] }])
  })

  test('is refused instead, and the connection closed, since it may send the body or not', async () => {
    const handle = (exchange: Exchange) => exchange.reply({ status: 413, body: 'no' })
    await using port = listening({ handle })
    using client = await RawClient.open(port.port, HEAD)
    await until('its end', () => client.ending === 'cut')
    const { answers } = answersIn(client.text)
    expect(answers).toMatchObject([{ status: 413, body: 'no', interim: [] }])
    expect(answers[0]?.fields.get('connection')).toBe('close')
  })
})

describe('an exchange', () => {
  test('knows that its client has gone, and sends nothing then', async () => {
    const { exchange: handed, port } = handing()
    await using _port = port
    const client = await RawClient.open(port.port, get('/'))
    const exchange = await handed
    expect(exchange.isGone).toBe(false)
    client.terminate()
    await until('it is gone', () => exchange.isGone)
    exchange.reply({ status: 200 })
    await exchange.stream({ status: 200 }, new Blob(['x']).stream())
    expect(() => exchange.takeOver(holder())).toThrow('answered')
    expect(await port.stop(1_000)).toBe(false)
  })

  test('is answered by the first of several replies', async () => {
    const exchanges: Exchange[] = []
    await using port = listening({ handle: (exchange) => void exchanges.push(exchange) })
    using client = await RawClient.open(port.port, get('/1') + get('/2'))
    await until('the first is handled', () => exchanges.length === 1)
    const [first] = exchanges
    first?.reply({ status: 200, body: 'first' })
    first?.reply({ status: 201 })
    first?.replyHead({ status: 202 })
    first?.reject('unknown_method')
    await first?.stream({ status: 203 }, new Blob(['x']).stream())
    expect(() => first?.takeOver(holder())).toThrow('answered')
    exchanges[1]?.reply({ status: 200, body: 'second' })
    first?.reply({ status: 204 })
    await until('both answers', () => statusesIn(client).length === 2)
    expect(answersIn(client.text).answers.map(({ body }) => body)).toEqual(['first', 'second'])
  })

  test.each<[string, (exchange: Exchange) => void | Promise<void>]>([
    ['throws', () => thrown()],
    ['rejects', async () => thrown()],
    [
      'gives a header that is two',
      (exchange) => exchange.reply({ status: 200, headers: { a: 'b\r\nc: d' }, body: 'x' }),
    ],
  ])('whose handler %s is answered 500, once, and reported once', async (how, handle) => {
    const bugs: string[] = []
    const onBug = (error: unknown) => bugs.push((error as Error).message)
    await using port = listening({ handle, onBug })
    using client = await RawClient.open(port.port, get('/') + get('/next'))
    await until('its end', () => client.ending === 'cut')
    expect(answersIn(client.text).answers).toMatchObject([{ status: 500 }])
    expect(bugs).toEqual([how.endsWith('two') ? 'the header a has an invalid value' : 'a bug'])
  })

  test('gives its socket to an owner, with what comes from now on', async () => {
    const { exchange: handed, port } = handing()
    await using _port = port
    using client = await RawClient.open(port.port, `${get('/')}behind the head`)
    const exchange = await handed
    const owner = holder()
    const socket = exchange.takeOver(owner)
    client.send('later')
    await until('more comes', () => owner.events.length > 0)
    socket.write('taken')
    await client.received('taken')
    exchange.reply({ status: 200 })
    client.closeSendingHalf()
    await until('its half is closed', () => owner.events.includes('end'))
    socket.end()
    await until('its end', () => owner.events.includes('close'))
    expect(owner.events).toEqual(['later', 'end', 'close'])
    expect(client.text).toBe('taken')
  })

  test('whose client has closed its half tells the owner so', async () => {
    const { exchange: handed, port } = handing()
    await using _port = port
    using client = await RawClient.open(port.port, get('/'))
    client.closeSendingHalf()
    const exchange = await handed
    await Bun.sleep(20)
    const owner = holder()
    const socket = exchange.takeOver(owner)
    expect(owner.events).toEqual([])
    await until('it knows', () => owner.events.length > 0)
    expect(owner.events).toEqual(['end'])
    socket.end()
    await until('its end', () => client.ending === 'cut')
  })

  test('cannot be taken over when its client has gone', async () => {
    const { exchange: handed, port } = handing()
    await using _port = port
    const client = await RawClient.open(port.port, get('/'))
    const exchange = await handed
    client.terminate()
    await until('it is gone', () => exchange.isGone)
    expect(() => exchange.takeOver(holder())).toThrow('over')
  })

  test.each([
    ['/', '/'],
    ['/a/', '/a'],
    ['/%61/%61%2fb/%zz', '/a/%61%2fb/%zz'],
    ['http://x/%C3%A9?a', '/é'],
  ])('of %s has the path %s', async (target, path) => {
    const { exchange: handed, port } = handing()
    await using _port = port
    using _client = await RawClient.open(port.port, get(target))
    const exchange = await handed
    expect([exchange.path, exchange.method, exchange.peer]).toEqual([path, 'GET', '127.0.0.1'])
    expect([exchange.header('host'), exchange.header('a')]).toEqual([
      ...[target.startsWith('http:') ? 'x' : 'localhost', null],
    ])
  })
})

/** An owner of sockets that notes what happens to it. */
function holder(): SocketHolder & { readonly events: string[] } {
  const events: string[] = []
  return {
    events,
    onData: (bytes) => events.push(Buffer.from(bytes).toString()),
    onDrain: () => undefined,
    onEnd: () => events.push('end'),
    onClose: () => events.push('close'),
  }
}
