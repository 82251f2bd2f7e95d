// Goal: a head that is kept is read as it would be read anew. Method: sequences of heads that are
// alike, whole, cut and with other bytes behind, against the reader itself.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { httpLimits } from '../core/http-limits.ts'
import { KeptHeads } from './kept-heads.ts'
import { type HeadResult, readRequestHead } from './request-head.ts'

/** Everything of a result, as plain values. */
function seen(result: HeadResult): unknown {
  if (result.kind !== 'complete') return result
  const { head, length } = result
  const { method, target, path, query, minor, host, fields, framing, keepAlive } = head
  return { length, method, target, path, query, minor, host, fields, framing, keepAlive }
}

const line = fc.constantFrom(
  ...['A: b', 'Connection: close', 'Authorization: Bearer a', 'Authorization: Bearer b'],
  ...['Content-Length: 1', 'Content-Length: 2', 'Content-Length: x', `C: ${'x'.repeat(1_100)}`],
)
const head = fc
  .tuple(fc.constantFrom('GET /', 'POST /a', 'POST /b'), fc.array(line, { maxLength: 2 }))
  .map(([start, lines]) => [`${start} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n'))
const piece = fc.record({
  head,
  before: fc.constantFrom('', '\r\n', 'x'),
  behind: fc.constantFrom('', 'a', 'bb'),
  cut: fc.constantFrom(0, 0, 0, 1, 5),
})

test('heads that are alike are each read as by the reader', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const heads = new KeptHeads()
      for (const { head: text, before, behind, cut } of pieces) {
        const sent = `${text}${behind}`
        const bytes = Buffer.from(before + sent.slice(0, sent.length - cut))
        // As the memory of a socket, of which each read is another part.
        const start = before === 'x' ? 1 : 0
        const result = heads.read(bytes, start, bytes.length)
        expect(seen(result)).toEqual(seen(readRequestHead(bytes, start, bytes.length)))
        bytes.fill(0)
      }
    }),
    { numRuns: 500 },
  )
})

test('the same head is read once, and a long one each time', () => {
  const heads = new KeptHeads()
  const twice = (text: string) => {
    const [first, second] = [0, 1].map(() => {
      const bytes = Buffer.from(text)
      return heads.read(bytes, 0, bytes.length)
    })
    if (first?.kind !== 'complete' || second?.kind !== 'complete') throw new Error('no head')
    return first.head === second.head
  }
  const long = 'x'.repeat(httpLimits.keptHeadBytesMax)
  expect(twice('GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toBe(true)
  expect(twice('GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n\r\n')).toBe(true)
  expect(twice(`GET / HTTP/1.1\r\nHost: x\r\nA: ${long}\r\n\r\n`)).toBe(false)
})
