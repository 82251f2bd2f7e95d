// Goal: a slot and the number of a descriptor may be used again at once, and nothing that was for
// the connection before reaches the next one: no byte, no event and no close.
// Method: a kernel of the test, an owner that remembers what it is told, and the real store.

import { describe, expect, test } from 'bun:test'
import { NO_OWNER } from '../hub/stream.ts'
import type { FakeSocket } from '../os/epoll.fixture.ts'
import { EPOLL } from '../os/epoll.ts'
import { ERRNO } from '../os/libc.ts'
import { fakeWire, latin1, microtasks, receivedBy, World } from './descriptor-wire.fixture.ts'

/** A wire whose owner remembers what it is told, and may do more at the end of a client. */
function watchedWire() {
  const world = fakeWire()
  const told: string[] = []
  const does = { onEnd: (_: number): void => undefined, onClose: (_: number): void => undefined }
  world.wire.owner = {
    ...NO_OWNER,
    onDrain: (slot) => told.push(`${slot} has room`),
    onEnd: (slot) => {
      told.push(`${slot} ends`)
      does.onEnd(slot)
    },
    onClose: (slot) => {
      told.push(`${slot} is closed`)
      does.onClose(slot)
    },
  }
  /** A connection in this slot; answers its descriptor. */
  const open = (slot: number) => {
    const descriptor = world.kernel.connect()
    expect(world.wire.add(slot, descriptor)).toBe(true)
    return descriptor
  }
  const write = (slot: number, text: string) =>
    world.wire.write(slot, Buffer.from(text), text.length)
  return { ...world, told, does, open, write }
}

describe('a slot and a descriptor that are used again', () => {
  test('by the owner of an event get none of the rest of it', () => {
    const { kernel, wire, told, does, open, write } = watchedWire()
    const first = open(1)
    does.onEnd = () => {
      wire.end(1)
      expect(open(1)).toBe(first)
      // So that the next one waits for room, too.
      kernel.socketOf(first).room = 0
      expect(write(1, 'y')).toBe(0)
    }
    const before = kernel.socketOf(first)
    before.room = 0
    expect(write(1, 'x')).toBe(0)
    kernel.drain(before, 10)
    kernel.finish(before)
    // One event, of both.
    expect(wire.poll()).toBe(1)
    expect(told).toEqual(['1 ends', '1 is closed'])
    const next = kernel.socketOf(first)
    expect([next.ending, kernel.watchedFor(next) & EPOLL.out]).toEqual(['open', EPOLL.out])
    kernel.drain(next, 10)
    wire.poll()
    expect(told.at(-1)).toBe('1 has room')
    expect([write(1, 'fresh'), latin1(Uint8Array.from(next.sent))]).toEqual([5, 'fresh'])
    expect(before.sent).toEqual([])
  })

  test('are watched for room though the stream before was full', () => {
    const { kernel, wire, open, write } = watchedWire()
    const descriptor = open(1)
    for (let time = 0; time < 3; time++) {
      const socket = kernel.socketOf(descriptor)
      socket.room = 0
      expect(write(1, 'x')).toBe(0)
      expect(kernel.watchedFor(socket) & EPOLL.out).toBe(EPOLL.out)
      wire.cut(1)
      expect(open(1)).toBe(descriptor)
    }
  })

  const events = ['finish', 'reset', 'drain'] as const
  test.each(events.flatMap((how) => [[how, 2] as const, [how, 3] as const]))(
    'get no event that is reported in the same batch: %s, with the next one in slot %d',
    (how, successor) => {
      const { kernel, wire, told, does, open, write } = watchedWire()
      const [first, second] = [open(1), open(2)]
      does.onClose = (slot) => {
        if (slot !== 1) return
        wire.cut(2)
        kernel.connect()
        expect(open(successor)).toBe(second)
      }
      kernel.socketOf(second).room = 0
      write(2, 'x')
      kernel.reset(kernel.socketOf(first))
      if (how === 'drain') kernel.drain(kernel.socketOf(second), 1)
      else kernel[how](kernel.socketOf(second))
      expect(wire.poll()).toBe(2)
      expect([told, wire.open]).toEqual([['1 is closed', '2 is closed'], 1])
      expect(write(successor, 'x')).toBe(1)
    },
  )

  test('are not closed by the microtask of a write that found the client before gone', async () => {
    const { kernel, wire, told, open, write } = watchedWire()
    const descriptor = open(1)
    kernel.faults.push({ call: 'send', fault: { errno: ERRNO.EPIPE } })
    expect(write(1, 'x')).toBe(-1)
    wire.cut(1)
    expect(open(1)).toBe(descriptor)
    await microtasks()
    expect([told, wire.open]).toEqual([['1 is closed'], 1])
    expect(kernel.socketOf(descriptor).ending).toBe('open')
    expect(write(1, 'fresh')).toBe(5)
  })

  test('are not closed by the microtask of a descriptor that was lost', async () => {
    const { kernel, wire, bugs, told, open, write } = watchedWire()
    const descriptor = open(1)
    kernel.faults.push({ call: 'send', fault: { errno: ERRNO.EBADF } })
    expect(write(1, 'x')).toBe(-1)
    // Its slot is not free before its owner was told.
    expect(open(2)).toBe(descriptor)
    for (const end of [() => wire.end(1), () => wire.cut(1)]) end()
    expect(told).toEqual([])
    expect(write(1, 'x')).toBe(-1)
    await microtasks()
    expect([told, wire.open, bugs.length]).toEqual([['1 is closed'], 1, 1])
    expect([write(2, 'fresh'), kernel.socketOf(descriptor).ending]).toEqual([5, 'open'])
  })

  test('get nothing that waited for memory', async () => {
    const world = new World()
    const first = world.connect()
    const [slot] = world.store.connected.slotsOf(first.user)
    world.kernel.faults.push({ call: 'send', fault: { errno: ERRNO.ENOBUFS } })
    world.send(first, 'waits')
    expect(world.store.queuedBytes).toBeGreaterThan(0)
    if (slot !== undefined) world.wire.cut(slot)
    const next = world.connect()
    expect(world.store.connected.slotsOf(next.user)).toEqual([slot as number])
    world.wire.poll()
    world.send(next, 'fresh')
    await world.settle()
    expect([receivedBy(first), receivedBy(next)]).toEqual(['', next.expected])
    expect([world.store.queuedBytes, world.store.undelivered, world.bugs]).toEqual([0, 1, []])
  })

  test('get nothing of the turn that the stream before was closed in', async () => {
    const world = new World()
    const first = world.connect()
    const [slot = 0] = world.store.connected.slotsOf(first.user)
    const descriptor = world.wire.descriptorOf(slot)
    world.publish(first, 'for the first')
    world.wire.end(slot)
    const next = world.connect()
    // The descriptor is used again, and the slot not before the turn is over.
    const [nextSlot = 0] = world.store.connected.slotsOf(next.user)
    expect([world.wire.descriptorOf(nextSlot), nextSlot === slot]).toEqual([descriptor, false])
    world.publish(next, 'for the next')
    world.store.flush()
    const last = world.connect()
    expect(world.store.connected.slotsOf(last.user)).toEqual([slot])
    await world.settle()
    expect([first, next, last].map(receivedBy)).toEqual(['', next.expected, ''])
    expect([first.expected, next.expected === '']).toEqual(['', false])
  })
})

describe('a stream that waits to be registered', () => {
  test('ends without a byte when it is not to be', async () => {
    const world = new World()
    world.waiting = []
    const client = world.connect()
    world.publish(client, 'not for it')
    for (const slot of world.waiting) world.store.endOpening(slot)
    await world.settle()
    expect(client).toMatchObject({ socket: { sent: [], ending: 'end' }, closes: 1, releases: 1 })
    expect([world.kernel.descriptors, world.store.opened, client.expected]).toEqual([0, 0, ''])
  })

  test('keeps its slot when its client leaves, until the registry forgets it', () => {
    const world = new World()
    world.waiting = []
    const client = world.connect()
    const [slot = 0] = world.waiting
    world.kernel.finish(client.socket)
    world.wire.poll()
    expect([client.closes, client.releases, world.store.isOpening(slot)]).toEqual([1, 1, false])
    world.connect()
    world.store.forget(slot)
    world.connect()
    expect(world.waiting).toEqual([slot, slot + 1, slot])
    expect(client.socket.sent).toEqual([])
  })
})

describe('the owner is told once that a connection is closed', () => {
  type Wired = ReturnType<typeof watchedWire>
  /** Two of them may happen in the same moment. */
  const ways: Record<string, (wired: Wired, socket: FakeSocket) => void> = {
    'it ends': ({ wire }) => wire.end(1),
    'it is cut': ({ wire }) => wire.cut(1),
    'a write finds the client gone': ({ kernel, write }) => {
      kernel.faults.push({ call: 'send', fault: { errno: ERRNO.EPIPE } })
      write(1, 'x')
      kernel.faults.length = 0
    },
    'a write finds no descriptor': ({ kernel, write }) => {
      kernel.faults.push({ call: 'send', fault: { errno: ERRNO.EBADF } })
      write(1, 'x')
      kernel.faults.length = 0
    },
    'a read fails': ({ kernel, wire }) => {
      kernel.faults.push({ call: 'drop', fault: { errno: ERRNO.ECONNRESET } })
      wire.poll()
      kernel.faults.length = 0
    },
    'a read finds no descriptor': ({ kernel, wire }) => {
      kernel.faults.push({ call: 'drop', fault: { errno: ERRNO.EBADF } })
      wire.poll()
      kernel.faults.length = 0
    },
    'the client has gone': ({ kernel, wire }, socket) => {
      kernel.reset(socket)
      wire.poll()
    },
  }
  const names = Object.keys(ways)
  const pairs = names.flatMap((first) => names.map((second) => [first, second] as const))

  test.each(pairs)('when %s and then %s', async (first, second) => {
    const wired = watchedWire()
    const { kernel, wire, told, open } = wired
    const socket = kernel.socketOf(open(1))
    kernel.arrive(socket, 1)
    for (const name of [first, second]) ways[name]?.(wired, socket)
    await microtasks()
    wire.poll()
    await microtasks()
    expect([told, wire.open, kernel.descriptors]).toEqual([['1 is closed'], 0, 0])
    expect(wire.descriptorOf(1)).toBe(0)
  })

  test('when the wire stops', async () => {
    const { wire, told, open } = watchedWire()
    for (const slot of [1, 2, 3]) open(slot)
    wire.cut(2)
    open(2)
    expect(await wire.stop(0)).toBe(true)
    expect(told.toSorted()).toEqual([1, 2, 2, 3].map((slot) => `${slot} is closed`))
  })
})
