// What a stream's client sends: its request, for a response body or a WebSocket, and control
// frames.

import { copyInto, DECIMAL_DIGITS_MAX, writeDecimal } from '../core/bytes.ts'
import { CURSOR_LENGTH } from '../core/cursor.ts'
import type { StreamBehaviour } from './plan.ts'
import { DONE, type Positions } from './positions.ts'
import { TOKEN_BYTES_MAX, TokenSigner } from './token-signer.ts'

/** Parses a header field as people write it; returns it as a line, undefined if it is invalid. */
export function parseHeader(text: string): string | undefined {
  // RFC 9110 sections 5.1 and 5.5: a token, and a value without line ends.
  const match = /^([!#$%&'*+.^_`|~0-9a-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/i.exec(text.trim())
  return match === null ? undefined : `${match[1]}: ${match[2]}`
}

/** The requests of streams, one after another in the same memory. */
export class RequestWriter {
  /** The last request, and what a longer one before has left behind it. */
  readonly bytes: Uint8Array
  /** What the server of a WebSocket must answer to the key. */
  readonly accept: string
  /** What stands before, between and behind the ids of the path. */
  readonly #parts: readonly Buffer[]
  /** What follows the path, without the empty line. */
  readonly #fields: Buffer
  readonly #separator: string
  readonly #after: Buffer
  readonly #isPolled: boolean
  readonly #firstId: number
  readonly #positions: Positions | null
  readonly #signer: TokenSigner | null

  /**
   * @param firstId of the stream with index 0
   * @param positions where streams go on; null if they have no cursors
   */
  constructor(behaviour: StreamBehaviour, firstId: number, positions: Positions | null = null) {
    const { target, tokenSecret } = behaviour
    const { pathTemplate } = target
    const lines = fieldLines(behaviour)
    this.accept = acceptOf(lines)
    this.#parts = `GET ${pathTemplate}`.split('{id}').map((part) => Buffer.from(part))
    this.#fields = Buffer.from(` HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}`)
    this.#separator = pathTemplate.includes('?') ? '&' : '?'
    this.#isPolled = behaviour.format === 'poll'
    this.#after = Buffer.from(`${this.#separator}after=`)
    this.#firstId = firstId
    this.#positions = positions
    this.#signer = tokenSecret === null ? null : new TokenSigner(tokenSecret, pathTemplate)
    const partBytes = this.#parts.reduce((sum, { length }) => sum + length, this.#fields.length)
    const idBytes = (this.#parts.length - 1) * DECIMAL_DIGITS_MAX
    const moreBytes = POLL_BYTES_MAX + CURSOR_LENGTH + AUTHORIZATION.length + END.length
    const tokenBytes = this.#signer === null ? 0 : TOKEN_BYTES_MAX + END.length
    this.bytes = new Uint8Array(partBytes + idBytes + moreBytes + tokenBytes)
  }

  /** Returns how many bytes it has. Hot path: once a stream. */
  write(index: number): number {
    const { bytes } = this
    let at = 0
    for (const [place, part] of this.#parts.entries()) {
      if (place > 0) at = writeDecimal(bytes, at, this.#firstId + index)
      bytes.set(part, at)
      at += part.length
    }
    if (this.#positions !== null) at = this.#writePlace(this.#positions, index, at)
    at = this.#append(this.#fields, at)
    if (this.#signer !== null) {
      const token = this.#signer.tokenOf(this.#firstId + index)
      at = this.#append(AUTHORIZATION, at)
      for (let place = 0; place < token.length; place++) bytes[at++] = token.charCodeAt(place)
      at = this.#append(END, at)
    }
    return this.#append(END, at)
  }

  /** Where the stream goes on. */
  #writePlace(positions: Positions, index: number, at: number): number {
    const isResuming = positions.has(index, DONE.resuming)
    if (!this.#isPolled) {
      return isResuming ? positions.write(index, this.bytes, this.#append(this.#after, at)) : at
    }
    // The first poll does not wait: it has what was missed, or says where the stream is.
    const isFirst = !positions.has(index, DONE.placed)
    const wait = isFirst ? '' : `cursor=${positions.pollCursor}&live=long-poll&`
    const next = this.#append(Buffer.from(`${this.#separator}${wait}offset=`), at)
    return isFirst && !isResuming
      ? this.#append(NOW, next)
      : positions.write(index, this.bytes, next)
  }

  /** Answers where the next one begins. */
  #append(part: Uint8Array, at: number): number {
    copyInto(this.bytes, at, part)
    return at + part.length
  }
}

const AUTHORIZATION = new Uint8Array(Buffer.from('Authorization: Bearer '))
const NOW = new Uint8Array(Buffer.from('now'))
/** Of the query of a poll without its offset, in which a number of 16 digits is said again. */
const POLL_BYTES_MAX = '&cursor=&live=long-poll&offset='.length + 16
const END = new Uint8Array(Buffer.from('\r\n'))

/** Its own fields, and those that were given, also instead of its own. */
function fieldLines({ target, headers }: StreamBehaviour): string[] {
  const lines = [`Host: ${target.host}`, 'User-Agent: comet-flood']
  if (target.protocol === 'ws') lines.push(...websocketLines())
  const given = new Set(headers.map(nameOf))
  return [...lines.filter((line) => !given.has(nameOf(line))), ...headers]
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':')).toLowerCase()
}

/**
 * RFC 6455 section 4.1. The key only proves that the server speaks the protocol, so one is enough.
 */
function websocketLines(): string[] {
  const key = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64')
  return [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${key}`,
  ]
}

/** Of RFC 6455 section 1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** What the key among the fields is answered with; empty without a key. */
function acceptOf(lines: readonly string[]): string {
  const line = lines.find((one) => nameOf(one) === 'sec-websocket-key')
  if (line === undefined) return ''
  const key = line.slice(line.indexOf(':') + 1).trim()
  return new Bun.CryptoHasher('sha1').update(key + ACCEPT_GUID).digest('base64')
}

/**
 * The reply to a WebSocket's ping, masked as RFC 6455 section 5.3 demands of clients. The mask is
 * zero: it protects proxies from scripts, and there is neither here.
 *
 * @param payload at most 125 bytes, as in any control frame
 */
export function pongFrame(payload: Uint8Array): Uint8Array {
  return controlFrame(0x8a, payload)
}

/** The reply to a close frame, with the same code (RFC 6455 section 5.5.1). */
export function closeFrame(payload: Uint8Array): Uint8Array {
  return controlFrame(0x88, payload.subarray(0, 2))
}

function controlFrame(first: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(6 + payload.length)
  frame[0] = first
  frame[1] = 0x80 | payload.length
  frame.set(payload, 6)
  return frame
}
