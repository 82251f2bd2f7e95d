// Goal: `live=sse` of the format `poll` is a stream of the events of the Durable Streams protocol,
// of which each array of messages is followed by where it ends; and it keeps what all transports
// promise. Method: the contract of transports, and the real app asked over raw sockets.

import { describe, expect, test } from 'bun:test'
import { RawClient } from '../../scripts/support/raw-client.ts'
import { until } from '../core/time.fixture.ts'
import { NONE_CLOSED } from '../hub/stream.fixture.ts'
import { PublicHost, readChunks } from './host.fixture.ts'
import { transportContract } from './transport.contract.ts'

interface Event {
  readonly type: string
  readonly data: unknown
}

function eventsOf(text: string): Event[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '' && !block.startsWith(':'))
    .map((block) => {
      const [, type = '', data = ''] = /^event: (\w+)\ndata:(.*)$/.exec(block) ?? []
      return { type, data: JSON.parse(data) as unknown }
    })
}

/** A chunk is what a stream begins with, one message and where it ends, or why the stream ends. */
const EVENTS = {
  pathOf: (user: number) => `/stream/${user}?offset=now&live=sse`,
  readerOf: (raw: RawClient) =>
    readChunks(raw, (chunks) =>
      chunks.flatMap((chunk) => {
        const [first] = eventsOf(Buffer.from(chunk).toString())
        if (first?.type === 'end') return []
        if (first?.type !== 'data') return [Buffer.from(first?.type ?? '')]
        return [Buffer.from((first.data as { body: string }[])[0]?.body ?? '')]
      }),
    ),
}

const newHost = () => new PublicHost(EVENTS)

const newDescriptorHost = () => PublicHost.onDescriptors(EVENTS)

const WELCOME = 'control'

describe('live=sse', () => {
  transportContract(
    'on sockets',
    async () => newHost(),
    () => WELCOME,
  )
  describe.if(process.platform === 'linux')('past Bun', () => {
    transportContract('on descriptors', newDescriptorHost, () => WELCOME)
  })
})

const EPOCH = '019ad3f0c2a1'
const offsetOf = (number: number) => `${EPOCH}-${number.toString(16).padStart(12, '0')}`

function open(host: PublicHost, query: string): Promise<RawClient> {
  return RawClient.request(host.port, `GET /stream/7?live=sse&${query} HTTP/1.1`)
}

async function eventsIn(raw: RawClient, count: number): Promise<Event[]> {
  const events = () => eventsOf(Buffer.concat(raw.chunks).toString())
  await until(`${count} events have come`, () => events().length >= count)
  return events()
}

const control = (number: number) => ({
  type: 'control',
  data: { streamNextOffset: offsetOf(number), streamCursor: CURSOR, upToDate: true },
})
const message = (number: number, body: string) => ({ id: offsetOf(number), to: 7, body })

/** Of the time that the clock of tests stands at. */
const CURSOR = String(Math.floor((Date.UTC(2026, 0, 2, 3, 4, 5) - Date.UTC(2024, 9, 9)) / 20_000))

test('a stream begins with what was missed, and each message is followed by where it ends', async () => {
  await using host = newHost()
  for (const body of ['a', 'b']) host.publish(7, body)
  host.publish(8, 'of another')
  using raw = await open(host, 'offset=-1')
  const { status, fields } = await raw.headed()
  expect([status, fields.get('content-type')]).toEqual([200, 'text/event-stream'])
  expect(fields.get('cache-control')).toContain('no-cache')
  expect(fields.has('content-length')).toBe(false)
  await eventsIn(raw, 2)
  host.publish(7, 'c')
  expect(await eventsIn(raw, 4)).toEqual([
    { type: 'data', data: [message(1, 'a'), message(2, 'b')] },
    control(3),
    { type: 'data', data: [message(4, 'c')] },
    control(4),
  ])
})

test('a stream that has missed nothing begins with where it is', async () => {
  await using host = newHost()
  host.publish(7, 'a')
  using now = await open(host, 'offset=now')
  using behind = await open(host, `offset=${offsetOf(1)}`)
  expect(await eventsIn(now, 1)).toEqual([control(1)])
  expect(await eventsIn(behind, 1)).toEqual([control(1)])
})

test('a stream whose client was told a cursor for caches tells a higher one from then on', async () => {
  await using host = newHost()
  using raw = await open(host, `offset=now&cursor=${CURSOR}`)
  await eventsIn(raw, 1)
  host.publish(7, 'a')
  const cursors = (await eventsIn(raw, 3))
    .filter(({ type }) => type === 'control')
    .map(({ data }) => Number((data as { streamCursor: string }).streamCursor))
  expect(cursors[0]).toBeGreaterThan(Number(CURSOR))
  expect(cursors[1]).toBe(cursors[0] ?? 0)
})

test('a stream ends behind a page, so that its client comes back for the next', async () => {
  await using host = newHost()
  host.log.pageMax = 2
  for (const body of ['a', 'b', 'c']) host.publish(7, body)
  using raw = await open(host, 'offset=-1')
  await until('it has ended', () => raw.ending === 'final')
  expect(await eventsIn(raw, 2)).toEqual([
    { type: 'data', data: [message(1, 'a'), message(2, 'b')] },
    { type: 'control', data: { streamNextOffset: offsetOf(2), streamCursor: CURSOR } },
  ])
  expect(host.streams.closed).toEqual({ ...NONE_CLOSED, answered: 1 })
})

test.each([newHost, newDescriptorHost])('a gap is no stream, but an answer', async (start) => {
  await using host = await start()
  for (const body of ['a', 'b']) host.publish(7, body)
  host.log.oldest = 2
  using raw = await open(host, `offset=${offsetOf(0)}`)
  const { status, fields } = await raw.headed()
  expect([status, fields.get('stream-next-offset')]).toEqual([410, offsetOf(2)])
  expect(fields.get('content-type')).toBe('application/json')
  await until('it has ended', () => raw.ending === 'final')
  expect(JSON.parse(Buffer.concat(raw.chunks).toString())).toMatchObject({
    gap: { after: offsetOf(0), resume: offsetOf(2), reason: 'lost' },
  })
  await until('the connection is closed', () => raw.end !== null)
})

test('a stream says why it ends', async () => {
  await using host = newHost()
  using raw = await open(host, 'offset=now')
  await eventsIn(raw, 1)
  host.streams.drain(1)
  await until('it has ended', () => raw.ending === 'final')
  expect((await eventsIn(raw, 2)).at(-1)).toEqual({ type: 'end', data: { end: 'drained' } })
})

test('a heartbeat is a comment, which is no event', async () => {
  await using host = newHost()
  using raw = await open(host, 'offset=now')
  await eventsIn(raw, 1)
  for (let part = 0; part < 16; part++) host.streams.beat(1 / 8)
  await until('it has come', () => raw.chunks.length > 1)
  expect(raw.chunks.slice(1).map(String)).toContain(':\n\n')
})
