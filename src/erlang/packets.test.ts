// Goal: packets are read as they were sent, however the stream is split and whenever they are read,
// and are written completely, in order and few writes at a time. Method: a property against the
// packets sent; each split of one stream; sizes around the limit; a socket whose far end reads when
// the test says so.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { erlangLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { PacketReader, PacketWriter } from './packets.ts'
import { SocketPair } from './socket.fixture.ts'
import { NO_OWNER } from './socket.ts'
import { bytesOf, uint32 } from './terms.fixture.ts'

const { packetBytesMax, outBytesMax } = erlangLimits
const MIB = 1024 * 1024
const TICK = uint32(0)

function packetOf(content: string | Uint8Array): Uint8Array {
  return bytesOf(uint32(Buffer.byteLength(content)), content)
}

/** A packet as a view, and a copy of its bytes when it was found. */
interface Found {
  readonly view: Uint8Array
  readonly copy: Buffer
}

function take(reader: PacketReader, most = Number.POSITIVE_INFINITY): Found[] {
  const found: Found[] = []
  while (found.length < most && reader.next()) {
    const { bytes, at, end } = reader
    expect(uint32(end - at)).toEqual(bytes.slice(at - 4, at))
    const view = bytes.subarray(at, end)
    found.push({ view, copy: Buffer.from(view) })
  }
  return found
}

function textsOf(found: readonly Found[]): string[] {
  return found.map(({ copy }) => copy.toString('latin1'))
}

function split(stream: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (stream.length + 1)).sort((a, b) => a - b)]
  return sorted.map((from, at) => stream.subarray(from, sorted[at + 1] ?? stream.length))
}

/** Reads all packets of parts, each as soon as it is there. */
function read(parts: readonly Uint8Array[]): string[] {
  const reader = new PacketReader()
  const texts = parts.flatMap((part) => {
    reader.push(part)
    return textsOf(take(reader))
  })
  expect(reader.failure).toBeNull()
  return texts
}

describe('received packets', () => {
  const sent = ['first', 'x'.repeat(300), 'third', 'y']
  const stream = bytesOf(
    ...[TICK, packetOf('first'), packetOf('x'.repeat(300)), TICK, TICK],
    ...[packetOf('third'), packetOf('y'), TICK],
  )

  test('are read without ticks, from any two or three parts and from single bytes', () => {
    expect(read([stream])).toEqual(sent)
    expect(read(split(stream, [...stream.keys()]))).toEqual(sent)
    for (let one = 0; one <= stream.length; one++) {
      expect(read(split(stream, [one]))).toEqual(sent)
      for (let two = one; two <= stream.length; two += 7) {
        expect(read(split(stream, [one, two]))).toEqual(sent)
      }
    }
  })

  test('that are incomplete are not read', () => {
    for (let length = 0; length < 12; length++) {
      const reader = new PacketReader()
      reader.push(packetOf('complete').subarray(0, length))
      expect([reader.next(), reader.next(), reader.failure]).toEqual([false, false, null])
    }
  })

  test('are those sent, whenever they are read, and stay intact while more arrive', () => {
    const content = fc.oneof(
      fc.constant(new Uint8Array(0)),
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ minLength: 200, maxLength: 2_000 }),
    )
    const steps = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 4 })), { maxLength: 30 })
    fc.assert(
      fc.property(fc.array(content, { maxLength: 12 }), steps, (contents, all) => {
        const places = all.map(([place]) => place)
        const reader = new PacketReader()
        const found: Found[] = []
        for (const [at, part] of split(bytesOf(...contents.map(packetOf)), places).entries()) {
          reader.push(part)
          found.push(...take(reader, all[at]?.[1]))
        }
        found.push(...take(reader))
        const expected = contents.filter(({ length }) => length > 0)
        expect(found.map(({ copy }) => copy)).toEqual(expected.map((bytes) => Buffer.from(bytes)))
        for (const { view, copy } of found) expect(Buffer.compare(view, copy)).toBe(0)
        expect(reader.failure).toBeNull()
      }),
      { numRuns: 300 },
    )
  })

  test('in one part are read in place', () => {
    const part = bytesOf(packetOf('a'), packetOf('b'))
    const reader = new PacketReader()
    reader.push(part)
    expect([take(reader).length, reader.bytes]).toEqual([2, part])
    reader.push(part.subarray(0, 3))
    reader.push(part.subarray(3))
    expect(take(reader).length).toBe(2)
    reader.push(part)
    expect(reader.bytes).toBe(part)
  })

  test('do not depend on the memory of an earlier part', () => {
    const part = packetOf('held').slice(0, 6)
    const reader = new PacketReader()
    reader.push(part)
    expect(reader.next()).toBe(false)
    reader.push(bytesOf('l'))
    part.fill(0x21)
    reader.push(bytesOf('d'))
    expect(textsOf(take(reader))).toEqual(['held'])
  })
})

describe('a long packet', () => {
  const long = packetOf(Uint8Array.from({ length: packetBytesMax }, (_, at) => at % 251))

  test('may be as long as the limit, in many parts, and is not copied for each', () => {
    const reader = new PacketReader()
    reader.push(bytesOf(packetOf('before'), long.subarray(0, 1)))
    expect(textsOf(take(reader))).toEqual(['before'])
    const buffers = new Set<ArrayBufferLike>()
    for (let at = 1; at < long.length; at += 1_000) {
      reader.push(long.subarray(at, at + 1_000))
      buffers.add(reader.bytes.buffer)
      expect(reader.next()).toBe(at + 1_000 >= long.length)
    }
    const found = reader.bytes.subarray(reader.at, reader.end)
    expect(Buffer.compare(found, long.subarray(4))).toBe(0)
    // There were a thousand parts, but a buffer that doubles reaches a megabyte soon.
    expect(buffers.size).toBeLessThan(15)
  })

  test('leaves no memory behind', () => {
    const reader = new PacketReader()
    reader.push(long.subarray(0, 9))
    reader.push(long.subarray(9))
    expect(take(reader).length).toBe(1)
    reader.push(packetOf('short'))
    expect(reader.bytes.buffer.byteLength).toBeLessThan(100)
    expect(textsOf(take(reader))).toEqual(['short'])
  })

  test.each([packetBytesMax + 1, 2 ** 31, 2 ** 32 - 1])('of %p bytes is an error', (length) => {
    const head = bytesOf(packetOf('a'), TICK, uint32(length))
    for (let place = 0; place <= head.length; place++) {
      const reader = new PacketReader()
      const texts = split(head, [place]).flatMap((part) => {
        reader.push(part)
        return textsOf(take(reader))
      })
      expect([texts, reader.next()]).toEqual([['a'], false])
      const why = `a packet has ${length} bytes; at most ${packetBytesMax} are allowed`
      expect(reader.failure).toBe(why)
    }
  })
})

/** A packet writer and the far end of its socket. */
async function opened() {
  const pair = await SocketPair.open()
  const packets = new PacketWriter(pair.near)
  pair.near.data.owner = { ...NO_OWNER, drained: () => packets.drained() }
  return { pair, packets, [Symbol.dispose]: () => pair[Symbol.dispose]() }
}

describe('written packets', () => {
  test('are sent together at the end of the task', async () => {
    using open = await opened()
    const { pair, packets } = open
    packets.writer.integer(1)
    packets.flushSoon()
    packets.writer.integer(2)
    packets.flushSoon()
    expect([packets.writer.length, packets.isActive]).toEqual([4, false])
    await until('the bytes arrive', () => pair.received.length === 4)
    expect(pair.receivedBytes().toHex()).toBe('61016102')
    expect([packets.isActive, packets.writer.length]).toEqual([true, 0])
  })

  test('are complete and in order, however many bytes are pending', async () => {
    using open = await opened()
    const { pair, packets } = open
    pair.far.pause()
    const numbers = 4 * MIB
    for (let at = 0; at < numbers; at++) {
      packets.writer.appendUint32(at)
      if (at % 100_000 === 0) packets.flush()
    }
    packets.flush()
    expect(packets.room()).not.toBeNull()
    pair.far.resume()
    await until('the bytes arrive', () => pair.received.length === 4 * numbers)
    const view = new DataView(pair.receivedBytes().buffer)
    let wrong = 0
    for (let at = 0; at < numbers; at++) if (view.getUint32(4 * at) !== at) wrong++
    expect(wrong).toBe(0)
  })
})

describe('a tick', () => {
  test('is four zero bytes', async () => {
    using open = await opened()
    const { pair, packets } = open
    packets.tick()
    await until('the bytes arrive', () => pair.received.length === 4)
    expect([pair.receivedBytes().toHex(), packets.isActive]).toEqual(['00000000', true])
  })

  test('is omitted while bytes are pending', async () => {
    using open = await opened()
    const { pair, packets } = open
    pair.far.pause()
    packets.writer.append(new Uint8Array(16 * MIB).fill(1))
    packets.flush()
    packets.isActive = false
    packets.tick()
    expect(packets.isActive).toBe(false)
    pair.far.resume()
    await until('the bytes arrive', () => pair.received.length >= 16 * MIB)
    expect(pair.receivedBytes().every((byte) => byte === 1)).toBe(true)
  })
})

describe('room', () => {
  test('is there while few bytes are pending, and again when the far end has read', async () => {
    using open = await opened()
    const { pair, packets } = open
    expect(packets.room()).toBeNull()
    packets.writer.append(new Uint8Array(outBytesMax))
    expect(packets.room()).toBeNull()
    pair.far.pause()
    packets.writer.append(new Uint8Array(16 * MIB))
    let hasRoom = false
    packets.room()?.then(() => {
      hasRoom = true
    })
    await new Promise(setImmediate)
    expect([packets.room() === null, hasRoom]).toEqual([false, false])
    pair.far.resume()
    await until('there is room', () => hasRoom && packets.room() === null)
    await until('the bytes arrive', () => pair.received.length === 16 * MIB + outBytesMax)
  })

  test('is there at once when the socket takes what was not flushed yet', async () => {
    using open = await opened()
    const { packets } = open
    // The kernel buffers as much; no event would report it.
    for (let at = 0; at <= outBytesMax / 4; at++) packets.writer.appendUint32(at)
    expect([packets.room(), packets.empty(), packets.writer.length]).toEqual([null, null, 0])
  })
})
