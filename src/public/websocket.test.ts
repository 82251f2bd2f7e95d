// Goal: the transport of WebSocket keeps the contract, on both wires, and its clients are answered
// and told the end as RFC 6455 says. Method: the public port's real app on a real port, asked over
// raw sockets, which know no WebSocket but what is here.

import { describe, expect, test } from 'bun:test'
import { RawClient } from '../../scripts/support/raw-client.ts'
import { until } from '../core/time.fixture.ts'
import { deliverNow, textFrame } from '../hub/stream.fixture.ts'
import { UNLIMITED } from '../hub/stream.ts'
import { PublicHost } from './host.fixture.ts'
import { transportContract } from './transport.contract.ts'
import {
  CLOSE,
  clientClose,
  clientFrame,
  clientText,
  PING,
  PONG,
  type ServerFrame,
  serverFramesIn,
  TEXT,
} from './websocket.fixture.ts'

const FIELDS = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

/** The frames that a client got, read once each. */
class Frames {
  readonly all: ServerFrame[] = []
  readonly #raw: RawClient
  #at = 0

  constructor(raw: RawClient) {
    this.#raw = raw
  }

  read(): readonly ServerFrame[] {
    if (this.#at === 0) {
      const end = this.#raw.text.indexOf('\r\n\r\n')
      if (end < 0) return this.all
      expect(this.#raw.head).toStartWith('HTTP/1.1 101 ')
      this.#at = end + 4
    }
    const bytes = Buffer.from(this.#raw.text.slice(this.#at), 'latin1')
    const { frames, rest } = serverFramesIn(bytes)
    this.#at += bytes.length - rest.length
    for (const { opcode, payload } of frames) {
      this.all.push({ opcode, payload: Buffer.from(payload) })
      // As each client has to.
      if (opcode === CLOSE) this.#raw.send(clientFrame({ opcode: CLOSE, payload }))
    }
    return this.all
  }

  /** As a word or two each: texts as they are, a close by its code. */
  get told(): string[] {
    return this.read().map(({ opcode, payload }) => {
      if (opcode === TEXT) return payload.toString()
      if (opcode === PING) return 'ping'
      if (opcode === PONG) return `pong ${payload}`
      return payload.length === 0 ? 'close' : `close ${payload.readUInt16BE()}`
    })
  }
}

interface MessageObject {
  readonly id: string
  readonly body?: string
  readonly end?: string
}

const WEBSOCKET = {
  pathOf: (user: number) => `/stream/${user}`,
  fields: FIELDS,
  readerOf(raw: RawClient) {
    const frames = new Frames(raw)
    return {
      get received() {
        const objects = frames
          .read()
          .filter(({ opcode }) => opcode === TEXT)
          .map(({ payload }) => JSON.parse(String(payload)) as MessageObject)
        return objects
          .filter(({ end }) => end === undefined)
          .map(({ body }) => Buffer.from(body ?? 'welcome'))
      },
      get ending() {
        const last = frames.told.at(-1)
        if (raw.end === null) return 'open'
        if (raw.end === 'reset') return 'reset'
        return last === 'close 1001' ? 'proper' : 'cut'
      },
    } as const
  },
}

const welcomeOf = () => 'welcome'

const newHost = () => new PublicHost(WEBSOCKET)

const newDescriptorHost = () => PublicHost.onDescriptors(WEBSOCKET)

const newAcceptingHost = () => PublicHost.accepting(WEBSOCKET)

transportContract('the WebSocket transport on sockets', async () => newHost(), welcomeOf)

describe.if(process.platform === 'linux')('past Bun,', () => {
  transportContract('the WebSocket transport on descriptors', newDescriptorHost, welcomeOf)
  transportContract('the WebSocket transport, accepted past Bun', newAcceptingHost, welcomeOf)
})

/** A stream of user 7, and what its client got behind the welcome. */
async function open(host: PublicHost) {
  const raw = await RawClient.request(host.port, 'GET /stream/7 HTTP/1.1', ['Host: a', ...FIELDS])
  const frames = new Frames(raw)
  await until('the welcome has come', () => frames.told.length === 1)
  return {
    raw,
    send: (...parts: Uint8Array[]) => raw.send(Buffer.concat(parts)),
    get told() {
      return frames.told.slice(1)
    },
    [Symbol.dispose]: () => raw.terminate(),
  }
}

const ID = '"id":"[0-9a-f]{12}-[0-9a-f]{12}"'

const HOSTS: [string, () => Promise<PublicHost>][] = [
  ['a socket of Bun', async () => newHost()],
  ...(process.platform === 'linux'
    ? [['a descriptor', newDescriptorHost] satisfies [string, () => Promise<PublicHost>]]
    : []),
]

describe.each(HOSTS)('a client on %s', (_, start) => {
  test('is answered in the order in which it asks, behind what was published before', async () => {
    await using host = await start()
    using client = await open(host)
    client.send(
      clientText('{"subscribe":[42,"room:1"]}'),
      clientText('{'),
      clientText('{"unsubscribe":[42]}'),
    )
    await until('it is answered', () => client.told.length === 3)
    const [subscribed, error, unsubscribed] = client.told
    expect(subscribed).toMatch(new RegExp(`^{"subscribed":\\[42,"room:1"\\],${ID}}$`))
    expect(error).toStartWith('{"error":{"code":"invalid_json",')
    expect(unsubscribed).toMatch(new RegExp(`^{"unsubscribed":\\[42\\],${ID}}$`))
    const [slot = 0] = host.streams.connected.slotsOf(7)
    expect(host.streams.subjectsOf(slot).length).toBe(1)
    deliverNow(host.streams, 7, textFrame('a'))
    await until('it has come', () => client.told.length === 4)
  })

  test('may ask for everything in one byte after the other', async () => {
    await using host = await start()
    using client = await open(host)
    const wire = clientText('{"subscribe":["a"]}')
    for (const byte of wire) {
      client.send(Uint8Array.of(byte))
      await new Promise(setImmediate)
    }
    await until('it is answered', () => client.told.length === 1)
    expect(client.told[0]).toStartWith('{"subscribed":["a"],')
  })

  test('follows no more subjects than a stream may, and is told so', async () => {
    await using host = await start()
    using client = await open(host)
    const subjects = Array.from({ length: 100 }, (_, at) => at + 1)
    client.send(clientText(JSON.stringify({ subscribe: subjects })))
    client.send(clientText('{"subscribe":[1,100]}'), clientText('{"subscribe":[101]}'))
    client.send(clientText('{"unsubscribe":[1]}'), clientText('{"subscribe":[101]}'))
    await until('it is answered', () => client.told.length === 5)
    const words = client.told.map((text) => Object.keys(JSON.parse(text) as object)[0])
    expect(words).toEqual(['subscribed', 'subscribed', 'error', 'unsubscribed', 'subscribed'])
    expect(client.told[2]).toContain('"too_many_subjects"')
    const [slot = 0] = host.streams.connected.slotsOf(7)
    expect(host.streams.subjectsOf(slot).toSorted((a, b) => a - b)).toEqual([
      ...subjects.slice(1),
      101,
    ])
  })

  test('that asks for others and others is told when that is too often', async () => {
    await using host = await start()
    using client = await open(host)
    const subjects = JSON.stringify(Array.from({ length: 100 }, (_, at) => at + 1))
    for (let round = 0; round < 21; round++) {
      client.send(clientText(`{"subscribe":${subjects}}`))
      client.send(clientText(`{"unsubscribe":${subjects}}`))
    }
    await until('it is answered', () => client.told.length === 42)
    const errors = client.told.filter((text) => text.startsWith('{"error"'))
    expect([errors.length, client.told.at(-2)?.includes('"too_often"')]).toEqual([1, true])
  })

  test('gets what its token allows, and an error for the rest', async () => {
    await using host = await start()
    host.admission = { admitted: true, ...UNLIMITED, readable: ['room:*', '42'] }
    using client = await open(host)
    for (const subjects of ['["room:1",42,7]', '["room"]', '["room:1","news"]', '[43]']) {
      client.send(clientText(`{"subscribe":${subjects}}`))
    }
    await until('it is answered', () => client.told.length === 4)
    const codes = client.told.map(
      (text) => (JSON.parse(text) as { error?: { code: string } }).error?.code,
    )
    const no = 'subject_not_allowed'
    expect(codes).toEqual([undefined, no, no, no])
  })

  test('gets a pong for each ping, and nothing for a pong', async () => {
    await using host = await start()
    using client = await open(host)
    client.send(
      clientFrame({ opcode: PING, payload: 'a' }),
      clientFrame({ opcode: PONG, payload: 'b' }),
      clientFrame({ opcode: PING, payload: 'c' }),
    )
    await until('it is answered', () => client.told.length === 2)
    expect(client.told).toEqual(['pong a', 'pong c'])
    client.send(clientFrame({ opcode: PING }))
    await until('it is answered again', () => client.told.at(-1) === 'pong ')
    expect(host.streams.open).toBe(1)
  })

  test.each([
    [clientClose(1000, 'bye'), 'close 1000'],
    [clientClose(4123), 'close 4123'],
    [clientFrame({ opcode: CLOSE }), 'close'],
  ])(
    'that closes gets the same code, behind the answers to what it asked, and then the end',
    async (close, told) => {
      await using host = await start()
      using client = await open(host)
      client.send(clientText('{"subscribe":[1]}'), close, clientText('{"subscribe":[2]}'))
      expect(await client.raw.ended()).toBeString()
      expect([client.raw.end, client.told.length, client.told.at(-1)]).toEqual(['closed', 2, told])
      await until('the connection is forgotten', () => host.streams.readers === 0)
      expect([host.streams.open, host.streams.closed.client]).toEqual([0, 1])
    },
  )

  test.each<[string, Uint8Array, number]>([
    ['is not masked', clientFrame({ opcode: TEXT, mask: null }), 1002],
    ['is binary', clientFrame({ opcode: 2, payload: 'x' }), 1003],
    ['is not UTF-8', clientFrame({ opcode: TEXT, payload: Uint8Array.of(0xff) }), 1007],
    // With all that it has, of which most is read by nobody.
    ['is too long', clientFrame({ opcode: TEXT, payload: 'a'.repeat(900_000) }), 1009],
  ])('whose frame %s is told so by the code, and then the end', async (_, frame, code) => {
    await using host = await start()
    using client = await open(host)
    client.send(frame)
    await client.raw.ended()
    expect([client.raw.end, client.told]).toEqual(['closed', [`close ${code}`]])
    await until('the connection is forgotten', () => host.streams.readers === 0)
    expect([host.streams.open, host.streams.closed.protocol]).toEqual([0, 1])
  })

  test('that asks while it reads nothing is reset when its answers are too many', async () => {
    await using host = await start()
    using client = await open(host)
    client.raw.pause()
    const wire = Buffer.concat(Array.from({ length: 500 }, () => clientText('{"subscribe":[1]}')))
    while (host.streams.open > 0) {
      if (client.raw.hasSent) client.send(wire)
      client.raw.flush()
      await new Promise(setImmediate)
    }
    expect(host.streams.closed.slow).toBe(1)
    expect(host.streams.queuedBytes).toBe(0)
    client.raw.resume()
    await until('it is reset', () => client.raw.end === 'reset')
  })

  test('that sends on and on is read by and by, while others are answered', async () => {
    await using host = await start()
    using greedy = await open(host)
    using modest = await open(host)
    // No answer, so that it is not slow.
    const wire = Buffer.concat(Array.from({ length: 100_000 }, () => clientFrame({ opcode: PONG })))
    greedy.send(wire)
    modest.send(clientFrame({ opcode: PING, payload: 'x' }))
    const flush = () => {
      greedy.raw.flush()
      return modest.told.length === 1
    }
    await until('the other one is answered', flush)
    greedy.send(clientFrame({ opcode: PING, payload: 'end' }))
    await until('all is read', () => {
      greedy.raw.flush()
      return greedy.told.includes('pong end')
    })
  })

  test('that leaves in the middle of a frame leaves nothing to the next one', async () => {
    await using host = await start()
    const wire = clientText('{"subscribe":["a"]}')
    for (const round of [0, 1, 2, 5, 10, 23]) {
      const client = await open(host)
      client.send(wire.subarray(0, round))
      if (round % 2 === 0) client.raw.terminate()
      else client.raw.close()
      await until('it is forgotten', () => host.streams.readers === 0)
    }
    using client = await open(host)
    client.send(wire)
    await until('it is answered', () => client.told.length === 1)
  })

  test('that sends frames before it is answered is not taken for one that waits', async () => {
    await using host = await start()
    using raw = await RawClient.open(
      host.port,
      `GET /stream/7 HTTP/1.1\r\nHost: a\r\n${FIELDS.join('\r\n')}\r\n\r\n\x81`,
    )
    expect((await raw.headed()).status).toBe(400)
    const waiting = await host.openHeld(7)
    waiting.client.catch(() => undefined)
    expect(host.streams.open).toBe(0)
    waiting.letIn()
    ;(await waiting.client)[Symbol.dispose]()
  })

  test('of HTTP/1.0, or with another version or no key, is told what is missing', async () => {
    await using host = await start()
    const asked = async (line: string, fields: string[]) => {
      const answer = await host.ask(line, ['Host: localhost', ...fields])
      return answer.status
    }
    const path = '/stream/7?format=websocket'
    expect(await asked(`GET ${path} HTTP/1.0`, FIELDS)).toBe(426)
    expect(await asked(`GET ${path} HTTP/1.1`, [])).toBe(426)
    expect(await asked(`HEAD ${path} HTTP/1.1`, FIELDS)).toBe(426)
    expect(await asked('GET /stream/7 HTTP/1.1', FIELDS.slice(0, 2))).toBe(426)
    expect(await asked('GET /stream/7 HTTP/1.1', FIELDS.slice(0, 3))).toBe(400)
    expect(await asked('GET /stream/7 HTTP/1.1', [...FIELDS, 'Origin: http://evil.example'])).toBe(
      403,
    )
    expect(await asked('GET /stream/7 HTTP/1.1', [...FIELDS, 'Content-Length: 1'])).toBe(400)
    expect([host.asked.length, host.streams.opened]).toEqual([0, 0])
  })

  test('that names another format gets that, whatever it asks to upgrade to', async () => {
    await using host = await start()
    using raw = await RawClient.request(host.port, 'GET /stream/7?format=json HTTP/1.1', [
      'Host: a',
      ...FIELDS,
    ])
    expect((await raw.headed()).status).toBe(200)
  })

  test('is pinged when it was silent for long', async () => {
    await using host = await start()
    using client = await open(host)
    for (let at = 0; at < 20; at++) host.streams.beat(0.125)
    await until('it is pinged', () => client.told.includes('ping'))
  })

  test('is told by two frames why its stream ends', async () => {
    await using host = await start()
    using client = await open(host)
    host.streams.endUser(7, { reason: 'ended', note: 'moved' })
    await until('it is told', () => client.told.length === 2)
    await client.raw.ended()
    expect([client.told, client.raw.end]).toEqual([
      ['{"end":"ended","note":"moved"}', 'close 4002'],
      'closed',
    ])
  })
})
