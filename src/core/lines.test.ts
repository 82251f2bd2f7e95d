// Goal: lines are the same however their bytes are cut, and at most one of them is buffered.
// Method: a property against split('\n') for any text at any cuts, and cases around the limit.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { viewOf } from './bytes.ts'
import { LineSplitter } from './lines.ts'

const decoder = new TextDecoder()

/** All lines of the parts, by number; null where one was too long. */
function linesOf(
  parts: readonly Uint8Array[],
  lineBytesMax = 1_000_000,
): [number, string | null][] {
  const lines: [number, string | null][] = []
  const splitter = new LineSplitter(lineBytesMax, (line, number) => {
    lines.push([number, line === null ? null : decoder.decode(viewOf(line))])
  })
  for (const part of parts) {
    // In a buffer that is used again at once, as a connection's is.
    const buffer = new Uint8Array(part)
    splitter.push(buffer)
    buffer.fill(0x21)
  }
  splitter.end()
  return lines
}

/** The text as bytes, cut at any places, also within a character and into empty parts. */
const cutText = fc
  .tuple(
    fc
      .array(fc.oneof(fc.constant('\n'), fc.string({ unit: 'binary' })))
      .map((parts) => parts.join('')),
    fc.array(fc.nat(), { maxLength: 10 }),
  )
  .map(([text, places]) => {
    const bytes = Buffer.from(text)
    const cuts = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)
    const parts = [0, ...cuts].map((from, at) => bytes.subarray(from, cuts[at] ?? bytes.length))
    return { text, parts }
  })

/** What any reader of text would call its lines; a newline at the end begins no further one. */
function naiveLines(
  text: string,
  lineBytesMax = Number.POSITIVE_INFINITY,
): [number, string | null][] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line, at) => [at + 1, Buffer.byteLength(line) > lineBytesMax ? null : line])
}

describe('LineSplitter', () => {
  test('finds the lines of any text, however it is cut', () => {
    fc.assert(
      fc.property(cutText, ({ text, parts }) => {
        expect(linesOf(parts)).toEqual(naiveLines(text))
      }),
    )
  })

  test('reports lines that are too long, however they are cut, and no others', () => {
    fc.assert(
      fc.property(cutText, fc.integer({ min: 0, max: 12 }), ({ text, parts }, max) => {
        expect(linesOf(parts, max)).toEqual(naiveLines(text, max))
      }),
    )
  })

  test.each([
    ['nothing', [''], []],
    ['one line', ['a\n'], [[1, 'a']]],
    [
      'a last line without its newline',
      ['a\nb'],
      [
        [1, 'a'],
        [2, 'b'],
      ],
    ],
    [
      'a last line in parts without its newline',
      ['a\nb', 'c'],
      [
        [1, 'a'],
        [2, 'bc'],
      ],
    ],
    [
      'empty lines',
      ['\n\na\n'],
      [
        [1, ''],
        [2, ''],
        [3, 'a'],
      ],
    ],
    ['a carriage return as part of its line', ['a\r\n'], [[1, 'a\r']]],
    [
      'a newline on its own',
      ['a', '\n', 'b'],
      [
        [1, 'a'],
        [2, 'b'],
      ],
    ],
    ['a line of exactly the limit', ['12345678\n'], [[1, '12345678']]],
    ['a line of the limit in parts', ['1234', '5678', '\n'], [[1, '12345678']]],
    [
      'a line over the limit',
      ['123456789\nb'],
      [
        [1, null],
        [2, 'b'],
      ],
    ],
    [
      'a line over the limit in parts',
      ['1234', '56789', '0', '\nb'],
      [
        [1, null],
        [2, 'b'],
      ],
    ],
    [
      'a last line over the limit',
      ['a\n', '1234567890'],
      [
        [1, 'a'],
        [2, null],
      ],
    ],
    [
      'a short end of a line over the limit',
      ['1234567890', 'x\n', 'b'],
      [
        [1, null],
        [2, 'b'],
      ],
    ],
  ] as [string, string[], [number, string | null][]][])('counts %s', (_, parts, lines) => {
    expect(
      linesOf(
        parts.map((part) => Buffer.from(part)),
        8,
      ),
    ).toEqual(lines)
  })

  // A Buffer is a Uint8Array whose slice is a view and no copy.
  test.each([
    ['a Uint8Array', new Uint8Array(Buffer.from('held'))],
    ['a Buffer', Buffer.from('held')],
  ])('keeps a copy of bytes from %s, which may be used again', (_, buffer) => {
    const lines: string[] = []
    const splitter = new LineSplitter(100, (line) =>
      lines.push(decoder.decode(line === null ? undefined : viewOf(line))),
    )
    splitter.push(buffer)
    buffer.fill(0x21)
    splitter.end()
    expect(lines).toEqual(['held'])
  })

  test('keeps no memory for a line that is too long', () => {
    let refused = 0
    const splitter = new LineSplitter(1_000, (line) => {
      if (line === null) refused++
    })
    const part = new Uint8Array(64 * 1024).fill(0x61)
    const before = arrayBufferBytes()
    // 64 MiB of one line.
    for (let round = 0; round < 1_024; round++) splitter.push(part)
    expect(arrayBufferBytes() - before).toBeLessThan(4 * 1024 * 1024)
    splitter.end()
    expect(refused).toBe(1)
  })
})

function arrayBufferBytes(): number {
  Bun.gc(true)
  return process.memoryUsage().arrayBuffers
}
