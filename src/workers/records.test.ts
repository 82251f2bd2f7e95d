// Goal: what is written at one end is read at the other, whole and in order, however the bytes are
// cut and however slowly they leave. Method: properties over records, cuts and partial sends.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { HEAD_BYTES, type RecordBytes, RecordReader, RecordWriter } from './records.ts'

/** A record as a test keeps it. */
interface Plain {
  readonly kind: number
  readonly bytes: Uint8Array
}

/** A reader that keeps copies of what it reads. */
function keeping() {
  const records: Plain[] = []
  const reader = new RecordReader(({ kind, bytes }) => records.push({ kind, bytes: bytes.slice() }))
  return { reader, records }
}

function write(writer: RecordWriter, { kind, bytes }: Plain): number {
  writer.begin(kind)
  writer.bytes(bytes)
  return writer.end()
}

/** Takes up to so many bytes out of the writer, as a socket does. */
function take(writer: RecordWriter, count: number): Uint8Array {
  const taken = writer.waiting().slice(0, count)
  writer.sent(taken.length)
  return taken
}

function filled(length: number, seed = 7): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * seed + (at >>> 8)) & 0xff)
}

const records = fc.array(
  fc.record({
    kind: fc.integer({ min: 0, max: 4_294_967_295 }),
    bytes: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 20 },
)

/** Numbers of bytes, over and over, in which something goes on. */
const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 })

function cutAt(cuts: readonly number[], at: number): number {
  return cuts[at % cuts.length] ?? 1
}

describe('records', () => {
  test('come back whole and in order, however the bytes are cut', () => {
    fc.assert(
      fc.property(records, cuts, (written, cuts) => {
        const writer = new RecordWriter()
        for (const record of written) write(writer, record)
        const all = writer.waiting().slice()
        const { reader, records: read } = keeping()
        for (let at = 0, part = 0; at < all.length; part++) {
          const size = cutAt(cuts, part)
          reader.push(all.slice(at, at + size))
          at += size
        }
        expect(read).toEqual(written)
      }),
    )
  })

  test('come back though they leave in parts, while others are written behind them', () => {
    fc.assert(
      fc.property(records, cuts, (written, cuts) => {
        const writer = new RecordWriter()
        const { reader, records: read } = keeping()
        let bytes = 0
        for (const [at, record] of written.entries()) {
          bytes += write(writer, record)
          const taken = take(writer, cutAt(cuts, at))
          bytes -= taken.length
          expect(writer.length).toBe(bytes)
          reader.push(taken)
        }
        reader.push(take(writer, Number.POSITIVE_INFINITY))
        expect([writer.length, writer.waiting().length]).toEqual([0, 0])
        expect(read).toEqual(written)
      }),
    )
  })

  test('may come in a buffer that is used again for the next part', () => {
    const writer = new RecordWriter()
    const written = [1, 2, 3].map((kind) => ({ kind, bytes: filled(50, kind) }))
    for (const record of written) write(writer, record)
    const { reader, records: read } = keeping()
    const shared = new Uint8Array(16)
    for (let part = take(writer, 16); part.length > 0; part = take(writer, 16)) {
      shared.fill(0xee)
      shared.set(part)
      reader.push(shared.subarray(0, part.length))
    }
    expect(read).toEqual(written)
  })

  test.each([1, 4_095, 65_536, 3_000_000])('may have %p bytes', (length) => {
    const record = { kind: 9, bytes: filled(length) }
    const writer = new RecordWriter()
    expect(write(writer, record)).toBe(length + HEAD_BYTES)
    const { reader, records: read } = keeping()
    while (writer.length > 0) reader.push(take(writer, 700_001))
    expect(read.map(({ kind, bytes }) => [kind, bytes.length])).toEqual([[9, length]])
    expect(Buffer.compare(read[0]?.bytes ?? new Uint8Array(0), record.bytes)).toBe(0)
  })

  test('have numbers of 32 bits and bytes, in the order of writing', () => {
    const writer = new RecordWriter()
    const numbers = [0, 1, 0x80000000, 0xffffffff]
    writer.begin(5)
    for (const number of numbers) writer.number(number)
    writer.bytes(Buffer.from('and text'))
    writer.end()
    let seen: unknown = null
    const reader = new RecordReader(({ kind, bytes, view }: RecordBytes) => {
      const read = numbers.map((_, at) => view.getUint32(at * 4, true))
      seen = [kind, read, new TextDecoder().decode(bytes.subarray(16)), view.byteLength]
    })
    // Behind an odd byte, so that nothing lies where a machine would want it.
    const all = Uint8Array.of(0, ...writer.waiting())
    reader.push(all.subarray(1))
    expect(seen).toEqual([5, numbers, 'and text', 24])
  })
})

describe('a reader', () => {
  test('tells of a record as soon as it is whole, an empty one too', () => {
    const writer = new RecordWriter()
    write(writer, { kind: 3, bytes: new Uint8Array(0) })
    write(writer, { kind: 4, bytes: filled(2) })
    const { reader, records: read } = keeping()
    const counts = [...writer.waiting()].map((byte) => {
      reader.push(Uint8Array.of(byte))
      return read.length
    })
    expect(counts).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2])
  })

  test('makes nothing of no bytes', () => {
    const { reader, records: read } = keeping()
    reader.push(new Uint8Array(0))
    expect(read).toEqual([])
  })
})

describe('a writer', () => {
  /** Bytes of memory behind what waits. */
  function memory(writer: RecordWriter): number {
    return writer.waiting().buffer.byteLength
  }

  test('gives a large buffer back once all is sent, and only then', () => {
    const writer = new RecordWriter()
    const first = memory(writer)
    write(writer, { kind: 1, bytes: filled(1_000_000) })
    take(writer, 999_000)
    expect(memory(writer)).toBeGreaterThan(1_000_000)
    take(writer, 1_008)
    expect([writer.length, memory(writer)]).toEqual([0, first])
    const record = { kind: 2, bytes: filled(5) }
    write(writer, record)
    const { reader, records: read } = keeping()
    reader.push(writer.waiting())
    expect(read).toEqual([record])
  })

  test('keeps one of a common size', () => {
    const writer = new RecordWriter()
    write(writer, { kind: 1, bytes: filled(100_000) })
    const grown = memory(writer)
    take(writer, Number.POSITIVE_INFINITY)
    expect(memory(writer)).toBe(grown)
  })

  test('counts the bytes of a record that is not ended', () => {
    const writer = new RecordWriter()
    writer.begin(1)
    writer.number(7)
    expect(writer.length).toBe(HEAD_BYTES + 4)
    expect(writer.end()).toBe(HEAD_BYTES + 4)
  })
})
