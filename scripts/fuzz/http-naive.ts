// A reader of HTTP/1.1 requests to compare the real one with: it sees all bytes at once as text,
// and is as simple as possible. Written from RFC 9112, RFC 9110 and the limits of comet.

import { isIPv6 } from 'node:net'
import { httpLimits } from '../../src/core/http-limits.ts'

/** One request. Text is latin1, a letter for each byte. */
export interface SeenRequest {
  readonly method: string
  readonly target: string
  readonly path: string
  readonly query: string
  readonly minor: number
  readonly host: string | null
  /** `name: value` with the name in lower case. */
  readonly fields: readonly string[]
  readonly framing: 'none' | 'chunked' | number
  readonly keepAlive: boolean
  readonly expectsContinue: boolean
  /** As much of it as came. */
  body: string
  isWhole: boolean
}

/** The requests of one connection, and the status of what is no request, or `more`. */
export interface Seen {
  readonly requests: readonly SeenRequest[]
  readonly end: number | 'more'
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]"
const VALUE = '[\\t\\x20-\\x7e\\x80-\\xff]'
const EMPTY_LINES = `(?:\\r\\n){0,${httpLimits.emptyLinesMax}}`
const METHOD = `${TOKEN}{1,${httpLimits.methodBytesMax}}`
const TARGET = `[\\x21-\\x7e]{1,${httpLimits.targetBytesMax}}`
const QUOTED =
  '"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"'
const EXTENSION = `[ \\t]*;[ \\t]*${TOKEN}+(?:[ \\t]*=[ \\t]*(?:${TOKEN}+|${QUOTED}))?`

/** A kind of line, and the ends of lines of which one completes each valid start of such a line. */
interface Line {
  readonly first: RegExp
  readonly whole: RegExp
  readonly ends: readonly string[]
}

function lineOf(pattern: string, ...examples: readonly string[]): Line {
  const ends = examples.flatMap((text) => Array.from(text, (_, at) => text.slice(at)))
  return { first: new RegExp(`^${pattern}`), whole: new RegExp(`^${pattern}$`), ends }
}

const REQUEST_LINE = lineOf(
  `${EMPTY_LINES}(${METHOD}) (${TARGET}) HTTP/(\\d\\.\\d)\\r\\n`,
  '\r\nA / HTTP/1.1\r\n',
)
const FIELD_LINE = lineOf(`(?:(${TOKEN}+):(${VALUE}*))?\\r\\n`, 'a:\r\n')
const SIZE_LINE = lineOf(
  `([0-9A-Fa-f]{1,${httpLimits.chunkSizeDigitsMax}})((?:${EXTENSION})*)\\r\\n`,
  '0;a=b\r\n',
  'a"\r\n',
)
const DATA_END = lineOf('\\r\\n', '\r\n')

/** The line that a text begins with; `more` if it is the start of one; null if it is invalid. */
function lineIn(text: string, { first, whole, ends }: Line): RegExpExecArray | 'more' | null {
  const match = first.exec(text)
  if (match !== null) return match
  return ends.some((end) => whole.test(text + end)) ? 'more' : null
}

export function readNaively(wire: string): Seen {
  const requests: SeenRequest[] = []
  for (let rest = wire; ; ) {
    const head = headIn(rest)
    if (typeof head !== 'object') return { requests, end: head }
    requests.push(head.request)
    const body = bodyIn(rest.slice(head.length), head.request.framing)
    head.request.body = body.data
    head.request.isWhole = body.end === 'complete'
    if (body.end !== 'complete') return { requests, end: body.end }
    rest = rest.slice(head.length + body.length)
  }
}

type Ended = number | 'more'

function headIn(wire: string): { request: SeenRequest; length: number } | Ended {
  const text = wire.slice(0, httpLimits.headBytesMax)
  const cut = wire.length < httpLimits.headBytesMax ? 'more' : 431
  const line = lineIn(text, REQUEST_LINE)
  if (line === null) return statusOfLine(text)
  if (line === 'more') return cut
  const [{ length: lineLength }, method = '', target = '', version = ''] = line
  if (version !== '1.0' && version !== '1.1') return 505
  const parts = partsOf(method, target)
  if (parts === null) return 400
  const fields: [name: string, value: string][] = []
  let length = lineLength
  for (;;) {
    const rest = text.slice(length)
    if (fields.length === httpLimits.fieldsMax && /^[^\r]/.test(rest)) return 431
    const field = lineIn(rest, FIELD_LINE)
    if (field === null) return 400
    if (field === 'more') return cut
    const [{ length: fieldLength }, name, value = ''] = field
    length += fieldLength
    if (name === undefined) break
    fields.push([name.toLowerCase(), value.replace(/^[ \t]+|[ \t]+$/g, '')])
  }
  const request = requestOf({ method, target, ...parts, minor: Number(version[2]) }, fields)
  return typeof request === 'number' ? request : { request, length }
}

function statusOfLine(text: string): number {
  const { methodBytesMax, targetBytesMax } = httpLimits
  if (new RegExp(`^${EMPTY_LINES}${TOKEN}{${methodBytesMax + 1}}`).test(text)) return 501
  const isLong = new RegExp(`^${EMPTY_LINES}${METHOD} [\\x21-\\x7e]{${targetBytesMax + 1}}`)
  return isLong.test(text) ? 414 : 400
}

interface Parts {
  readonly path: string
  readonly query: string
  readonly authority: string | undefined
}

function partsOf(method: string, target: string): Parts | null {
  if (method === 'CONNECT') {
    const hasPort = /[^:]:[0-9]+$/.test(target)
    const isValid = hasPort && hostOf(target) !== null
    return isValid ? { path: '', query: '', authority: undefined } : null
  }
  if (method === 'OPTIONS' && target === '*') return { path: '*', query: '', authority: undefined }
  const [, authority, path, query = ''] =
    /^(?:https?:\/\/([^/?#]*))?([^?]*)(?:\?(.*))?$/is.exec(target) ?? []
  if (authority === undefined && !target.startsWith('/')) return null
  if (authority !== undefined && hostOf(authority) === null) return null
  return { path: path || '/', query, authority }
}

function requestOf(
  { authority, ...line }: Parts & { method: string; target: string; minor: number },
  fields: readonly [name: string, value: string][],
): SeenRequest | number {
  const valuesOf = (wanted: string) =>
    fields.filter(([name]) => name === wanted).map(([, value]) => value)
  const hosts = valuesOf('host')
  const [host] = hosts
  if (hosts.length > 1 || (host === undefined && line.minor === 1)) return 400
  if (host !== undefined && hostOf(host) === null) return 400
  const framing = framingOf(line.minor, valuesOf('content-length'), valuesOf('transfer-encoding'))
  if (typeof framing === 'number') return framing
  const expectations = valuesOf('expect')
  const waits = expectations.length > 0
  if (waits && !/^100-continue$/i.test(expectations.join())) return 417
  const seen = fields.map(([name, value]) =>
    name === 'host' && authority !== undefined ? `host: ${authority}` : `${name}: ${value}`,
  )
  if (host === undefined && authority !== undefined) seen.push(`host: ${authority}`)
  const options = valuesOf('connection')
    .join()
    .toLowerCase()
    .split(/[ \t]*,[ \t]*/)
  return {
    ...line,
    host: hostOf(authority ?? host ?? ''),
    fields: seen,
    framing: framing.kind,
    keepAlive: !options.includes('close') && (line.minor === 1 || options.includes('keep-alive')),
    expectsContinue: waits && line.minor === 1 && framing.kind !== 'none',
    body: '',
    isWhole: false,
  }
}

function hostOf(text: string): string | null {
  const [, ipv6, name = '', port = ''] =
    /^(?:\[([0-9a-f:.]+)\]|([\w.-]{1,254}))(?::(\d{0,5}))?$/i.exec(text) ?? []
  if (Number(port) > 65_535) return null
  if (ipv6 === undefined) return name.toLowerCase().replace(/\.$/, '') || null
  return isIPv6(ipv6) ? ipv6Of(ipv6) : null
}

/** An IPv6 address in one form, or the IPv4 address that is mapped into it. */
export function ipv6Of(text: string): string {
  const { hostname } = new URL(`http://[${text}]/`)
  const [, high, low] = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(hostname) ?? []
  if (high === undefined || low === undefined) return hostname
  const value = Number.parseInt(high, 16) * 65_536 + Number.parseInt(low, 16)
  return new URL(`http://${value}/`).hostname
}

function framingOf(
  minor: number,
  lengths: readonly string[],
  codings: readonly string[],
): { kind: SeenRequest['framing'] } | number {
  if (codings.length > 0) {
    if (minor === 0 || lengths.length > 0) return 400
    const names = codings
      .join()
      .toLowerCase()
      .split(/[ \t]*,[ \t]*/)
    const isToken = new RegExp(`^${TOKEN}+$`)
    if (!names.every((name) => isToken.test(name))) return 400
    const others = names.filter((name) => name !== 'chunked')
    if (others.length === names.length) return 501
    if (names.length - others.length > 1 || names.at(-1) !== 'chunked') return 400
    return others.length > 0 ? 501 : { kind: 'chunked' }
  }
  const [length] = lengths
  if (length === undefined) return { kind: 'none' }
  if (lengths.length > 1 || !/^[0-9]+$/.test(length)) return 400
  if (BigInt(length) > BigInt(Number.MAX_SAFE_INTEGER)) return 413
  return { kind: BigInt(length) === 0n ? 'none' : Number(length) }
}

interface SeenBody {
  readonly data: string
  /** Where it ends; what came of it if it does not. */
  readonly length: number
  readonly end: Ended | 'complete'
}

function bodyIn(text: string, framing: SeenRequest['framing']): SeenBody {
  if (framing === 'chunked') return chunksIn(text)
  const length = framing === 'none' ? 0 : framing
  const data = text.slice(0, length)
  return { data, length, end: data.length === length ? 'complete' : 'more' }
}

function chunksIn(text: string): SeenBody {
  let data = ''
  let at = 0
  let extensionBytes = 0
  const stop = (end: SeenBody['end']): SeenBody => ({ data, length: at, end })
  for (;;) {
    const rest = text.slice(at)
    const [digits = ''] = /^[0-9A-Fa-f]*/.exec(rest) ?? []
    if (digits.length > httpLimits.chunkSizeDigitsMax) return stop(413)
    if (BigInt(`0x0${digits}`) > BigInt(Number.MAX_SAFE_INTEGER)) return stop(413)
    const room = Math.min(
      httpLimits.chunkExtensionBytesMax,
      httpLimits.bodyExtensionBytesMax - extensionBytes,
    )
    const [before = ''] = /^[^\r]*/.exec(rest) ?? []
    if (before.length > digits.length + room) {
      const seen = before.slice(0, digits.length + room + 1)
      return stop(lineIn(seen, SIZE_LINE) === null ? 400 : 413)
    }
    const line = lineIn(rest, SIZE_LINE)
    if (line === null) return stop(400)
    if (line === 'more') return stop('more')
    at += line[0].length
    extensionBytes += (line[2] ?? '').length
    const size = Number.parseInt(digits, 16)
    if (size === 0) break
    const chunk = text.slice(at, at + size)
    data += chunk
    at += size
    const end = chunk.length < size ? 'more' : lineIn(text.slice(at), DATA_END)
    if (end === null || end === 'more') return stop(end ?? 400)
    at += 2
  }
  const trailer = trailerIn(text.slice(at))
  at += trailer.length
  return stop(trailer.end)
}

function trailerIn(text: string): { length: number; end: SeenBody['end'] } {
  for (let at = 0; ; ) {
    const rest = text.slice(at)
    const seen = rest.startsWith('\r') ? rest : rest.slice(0, httpLimits.trailerBytesMax - at)
    const line = lineIn(seen, FIELD_LINE)
    if (line === null) return { length: at, end: 400 }
    if (line === 'more') return { length: at, end: seen.length < rest.length ? 413 : 'more' }
    at += line[0].length
    if (line[1] === undefined) return { length: at, end: 'complete' }
  }
}
