// What a message is within a body: a chunk, a line, a server-sent event or a WebSocket frame. Takes
// a body in any pieces and tells whole messages. It knows neither heads nor sockets.

import { floodLimits } from '../core/tool-limits.ts'
import { type Holder, hold, release } from './held.ts'

/** How a body is cut into messages. */
export type Framing = 'chunk' | 'line' | 'sse' | 'websocket'

/** Why the messages of a body cannot be read on. */
export type MessageFault = 'message_too_large' | 'bad_frame'

/** Null if all is well; `ended` when a WebSocket says that it closes. */
export type FramingResult = MessageFault | 'ended' | null

export interface MessageListener {
  /** One message: the bytes from `start` to before `end`, valid during the call only. */
  onMessage(bytes: Uint8Array, start: number, end: number): void
  /** A WebSocket's ping, to be answered with the same bytes (RFC 6455 section 5.5.2). */
  onPing?(bytes: Uint8Array): void
}

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a

/** Reads one piece of a body whose messages are of its framing. Hot path: once a read. */
export function readMessages(
  framing: Framing,
  holder: Holder,
  bytes: Uint8Array,
  start: number,
  end: number,
  listener: MessageListener,
): FramingResult {
  if (framing === 'line') return readLines(holder, bytes, start, end, listener)
  if (framing === 'sse') return readEvents(holder, bytes, start, end, listener)
  if (framing === 'websocket') return readFrames(holder, bytes, start, end, listener)
  // Without chunks around it, what came together is the nearest thing to one.
  listener.onMessage(bytes, start, end)
  return null
}

/** Lines that end in LF, with or without a CR before it; empty ones only keep a connection alive. */
function readLines(
  holder: Holder,
  bytes: Uint8Array,
  start: number,
  end: number,
  listener: MessageListener,
): FramingResult {
  let from = start
  for (let at = start; at < end; at++) {
    if (bytes[at] !== LF) continue
    if (isTooLarge(holder, at - from)) return 'message_too_large'
    if (holder.held === null) tellLine(bytes, from, at, listener)
    else {
      hold(holder, bytes, from, at)
      const line = release(holder) as Uint8Array
      tellLine(line, 0, line.length, listener)
    }
    from = at + 1
  }
  return holdRest(holder, bytes, from, end)
}

function tellLine(bytes: Uint8Array, start: number, end: number, listener: MessageListener): void {
  const textEnd = end > start && bytes[end - 1] === CR ? end - 1 : end
  if (textEnd > start) listener.onMessage(bytes, start, textEnd)
}

/**
 * Events that end in an empty line, each line in LF, CR or both (WHATWG HTML, section 9.2.5). One
 * without data, like a comment that keeps a connection alive, is no message (section 9.2.6).
 */
function readEvents(
  holder: Holder,
  bytes: Uint8Array,
  start: number,
  end: number,
  listener: MessageListener,
): FramingResult {
  let before = lastHeld(holder)
  let from = start
  /** Where the line began; before the piece if what is held does not end in a line's end. */
  let lineFrom = before === -1 || before === LF || before === CR ? start : -1
  for (let at = start; at < end; before = bytes[at++] as number) {
    const byte = bytes[at] as number
    if (byte !== LF && byte !== CR) continue
    if (byte === LF && before === CR) {
      // The second half of one line's end; kept if it is within an event.
      lineFrom = at + 1
      if (from === at && holder.held === null) from = at + 1
      continue
    }
    if (lineFrom === at) {
      if (isTooLarge(holder, at - from)) return 'message_too_large'
      tellEvent(holder, bytes, from, at, listener)
      from = at + 1
    }
    lineFrom = at + 1
  }
  return holdRest(holder, bytes, from, end)
}

function lastHeld({ held }: Holder): number {
  return held === null ? -1 : (held.bytes[held.length - 1] as number)
}

function tellEvent(
  holder: Holder,
  bytes: Uint8Array,
  start: number,
  end: number,
  listener: MessageListener,
): void {
  if (holder.held === null) {
    if (hasData(bytes, start, end)) listener.onMessage(bytes, start, end)
    return
  }
  hold(holder, bytes, start, end)
  const event = release(holder) as Uint8Array
  if (hasData(event, 0, event.length)) listener.onMessage(event, 0, event.length)
}

const DATA = [0x64, 0x61, 0x74, 0x61] as const

/** Does one of an event's lines carry the field `data`? */
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

function holdRest(
  holder: Holder,
  bytes: Uint8Array,
  from: number,
  end: number,
): MessageFault | null {
  if (from >= end) return null
  if (isTooLarge(holder, end - from)) return 'message_too_large'
  hold(holder, bytes, from, end)
  return null
}

/** Would what is held be too much with so many bytes more? */
function isTooLarge({ held }: Holder, moreBytes: number): boolean {
  return (held?.length ?? 0) + moreBytes > floodLimits.messageBytesMax
}

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
const OPCODES: ReadonlySet<number> = new Set(Object.values(OPCODE))
const FINAL = 0x80
const RESERVED = 0x70
const MASKED = 0x80
/** Of an opcode: the frame is about the connection, and no part of a message. */
const CONTROL = 0x08
const CONTROL_BYTES_MAX = 125

/**
 * Frames as servers send them: not masked, and without extensions, since none was asked for
 * (RFC 6455 section 5.2). Of a message in several frames the last one is told.
 */
function readFrames(
  holder: Holder,
  piece: Uint8Array,
  start: number,
  end: number,
  listener: MessageListener,
): FramingResult {
  let bytes = piece
  let at = start
  let until = end
  if (holder.held !== null) {
    holder.held.append(piece, start, end)
    bytes = holder.held.bytes
    at = 0
    until = holder.held.length
  }
  while (at < until) {
    const size = frameSize(bytes, at, until)
    if (size === null) break
    if (typeof size === 'string') return size
    const next = at + size.head + size.body
    if (next > until) break
    const result = takeFrame(bytes, at, at + size.head, next, listener)
    if (result !== null) return result
    at = next
  }
  // Still the beginning of one frame, and held already.
  if (holder.held !== null && at === 0) return null
  holder.held = null
  if (at < until) hold(holder, bytes, at, until)
  return null
}

interface FrameSize {
  readonly head: number
  readonly body: number
}

/** Null if too little of it is there. */
function frameSize(bytes: Uint8Array, at: number, end: number): FrameSize | MessageFault | null {
  const first = bytes[at] as number
  const second = bytes[at + 1]
  if ((first & RESERVED) !== 0 || !OPCODES.has(first & 0x0f)) return 'bad_frame'
  if (second === undefined || at + 1 >= end) return null
  if ((second & MASKED) !== 0) return 'bad_frame'
  // RFC 6455 section 5.5: short and in one piece. A longer ping could not be answered.
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

function takeFrame(
  bytes: Uint8Array,
  at: number,
  bodyFrom: number,
  end: number,
  listener: MessageListener,
): FramingResult {
  const first = bytes[at] as number
  const isFinal = (first & FINAL) !== 0
  switch (first & 0x0f) {
    case OPCODE.continuation:
    case OPCODE.text:
    case OPCODE.binary:
      if (isFinal) listener.onMessage(bytes, bodyFrom, end)
      return null
    case OPCODE.ping:
      listener.onPing?.(bytes.subarray(bodyFrom, end))
      return null
    case OPCODE.pong:
      return null
    case OPCODE.close:
      return 'ended'
    default:
      return 'bad_frame'
  }
}
