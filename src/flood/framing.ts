// Cuts a body that arrives in pieces into messages: chunks, lines, server-sent events or WebSocket
// frames.

import { ByteBuffer } from '../core/bytes.ts'
import { floodLimits } from '../core/tool-limits.ts'

/** How a body is cut into messages; `body` is one. */
export type Framing = CutFraming | 'body'
export type CutFraming = 'chunk' | 'line' | 'sse' | 'websocket'

/** Why reading a body has failed. */
export type MessageFault = 'message_too_large' | 'bad_frame'

/** Null if all is well; `ended` after the close frame of a WebSocket. */
export type FramingResult = MessageFault | 'ended' | null

export interface MessageListener {
  /** One message: the bytes from `start` to before `end`, valid during the call only. */
  onMessage(bytes: Uint8Array, start: number, end: number): void
  /** An event without data, which is no message: an id alone, or a comment. */
  onDataless?(bytes: Uint8Array, start: number, end: number): void
  /** A WebSocket's ping, to be answered with the same bytes (RFC 6455 section 5.5.2). */
  onPing?(bytes: Uint8Array): void
  /** A WebSocket's close frame: a code and a reason, or nothing (RFC 6455 section 5.5.1). */
  onClose?(bytes: Uint8Array): void
}

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a

/** Cuts the body of one stream into messages. */
export class MessageReader {
  /** The start of an incomplete message or head. Null most of the time, for most streams. */
  partial: ByteBuffer | null = null
  /** What has come of a WebSocket's message in several frames; null outside of one. */
  fragments: ByteBuffer | null = null
  /** Are binary frames of a WebSocket refused? */
  readonly #isTextOnly: boolean

  constructor(isTextOnly = false) {
    this.#isTextOnly = isTextOnly
  }

  /** Appends a copy to {@link partial}, since the socket uses the memory of the bytes again. */
  protected keep(bytes: Uint8Array, start: number, end: number): ByteBuffer {
    this.partial ??= new ByteBuffer(0)
    return this.partial.append(bytes.subarray(start, end))
  }

  /** Reads one piece of a body. Hot path: once a read. */
  protected readMessages(
    framing: Framing,
    bytes: Uint8Array,
    start: number,
    end: number,
    listener: MessageListener,
  ): FramingResult {
    if (framing === 'line') return this.#readLines(bytes, start, end, listener)
    if (framing === 'sse') return this.#readEvents(bytes, start, end, listener)
    if (framing === 'websocket') return this.#readFrames(bytes, start, end, listener)
    // Outside of chunks, the bytes of one read are the nearest thing to a message.
    listener.onMessage(bytes, start, end)
    return null
  }

  /** Lines that end in LF or CRLF; empty ones only keep a connection alive. */
  #readLines(bytes: Uint8Array, start: number, end: number, to: MessageListener): FramingResult {
    let from = start
    for (let at = start; at < end; at++) {
      if (bytes[at] !== LF) continue
      if (this.#isTooLarge(at - from)) return 'message_too_large'
      if (this.partial === null) onLine(bytes, from, at, to)
      else {
        const line = this.#complete(bytes, from, at)
        onLine(line, 0, line.length, to)
      }
      from = at + 1
    }
    return this.#keepRest(bytes, from, end)
  }

  /**
   * Events that end in an empty line, each line in LF, CR or both (WHATWG HTML, section 9.2.5). One
   * without data, like a comment that keeps a connection alive, is no message (section 9.2.6).
   */
  #readEvents(bytes: Uint8Array, start: number, end: number, to: MessageListener): FramingResult {
    let before = this.partial?.view().at(-1) ?? -1
    let from = start
    /** Where the line began; -1 if it began in an earlier piece. */
    let lineFrom = before === -1 || before === LF || before === CR ? start : -1
    for (let at = start; at < end; before = bytes[at++] as number) {
      const byte = bytes[at] as number
      if (byte !== LF && byte !== CR) continue
      if (byte === LF && before === CR) {
        // The second half of a CRLF; part of the event if it is within one.
        lineFrom = at + 1
        if (from === at && this.partial === null) from = at + 1
        continue
      }
      if (lineFrom === at) {
        if (this.#isTooLarge(at - from)) return 'message_too_large'
        if (this.partial === null) onEvent(bytes, from, at, to)
        else {
          const event = this.#complete(bytes, from, at)
          onEvent(event, 0, event.length, to)
        }
        from = at + 1
      }
      lineFrom = at + 1
    }
    return this.#keepRest(bytes, from, end)
  }

  /**
   * Frames as servers send them: not masked, and without extensions, since the request offers none
   * (RFC 6455 section 5.2). A message in several frames is reported as one.
   */
  #readFrames(piece: Uint8Array, start: number, end: number, to: MessageListener): FramingResult {
    const isFirst = this.partial === null
    const bytes = isFirst ? piece : this.keep(piece, start, end).view()
    const until = isFirst ? end : bytes.length
    let at = isFirst ? start : 0
    while (at < until) {
      const size = frameSize(bytes, at, until)
      if (size === null) break
      if (typeof size === 'string') return size
      const next = at + size.head + size.body
      if (next > until) break
      const result = this.#onFrame(bytes, at, at + size.head, next, to)
      if (result !== null) return result
      at = next
    }
    // Still the start of one frame, which is kept already.
    if (!isFirst && at === 0) return null
    this.partial = null
    if (at < until) this.keep(bytes, at, until)
    return null
  }

  #onFrame(
    bytes: Uint8Array,
    at: number,
    bodyFrom: number,
    end: number,
    listener: MessageListener,
  ): FramingResult {
    const first = bytes[at] as number
    switch (first & 0x0f) {
      case OPCODE.binary:
        if (this.#isTextOnly) return 'bad_frame'
        return this.#onData(bytes, first, bodyFrom, end, listener)
      case OPCODE.continuation:
      case OPCODE.text:
        return this.#onData(bytes, first, bodyFrom, end, listener)
      case OPCODE.ping:
        listener.onPing?.(bytes.subarray(bodyFrom, end))
        return null
      case OPCODE.pong:
        return null
      case OPCODE.close:
        // RFC 6455 section 5.5.1: a code has two bytes.
        if (end - bodyFrom === 1) return 'bad_frame'
        listener.onClose?.(bytes.subarray(bodyFrom, end))
        return 'ended'
      default:
        return 'bad_frame'
    }
  }

  /** A frame of a message: the only one of it, or one of several (RFC 6455 section 5.4). */
  #onData(
    bytes: Uint8Array,
    first: number,
    start: number,
    end: number,
    listener: MessageListener,
  ): FramingResult {
    const isFinal = (first & FINAL) !== 0
    const goesOn = (first & 0x0f) === OPCODE.continuation
    if (goesOn !== (this.fragments !== null)) return 'bad_frame'
    if (isFinal && this.fragments === null) {
      listener.onMessage(bytes, start, end)
      return null
    }
    this.fragments ??= new ByteBuffer(0)
    const { length } = this.fragments
    if (length + end - start > floodLimits.messageBytesMax) return 'message_too_large'
    const message = this.fragments.append(bytes.subarray(start, end))
    if (!isFinal) return null
    this.fragments = null
    listener.onMessage(message.view(), 0, message.length)
    return null
  }

  /** The partial message with its last bytes. */
  #complete(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const message = this.keep(bytes, start, end).view()
    this.partial = null
    return message
  }

  #keepRest(bytes: Uint8Array, from: number, end: number): MessageFault | null {
    if (from >= end) return null
    if (this.#isTooLarge(end - from)) return 'message_too_large'
    this.keep(bytes, from, end)
    return null
  }

  /** Whether the message would exceed the limit with so many bytes more. */
  #isTooLarge(moreBytes: number): boolean {
    return (this.partial?.length ?? 0) + moreBytes > floodLimits.messageBytesMax
  }
}

function onLine(bytes: Uint8Array, start: number, end: number, listener: MessageListener): void {
  const textEnd = end > start && bytes[end - 1] === CR ? end - 1 : end
  if (textEnd > start) listener.onMessage(bytes, start, textEnd)
}

function onEvent(bytes: Uint8Array, start: number, end: number, listener: MessageListener): void {
  if (hasData(bytes, start, end)) listener.onMessage(bytes, start, end)
  else if (end > start) listener.onDataless?.(bytes, start, end)
}

const DATA = [0x64, 0x61, 0x74, 0x61] as const

/** Whether an event has a line with the field `data`. */
function hasData(bytes: Uint8Array, start: number, end: number): boolean {
  let line = start
  while (line < end) {
    if (DATA.every((letter, at) => bytes[line + at] === letter)) {
      const next = line + DATA.length >= end ? LF : bytes[line + DATA.length]
      if (next === COLON || next === LF || next === CR) return true
    }
    while (line < end && bytes[line] !== LF && bytes[line] !== CR) line++
    line++
  }
  return false
}

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
const OPCODES: ReadonlySet<number> = new Set(Object.values(OPCODE))
const FINAL = 0x80
const RESERVED = 0x70
const MASKED = 0x80
/** Bit of the opcodes of control frames. */
const CONTROL = 0x08
const CONTROL_BYTES_MAX = 125

interface FrameSize {
  readonly head: number
  readonly body: number
}

/** Null if the head of the frame is incomplete. */
function frameSize(bytes: Uint8Array, at: number, end: number): FrameSize | MessageFault | null {
  const first = bytes[at] as number
  const second = bytes[at + 1]
  if ((first & RESERVED) !== 0 || !OPCODES.has(first & 0x0f)) return 'bad_frame'
  if (second === undefined || at + 1 >= end) return null
  if ((second & MASKED) !== 0) return 'bad_frame'
  // RFC 6455 section 5.5: control frames are short and not fragmented.
  if ((first & CONTROL) !== 0 && (second > CONTROL_BYTES_MAX || (first & FINAL) === 0)) {
    return 'bad_frame'
  }
  if (second < 126) return { head: 2, body: second }
  const head = second === 126 ? 4 : 10
  if (at + head > end) return null
  let body = 0
  for (let place = at + 2; place < at + head; place++) body = body * 256 + (bytes[place] as number)
  return body > floodLimits.messageBytesMax ? 'message_too_large' : { head, body }
}
