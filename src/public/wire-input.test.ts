// Goal: what clients send to streams that read reaches their owner whole, in order and once,
// however much it is and however the kernel reports it; a turn of the loop reads no more than a
// bound, and no stream keeps the others waiting. Method: a kernel and sockets of the test.

import { describe, expect, test } from 'bun:test'
import { systemClock } from '../core/clock.ts'
import { streamLimits, wireLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import type { Socket, SocketHolder } from '../http/exchange.ts'
import { NO_OWNER, type WireOwner } from '../hub/stream.ts'
import { RECEIVE_BYTES } from '../os/epoll.fixture.ts'
import { ERRNO } from '../os/libc.ts'
import { fakeWire } from './descriptor-wire.fixture.ts'
import { SocketWire, UNHELD } from './socket-wire.ts'
import { openDescriptorWire } from './wire-check.ts'

const { receivedBytesPerTurn } = wireLimits

/** Remembers what it is told: of each slot all that came, and `!` when the client sends no more. */
class Reader implements WireOwner {
  readonly received = new Map<number, string>()
  readonly closed: number[] = []
  /** The slots in the order in which they were read. */
  readonly order: number[] = []
  readers = 1
  readonly deaf = new Set<number>()
  onReceived: (slot: number) => void = () => undefined

  reads(slot: number): boolean {
    return !this.deaf.has(slot)
  }

  onDrain(): void {
    throw new Error('nothing is written here')
  }

  onData(slot: number, bytes: Uint8Array): void {
    this.#add(slot, Buffer.from(bytes).toString('latin1'))
    this.order.push(slot)
    this.onReceived(slot)
  }

  onEnd(slot: number): void {
    this.#add(slot, '!')
  }

  onClose(slot: number): void {
    this.closed.push(slot)
  }

  #add(slot: number, text: string): void {
    this.received.set(slot, (this.received.get(slot) ?? '') + text)
  }

  of(slot: number): string {
    return this.received.get(slot) ?? ''
  }
}

function latin1(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

/** A text of which every part is unlike the others. */
function long(bytes: number): string {
  let text = ''
  for (let at = 0; text.length < bytes; at++) text += `${at} `
  return text.slice(0, bytes)
}

describe('a stream on a descriptor that reads', () => {
  function open() {
    const world = fakeWire()
    const reader = new Reader()
    world.wire.owner = reader
    const connect = (slot: number) => {
      const descriptor = world.kernel.connect()
      expect(world.wire.add(slot, descriptor)).toBe(true)
      return world.kernel.socketOf(descriptor)
    }
    return { ...world, reader, connect }
  }

  test('gets all that has arrived by one event, in several reads', () => {
    const { kernel, wire, reader, connect } = open()
    const socket = connect(1)
    const text = long(5 * RECEIVE_BYTES)
    kernel.arrive(socket, latin1(text.slice(0, 3)))
    kernel.arrive(socket, latin1(text.slice(3)))
    expect(wire.poll()).toBe(1)
    expect([reader.of(1), wire.poll()]).toEqual([text, 0])
  })

  test('goes on in the next turns with what is more than one reads, without another event', () => {
    const { kernel, wire, reader, connect } = open()
    const socket = connect(1)
    const text = long(3 * receivedBytesPerTurn)
    kernel.arrive(socket, latin1(text))
    wire.poll()
    expect(reader.of(1).length).toBe(receivedBytesPerTurn)
    wire.poll()
    kernel.arrive(socket, latin1('more'))
    for (let turn = 0; turn < 3; turn++) wire.poll()
    expect([reader.of(1), wire.poll()]).toEqual([`${text}more`, 0])
  })

  test('is told of the end behind all that came before it, though it was reported long before', () => {
    const { kernel, wire, reader, connect } = open()
    const socket = connect(1)
    const text = long(2 * receivedBytesPerTurn + 1)
    kernel.arrive(socket, latin1(text))
    kernel.finish(socket)
    wire.poll()
    expect(reader.of(1)).toBe(text.slice(0, receivedBytesPerTurn))
    for (let turn = 0; turn < 3; turn++) wire.poll()
    expect(reader.of(1)).toBe(`${text}!`)
  })

  test('that has much to read keeps no other one waiting for more than a turn', () => {
    const { kernel, wire, reader, connect } = open()
    const [greedy, modest] = [connect(1), connect(2)]
    kernel.arrive(greedy, latin1(long(20 * receivedBytesPerTurn)))
    wire.poll()
    kernel.arrive(modest, latin1('hello'))
    for (let turn = 0; turn < 3; turn++) wire.poll()
    expect(reader.of(2)).toBe('hello')
    for (let turn = 0; turn < 30; turn++) wire.poll()
    expect(reader.of(1).length).toBe(20 * receivedBytesPerTurn)
  })

  test('that is closed while it is read is read no further, nor is the next one with its numbers', () => {
    const { kernel, wire, reader, connect } = open()
    const socket = connect(1)
    kernel.arrive(socket, latin1(long(2 * receivedBytesPerTurn)))
    wire.poll()
    reader.onReceived = (slot) => wire.cut(slot)
    wire.poll()
    expect([reader.closed, reader.of(1).length]).toEqual([
      [1],
      receivedBytesPerTurn + RECEIVE_BYTES,
    ])
    reader.onReceived = () => undefined
    reader.received.clear()
    const next = connect(1)
    kernel.arrive(next, latin1('fresh'))
    wire.poll()
    expect(reader.of(1)).toBe('fresh')
  })

  test('that is closed with something unread leaves none of it to the next one', () => {
    const { kernel, wire, reader, connect } = open()
    const socket = connect(1)
    kernel.arrive(socket, latin1(long(2 * receivedBytesPerTurn)))
    wire.poll()
    wire.cut(1)
    reader.received.clear()
    connect(1)
    for (let turn = 0; turn < 3; turn++) expect(wire.poll()).toBe(0)
    expect(reader.of(1)).toBe('')
  })

  test.each(['EINTR', 'EAGAIN'] as const)('reads on after %s', (name) => {
    const { kernel, wire, reader, connect } = open()
    const socket = connect(1)
    kernel.arrive(socket, latin1('hello'))
    kernel.faults.push({ call: 'receive', fault: { errno: ERRNO[name] } })
    wire.poll()
    kernel.arrive(socket, latin1('?'))
    wire.poll()
    expect(reader.of(1)).toBe('hello?')
  })

  test.each(['ECONNRESET', 'EBADF'] as const)('is closed once after %s', (name) => {
    const { kernel, wire, reader, bugs, connect } = open()
    const socket = connect(1)
    kernel.arrive(socket, latin1('hello'))
    kernel.faults.push({ call: 'receive', fault: { errno: ERRNO[name] } })
    wire.poll()
    expect([reader.closed, wire.open, bugs.length]).toEqual([[1], 0, name === 'EBADF' ? 1 : 0])
  })

  test('is read beside one that is not, of which bytes are dropped', () => {
    const { kernel, wire, reader, connect } = open()
    const [deaf, other] = [connect(1), connect(2)]
    reader.deaf.add(1)
    for (const socket of [deaf, other]) kernel.arrive(socket, latin1('hello'))
    wire.poll()
    expect([reader.of(1), reader.of(2), deaf.unread.length]).toEqual(['', 'hello', 0])
    for (const socket of [deaf, other]) kernel.finish(socket)
    wire.poll()
    expect([reader.of(1), reader.of(2)]).toEqual(['!', 'hello!'])
  })

  test('that has closed its half is told of the end of the client', () => {
    const { kernel, wire, reader, connect } = open()
    const socket = connect(1)
    wire.halfClose(1)
    expect([socket.ending, reader.closed]).toEqual(['end', []])
    kernel.arrive(socket, latin1('late'))
    kernel.finish(socket)
    wire.poll()
    expect([reader.of(1), wire.open]).toEqual(['late!', 1])
  })
})

test.if(process.platform === 'linux')(
  'the first stream that reads is not noticed late',
  async () => {
    const opened = await openDescriptorWire(systemClock, (error) => expect(error).toBeNull())
    if (!opened.ok) throw new Error(opened.why)
    const wire = opened.value
    const reader = new Reader()
    reader.readers = 0
    wire.owner = reader
    using listener = Bun.listen<SocketHolder>({
      ...{ hostname: '127.0.0.1', port: 0, allowHalfOpen: true },
      socket: { open: (socket) => void wire.adopt(1, socket), data: () => undefined },
    })
    using client = await Bun.connect({
      ...{ hostname: '127.0.0.1', port: listener.port },
      socket: { data: () => undefined },
    })
    await until('it is adopted', () => wire.open === 1)
    // Nothing happens, so that the wire looks less and less often.
    await Bun.sleep(600)
    reader.readers = 1
    wire.onReader()
    const sentMs = performance.now()
    client.write('hello')
    await until('it is read', () => reader.of(1) === 'hello')
    expect(performance.now() - sentMs).toBeLessThan(wireLimits.pollMsMax / 2)
    await wire.stop(0)
  },
)

/** A socket of Bun, as far as the wire uses it. */
class FakeSocket {
  data: SocketHolder = UNHELD
  isPaused = false
  readonly calls: string[] = []

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  shutdown(): void {
    this.calls.push('shutdown')
  }

  terminate(): void {
    this.calls.push('terminate')
    this.data.onClose()
  }
}

describe('a stream on a socket of Bun that reads', () => {
  function open() {
    const reader = new Reader()
    const wire = new SocketWire(reader, () => undefined)
    const connect = (slot: number) => {
      const socket = new FakeSocket()
      wire.attach(slot, socket as unknown as Socket)
      return socket
    }
    return { wire, reader, connect }
  }

  const turn = () => new Promise(setImmediate)

  test('gets what comes, as it comes', () => {
    const { reader, connect } = open()
    const socket = connect(1)
    for (const text of ['hel', 'lo']) socket.data.onData(latin1(text))
    socket.data.onEnd()
    expect([reader.of(1), socket.isPaused]).toEqual(['hello!', false])
  })

  test('is paused with more than one turn reads, and gets the rest in the next ones', async () => {
    const { reader, connect } = open()
    const socket = connect(1)
    const text = long(3 * receivedBytesPerTurn)
    const bytes = latin1(text)
    socket.data.onData(bytes)
    // The memory is used again.
    bytes.fill(0)
    expect([reader.of(1).length, socket.isPaused]).toEqual([receivedBytesPerTurn, true])
    // What Bun had read before it was paused.
    socket.data.onData(latin1('more'))
    socket.data.onEnd()
    for (let at = 0; at < 4; at++) await turn()
    expect([reader.of(1), socket.isPaused]).toEqual([`${text}more!`, false])
  })

  test('that has much to read keeps no other one waiting for more than a turn', async () => {
    const { reader, connect } = open()
    const [greedy, modest] = [connect(1), connect(2)]
    greedy.data.onData(latin1(long(10 * receivedBytesPerTurn)))
    modest.data.onData(latin1('hello'))
    for (let at = 0; at < 2; at++) await turn()
    expect(reader.of(2)).toBe('hello')
    for (let at = 0; at < 12; at++) await turn()
    expect(reader.of(1).length).toBe(10 * receivedBytesPerTurn)
  })

  test('that is closed with something unread leaves none of it to the next one', async () => {
    const { reader, connect } = open()
    const socket = connect(1)
    socket.data.onData(latin1(long(2 * receivedBytesPerTurn)))
    socket.data.onClose()
    reader.received.clear()
    const next = connect(1)
    next.data.onData(latin1('fresh'))
    for (let at = 0; at < 3; at++) await turn()
    expect([reader.of(1), reader.closed]).toEqual(['fresh', [1]])
  })

  test('that is closed while it is read is read no further', async () => {
    const { wire, reader, connect } = open()
    reader.onReceived = (slot) => wire.cut(slot)
    const socket = connect(1)
    socket.data.onData(latin1(long(2 * receivedBytesPerTurn)))
    await turn()
    expect([reader.of(1).length, reader.closed, socket.isPaused]).toEqual([
      receivedBytesPerTurn,
      [1],
      false,
    ])
  })

  test('is cut when its client sends on and on though it is paused', () => {
    const { reader, connect } = open()
    const socket = connect(1)
    const part = Buffer.alloc(streamLimits.droppedBytesMax / 2)
    for (let at = 0; at < 4; at++) socket.data.onData(part)
    expect([socket.calls, reader.closed]).toEqual([['terminate'], [1]])
  })

  test('is read beside one that is not, of which bytes are dropped', () => {
    const { reader, connect } = open()
    reader.deaf.add(1)
    for (const slot of [1, 2]) connect(slot).data.onData(latin1('hello'))
    expect([reader.of(1), reader.of(2)]).toEqual(['', 'hello'])
  })

  test('that has closed its half is told of the end of the client', () => {
    const { wire, reader, connect } = open()
    const socket = connect(1)
    wire.halfClose(1)
    socket.data.onEnd()
    expect([socket.calls, reader.of(1), reader.closed]).toEqual([['shutdown'], '!', []])
  })
})

test('a wire that no stream reads on asks nothing of its owner', () => {
  const { kernel, wire } = fakeWire()
  const reads = () => {
    throw new Error('it was asked')
  }
  wire.owner = { ...NO_OWNER, reads }
  const descriptor = kernel.connect()
  wire.add(1, descriptor)
  kernel.arrive(kernel.socketOf(descriptor), 10)
  expect([wire.poll(), kernel.socketOf(descriptor).unread.length]).toEqual([1, 0])
})
