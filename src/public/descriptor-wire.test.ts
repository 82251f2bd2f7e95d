// Goal: the wire of descriptors carries bytes as sockets do, sees every way in which a client
// leaves, ends and cuts as it says, and keeps nothing of what is closed.
// Method: real connections on loopback, taken out of Bun, against a model where there are many.

import { describe, expect, test } from 'bun:test'
import { systemClock } from '../core/clock.ts'
import { until } from '../core/time.fixture.ts'
import type { Socket, SocketHolder } from '../http/exchange.ts'
import { NO_OWNER, type WireOwner } from '../hub/stream.ts'
import { descriptorOf } from '../os/bun-socket.ts'
import { openFiles } from '../os/descriptors.ts'
import { openCLibrary } from '../os/libc.ts'
import type { DescriptorWire } from './descriptor-wire.ts'
import { openDescriptorWire } from './wire-check.ts'

const SOL_SOCKET = 1
const SO_SNDBUF = 7

const library = openCLibrary({
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
})

/** The server's side of a connection: it writes all that it is given, as there is room. */
class End {
  readonly told: string[] = []
  unsent: Uint8Array[] = []
  /** Ends when all is written. */
  isLast = false
  readonly wire: DescriptorWire
  readonly slot: number

  constructor(wire: DescriptorWire, slot: number) {
    this.wire = wire
    this.slot = slot
  }

  send(bytes: Uint8Array): void {
    this.unsent.push(bytes)
    if (this.unsent.length === 1) this.onDrain()
  }

  end(): void {
    this.isLast = true
    if (this.unsent.length === 0) this.wire.end(this.slot)
  }

  onDrain(): void {
    for (let first = this.unsent[0]; first !== undefined; first = this.unsent[0]) {
      const taken = this.wire.write(this.slot, first, first.length)
      if (taken < 0) return
      if (taken < first.length) {
        this.unsent[0] = first.subarray(taken)
        return
      }
      this.unsent.shift()
    }
    if (this.isLast) this.wire.end(this.slot)
  }

  onEnd(): void {
    this.told.push('end')
    if (!this.isLast) this.wire.end(this.slot)
  }

  onClose(): void {
    this.told.push('close')
  }
}

/** The other end, which counts what it gets. */
class Client {
  readonly parts: Uint8Array[] = []
  bytes = 0
  ending: 'open' | 'end' | 'closed' | 'reset' = 'open'

  get received(): Buffer {
    return Buffer.concat(this.parts)
  }
}

interface Pair {
  readonly end: End
  readonly client: Client
  readonly socket: Bun.Socket
}

/** Owns the wire, and uses the slots of connections that are closed again at once. */
class Host implements AsyncDisposable, WireOwner {
  readonly bugs: unknown[] = []
  readonly wire: DescriptorWire
  readonly #sendBuffer: number
  readonly #accepted: ((end: End) => void)[] = []
  readonly #ends = new Map<number, End>()
  readonly #freeSlots: number[] = []
  readonly readers = 0
  readonly reads = NO_OWNER.reads
  readonly onData = NO_OWNER.onData
  readonly #listener: Bun.TCPSocketListener<SocketHolder>

  static async open(sendBuffer = 0): Promise<Host> {
    const bugs: unknown[] = []
    const opened = await openDescriptorWire(systemClock, (error) => bugs.push(error))
    if (!opened.ok) throw new Error(opened.why)
    return new Host(opened.value, bugs, sendBuffer)
  }

  private constructor(wire: DescriptorWire, bugs: unknown[], sendBuffer: number) {
    this.wire = wire
    wire.owner = this
    this.bugs = bugs
    this.#sendBuffer = sendBuffer
    this.#listener = Bun.listen<SocketHolder>({
      hostname: '127.0.0.1',
      port: 0,
      allowHalfOpen: true,
      socket: {
        open: (socket) => this.#onOpen(socket),
        data: () => undefined,
        close: (socket) => socket.data?.onClose(),
      },
    })
  }

  #onOpen(socket: Socket): void {
    if (this.#sendBuffer > 0) {
      const value = new Int32Array([this.#sendBuffer])
      library?.symbols.setsockopt(descriptorOf(socket) ?? -1, SOL_SOCKET, SO_SNDBUF, value, 4)
    }
    const slot = this.#freeSlots.pop() ?? this.#ends.size + 1
    if (!this.wire.adopt(slot, socket)) throw new Error('it cannot be taken out of Bun')
    const end = new End(this.wire, slot)
    this.#ends.set(slot, end)
    this.#accepted.shift()?.(end)
  }

  #endOf(slot: number): End {
    const end = this.#ends.get(slot)
    if (end === undefined) throw new Error(`slot ${slot} has no connection`)
    return end
  }

  onDrain(slot: number): void {
    this.#endOf(slot).onDrain()
  }

  onEnd(slot: number): void {
    this.#endOf(slot).onEnd()
  }

  onClose(slot: number): void {
    this.#endOf(slot).onClose()
    this.#ends.delete(slot)
    this.#freeSlots.push(slot)
  }

  /** One at a time. */
  async pair(): Promise<Pair> {
    const client = new Client()
    const accepted = new Promise<End>((resolve) => this.#accepted.push(resolve))
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port: this.#listener.port,
      allowHalfOpen: true,
      socket: {
        data: (_, bytes) => {
          client.parts.push(bytes.slice())
          client.bytes += bytes.length
        },
        end: () => {
          client.ending = 'end'
        },
        close: (_, error) => {
          if (client.ending === 'open') client.ending = error === undefined ? 'closed' : 'reset'
        },
        error: () => {
          client.ending = 'reset'
        },
      },
    })
    return { end: await accepted, client, socket }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.stop(true)
    await this.wire.stop(0)
    expect(this.bugs).toEqual([])
  }
}

/** Bytes that differ, so that a part which is missing or comes twice is seen. */
function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0, state = seed; at < length; at++) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff
    bytes[at] = state >>> 16
  }
  return bytes
}

const MEGABYTE = 1_048_576

describe.if(process.platform === 'linux')('the wire of descriptors', () => {
  test('carries what is written, in order', async () => {
    await using host = await Host.open()
    const { end, client } = await host.pair()
    const all = pattern(50_000)
    for (let at = 0; at < all.length; at += 500) end.send(all.subarray(at, at + 500))
    await until('all has come', () => client.bytes === all.length)
    expect(client.received.equals(all)).toBe(true)
    expect(end.told).toEqual([])
  })

  test('goes on where a full socket stopped, with the smallest buffer there is', async () => {
    await using host = await Host.open(1)
    const { end, client, socket } = await host.pair()
    for (let round = 0; round < 3; round++) {
      const before = client.bytes
      const all = pattern(MEGABYTE, round + 1)
      socket.pause()
      end.send(all)
      end.send(all.subarray(0, 1_000))
      expect(end.unsent.length).toBe(2)
      socket.resume()
      await until('all has come', () => client.bytes === before + MEGABYTE + 1_000)
      const received = client.received.subarray(before)
      expect(received.equals(Buffer.concat([all, all.subarray(0, 1_000)]))).toBe(true)
      expect(end.unsent).toEqual([])
    }
  })

  test('ends properly: the client gets all that waits, and then the end', async () => {
    await using host = await Host.open()
    const { end, client, socket } = await host.pair()
    socket.pause()
    const all = pattern(8 * MEGABYTE)
    end.send(all)
    end.end()
    expect(host.wire.open).toBe(1)
    socket.resume()
    await until('it has ended', () => client.ending !== 'open')
    expect([client.ending, client.received.equals(all), end.told]).toEqual(['end', true, ['close']])
    expect(host.wire.open).toBe(0)
  })

  test('ends properly though the client has sent what was not read yet', async () => {
    await using host = await Host.open()
    const { end, client, socket } = await host.pair()
    // More than the client's kernel takes, so that closing with a reset would lose some.
    socket.pause()
    const all = pattern(400_000)
    end.send(all)
    expect(end.unsent).toEqual([])
    socket.write(pattern(60_000))
    // In the same turn of the loop, before any event.
    end.end()
    socket.resume()
    await until('it has ended', () => client.ending !== 'open')
    expect([client.ending, client.received.equals(all)]).toEqual(['end', true])
  })

  test('cuts with a reset, and frees what waits', async () => {
    await using host = await Host.open()
    const { end, client, socket } = await host.pair()
    socket.pause()
    end.send(pattern(8 * MEGABYTE))
    host.wire.cut(end.slot)
    expect([end.told, host.wire.open]).toEqual([['close'], 0])
    socket.resume()
    await until('it is reset', () => client.ending !== 'open')
    expect([client.ending, client.bytes < 8 * MEGABYTE]).toEqual(['reset', true])
  })

  test.each(['end', 'terminate'] as const)('sees a client that leaves by %s, once', async (how) => {
    await using host = await Host.open()
    const { end, socket } = await host.pair()
    end.send(pattern(100))
    await until('it has come', () => end.unsent.length === 0)
    socket[how]()
    await until('it is seen', () => end.told.includes('close'))
    await Bun.sleep(20)
    expect(end.told.filter((what) => what === 'close')).toEqual(['close'])
    expect(host.wire.open).toBe(0)
    expect(host.wire.write(end.slot, pattern(1), 1)).toBe(-1)
  })

  test('sees a client leave whose bytes wait', async () => {
    await using host = await Host.open()
    const { end, socket } = await host.pair()
    socket.pause()
    end.send(pattern(8 * MEGABYTE))
    socket.terminate()
    await until('it is seen', () => end.told.includes('close'))
    expect(host.wire.open).toBe(0)
  })

  test('tells of a closed half, and still carries what waits', async () => {
    await using host = await Host.open()
    const { end, client, socket } = await host.pair()
    socket.pause()
    const all = pattern(8 * MEGABYTE)
    end.send(all)
    end.end()
    socket.shutdown()
    await until('it is seen', () => end.told.includes('end'))
    socket.resume()
    await until('it has ended', () => client.ending !== 'open')
    // Both halves are closed, and not by a reset.
    expect([client.ending, client.received.equals(all)]).toEqual(['closed', true])
  })

  test('drops what a client sends, and is otherwise not touched by it', async () => {
    await using host = await Host.open()
    const { end, client, socket } = await host.pair()
    let sent = 0
    const more = pattern(MEGABYTE)
    while (sent < 20 * MEGABYTE) {
      const taken = socket.write(more)
      if (taken > 0) sent += taken
      await new Promise(setImmediate)
    }
    end.send(more)
    await until('all has come', () => client.bytes === MEGABYTE)
    expect([client.received.equals(more), end.told]).toEqual([true, []])
    socket.end()
    await until('it is seen', () => end.told.includes('close'))
  })

  test('keeps one file open for a connection, and none when it is closed', async () => {
    await using host = await Host.open()
    const first = await host.pair()
    const before = openFiles()
    // And one while Bun polls.
    const hasFiles = (more: number) => () => Math.abs(openFiles() - before - more) <= 1
    const pairs: Pair[] = []
    for (let count = 0; count < 50; count++) pairs.push(await host.pair())
    await until('there is one for each end', hasFiles(100))
    for (const { socket } of pairs) socket.end()
    await until('all have left', () => host.wire.open === 1)
    await until('all files are closed', hasFiles(0))
    first.socket.end()
  })

  test('knows who has left as soon as it is asked', async () => {
    await using host = await Host.open()
    const pairs: Pair[] = []
    for (let count = 0; count < 20; count++) pairs.push(await host.pair())
    await Bun.sleep(300)
    for (const { socket } of pairs.slice(5)) socket.terminate()
    host.wire.pollAll()
    expect(host.wire.open).toBe(5)
  })

  test('waits when it stops for what is still to be sent, and cuts what is not taken', async () => {
    await using host = await Host.open()
    const [reader, sleeper] = [await host.pair(), await host.pair()]
    for (const { end, socket } of [reader, sleeper]) {
      socket.pause()
      end.send(pattern(8 * MEGABYTE))
      end.end()
    }
    const stopped = host.wire.stop(1_000)
    reader.socket.resume()
    expect(await stopped).toBe(true)
    sleeper.socket.resume()
    const clients = [reader.client, sleeper.client]
    await until('both have ended', () => clients.every(({ ending }) => ending !== 'open'))
    expect([reader.client.ending, sleeper.client.ending]).toEqual(['end', 'reset'])
  })

  test('looks at nothing once it has stopped, since its epoll is closed', async () => {
    await using host = await Host.open()
    const { socket } = await host.pair()
    expect(await host.wire.stop(0)).toBe(true)
    socket.terminate()
    // The clock goes on, so that it would look again.
    await Bun.sleep(5)
    host.wire.pollAll()
    expect([host.wire.poll(), host.bugs]).toEqual([0, []])
  })

  test('keeps 2,000 connections apart that open, write and close at random', async () => {
    await using host = await Host.open()
    let state = 12_345
    const random = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff
      return (state >>> 8) % below
    }
    interface Modelled extends Pair {
      readonly name: string
      expected: string
    }
    const open: Modelled[] = []
    const over: { of: Modelled; isWhole: boolean; ending: string }[] = []
    for (let opened = 0; opened < 2_000 || open.length > 0; ) {
      const choice = random(10)
      if (opened < 2_000 && (open.length < 20 || choice < 3)) {
        opened++
        open.push({ ...(await host.pair()), name: `<${opened}>`, expected: '' })
        continue
      }
      const at = random(open.length)
      const one = open[at]
      if (one === undefined) continue
      if (choice < 7) {
        const bytes = one.name.repeat(1 + random(20))
        one.expected += bytes
        one.end.send(Buffer.from(bytes))
        continue
      }
      open.splice(at, 1)
      const how = random(4)
      if (how === 0) one.end.end()
      else if (how === 1) host.wire.cut(one.end.slot)
      else if (how === 2) one.socket.end()
      else one.socket.terminate()
      // Nothing of it may come to the client that has its slot and its descriptor next.
      if (how < 2) expect(host.wire.write(one.end.slot, Buffer.from('stale'), 5)).toBe(-1)
      over.push({ of: one, isWhole: how === 0, ending: how === 0 ? 'end' : 'reset' })
    }
    await until('all are closed', () => host.wire.open === 0)
    await until('those that ended have it all', () =>
      over.every(({ of, isWhole }) => !isWhole || of.client.ending !== 'open'),
    )
    for (const { of, isWhole } of over) {
      const received = of.client.received.toString()
      expect(of.expected.startsWith(received)).toBe(true)
      if (isWhole) expect([of.client.ending, received]).toEqual(['end', of.expected])
      expect(of.end.told.filter((what) => what === 'close')).toEqual(['close'])
      of.socket.end()
    }
  })
})
