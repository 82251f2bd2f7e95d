// What a stream's client sends: its request, for a response body or a WebSocket, and pongs.

import type { StreamBehaviour } from './plan.ts'

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
  /** What stands before, between and behind the ids. */
  readonly #parts: readonly Buffer[]
  readonly #firstId: number

  /** @param firstId of the stream with index 0 */
  constructor(behaviour: StreamBehaviour, firstId: number) {
    this.#parts = requestParts(behaviour).map((part) => Buffer.from(part))
    this.#firstId = firstId
    const partBytes = this.#parts.reduce((sum, { length }) => sum + length, 0)
    this.bytes = new Uint8Array(partBytes + (this.#parts.length - 1) * DIGITS_MAX)
  }

  /** Returns how many bytes it has. Hot path: once a stream. */
  write(index: number): number {
    const { bytes } = this
    let at = 0
    for (const [place, part] of this.#parts.entries()) {
      if (place > 0) at = writeNumber(bytes, at, this.#firstId + index)
      bytes.set(part, at)
      at += part.length
    }
    return at
  }
}

/** Of the largest safe integer. */
const DIGITS_MAX = 16

function writeNumber(bytes: Uint8Array, at: number, number: number): number {
  let end = at + 1
  for (let rest = number; rest >= 10; rest = Math.floor(rest / 10)) end++
  let rest = number
  for (let place = end - 1; place >= at; place--) {
    bytes[place] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return end
}

/** The text of a request around the id of its user, which may be in its path several times. */
function requestParts({ target, headers }: StreamBehaviour): string[] {
  const lines = [`Host: ${target.host}`, 'User-Agent: comet-flood']
  if (target.protocol === 'ws') lines.push(...WEBSOCKET_LINES)
  const given = new Set(headers.map(nameOf))
  const fields = [...lines.filter((line) => !given.has(nameOf(line))), ...headers]
  const end = ` HTTP/1.1\r\n${fields.map((line) => `${line}\r\n`).join('')}\r\n`
  const parts = `GET ${target.pathTemplate}`.split('{id}')
  return [...parts.slice(0, -1), `${parts.at(-1)}${end}`]
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':')).toLowerCase()
}

/**
 * RFC 6455 section 4.1. The key only proves that the server speaks the protocol, so one is enough.
 */
const WEBSOCKET_LINES = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${Buffer.from('comet-flood-test').toString('base64')}`,
]

/**
 * The reply to a WebSocket's ping, masked as RFC 6455 section 5.3 demands of clients. The mask is
 * zero: it protects proxies from scripts, and there is neither here.
 *
 * @param payload at most 125 bytes, as in any control frame
 */
export function pongFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(6 + payload.length)
  frame[0] = 0x8a
  frame[1] = 0x80 | payload.length
  frame.set(payload, 6)
  return frame
}
