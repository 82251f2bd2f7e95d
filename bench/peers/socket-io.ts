// A client of socket.io over WebSocket, as far as this bench needs it: Engine.IO 4 and Socket.IO 5,
// the default namespace, and events with one text.

import { type ProtocolFault, type ProtocolListener, ProtocolReader, uint16 } from './protocol.ts'

/** Types of packets: of Engine.IO, and behind its `message` of Socket.IO. */
const OPEN = 0x30
const PING = 0x32
const MESSAGE = 0x34
const CONNECTED = 0x30
const EVENT = 0x32

const TEXT_FRAME = 0x81
const HEAD_END = new TextEncoder().encode('\r\n\r\n')
const SWITCHING = new TextEncoder().encode('HTTP/1.1 101 ')
/** The example of RFC 6455 section 1.3: one is enough for a server that this bench has started. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** A masked frame, as clients send it; a mask of zeros leaves the text as it is. */
function frame(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  return new Uint8Array([TEXT_FRAME, 0x80 | bytes.length, 0, 0, 0, 0, ...bytes])
}

const CONNECT_FRAME = frame('40')
const PONG_FRAME = frame('3')

export class SocketIoStream extends ProtocolReader {
  readonly #path: string
  readonly #host: string
  #isUpgraded = false

  constructor(host: string, user: number) {
    super()
    this.#host = host
    this.#path = `/socket.io/?EIO=4&transport=websocket&id=${user}`
  }

  greeting(): Uint8Array {
    return new TextEncoder().encode(
      [
        `GET ${this.#path} HTTP/1.1`,
        `Host: ${this.#host}`,
        ...['Connection: Upgrade', 'Upgrade: websocket'],
        ...['Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${KEY}`],
        '\r\n',
      ].join('\r\n'),
    )
  }

  protected take(bytes: Uint8Array, start: number, to: ProtocolListener): number | ProtocolFault {
    return this.#isUpgraded ? takeFrame(bytes, start, to) : this.#takeHead(bytes.subarray(start))
  }

  #takeHead(bytes: Uint8Array): number | ProtocolFault {
    const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const length = head.indexOf(HEAD_END)
    if (length < 0) return 0
    if (head.indexOf(SWITCHING) !== 0) return 'not_upgraded'
    this.#isUpgraded = true
    return length + HEAD_END.length
  }
}

/** Frames of a server are not masked, and these are short texts that are not fragmented. */
function takeFrame(bytes: Uint8Array, start: number, to: ProtocolListener): number | ProtocolFault {
  if (bytes[start] !== TEXT_FRAME) return 'bad_frame'
  const short = bytes[start + 1]
  if (short === undefined) return 0
  if (short > 126) return 'bad_frame'
  const from = start + (short === 126 ? 4 : 2)
  if (from > bytes.length) return 0
  const length = short < 126 ? short : uint16(bytes, start + 2)
  const until = from + length
  if (until > bytes.length) return 0
  onPacket(bytes, from, until, to)
  return until - start
}

function onPacket(bytes: Uint8Array, from: number, end: number, to: ProtocolListener): void {
  const type = bytes[from]
  if (type === OPEN) to.onReply(CONNECT_FRAME)
  else if (type === PING) to.onReply(PONG_FRAME)
  else if (type !== MESSAGE) return
  else if (bytes[from + 1] === CONNECTED) to.onOpen()
  else if (bytes[from + 1] === EVENT) to.onMessage(bytes, from + 2, end)
}
