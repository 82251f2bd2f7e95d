// Goal: every transport keeps the same promises.
// Method: one suite over real connections; a transport's test says how to start it and be a client.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { until } from '../core/time.fixture.ts'
import type { Frame } from '../hub/frame.ts'
import type { StreamStore } from '../hub/store.ts'
import { deliverNow, NONE_CLOSED, textFrame } from '../hub/stream.fixture.ts'

/** A server on a port of its own that has the transport. */
export interface TransportHost extends AsyncDisposable {
  readonly streams: StreamStore
  /** Opens a stream as a client does; settles when the welcome has come. */
  open(user: number): Promise<TransportClient>
  /** Asks for a stream as a client does, which has to wait; settles when it has asked. */
  openHeld(user: number): Promise<HeldClient>
  /** Asks for a stream and hangs up at once. */
  openAndHangUp(user: number): Promise<void>
  /** Asks for a stream's head alone, where there is such a request; settles when it has come. */
  head?(user: number): Promise<number>
}

export interface TransportClient extends Disposable {
  /** All that came, the welcome first, each as the bytes that were published. */
  readonly received: readonly Uint8Array[]
  /** How the stream ended: `proper` tells the client that nothing is missing. */
  readonly ending: 'open' | 'proper' | 'cut' | 'reset'
  /** Stops and starts reading from the socket. */
  pause(): void
  resume(): void
  hangUp(): void
}

/** A client whose stream is not opened yet. */
export interface HeldClient {
  /** Opens its stream in this turn of the loop. */
  letIn(): void
  /** Settles when its welcome has come. */
  readonly client: Promise<TransportClient>
}

/** What the hosts of this suite let wait for one stream. */
export const OUTBOX_BYTES = 65_536

const LARGEST = textFrame(`${'é\0'.repeat(21_845)}x`)

/**
 * @param start starts a server with {@link OUTBOX_BYTES} for each stream, on port 0
 * @param welcomeOf what a user's stream begins with
 */
export function transportContract(
  name: string,
  start: () => Promise<TransportHost>,
  welcomeOf: (user: number) => string,
): void {
  describe(`${name} keeps the contract of transports:`, () => {
    describe('a stream', () => streamContract(start, welcomeOf))
    describe('a client that goes', () => leavingContract(start))
    describe('a client that reads too slowly', () => slowContract(start))
    describe('draining', () => drainContract(start))
  })
}

function streamContract(start: () => Promise<TransportHost>, welcomeOf: (user: number) => string) {
  test('begins with the welcome, before any message', async () => {
    await using host = await start()
    const opening = host.open(123)
    await until('the store has the stream', () => host.streams.open === 1)
    deliverNow(host.streams, 123, textFrame('first'))
    using client = await opening
    await until('both have come', () => client.received.length === 2)
    expect(client.received.map((bytes) => Buffer.from(bytes).toString())).toEqual([
      welcomeOf(123),
      'first',
    ])
  })

  test('carries every message as one of its own, byte for byte', async () => {
    await using host = await start()
    using client = await host.open(7)
    const body = fc.string({ unit: 'binary', minLength: 1 })
    await fc.assert(
      fc.asyncProperty(fc.array(body, { minLength: 1, maxLength: 5 }), async (bodies) => {
        const before = client.received.length
        // All in one turn of the loop, where they might run together.
        await publish(
          host,
          7,
          bodies.map((body) => textFrame(body)),
        )
        await until('all have come', () => client.received.length >= before + bodies.length)
        expect(client.received.slice(before)).toEqual(bodies.map((text) => Buffer.from(text)))
      }),
      { numRuns: 50 },
    )
  })

  test('carries messages of the largest size, NUL bytes among them', async () => {
    await using host = await start()
    using client = await host.open(7)
    expect(LARGEST.bytes.length).toBe(65_536)
    for (let round = 0; round < 3; round++) {
      deliverNow(host.streams, 7, LARGEST)
      await until('it has come', () => client.received.length === 2 + round)
      expect(Buffer.compare(client.received[1 + round] ?? Buffer.of(), LARGEST.bytes)).toBe(0)
    }
  })

  test.each([
    ['more than is sent in one write', [30_000, 40_000, 1, 2, 35_000]],
    ['the largest between small ones', [1, 65_536, 2, 3]],
  ])('carries the messages of one turn in order: %s', async (_, lengths) => {
    await using host = await start()
    using client = await host.open(7)
    const bodies = lengths.map((length, at) => `${at}`.repeat(length))
    expect(
      await publish(
        host,
        7,
        bodies.map((body) => textFrame(body)),
      ),
    ).toEqual(lengths.map(() => 1))
    await until('all have come', () => client.received.length > bodies.length)
    expect(client.received.slice(1).map(String)).toEqual(bodies)
  })

  test('gets nothing of what its turn had for a stream that has left, nor has its slot', async () => {
    await using host = await start()
    using leaver = await host.open(7)
    const held = await host.openHeld(8)
    const [slot = 0] = host.streams.connected.slotsOf(7)
    let isOver = false
    const published = publish(host, 7, [textFrame('too late')]).finally(() => {
      isOver = true
    })
    host.streams.onEnd(slot)
    held.letIn()
    // Microtasks, which end no turn.
    for (let at = 0; at < 100 && host.streams.opened < 2; at++) await Promise.resolve()
    expect([host.streams.opened, isOver]).toEqual([2, false])
    using next = await held.client
    expect([await published, leaver.received.length]).toEqual([[0], 1])
    // The slot is used again once the turn is over.
    using last = await host.open(9)
    expect(host.streams.connected.slotsOf(9)).toEqual([slot])
    for (const user of [8, 9]) deliverNow(host.streams, user, textFrame(`for ${user}`))
    const clients = [next, last]
    await until('both have come', () => clients.every(({ received }) => received.length === 2))
    expect(clients.map(({ received }) => String(received[1]))).toEqual(['for 8', 'for 9'])
  })

  test('is one of several that a user may have, and all receive', async () => {
    await using host = await start()
    using first = await host.open(7)
    using second = await host.open(7)
    using other = await host.open(8)
    expect(deliverNow(host.streams, 7, textFrame('a'))).toBe(2)
    expect(deliverNow(host.streams, 8, textFrame('b'))).toBe(1)
    const clients = [first, second, other]
    await until('all have come', () => clients.every(({ received }) => received.length === 2))
    expect(clients.map(({ received }) => String(received[1]))).toEqual(['a', 'a', 'b'])
  })

  test('is not held for a request of its head alone', async () => {
    await using host = await start()
    // A transport without such a request has nothing to hold.
    if (host.head === undefined) return
    expect([await host.head(7), await host.head(7)]).toEqual([200, 200])
    expect([host.streams.opened, deliverNow(host.streams, 7, textFrame('a'))]).toEqual([0, 0])
  })
}

function leavingContract(start: () => Promise<TransportHost>) {
  test('is forgotten, and its siblings are not', async () => {
    await using host = await start()
    using sibling = await host.open(7)
    using leaver = await host.open(7)
    expect(host.streams.open).toBe(2)
    leaver.hangUp()
    await until('the store forgets it', () => host.streams.open === 1)
    expect(host.streams.closed).toEqual({ ...NONE_CLOSED, client: 1 })
    expect(deliverNow(host.streams, 7, textFrame('a'))).toBe(1)
    await until('the sibling has it', () => sibling.received.length === 2)
  })

  test('at once leaves nothing behind', async () => {
    await using host = await start()
    await Promise.all(Array.from({ length: 200 }, () => host.openAndHangUp(7)))
    using last = await host.open(7)
    await until('the last alone is left', () => host.streams.open === 1)
    expect(deliverNow(host.streams, 7, textFrame('a'))).toBe(1)
    await until('the last has it', () => last.received.length === 2)
  })

  test('with messages waiting leaves none of them behind', async () => {
    await using host = await start()
    using leaver = await host.open(7)
    leaver.pause()
    fill(host, 7)
    leaver.hangUp()
    await until('the store forgets it', () => host.streams.open === 0)
    expect([host.streams.queuedBytes, host.streams.undelivered > 0]).toEqual([0, true])
  })
}

function slowContract(start: () => Promise<TransportHost>) {
  test('is reset when its outbox is full, while the others receive', async () => {
    await using host = await start()
    using slow = await host.open(7)
    using bystander = await host.open(7)
    slow.pause()
    let sent = 0
    while (host.streams.closed.slow === 0) {
      deliverNow(host.streams, 7, LARGEST)
      sent++
      // One by one, so that the bystander itself is never slow.
      await until('the bystander has it', () => bystander.received.length === sent + 1)
    }
    expect([host.streams.open, host.streams.queuedBytes]).toEqual([1, 0])
    expect(bystander.ending).toBe('open')
    slow.resume()
    await until('the slow one is reset', () => slow.ending !== 'open')
    expect([slow.ending, slow.received.length < bystander.received.length]).toEqual(['reset', true])
  })

  test('gets the messages of a turn in order and whole, wherever its socket was full', async () => {
    await using host = await start()
    using client = await host.open(7)
    const sent: string[] = []
    let cuts = 0
    for (let round = 0; round < 2; round++) {
      client.pause()
      let taken: number[] = []
      while (host.streams.queuedBytes === 0) {
        const bodies = Array.from({ length: 40 }, (_, at) =>
          `${sent.length + at} `.padEnd(37 + at * 70, 'x'),
        )
        sent.push(...bodies)
        taken = await publish(
          host,
          7,
          bodies.map((body) => textFrame(body)),
        )
      }
      expect(taken).toEqual(new Array(40).fill(1))
      // All are one write, which the socket has taken in part.
      cuts += Number(host.streams.queuedBytes < 56_000)
      client.resume()
      await until('nothing waits', () => host.streams.queuedBytes === 0)
    }
    await until('all have come', () => client.received.length > sent.length)
    expect(client.received.slice(1).map(String)).toEqual(sent)
    expect([cuts > 0, host.streams.undelivered]).toEqual([true, 0])
  })

  test('gets all that waits when it reads again, and the store knows', async () => {
    await using host = await start()
    using client = await host.open(7)
    // Twice: what was true of the first time must be true of the next.
    let sent = 0
    for (let round = 0; round < 2; round++) {
      client.pause()
      sent += fill(host, 7)
      client.resume()
      await until('nothing waits', () => host.streams.queuedBytes === 0)
    }
    await until('all have come', () => client.received.length === sent + 1)
    expect([host.streams.open, host.streams.undelivered]).toEqual([1, 0])
  })
}

function drainContract(start: () => Promise<TransportHost>) {
  test('ends every stream properly, behind its last message', async () => {
    await using host = await start()
    const clients = await Promise.all([1, 2, 2].map((user) => host.open(user)))
    // In the same turn of the loop.
    const published = [1, 2].map((user) => publish(host, user, [textFrame('last')]))
    expect([host.streams.drain(2), host.streams.drain(2)]).toEqual([2, 1])
    expect(await Promise.all(published)).toEqual([[1], [2]])
    await until('all have ended', () => clients.every(({ ending }) => ending !== 'open'))
    expect(clients.map(({ ending }) => ending)).toEqual(['proper', 'proper', 'proper'])
    expect(clients.map(({ received }) => String(received.at(-1)))).toEqual(['last', 'last', 'last'])
    expect(host.streams.closed).toEqual({ ...NONE_CLOSED, drained: 3 })
    for (const client of clients) client.hangUp()
  })

  test('still sends what waits for a stream, and then ends it', async () => {
    await using host = await start()
    using client = await host.open(7)
    client.pause()
    const sent = fill(host, 7)
    host.streams.drain(1)
    client.resume()
    await until('the stream has ended', () => client.ending !== 'open')
    expect([client.ending, client.received.length]).toEqual(['proper', sent + 1])
  })
}

/**
 * Publishes to a user in this turn of the loop; settles when it is over, with how many streams took
 * each.
 */
async function publish(host: TransportHost, user: number, frames: Frame[]): Promise<number[]> {
  const taken: number[] = []
  for (const one of frames) {
    host.streams.begin(one, { settle: (delivered) => taken.push(delivered), late: () => undefined })
    host.streams.deliver(user)
  }
  await new Promise(setImmediate)
  expect(taken.length).toBe(frames.length)
  return taken
}

/** Sends to a user whose client does not read until something waits; answers how many it were. */
function fill(host: TransportHost, user: number): number {
  let sent = 0
  while (host.streams.queuedBytes === 0) {
    if (deliverNow(host.streams, user, LARGEST) !== 1) throw new Error('the stream has ended')
    sent++
  }
  return sent
}
