// Goal: of the streams on sockets of Bun, each gets its own bytes and its own events alone, also
// when its slot is used again, and is closed once.
// Method: sockets of the test, which answer as Bun's may, and an owner that remembers.

import { describe, expect, test } from 'bun:test'
import { streamLimits } from '../core/limits.ts'
import type { Socket, SocketHolder } from '../http/exchange.ts'
import { NO_OWNER } from '../hub/stream.ts'
import { SocketWire, UNHELD } from './socket-wire.ts'

/** A socket that takes so many bytes; −1 once it is closed, as with Bun's. */
class FakeSocket {
  data: SocketHolder = UNHELD
  room = Number.POSITIVE_INFINITY
  sent = ''
  isClosed = false
  readonly calls: string[] = []

  write(bytes: Uint8Array, at: number, length: number): number {
    if (this.isClosed) return -1
    const taken = Math.min(this.room, length)
    this.room -= taken
    this.sent += Buffer.from(bytes.subarray(at, at + taken)).toString()
    return taken
  }

  end(): void {
    this.calls.push('end')
  }

  terminate(): void {
    this.calls.push('terminate')
    this.close()
  }

  /** As Bun does, once. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.data.onClose()
  }
}

function wireOf() {
  const told: string[] = []
  const ending: Socket[] = []
  const wire = new SocketWire(
    {
      ...NO_OWNER,
      onDrain: (slot) => told.push(`${slot} has room`),
      onEnd: (slot) => told.push(`${slot} ends`),
      onClose: (slot) => told.push(`${slot} is closed`),
    },
    (socket) => ending.push(socket),
  )
  const open = (slot: number) => {
    const socket = new FakeSocket()
    wire.attach(slot, socket as unknown as Socket)
    return socket
  }
  const write = (slot: number, text: string, length = text.length) =>
    wire.write(slot, Buffer.from(text), length)
  return { wire, told, ending, open, write }
}

describe('the wire of sockets', () => {
  test('sends the first bytes, as many as it is told to, and answers what was taken', () => {
    const { open, write } = wireOf()
    const [first, second] = [open(1), open(2_000)]
    first.room = 3
    expect([write(1, 'abcdef', 4), write(1, 'd', 1), write(2_000, 'xyz', 2)]).toEqual([3, 0, 2])
    expect([first.sent, second.sent]).toEqual(['abc', 'xy'])
  })

  test('passes on what happens to a socket, for its slot', () => {
    const { wire, told, ending, open } = wireOf()
    const [first, second] = [open(1), open(2)]
    first.data.onDrain()
    second.data.onEnd()
    wire.end(1)
    wire.onEnding(2)
    second.close()
    expect(told).toEqual(['1 has room', '2 ends', '2 is closed'])
    expect([first.calls, ending]).toEqual([['end'], [second as unknown as Socket]])
  })

  test('closes a slot once when Bun reports the end after a write has failed', async () => {
    const { told, open, write } = wireOf()
    const socket = open(1)
    socket.isClosed = true
    expect([write(1, 'x'), write(1, 'y')]).toEqual([-1, -1])
    // The owner is in the middle of its write.
    expect(told).toEqual([])
    await Promise.resolve()
    socket.data.onClose()
    await Promise.resolve()
    expect(told).toEqual(['1 is closed'])
  })

  test('closes a slot once when Bun reports the end before the microtask of the write', async () => {
    const { told, open, write } = wireOf()
    const socket = open(1)
    socket.isClosed = true
    write(1, 'x')
    socket.data.onClose()
    const next = open(1)
    await Promise.resolve()
    expect(told).toEqual(['1 is closed'])
    expect([write(1, 'fresh'), next.sent]).toEqual([5, 'fresh'])
  })

  test('has nothing to do with the socket that a slot had before', () => {
    const { wire, told, open, write } = wireOf()
    const before = open(1)
    before.close()
    expect([write(1, 'stale'), wire.descriptorOf(1)]).toEqual([-1, 0])
    for (const call of [() => wire.end(1), () => wire.cut(1), () => wire.onEnding(1)]) call()
    expect(before.calls).toEqual([])
    const next = open(1)
    before.data.onDrain()
    before.data.onEnd()
    before.data.onData(Buffer.alloc(streamLimits.droppedBytesMax + 1))
    before.data.onClose()
    expect([told, next.calls]).toEqual([['1 is closed'], []])
    expect([write(1, 'fresh'), before.sent, next.sent]).toEqual([5, '', 'fresh'])
  })

  test('cuts a client that sends too much, and does not count it against the next one', () => {
    const { told, open } = wireOf()
    const part = Buffer.alloc(streamLimits.droppedBytesMax)
    const first = open(1)
    first.data.onData(part)
    expect(first.calls).toEqual([])
    first.data.onData(Buffer.alloc(1))
    expect([first.calls, told]).toEqual([['terminate'], ['1 is closed']])
    const next = open(1)
    next.data.onData(part)
    expect([next.calls, told.length]).toEqual([[], 1])
  })
})
