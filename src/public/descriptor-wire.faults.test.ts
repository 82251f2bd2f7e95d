// Goal: whatever the kernel answers, no byte reaches another client than the one it is for, none is
// lost or sent twice while the client is there, and every descriptor is closed once.
// Method: real streams and the real store on a kernel of the test, which fails as it is told to.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { FakeClock, until } from '../core/time.fixture.ts'
import type { Exchange, Socket, SocketHolder } from '../http/exchange.ts'
import { LAST_CHUNK } from '../http/response.ts'
import { encodeFrame } from '../hub/frame.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import { StreamStore } from '../hub/store.ts'
import { FakeKernel, type FakeSocket, type Fault } from '../os/epoll.fixture.ts'
import { EPOLL, ERRNO } from '../os/epoll.ts'
import { chunked } from './chunked.ts'
import { streamOpener } from './client-stream.ts'
import { DescriptorWire } from './descriptor-wire.ts'

interface Client {
  readonly user: number
  readonly socket: FakeSocket
  /** What it is to get behind the welcome. */
  expected: string
}

class World {
  readonly kernel = new FakeKernel()
  readonly bugs: string[] = []
  readonly clients: Client[] = []
  readonly store = new StreamStore({
    settings: settingsOf({ outboxBytes: 100 }),
    clock: new FakeClock(),
  })
  readonly wire = new DescriptorWire({
    calls: this.kernel,
    epoll: 2,
    clock: new FakeClock(),
    onBug: (error) => this.bugs.push(String(error)),
  })
  readonly #open = streamOpener(
    { registry: this.store, descriptors: this.wire, onEnding: () => undefined },
    chunked,
  )

  connect(): Client {
    const descriptor = this.kernel.connect()
    const user = this.clients.length + 1
    const client = { user, socket: this.kernel.socketOf(descriptor), expected: '' }
    const bunSocket = {
      fd: descriptor,
      data: undefined as SocketHolder | undefined,
      close: () => this.kernel.close(descriptor),
      write: (bytes: Uint8Array) => this.kernel.send(descriptor, bytes),
    }
    const takeOver = () => bunSocket as unknown as Socket
    this.#open(user, { head: { minor: 1 }, takeOver } as unknown as Exchange, null)
    this.clients.push(client)
    return client
  }

  /** One of the last few, so that several things happen to each. */
  at(index: number): Client | undefined {
    return this.clients.at(-1 - (index % 4))
  }

  deliver(client: Client, text: string): void {
    const frame = encodeFrame(`${client.user}: ${text}`)
    if (!frame.ok) throw new Error(frame.why.message)
    const { user } = client
    if (this.store.deliver(user, frame.value) === 1) {
      client.expected += String(chunked.encode(frame.value, true))
    }
  }

  /** As between two callbacks of the loop. */
  async turn(): Promise<void> {
    for (let microtask = 0; microtask < 4; microtask++) await Promise.resolve()
  }

  async poll(): Promise<void> {
    while (this.wire.poll() > 0) await this.turn()
  }

  /** Nothing fails any more, and every client reads. */
  async settle(): Promise<void> {
    this.kernel.faults.length = 0
    for (const { socket } of this.clients) this.kernel.drain(socket, 1_000_000)
    await this.poll()
  }
}

/** What a client got behind the head and the welcome. */
function receivedBy({ user, socket }: Client): string {
  const text = Buffer.from(socket.sent).toString('latin1')
  const greeting = Buffer.from(chunked.greeting(user, true)).toString('latin1')
  const at = text.indexOf(greeting)
  return at < 0 ? '' : text.slice(at + greeting.length)
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

describe('a stream gets all its bytes, in order and once,', () => {
  const message = 'abcdefghij'

  test.each(Array.from({ length: 18 }, (_, bytesMax) => bytesMax))(
    'when the kernel takes %d of them at first',
    async (bytesMax) => {
      const world = new World()
      const client = world.connect()
      world.kernel.faults.push({ call: 'send', fault: { bytesMax } })
      for (const round of [1, 2, 3]) world.deliver(client, `${message}${round}`)
      await world.settle()
      expect(receivedBy(client)).toBe(client.expected)
      expect([world.store.queuedBytes, world.store.open, world.bugs]).toEqual([0, 1, []])
    },
  )

  test.each(['EAGAIN', 'EINTR', 'ENOBUFS', 'ENOMEM'] as const)('after %s', async (name) => {
    const world = new World()
    const client = world.connect()
    for (let time = 0; time < 3; time++) {
      world.kernel.faults.push({ call: 'send', fault: { errno: ERRNO[name] } })
    }
    for (const round of [1, 2, 3]) world.deliver(client, `${message}${round}`)
    await world.poll()
    await world.settle()
    expect(receivedBy(client)).toBe(client.expected)
    expect([world.store.queuedBytes, world.store.open, world.bugs]).toEqual([0, 1, []])
  })

  test('when it stays on a socket of Bun, since no descriptor is left', async () => {
    const world = new World()
    for (const call of ['duplicate', 'watch'] as const) {
      world.kernel.faults.push({ call, fault: { errno: ERRNO.EMFILE } })
      const client = world.connect()
      world.deliver(client, message)
      expect(receivedBy(client)).toBe(client.expected)
      expect([world.wire.open, world.kernel.descriptors]).toEqual([0, world.clients.length])
    }
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
      world.deliver(client, 'lost')
      expect(world.store.open).toBe(1)
      await world.turn()
      expect([world.wire.open, world.kernel.descriptors, world.bugs]).toEqual([1, 1, []])
      world.deliver(client, 'lost, too')
      world.deliver(bystander, 'kept')
      expect([receivedBy(client), receivedBy(bystander)]).toEqual(['', bystander.expected])
    },
  )

  test('by EBADF is a bug, and closes no number, which may be that of another file', async () => {
    const world = new World()
    const client = world.connect()
    world.kernel.faults.push({ call: 'send', fault: { errno: ERRNO.EBADF } })
    world.deliver(client, 'lost')
    const other = world.kernel.connect()
    await world.turn()
    expect([world.store.open, world.wire.open]).toEqual([0, 0])
    expect(world.kernel.socketOf(other).descriptors).toBe(1)
    expect(world.bugs).toEqual(['Error: send of descriptor 4 failed: errno 9'])
  })

  test('while its welcome is written leaves nothing behind', async () => {
    const world = new World()
    world.kernel.faults.push({ call: 'send', fault: { errno: ERRNO.EPIPE } })
    world.connect()
    await world.turn()
    expect([world.store.open, world.wire.open, world.kernel.descriptors]).toEqual([0, 0, 0])
  })
})

describe('a descriptor that is used again', () => {
  test('gets no bytes of the stream before, and none of its events', async () => {
    const world = new World()
    const first = world.kernel.connect()
    const before = world.wire.add(first) ?? 0
    // Its event and that of the next client are reported together, with the same number.
    const told: string[] = []
    const holder = (name: string) => ({
      onData: () => undefined,
      onDrain: () => told.push(`${name} has room`),
      onEnd: () => told.push(`${name} ends`),
      onClose: () => told.push(`${name} is closed`),
    })
    const stolen: number[] = []
    world.wire.attach(before, {
      ...holder('first'),
      onEnd: () => {
        world.wire.end(before)
        const again = world.kernel.connect()
        stolen.push(again, world.wire.add(again) ?? 0)
        world.wire.attach(stolen[1] ?? 0, holder('second'))
      },
    })
    // With room to report, the event goes on after the owner has closed.
    world.kernel.socketOf(first).room = 0
    world.wire.write(before, Buffer.from('x'))
    world.kernel.drain(world.kernel.socketOf(first), 10)
    world.kernel.finish(world.kernel.socketOf(first))
    world.wire.poll()
    const [again = 0, after = 0] = stolen
    expect([again, told]).toEqual([first, ['first is closed']])
    expect(world.wire.write(before, Buffer.from('stale'))).toBe(-1)
    world.wire.end(before)
    world.wire.cut(before)
    expect(world.wire.write(after, Buffer.from('fresh'))).toBe(5)
    expect(text(Uint8Array.from(world.kernel.socketOf(again).sent))).toBe('fresh')
    expect(world.kernel.socketOf(again).ending).toBe('open')
  })

  test('is watched for room though the stream before was full', () => {
    const { kernel, wire } = new World()
    const descriptor = kernel.connect()
    for (let time = 0; time < 2; time++) {
      const handle = wire.add(descriptor) ?? 0
      const socket = kernel.socketOf(descriptor)
      socket.room = 0
      expect(wire.write(handle, Buffer.from('x'))).toBe(0)
      expect(kernel.watchedFor(socket) & EPOLL.out).toBe(EPOLL.out)
      wire.cut(handle)
      expect(kernel.connect()).toBe(descriptor)
    }
  })

  test.each(['finish', 'reset', 'drain'] as const)(
    'gets no event of the stream before that is reported in the same batch: %s',
    (how) => {
      const world = new World()
      const { kernel, wire } = world
      const first = kernel.connect()
      const second = kernel.connect()
      const handles = [first, second].map((descriptor) => wire.add(descriptor) ?? 0)
      const told: string[] = []
      const holder = (name: string): SocketHolder => ({
        onData: () => told.push(`${name}: data`),
        onDrain: () => told.push(`${name}: drain`),
        onEnd: () => told.push(`${name}: end`),
        onClose: () => told.push(`${name}: close`),
      })
      let successor = 0
      wire.attach(handles[0] ?? 0, {
        ...holder('first'),
        onClose: () => {
          wire.cut(handles[1] ?? 0)
          const again = kernel.connect()
          expect(again).toBe(first)
          expect(kernel.connect()).toBe(second)
          successor = wire.add(second) ?? 0
          wire.attach(successor, holder('successor'))
        },
      })
      wire.attach(handles[1] ?? 0, holder('second'))
      kernel.socketOf(second).room = 0
      wire.write(handles[1] ?? 0, Buffer.from('x'))
      kernel.reset(kernel.socketOf(first))
      if (how === 'drain') kernel.drain(kernel.socketOf(second), 1)
      else kernel[how](kernel.socketOf(second))
      expect(wire.poll()).toBe(2)
      expect([told, wire.open]).toEqual([['second: close'], 1])
      expect(wire.write(successor, Buffer.from('x'))).toBe(1)
    },
  )
})

test('events come by a timer when Bun reports none', async () => {
  // The epoll of this kernel has no descriptor that Bun could poll.
  const world = new World()
  world.kernel.finish(world.connect().socket)
  await until('the stream has ended', () => world.store.open === 0)
  expect([world.wire.wakes, world.kernel.descriptors]).toEqual([0, 0])
})

test('the kernel is asked for room only while something waits', async () => {
  const world = new World()
  const client = world.connect()
  const asked = () => (world.kernel.watchedFor(client.socket) & EPOLL.out) !== 0
  expect(asked()).toBe(false)
  client.socket.room = 3
  world.deliver(client, 'message')
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
  | { readonly kind: 'drain' }
  | { readonly kind: 'deliver' | 'room' | 'read' | 'arrive'; at: number; bytes: number }
  | { readonly kind: 'finish' | 'reset'; at: number }
  | { readonly kind: 'fault'; fault: Fault }

const ERRNOS = ['EAGAIN', 'EINTR', 'ENOBUFS', 'EPIPE', 'ECONNRESET', 'EBADF'] as const

const at = fc.nat({ max: 1_000 })
const bytes = fc.nat({ max: 60 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'connect' } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: 'poll' } as const) },
  fc.constant({ kind: 'drain' } as const),
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('deliver', 'deliver', 'deliver', 'room', 'read', 'arrive'),
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
  else if (step.kind === 'drain') world.store.drain(1)
  else if (step.kind === 'fault') world.kernel.faults.push({ call: 'send', fault: step.fault })
  else {
    const client = world.at(step.at)
    if (client === undefined) return
    if (step.kind === 'deliver') world.deliver(client, 'm'.repeat(step.bytes))
    else if (step.kind === 'room') client.socket.room = step.bytes
    else if (step.kind === 'read') world.kernel.drain(client.socket, step.bytes)
    else if (step.kind === 'arrive') world.kernel.arrive(client.socket, step.bytes)
    else if (step.kind === 'finish') world.kernel.finish(client.socket)
    else world.kernel.reset(client.socket)
  }
}

test('whatever happens in any order, each client gets a beginning of what is for it', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
    const world = new World()
    for (const next of steps) {
      apply(world, next)
      await world.turn()
    }
    await world.settle()
    for (const client of world.clients) {
      const all = client.expected + text(LAST_CHUNK)
      const received = receivedBy(client)
      expect(all.startsWith(received)).toBe(true)
      const isOpen = world.store.presence(client.user).connections === 1
      // Those that are there have everything, and those that were drained the end, too.
      if (isOpen) expect([received, client.socket.ending]).toEqual([client.expected, 'open'])
      if (received === all) expect(client.socket.ending).not.toBe('open')
    }
    expect([world.store.queuedBytes, world.wire.open]).toEqual([0, world.store.open])
    expect(world.kernel.descriptors).toBe(world.wire.open)
    expect(world.bugs.filter((bug) => !bug.endsWith('errno 9'))).toEqual([])
  })
  await fc.assert(property, { numRuns: 1_000 })
})
