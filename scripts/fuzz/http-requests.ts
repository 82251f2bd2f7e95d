// Reads random and damaged HTTP requests, several on a connection and cut anywhere, with the reader
// of comet's ports and with one that is too simple to be wrong, and reports where they differ,
// throw or take too long.
//
//   bun scripts/fuzz/http-requests.ts [--inputs 100000] [--seed N]     exits 1 at the first failure

import { httpLimits } from '../../src/core/http-limits.ts'
import { type RandomBelow, randomFrom } from '../../src/core/random.ts'
import { cutAt } from '../../src/flood/pieces.fixture.ts'
import { damaged } from '../../src/flood/wire.fixture.ts'
import { BodyReader } from '../../src/http/request-body.ts'
import { type RequestHead, readRequestHead } from '../../src/http/request-head.ts'
import { bySeed, fuzz, INPUT_MS_MAX } from './fuzz.ts'
import { ipv6Of, readNaively, type Seen, type SeenRequest } from './http-naive.ts'

interface Input {
  readonly wire: Buffer
  readonly cuts: readonly number[]
}

function oneOf<T>(random: RandomBelow, choices: readonly T[]): T {
  return choices[random(choices.length)] as T
}

/** Choices by whether they make a request invalid, so that few do. */
interface Choices {
  readonly valid: readonly string[]
  readonly invalid: readonly string[]
}

function choose(random: RandomBelow, { valid, invalid }: Choices): string {
  return oneOf(random, random(30) === 0 ? invalid : valid)
}

function times(random: RandomBelow, most: number, make: () => string): string {
  return Array.from({ length: random(most + 1) }, make).join('')
}

/** Letters up to just below, at or just above a limit. */
function atLimit(random: RandomBelow, limit: number, used = 0): string {
  return 'x'.repeat(Math.max(0, limit - used - 2 + random(5)))
}

const LINES: Choices = {
  valid: [
    'GET /test/7',
    'GET /test/7?a=b',
    'POST /?',
    'PUT //a?b?c',
    'x /#a?b',
    'OPTIONS *',
    'OPTIONS http://b.example',
    'GET HTTPS://[::1]:80/a?b#c',
    'GET http://b?c',
    'GET http://b#c',
    'CONNECT b:443',
    'CONNECT [::ffff:1.2.3.4]:1',
  ],
  invalid: [
    'G(T /',
    'GET /\xe9',
    'GET *',
    'GET  /',
    'GET http:///a',
    'GET http://u@b/',
    'GET ftp://b/',
    'GET b:443',
    'GET b',
    'CONNECT b:',
    'CONNECT /',
  ],
}
const VERSIONS: Choices = {
  valid: ['1.1', '1.1', '1.1', '1.0'],
  invalid: ['1.2', '2.0', '0.9', '1', '1.1 '],
}
const HOSTS: Choices = {
  valid: ['a', 'A.Example.:80', '[::1]', '[::FFFF:1.2.3.4]:9', '[1:02::a]', '127.0.0.1:'],
  invalid: ['a:65536', '.', 'a,b', '', '[::g]', '[1.2.3.4]', '::1', 'a\r\nHost: a'],
}
const FIELDS: Choices = {
  valid: [
    'a:',
    'Abc: \t d e\t ',
    'x: \x80\xff"\\',
    'Connection: close',
    'connection:keep-alive , x',
    'Connection: x,\tKeep-Alive',
    'Upgrade: h2c',
    'Expect: 100-continue',
    'expect: 100-Continue',
  ],
  invalid: [
    'Expect: x',
    'Host: b',
    'Content-Length: 3',
    'content-length: 5, 5',
    'Content-Length: 9007199254740992',
    'Content-Length: -1',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: chunked,',
    'Transfer-Encoding: chunked, gzip',
    'a : b',
    ' a: b',
    'a\x00: b',
    'a: \x7f',
    'a',
  ],
}
const LENGTHS: Choices = {
  valid: ['Content-Length: ', 'content-length:\t', 'Content-Length: 000'],
  invalid: ['Content-Length: +', 'Content-Length: 0x'],
}
const CODINGS: Choices = {
  valid: ['Transfer-Encoding: chunked', 'transfer-encoding:Chunked '],
  invalid: ['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked;a=b', 'Transfer-Encoding: "'],
}
const EXTENSIONS: Choices = {
  valid: ['', '', '', ';a', '; a = b', ' ;\ta="\\"b;"', ';a="";b=c'],
  invalid: [';a="', ';', ' ', ';a=b c', ';a="b"c', ';a ', ';=b'],
}
const SIZES: Choices = {
  valid: ['', '', '0', '0'.repeat(15)],
  invalid: ['0x', '-', ' ', '0'.repeat(16), '4'.padEnd(14, '0')],
}

/** A request, valid most of the time, and some as long as the limits allow. */
function requestOf(random: RandomBelow): string {
  const isLong = random(50) === 0
  const sometimes = (make: () => string) => (isLong && random(3) === 0 ? make() : '')
  const framing = oneOf(random, ['none', 'length', 'chunked'] as const)
  const line = choose(random, LINES).replace(' /', () => {
    const method = sometimes(() => atLimit(random, httpLimits.methodBytesMax, 4))
    return `${method} /${sometimes(() => atLimit(random, httpLimits.targetBytesMax, 1))}`
  })
  const content = times(random, 6, () => oneOf(random, ['a', 'bc', '\r\n', '\xff', '0\r\n\r\n']))
  const version = choose(random, framing === 'chunked' ? { ...VERSIONS, valid: ['1.1'] } : VERSIONS)
  const fields = [
    `Host: ${choose(random, HOSTS)}`,
    ...(framing === 'length' ? [choose(random, LENGTHS) + content.length] : []),
    ...(framing === 'chunked' ? [choose(random, CODINGS)] : []),
    ...Array.from({ length: random(4) }, () => choose(random, FIELDS)),
    ...Array.from({ length: isLong && random(3) === 0 ? 95 + random(6) : 0 }, () => 'a:'),
  ]
  if (random(30) === 0) fields.shift()
  const empty = '\r\n'.repeat(random(20) === 0 ? random(6) : 0)
  const head = `${empty}${line} HTTP/${version}\r\n${fields.join('\r\n')}\r\n`
  const filling = sometimes(() => filledTo(random, httpLimits.headBytesMax - 2, head))
  const body = framing === 'chunked' ? chunked(random, content, sometimes) : content
  return `${head}${filling}\r\n${framing === 'none' ? '' : body}`
}

/** One more field, with which the others are as long as a limit allows, or nearly so. */
function filledTo(random: RandomBelow, limit: number, others: string): string {
  return `a:${atLimit(random, limit, others.length + 4)}\r\n`
}

function chunked(
  random: RandomBelow,
  content: string,
  sometimes: (make: () => string) => string,
): string {
  const extension = () => {
    const usual = choose(random, EXTENSIONS)
    return sometimes(() => `;${atLimit(random, httpLimits.chunkExtensionBytesMax, 1)}`) || usual
  }
  const chunks: string[] = []
  for (let at = 0; at < content.length; ) {
    const chunk = content.slice(at, at + 1 + random(20))
    at += chunk.length
    const size = choose(random, SIZES) + chunk.length.toString(16)
    chunks.push(`${oneOf(random, [size, size.toUpperCase()])}${extension()}\r\n${chunk}\r\n`)
  }
  const many = sometimes(() => `1;${'x'.repeat(1_000)}\r\na\r\n`.repeat(15 + random(3)))
  const trailer = times(random, 2, () => `${choose(random, FIELDS)}\r\n`)
  const filling = sometimes(() => filledTo(random, httpLimits.trailerBytesMax, trailer))
  return `${chunks.join('')}${many}0${extension()}\r\n${trailer}${filling}\r\n`
}

/** The input of a seed: requests whole or damaged, or noise. */
export function inputOf(seed: number): Input {
  const random = randomFrom(seed)
  const requests = () =>
    Buffer.from(requestOf(random) + times(random, 2, () => requestOf(random)), 'latin1')
  const kind = random(20)
  const whole = requests()
  const noise = Buffer.from(Array.from({ length: random(60) }, () => random(256)))
  const wire = kind === 0 ? noise : kind < 8 ? whole : damaged(random, whole, requests())
  const cuts =
    random(8) === 0 && wire.length < 1_000
      ? Array.from(wire, (_, at) => at)
      : Array.from({ length: random(8) }, () => random(wire.length + 1))
  return { wire, cuts }
}

type HeadReader = typeof readRequestHead

/** Reads a connection in pieces, as a server does; each piece in memory that is overwritten. */
function readInPieces(parts: readonly Uint8Array[], readHead: HeadReader): Seen {
  const requests: SeenRequest[] = []
  let body: BodyReader | null = null
  /** The start of a head. */
  let held = new Uint8Array(0)
  for (const part of parts) {
    const bytes = Buffer.concat([held, part])
    let searchedTo = held.length
    held = new Uint8Array(0)
    for (let at = 0; at < bytes.length; ) {
      if (body !== null) {
        const result = body.read(bytes, at, bytes.length)
        if (result.kind === 'rejected') return { requests, end: result.status }
        if (result.kind === 'incomplete') break
        at += result.length
        body = null
        const last = requests.at(-1)
        if (last !== undefined) last.isWhole = true
        continue
      }
      const result = readHead(bytes, at, bytes.length, searchedTo)
      searchedTo = 0
      if (result.kind === 'rejected') return { requests, end: result.status }
      if (result.kind === 'incomplete') {
        held = new Uint8Array(bytes.subarray(at))
        break
      }
      at += result.length
      const request = seen(result.head)
      requests.push(request)
      if (result.head.framing.kind === 'none') continue
      body = new BodyReader(result.head.framing, (data) => {
        request.body += Buffer.from(data).toString('latin1')
      })
    }
    bytes.fill(0x21)
  }
  // What is invalid within a line is reported with its end, or when all is read again.
  const last = readHead(held, 0, held.length)
  return { requests, end: last.kind === 'rejected' ? last.status : 'more' }
}

function seen(head: RequestHead): SeenRequest {
  const { method, target, path, query, minor, host, framing, keepAlive, expectsContinue } = head
  const fields: string[] = []
  for (let at = 0; at < head.fields.length; at += 2) {
    fields.push(`${head.fields[at]}: ${head.fields[at + 1]}`)
  }
  return {
    method,
    target,
    path,
    query,
    minor,
    host: host?.includes(':') ? ipv6Of(host) : host,
    fields,
    framing: framing.kind === 'length' ? framing.length : framing.kind,
    keepAlive,
    expectsContinue,
    body: '',
    isWhole: head.framing.kind === 'none',
  }
}

/** What is wrong with how an input is read; null if nothing is. */
export function failureOf({ wire, cuts }: Input, readHead: HeadReader = readRequestHead) {
  const beganMs = performance.now()
  try {
    const expected = readNaively(wire.toString('latin1'))
    const found = readInPieces(cutAt(wire, cuts), readHead)
    if (!Bun.deepEquals(found, expected)) {
      return `read as ${Bun.inspect(found)}\nand not as ${Bun.inspect(expected)}`
    }
  } catch (error) {
    return `threw ${Bun.inspect(error)}`
  }
  const tookMs = performance.now() - beganMs
  return tookMs > INPUT_MS_MAX ? `took ${Math.round(tookMs)} ms` : null
}

/** A failure with all that is needed to see it again. */
function described(seed: number, failure: string): string {
  const { wire, cuts } = inputOf(seed)
  const text = JSON.stringify(wire.toString('latin1'))
  const again = `bun scripts/fuzz/http-requests.ts --inputs 1 --seed ${seed}`
  return `${failure}\ncut at ${cuts.join(' ')}, of latin1 ${text}\nagain: ${again}`
}

export const firstFailure = bySeed((seed) => {
  const failure = failureOf(inputOf(seed))
  return failure === null ? null : described(seed, failure)
})

await fuzz(import.meta, firstFailure)
