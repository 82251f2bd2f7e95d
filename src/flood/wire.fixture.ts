// Responses as servers may send them, of every framing and transfer, and what is left of them after
// some damage. Made of random numbers, so that a seed gives the same response again.

import type { RandomBelow } from '../core/random.ts'
import type { CutFraming } from './framing.ts'

export const FRAMINGS: readonly CutFraming[] = ['chunk', 'line', 'sse', 'websocket']

/** How a body is sent; a WebSocket's follows a 101 as it is. */
export const TRANSFERS = ['chunked', 'until-close', 'old'] as const
type Sent = (typeof TRANSFERS)[number]

function oneOf<T>(random: RandomBelow, choices: readonly T[]): T {
  return choices[random(choices.length)] as T
}

function many<T>(random: RandomBelow, most: number, make: () => T): T[] {
  return Array.from({ length: random(most + 1) }, make)
}

function bytesOf(random: RandomBelow, most: number): Buffer {
  return Buffer.from(many(random, most, () => random(256)))
}

/** Letters, some of them with a meaning to some framing. */
function wordOf(random: RandomBelow, most: number): string {
  return many(random, most, () => oneOf(random, ['a', 'data', ':', ' ', '=', '0', 'ÿ'])).join('')
}

/** A whole response, of any transfer unless told of which. */
export function responseOf(random: RandomBelow, framing: CutFraming, sent?: Sent): Buffer {
  const body = bodyOf(random, framing)
  const early = oneOf(random, ['', '', '', 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'])
  if (framing === 'websocket') {
    const head = `${early}HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n`
    return Buffer.concat([Buffer.from(head), body])
  }
  const transfer = sent ?? oneOf(random, TRANSFERS)
  const version = transfer === 'old' ? '1.0' : '1.1'
  const coding = oneOf(random, ['Transfer-Encoding: chunked', 'transfer-encoding:gzip,  Chunked '])
  const field = transfer === 'chunked' ? `${coding}\r\n` : ''
  const head = Buffer.from(
    `${early}HTTP/${version} 200 OK\r\nX: ${wordOf(random, 3)}\r\n`,
    'latin1',
  )
  const content = transfer === 'chunked' ? chunked(random, body) : body
  return Buffer.concat([head, Buffer.from(`${field}\r\n`), content])
}

/** A body cut into chunks anywhere, so that messages lie over their bounds. */
function chunked(random: RandomBelow, body: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const chunk = body.subarray(at, at + 1 + random(24))
    at += chunk.length
    const hex = chunk.length.toString(16).padStart(random(4), '0')
    const size = oneOf(random, [hex, hex.toUpperCase()])
    const extension = oneOf(random, ['', '', ';a=1', ' ; name="v;\\"x"', ';', '\t;b\r'])
    parts.push(Buffer.from(`${size}${extension}\r\n`), chunk, Buffer.from('\r\n'))
  }
  const end = ['', '0\r\n\r\n', '00;x\r\nTrailer: 1\r\nOther: 2\r\n\r\n', '0\r\nX: y\n\n']
  return Buffer.concat([...parts, Buffer.from(oneOf(random, end))])
}

function bodyOf(random: RandomBelow, framing: CutFraming): Buffer {
  switch (framing) {
    case 'chunk':
      return bytesOf(random, 80)
    case 'line':
      return Buffer.from(many(random, 6, () => lineOf(random)).join(''), 'latin1')
    case 'sse':
      return Buffer.from(markOf(random) + many(random, 5, () => eventOf(random)).join(''), 'latin1')
    case 'websocket':
      return Buffer.concat(many(random, 6, () => framesOf(random)))
  }
}

function lineOf(random: RandomBelow): string {
  return `${wordOf(random, 8)}${oneOf(random, ['\n', '\r\n', '\r\r\n'])}`
}

const LINE_ENDS = ['\n', '\r', '\r\n']

/** A byte-order mark now and then, whole or not. */
function markOf(random: RandomBelow): string {
  return oneOf(random, ['', '', '', '\xef\xbb\xbf', '\xef\xbb', '\xef\xbb\xbf\xef\xbb\xbf'])
}

/** Fields and comments in any order, each line with an end of its own or all with the same. */
function eventOf(random: RandomBelow): string {
  const always = oneOf(random, [...LINE_ENDS, null, null])
  const lineEnd = () => always ?? oneOf(random, LINE_ENDS)
  const lines = many(random, 4, () => {
    const name = oneOf(random, ['data: ', 'data:', 'data', 'id: ', ': ', 'event:', 'datas:', 'dat'])
    return `${name}${oneOf(random, ['', wordOf(random, 4)])}${lineEnd()}`
  })
  return `${lines.join('')}${lineEnd()}`
}

/** A control frame, or a message in one frame or several, now and then with one too many. */
function framesOf(random: RandomBelow): Buffer {
  if (random(3) === 0) return frameOf(random, oneOf(random, [8, 9, 9, 10, 10]), true)
  const opcode = oneOf(random, [1, 1, 2])
  const last = random(4) === 0 ? random(4) : 0
  const frames = Array.from({ length: last + 1 }, (_, at) => {
    const part = frameOf(random, at === 0 ? opcode : 0, at === last)
    return at < last && random(3) === 0 ? Buffer.concat([part, frameOf(random, 9, true)]) : part
  })
  if (random(20) === 0) frames.push(frameOf(random, oneOf(random, [0, 1]), random(2) === 0))
  return Buffer.concat(frames)
}

function frameOf(random: RandomBelow, opcode: number, isFinal: boolean): Buffer {
  const body =
    opcode >= 8
      ? bytesOf(random, 20)
      : oneOf(random, [bytesOf(random, 20), Buffer.alloc(oneOf(random, [125, 126, 127, 300]), 'x')])
  return Buffer.concat([frameHead(opcode, isFinal, body.length, random(20)), body])
}

/** A frame's head (RFC 6455 section 5.2); by `form` a longer one than the length needs. */
export function frameHead(opcode: number, isFinal: boolean, length: number, form = 2): Buffer {
  const first = (isFinal ? 0x80 : 0) + opcode
  if (length < 126 && (form > 1 || opcode >= 8)) return Buffer.of(first, length)
  if (length < 65_536 && form > 0) return Buffer.of(first, 126, length >> 8, length & 0xff)
  const head = Buffer.alloc(10)
  head[0] = first
  head[1] = 127
  head.writeBigUInt64BE(BigInt(length), 2)
  return head
}

/** The same with some damage; `other` is what may be spliced in. */
export function damaged(random: RandomBelow, wire: Buffer, other: Buffer): Buffer {
  let bytes = wire
  for (let times = 1 + random(3); times > 0; times--) {
    const at = random(bytes.length + 1)
    const to = Math.min(bytes.length, at + 1 + random(12))
    const before = bytes.subarray(0, at)
    const cut = random(other.length + 1)
    bytes = oneOf<() => Buffer>(random, [
      () => flipped(random, bytes),
      () => Buffer.concat([before, insertion(random), bytes.subarray(at)]),
      () => Buffer.concat([before, bytes.subarray(to)]),
      () => Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]),
      () => before,
      () => Buffer.concat([before, other.subarray(cut)]),
    ])()
  }
  return bytes
}

function flipped(random: RandomBelow, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const at = random(copy.length)
  if (copy.length > 0) copy[at] = (copy[at] as number) ^ (1 << random(8))
  return copy
}

function insertion(random: RandomBelow): Buffer {
  const text = oneOf(random, ['\r', '\n', '\r\n', '\r\n\r\n', '0', ';', ':', 'data:', '\x89\x7e'])
  return random(2) === 0 ? bytesOf(random, 5) : Buffer.from(text, 'latin1')
}
