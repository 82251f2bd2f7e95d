// Goal: whatever the kernel answers, no byte reaches another client than the one it is for, none is
// lost or sent twice while the client is there, and every descriptor is closed once.
// Method: real streams and the real store on a kernel of the test, which fails as it is told to.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { until } from '../core/time.fixture.ts'
import { LAST_CHUNK } from '../http/response.ts'
import type { Fault } from '../os/epoll.fixture.ts'
import { EPOLL } from '../os/epoll.ts'
import { ERRNO } from '../os/libc.ts'
import { latin1, microtasks, receivedBy, World } from './descriptor-wire.fixture.ts'

/** All bytes have come, once, and nothing waits for any client. */
function expectAll(world: World): void {
  for (const client of world.clients) expect(receivedBy(client)).toBe(client.expected)
  const { store, bugs } = world
  expect([store.queuedBytes, store.open, bugs]).toEqual([0, world.clients.length, []])
}

describe('a stream gets all its bytes, in order and once,', () => {
  const message = 'abcdefghij'

  test.each(Array.from({ length: 18 }, (_, bytesMax) => bytesMax))(
    'when the kernel takes %d of them at first, of messages that are a turn each',
    async (bytesMax) => {
      const world = new World()
      const client = world.connect()
      world.kernel.faults.push({ call: 'send', fault: { bytesMax } })
      for (const round of [1, 2, 3]) world.send(client, `${message}${round}`)
      await world.settle()
      expectAll(world)
    },
  )

  test('when the kernel takes any part of the messages of one turn, and then of the rest', async () => {
    for (let first = 0; first <= 60; first++) {
      const world = new World()
      for (let second = 0; first + second <= 60; second++) {
        const [client, neighbour] = [world.connect(), world.connect()]
        for (const round of [1, 2, 3]) world.publish(client, `${message}${round}`)
        world.publish(neighbour, 'something else')
        world.kernel.faults.push({ call: 'send', fault: { bytesMax: first } })
        world.store.flush()
        const { length } = client.expected
        expect(receivedBy(client).length).toBe(Math.min(first, length))
        if (first < length) world.kernel.faults.push({ call: 'send', fault: { bytesMax: second } })
        world.kernel.drain(client.socket, 0)
        world.wire.poll()
        expect(receivedBy(client).length).toBe(Math.min(first + second, length))
        // Behind what waits, if anything does.
        world.send(client, 'last')
        await world.settle()
        expectAll(world)
      }
    }
  })

  const errnos = ['EAGAIN', 'EINTR', 'ENOBUFS', 'ENOMEM'] as const
  test.each(errnos.flatMap((name) => [[name, 'send'] as const, [name, 'publish'] as const]))(
    'after %s, whether each message is a turn or not: %s',
    async (name, how) => {
      const world = new World()
      const client = world.connect()
      for (let time = 0; time < 3; time++) {
        world.kernel.faults.push({ call: 'send', fault: { errno: ERRNO[name] } })
      }
      for (const round of [1, 2, 3]) world[how](client, `${message}${round}`)
      world.store.flush()
      await world.poll()
      await world.settle()
      expectAll(world)
    },
  )

  test('when it stays on a socket of Bun, since no descriptor is left', async () => {
    const world = new World()
    for (const call of ['duplicate', 'watch'] as const) {
      world.kernel.faults.push({ call, fault: { errno: ERRNO.EMFILE } })
      const client = world.connect()
      world.send(client, message)
      expect(receivedBy(client)).toBe(client.expected)
      expect([world.wire.open, world.kernel.descriptors]).toEqual([0, world.clients.length])
    }
  })

  test('and its end behind them, which for HTTP/1.0 has no bytes of its own', async () => {
    const world = new World()
    const clients = [world.connect(0), world.connect(1), world.connect(0), world.connect(1)]
    // Two of them have something that waits.
    for (const { socket } of clients.slice(2)) socket.room = 4
    for (const client of clients) world.publish(client, message)
    expect(world.store.drain(4)).toBe(4)
    await world.settle()
    for (const client of clients) {
      const ending = client.isChunked ? latin1(LAST_CHUNK) : ''
      expect(receivedBy(client)).toBe(`${client.expected}${ending}`)
      expect(client).toMatchObject({ socket: { ending: 'end' }, closes: 1, releases: 1 })
    }
    expect([clients[0]?.expected, world.bugs]).toEqual([`1: ${message}`, []])
  })
})

describe('a write that finds the client gone', () => {
  test.each(['EPIPE', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH'] as const)(
    'by %s ends the stream, and closes its descriptor',
    async (name) => {
      const world = new World()
      const client = world.connect()
      const bystander = world.connect()
      world.kernel.faults.push({ call: 'send', fault: { errno: ERRNO[name] } })
      world.send(client, 'lost')
      expect(world.store.open).toBe(1)
      await microtasks()
      expect([world.wire.open, world.kernel.descriptors, world.bugs]).toEqual([1, 1, []])
      world.send(client, 'lost, too')
      world.send(bystander, 'kept')
      expect([receivedBy(client), receivedBy(bystander)]).toEqual(['', bystander.expected])
    },
  )

  test('by EBADF is a bug, and closes no number, which may be that of another file', async () => {
    const world = new World()
    const client = world.connect()
    world.kernel.faults.push({ call: 'send', fault: { errno: ERRNO.EBADF } })
    world.send(client, 'lost')
    const other = world.kernel.connect()
    await microtasks()
    expect([world.store.open, world.wire.open]).toEqual([0, 0])
    expect(world.kernel.socketOf(other).descriptors).toBe(1)
    expect(world.bugs).toEqual(['Error: send of descriptor 4 failed: errno 9'])
  })

  test('while its welcome is written leaves nothing behind', async () => {
    const world = new World()
    world.kernel.faults.push({ call: 'send', fault: { errno: ERRNO.EPIPE } })
    world.connect()
    await microtasks()
    expect([world.store.open, world.wire.open, world.kernel.descriptors]).toEqual([0, 0, 0])
  })
})

test('events are looked for by a timer', async () => {
  const world = new World()
  world.kernel.finish(world.connect().socket)
  await until('the stream has ended', () => world.store.open === 0)
  expect(world.kernel.descriptors).toBe(0)
})

test('the kernel is asked for room only while something waits', async () => {
  const world = new World()
  const client = world.connect()
  const asked = () => (world.kernel.watchedFor(client.socket) & EPOLL.out) !== 0
  expect(asked()).toBe(false)
  client.socket.room = 3
  world.send(client, 'message')
  expect(asked()).toBe(true)
  world.kernel.drain(client.socket, 3)
  await world.poll()
  expect(asked()).toBe(true)
  world.kernel.drain(client.socket, 100)
  await world.poll()
  expect([asked(), receivedBy(client)]).toEqual([false, client.expected])
})

type Step =
  | { readonly kind: 'connect' }
  | { readonly kind: 'poll' }
  | { readonly kind: 'flush' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'publish' | 'room' | 'read' | 'arrive'; at: number; bytes: number }
  | { readonly kind: 'finish' | 'reset'; at: number }
  | { readonly kind: 'fault'; fault: Fault }

const ERRNOS = ['EAGAIN', 'EINTR', 'ENOBUFS', 'EPIPE', 'ECONNRESET', 'EBADF'] as const

const at = fc.nat({ max: 1_000 })
const bytes = fc.nat({ max: 60 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'connect' } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: 'poll' } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: 'flush' } as const) },
  fc.constant({ kind: 'drain' } as const),
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('publish', 'publish', 'publish', 'room', 'read', 'arrive'),
      ...{ at, bytes },
    }),
  },
  fc.record({ kind: fc.constantFrom('finish', 'reset'), at }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      fault: fc.oneof(
        fc.record({ bytesMax: fc.nat({ max: 40 }) }),
        fc.record({ errno: fc.constantFrom(...ERRNOS.map((name) => ERRNO[name])) }),
      ),
    }),
  },
)

function apply(world: World, step: Step): void {
  if (step.kind === 'connect') world.connect()
  else if (step.kind === 'poll') world.wire.poll()
  else if (step.kind === 'flush') world.store.flush()
  else if (step.kind === 'drain') world.store.drain(1)
  else if (step.kind === 'fault') world.kernel.faults.push({ call: 'send', fault: step.fault })
  else {
    const client = world.at(step.at)
    if (client === undefined) return
    if (step.kind === 'publish') world.publish(client, 'm'.repeat(step.bytes))
    else if (step.kind === 'room') client.socket.room = step.bytes
    else if (step.kind === 'read') world.kernel.drain(client.socket, step.bytes)
    else if (step.kind === 'arrive') world.kernel.arrive(client.socket, step.bytes)
    else if (step.kind === 'finish') world.kernel.finish(client.socket)
    else world.kernel.reset(client.socket)
  }
}

test('whatever happens in any order, each client gets a beginning of what is for it', async () => {
  const steps = fc.array(step, { maxLength: 120, size: 'max' })
  const property = fc.asyncProperty(steps, async (taken) => {
    const world = new World()
    for (const next of taken) {
      apply(world, next)
      await microtasks()
    }
    await world.settle()
    for (const client of world.clients) {
      const all = client.expected + latin1(LAST_CHUNK)
      const received = receivedBy(client)
      expect(all.startsWith(received)).toBe(true)
      const isOpen = world.store.connected.presence(client.user).connections === 1
      // Those that are there have everything, and those that were drained the end, too.
      if (isOpen) expect([received, client.socket.ending]).toEqual([client.expected, 'open'])
      if (received === all) expect(client.socket.ending).not.toBe('open')
      expect([client.closes, client.releases]).toEqual(isOpen ? [0, 0] : [1, 1])
    }
    expect([world.store.queuedBytes, world.wire.open]).toEqual([0, world.store.open])
    expect(world.kernel.descriptors).toBe(world.wire.open)
    expect(world.bugs.filter((bug) => !/^Error: send of .* errno 9$/.test(bug))).toEqual([])
  })
  await fc.assert(property, { numRuns: 1_000 })
})
