// The frames of WebSocket (RFC 6455 section 5): reads those of clients, strictly, and writes those
// of the server. Of a stream that is in the middle of a frame or message its part is kept here, of
// all others nothing. No I/O.

import { ByteBuffer, copyOf } from '../core/bytes.ts'
import { websocketLimits } from '../core/limits.ts'

const { messageBytesMax, incompleteBytesMax } = websocketLimits

/** RFC 6455 section 7.4.1, and of the codes that are for applications ours. */
export const CLOSE_CODE = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  invalidText: 1007,
  policyViolation: 1008,
  tooLarge: 1009,
  tryAgainLater: 1013,
  expired: 4001,
  ended: 4002,
} as const

export type CloseCode = (typeof CLOSE_CODE)[keyof typeof CLOSE_CODE]

/** What a client has sent; a pong is nothing. */
export type ClientFrame =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'ping'; readonly payload: Uint8Array }
  /** The client ends the stream. */
  | { readonly kind: 'close'; readonly payload: Uint8Array }
  /** These are no valid frames, or not any that are taken. Nothing that follows is read. */
  | { readonly kind: 'invalid'; readonly code: CloseCode; readonly reason: string }

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

const FINAL = 0x80
const RESERVED = 0x70
const OPCODE_BITS = 0x0f
/** Of an opcode. */
const IS_CONTROL = 0x08
const MASKED = 0x80
const LENGTH_BITS = 0x7f
/** Lengths that say that the length is in the next two or eight bytes. */
const LENGTH_16 = 126
const LENGTH_64 = 127
/** RFC 6455 section 5.2: it must be 0. */
const LENGTH_HIGH_BIT = 0x80
const CONTROL_PAYLOAD_MAX = 125
const MASK_BYTES = 4
/** What an entry of a map takes, roughly, beside the bytes. */
const ENTRY_BYTES = 256

/** Fatal, and nothing of a text is taken away, not even a byte order mark. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What a stream has sent that is not complete. */
interface Incomplete {
  /** The beginning of a frame, as it was sent. */
  readonly frame: ByteBuffer | null
  /** The payloads of the fragments of a message. */
  readonly message: ByteBuffer | null
  /** What it takes. */
  readonly bytes: number
}

/** The head of a frame that is valid. */
interface FrameHead {
  readonly opcode: number
  readonly isFinal: boolean
  /** Bytes of the head, the mask included. */
  readonly length: number
  readonly payloadLength: number
}

/** Reads what the clients of all WebSocket streams of a process send. */
export class ClientFrames {
  /** Bytes that are kept for all streams together. */
  keptBytes = 0
  /** By slot, of those that have begun something; the one that began first is the first. */
  readonly #incomplete = new Map<number, Incomplete>()
  readonly #onEvicted: (slot: number) => void

  /**
   * @param onEvicted is called for a stream whose part was dropped, since all that are kept were
   *   too many bytes: what follows cannot be read
   */
  constructor(onEvicted: (slot: number) => void) {
    this.#onEvicted = onEvicted
  }

  /** Streams that are in the middle of something. */
  get incomplete(): number {
    return this.#incomplete.size
  }

  /**
   * What is complete with these bytes, in order; the same however they are cut. Behind the close of
   * a client, and behind what is invalid, nothing is read.
   *
   * @param bytes valid during the call
   */
  read(slot: number, bytes: Uint8Array): readonly ClientFrame[] {
    const before = this.#incomplete.get(slot)
    const input = before?.frame?.append(bytes).view() ?? bytes
    const message = new Message(before?.message ?? null)
    const frames: ClientFrame[] = []
    let at = 0
    while (at < input.length) {
      const head = headAt(input, at, message)
      if (head === null) break
      if ('kind' in head) {
        this.forget(slot)
        frames.push(head)
        return frames
      }
      const end = at + head.length + head.payloadLength
      if (end > input.length) break
      const frame = frameOf(head, unmasked(input, at + head.length, end), message)
      at = end
      if (frame === null) continue
      frames.push(frame)
      if (frame.kind !== 'close' && frame.kind !== 'invalid') continue
      this.forget(slot)
      return frames
    }
    // What did not complete a frame was appended to its beginning.
    const isMore = at === 0 && before?.frame != null
    const rest = isMore ? before.frame : restOf(input, at)
    this.#keep(slot, rest, message.parts)
    return frames
  }

  #keep(slot: number, frame: ByteBuffer | null, message: ByteBuffer | null): void {
    this.keptBytes -= this.#incomplete.get(slot)?.bytes ?? 0
    if (frame === null && message === null) {
      this.#incomplete.delete(slot)
      return
    }
    const bytes = ENTRY_BYTES + (frame?.capacity ?? 0) + (message?.capacity ?? 0)
    // One that is there stays where it is in the order.
    this.#incomplete.set(slot, { frame, message, bytes })
    this.keptBytes += bytes
    this.#evict()
  }

  /** The oldest ones go, so that clients that never finish keep no others out. */
  #evict(): void {
    for (const slot of this.#incomplete.keys()) {
      if (this.keptBytes <= incompleteBytesMax) return
      this.forget(slot)
      this.#onEvicted(slot)
    }
  }

  /** Of the stream in this slot nothing more is read; the slot may have another one next. */
  forget(slot: number): void {
    const kept = this.#incomplete.get(slot)
    if (kept === undefined) return
    this.keptBytes -= kept.bytes
    this.#incomplete.delete(slot)
  }
}

function restOf(input: Uint8Array, at: number): ByteBuffer | null {
  return at === input.length ? null : new ByteBuffer(1).append(input.subarray(at))
}

/** The message that a stream is in the middle of, as far as it has come. */
class Message {
  /** Null if none has begun. */
  parts: ByteBuffer | null

  constructor(parts: ByteBuffer | null) {
    this.parts = parts
  }

  get length(): number {
    return this.parts?.length ?? 0
  }

  begin(payload: Uint8Array): void {
    this.parts = new ByteBuffer(1).append(payload)
  }

  /** The whole message with its last part. */
  end(payload: Uint8Array): Uint8Array {
    const whole = this.parts?.append(payload).view() ?? payload
    this.parts = null
    return whole
  }
}

/**
 * The head that begins there; null if more of it is to come. What its first bytes say is judged
 * before the rest has come.
 */
function headAt(input: Uint8Array, at: number, message: Message): FrameHead | ClientFrame | null {
  if (at + 2 > input.length) return null
  const first = input[at] as number
  const second = input[at + 1] as number
  const opcode = first & OPCODE_BITS
  const isFinal = (first & FINAL) !== 0
  const short = second & LENGTH_BITS
  const wrong = wrongIn(first, second, message)
  if (wrong !== null) return wrong
  const lengthBytes = short === LENGTH_16 ? 2 : short === LENGTH_64 ? 8 : 0
  if (at + 2 + lengthBytes > input.length) return null
  if (lengthBytes === 8 && ((input[at + 2] as number) & LENGTH_HIGH_BIT) !== 0) {
    return invalid(CLOSE_CODE.protocolError, 'a length is no number')
  }
  const payloadLength = lengthBytes === 0 ? short : uintAt(input, at + 2, lengthBytes)
  // A control frame is no part of the message that it is within.
  const messageLength = (opcode & IS_CONTROL) === 0 ? message.length + payloadLength : 0
  if (messageLength > messageBytesMax) {
    return invalid(CLOSE_CODE.tooLarge, `a message has at most ${messageBytesMax} bytes`)
  }
  const length = 2 + lengthBytes + MASK_BYTES
  return at + length > input.length ? null : { opcode, isFinal, length, payloadLength }
}

/** What is wrong with the first two bytes of a frame; null if nothing is. */
function wrongIn(first: number, second: number, message: Message): ClientFrame | null {
  const opcode = first & OPCODE_BITS
  const isBegun = message.parts !== null
  if ((first & RESERVED) !== 0) return invalid(CLOSE_CODE.protocolError, 'a reserved bit is set')
  if ((second & MASKED) === 0) return invalid(CLOSE_CODE.protocolError, 'a frame is not masked')
  switch (opcode) {
    case OPCODE.continuation:
      return isBegun ? null : invalid(CLOSE_CODE.protocolError, 'there is nothing to continue')
    case OPCODE.text:
      return isBegun ? invalid(CLOSE_CODE.protocolError, 'a message is not continued') : null
    case OPCODE.binary:
      return isBegun
        ? invalid(CLOSE_CODE.protocolError, 'a message is not continued')
        : invalid(CLOSE_CODE.unsupportedData, 'messages are text')
    case OPCODE.close:
    case OPCODE.ping:
    case OPCODE.pong:
      if ((first & FINAL) !== 0 && (second & LENGTH_BITS) <= CONTROL_PAYLOAD_MAX) return null
      return invalid(CLOSE_CODE.protocolError, 'a control frame is too long, or a fragment')
    default:
      return invalid(CLOSE_CODE.protocolError, 'an opcode is unknown')
  }
}

function invalid(code: CloseCode, reason: string): ClientFrame {
  return { kind: 'invalid', code, reason }
}

/** Also above what a number holds exactly, when it is too large anyway. */
function uintAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let place = at; place < at + count; place++) value = value * 256 + (bytes[place] as number)
  return value
}

/** A copy of a payload, whose mask is before it. */
function unmasked(input: Uint8Array, start: number, end: number): Uint8Array {
  const payload = copyOf(input, start, end)
  const mask = start - MASK_BYTES
  for (let at = 0; at < payload.length; at++) {
    payload[at] = (payload[at] as number) ^ (input[mask + (at & 3)] as number)
  }
  return payload
}

/** What a complete frame is; null for a part of a message, and for a pong. */
function frameOf(
  { opcode, isFinal }: FrameHead,
  payload: Uint8Array,
  message: Message,
): ClientFrame | null {
  switch (opcode) {
    case OPCODE.ping:
      return { kind: 'ping', payload }
    case OPCODE.pong:
      return null
    case OPCODE.close:
      return isValidClose(payload)
        ? { kind: 'close', payload }
        : invalid(CLOSE_CODE.protocolError, 'a close frame is invalid')
    default:
      if (isFinal) return textOf(message.end(payload))
      if (message.parts === null) message.begin(payload)
      else message.parts.append(payload)
      return null
  }
}

function textOf(payload: Uint8Array): ClientFrame {
  const text = decoded(payload)
  if (text === null) return invalid(CLOSE_CODE.invalidText, 'a text is not UTF-8')
  return { kind: 'text', text }
}

function decoded(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes)
  } catch {
    // The decoder's own words say nothing of where; null says it all.
    return null
  }
}

function isValidClose(payload: Uint8Array): boolean {
  if (payload.length === 0) return true
  return (
    payload.length >= 2 && isSent(uintAt(payload, 0, 2)) && decoded(payload.subarray(2)) !== null
  )
}

/** May a close frame have this code? Others are reserved, or say what is never sent (7.4). */
function isSent(code: number): boolean {
  if (code >= 3000) return code <= 4999
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
}

/** A text frame of the server. Hot path: once a message. */
export function encodeText(text: string): Uint8Array {
  const payload = Buffer.from(text)
  const { length } = payload
  const at = length <= CONTROL_PAYLOAD_MAX ? 2 : length < 2 ** 16 ? 4 : 10
  const bytes = new Uint8Array(at + length)
  bytes[0] = FINAL | OPCODE.text
  bytes[1] = at === 2 ? length : at === 4 ? LENGTH_16 : LENGTH_64
  // The first four of eight bytes are 0.
  for (let place = at - 1, left = length; place > 1; place--, left >>>= 8) bytes[place] = left
  bytes.set(payload, at)
  return bytes
}

/** Asks a client whether it is there. */
export const PING: Uint8Array = Uint8Array.of(FINAL | OPCODE.ping, 0)

/** The answer to a ping. */
export function encodePong(payload: Uint8Array): Uint8Array {
  return control(OPCODE.pong, payload)
}

/** The close frame that answers one of a client. */
export function encodeCloseReply(payload: Uint8Array): Uint8Array {
  // The same code; without a reason, which is the client's own word.
  return control(OPCODE.close, payload.subarray(0, 2))
}

/** @param reason short: a control frame has 125 bytes */
export function encodeClose(code: CloseCode, reason: string): Uint8Array {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return control(OPCODE.close, payload)
}

function control(opcode: number, payload: Uint8Array): Uint8Array {
  if (payload.length > CONTROL_PAYLOAD_MAX) throw new Error('a control frame is too long')
  const bytes = new Uint8Array(2 + payload.length)
  bytes[0] = FINAL | opcode
  bytes[1] = payload.length
  bytes.set(payload, 2)
  return bytes
}
