// The opening handshake of WebSocket (RFC 6455 section 4.2): which requests ask for it, and its
// answer. Without subprotocols and extensions, which a client may offer and does not get.

import type { RequestHead } from '../http/request-head.ts'
import type { Answer } from './transport.ts'

/** The only version there is. */
const VERSION = '13'
/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** Sixteen bytes in base64. */
const KEY = /^[A-Za-z\d+/]{22}==$/

const LISTS_WEBSOCKET = /(?:^|,)[ \t]*websocket[ \t]*(?:,|$)/i
const LISTS_UPGRADE = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i

type HandshakeHead = Pick<RequestHead, 'method' | 'minor' | 'header'>

export type Upgrade =
  /** The head of the response that a stream begins with. */
  { readonly head: Uint8Array } | { readonly answer: Answer }

/**
 * Does the request ask for WebSocket, also if in a wrong way? Only GET does, and HTTP/1.0 has no
 * upgrade (RFC 9110 section 7.8).
 */
export function asksForWebsocket(head: HandshakeHead): boolean {
  return head.method === 'GET' && head.minor === 1 && lists(head, 'upgrade', LISTS_WEBSOCKET)
}

/** The answer to a request for a WebSocket stream. */
export function upgradeOf(head: HandshakeHead): Upgrade {
  if (!asksForWebsocket(head)) return { answer: UPGRADE_REQUIRED }
  if (!lists(head, 'connection', LISTS_UPGRADE)) return { answer: NO_CONNECTION_OPTION }
  if (head.header('sec-websocket-version') !== VERSION) return { answer: OTHER_VERSION }
  const key = head.header('sec-websocket-key')
  if (key === null || !KEY.test(key)) return { answer: INVALID_KEY }
  const accept = new Bun.CryptoHasher('sha1').update(key + GUID).digest('base64')
  return { head: Buffer.from(`${SWITCHING}Sec-WebSocket-Accept: ${accept}\r\n\r\n`) }
}

function lists(head: HandshakeHead, name: string, option: RegExp): boolean {
  return option.test(head.header(name) ?? '')
}

const SWITCHING = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  '',
].join('\r\n')

/** RFC 9110 section 15.5.22. */
const UPGRADE_REQUIRED: Answer = {
  status: 426,
  text: 'Ask for a WebSocket: GET with Upgrade: websocket, over HTTP/1.1\n',
  headers: { upgrade: 'websocket', 'sec-websocket-version': VERSION },
}

const OTHER_VERSION: Answer = {
  status: 426,
  text: `The version of WebSocket is ${VERSION}\n`,
  headers: { upgrade: 'websocket', 'sec-websocket-version': VERSION },
}

const NO_CONNECTION_OPTION: Answer = {
  status: 400,
  text: 'A request for a WebSocket has Connection: Upgrade\n',
}

const INVALID_KEY: Answer = {
  status: 400,
  text: 'Sec-WebSocket-Key is sixteen bytes in base64\n',
}
