// What a stream's client sends: its request, for a response body or a WebSocket, and pongs.

import type { StreamBehaviour } from './plan.ts'

/** Parses a header field as people write it; returns it as a line, undefined if it is invalid. */
export function parseHeader(text: string): string | undefined {
  // RFC 9110 sections 5.1 and 5.5: a token, and a value without line ends.
  const match = /^([!#$%&'*+.^_`|~0-9a-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/i.exec(text.trim())
  return match === null ? undefined : `${match[1]}: ${match[2]}`
}

/** The request for the stream of a user. */
export function requestText({ target, headers }: StreamBehaviour, id: number): string {
  const path = target.pathTemplate.replaceAll('{id}', String(id))
  const lines = [`Host: ${target.host}`, 'User-Agent: comet-flood']
  if (target.protocol === 'ws') lines.push(...WEBSOCKET_LINES)
  const given = new Set(headers.map(nameOf))
  const fields = [...lines.filter((line) => !given.has(nameOf(line))), ...headers]
  return `GET ${path} HTTP/1.1\r\n${fields.map((line) => `${line}\r\n`).join('')}\r\n`
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
