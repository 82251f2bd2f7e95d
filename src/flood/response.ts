// Parses an HTTP/1.1 response (RFC 9112) that arrives in pieces, and reports its head and each
// message of its body to a listener.

import { type ByteBuffer, copyOf, latin1Of } from '../core/bytes.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { type Framing, type MessageFault, type MessageListener, MessageReader } from './framing.ts'
import { parseHead, type ResponseHead } from './response-head.ts'

/** Called during {@link ResponseReader.read}. */
export interface ResponseListener extends MessageListener {
  /**
   * Returns the framing of this response's body; `text` for a body of neither known type nor
   * chunks: lines from the first line end on, and before that the bytes of each read.
   */
  onHead(head: ResponseHead): Framing | 'text'
}

/** Why reading a response has failed: each is a closed connection and a counted error. */
export type ResponseFault =
  | MessageFault
  | 'bad_status_line'
  | 'head_too_large'
  | 'bad_chunk_size'
  | 'chunk_too_large'
  | 'bad_chunk_end'

/** `more`: waiting for bytes; `ended`: the last chunk has come. */
export type ReadResult = 'more' | 'ended' | ResponseFault

/** Where in the buffer to go on, or why not. */
type Step = number | 'ended' | ResponseFault

/**
 * What comes next. Size lines and trailers are parsed byte by byte and never kept. Numbers, since
 * those of many streams are in a typed array.
 */
const PHASE = {
  head: 0,
  size: 1,
  extension: 2,
  extensionEnd: 3,
  sizeEnd: 4,
  data: 5,
  dataEnd: 6,
  dataEndFeed: 7,
  trailer: 8,
  trailerEnd: 9,
  trailerField: 10,
  untilLine: 11,
  untilClose: 12,
  length: 13,
} as const

type Phase = (typeof PHASE)[keyof typeof PHASE]

/** Bits of a phase in a {@link ResponseStates}. */
const PHASE_BITS = 4
const PHASE_MASK = (1 << PHASE_BITS) - 1

/**
 * Framings by number. `sse-start` until it is known whether a byte-order mark comes before the
 * first event.
 */
const FRAMINGS = ['chunk', 'line', 'sse', 'websocket', 'sse-start', 'body'] as const
const CHUNK = 0
const LINE = 1
const SSE = 2
const SSE_START = 4
const BODY = 5

const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b
/** U+FEFF in UTF-8. */
const BYTE_ORDER_MARK: readonly number[] = [0xef, 0xbb, 0xbf]
const SPACE = 0x20
const TAB = 0x09
const NO_BYTES = new Uint8Array(0)
/** CR LF CR LF */
const BLANK_LINE_BYTES = 4

/**
 * How far the responses of many streams have been read, by index: a reader goes on with one after
 * the other. A million streams have no object each.
 */
export class ResponseStates {
  /** Phase and framing. */
  readonly codes: Uint8Array
  readonly left: Uint32Array
  readonly lineBytes: Uint32Array
  /** The starts of incomplete messages and heads, which few streams have. */
  readonly partials = new Map<number, ByteBuffer>()
  /** The starts of messages in several frames. */
  readonly fragments = new Map<number, ByteBuffer>()

  constructor(streams: number) {
    this.codes = new Uint8Array(streams)
    this.left = new Uint32Array(streams)
    this.lineBytes = new Uint32Array(streams)
  }

  /** Forgets a response: the next bytes of this stream begin another one. */
  reset(index: number): void {
    this.codes[index] = 0
    this.left[index] = 0
    this.lineBytes[index] = 0
    this.partials.delete(index)
    this.fragments.delete(index)
  }
}

export class ResponseReader extends MessageReader {
  #phase: Phase = PHASE.head
  #framing = CHUNK
  /** Bytes of the chunk still to come; while its size is read, the size so far. */
  #left = 0
  /** Bytes so far of the line of a chunk's size, or of the trailer. */
  #lineBytes = 0
  /** Where the bytes that are read end. */
  #end = 0
  /**
   * The last head, and what it says: a server answers most streams alike, and reading a head takes
   * longer than all else that a stream needs to open.
   */
  #lastBytes = NO_BYTES
  #lastHead: ResponseHead | null = null

  /** Goes on with a response where {@link save} left it. Hot path: once a read. */
  load(states: ResponseStates, index: number): void {
    const { codes, left, lineBytes, partials, fragments } = states
    const code = codes[index] as number
    this.#phase = (code & PHASE_MASK) as Phase
    this.#framing = code >> PHASE_BITS
    this.#left = left[index] as number
    this.#lineBytes = lineBytes[index] as number
    this.partial = partials.size === 0 ? null : (partials.get(index) ?? null)
    this.fragments = fragments.size === 0 ? null : (fragments.get(index) ?? null)
  }

  /** Hot path: once a read. */
  save(states: ResponseStates, index: number): void {
    const { codes, left, lineBytes, partials, fragments } = states
    codes[index] = this.#phase | (this.#framing << PHASE_BITS)
    left[index] = this.#left
    lineBytes[index] = this.#lineBytes
    if (this.partial !== null) partials.set(index, this.partial)
    else if (partials.size > 0) partials.delete(index)
    if (this.fragments !== null) fragments.set(index, this.fragments)
    else if (fragments.size > 0) fragments.delete(index)
  }

  /**
   * Parses the next bytes, those before `end`. Must not be called again after a fault or `ended`.
   */
  read(bytes: Uint8Array, listener: ResponseListener, end = bytes.length): ReadResult {
    this.#end = end
    let at = 0
    while (at < end) {
      const step = this.#step(bytes, at, listener)
      if (typeof step === 'string') return step
      at = step
    }
    return 'more'
  }

  /** The server has ended the body: reports the last line, even without a line end. */
  end(listener: MessageListener): void {
    if (this.#phase === PHASE.head || this.#framing !== LINE) return
    const { partial } = this
    this.partial = null
    if (partial !== null) listener.onMessage(partial.view(), 0, partial.length)
  }

  #step(bytes: Uint8Array, at: number, listener: ResponseListener): Step {
    switch (this.#phase) {
      case PHASE.head:
        return this.#head(bytes, at, listener)
      case PHASE.size:
        return this.#size(bytes, at, listener)
      case PHASE.extension:
      case PHASE.extensionEnd:
        return this.#extension(bytes, at)
      case PHASE.sizeEnd:
        return bytes[at] === LF ? this.#sizeKnown(at + 1) : 'bad_chunk_size'
      case PHASE.data:
        return this.#data(bytes, at, listener)
      case PHASE.dataEnd:
        return this.#expect(CR, PHASE.dataEndFeed, bytes, at)
      case PHASE.dataEndFeed:
        return this.#expect(LF, PHASE.size, bytes, at)
      case PHASE.trailer:
      case PHASE.trailerEnd:
      case PHASE.trailerField:
        return this.#trailer(bytes, at, listener)
      case PHASE.untilLine:
        if (hasLineEnd(bytes, at, this.#end)) {
          this.#framing = LINE
          this.#phase = PHASE.untilClose
        }
        return this.#body(bytes, at, this.#end, listener)
      case PHASE.untilClose:
        // RFC 9112 section 6.3: without a length or chunks, the body is all until the close.
        return this.#body(bytes, at, this.#end, listener)
      case PHASE.length:
        return this.#counted(bytes, at, listener)
    }
  }

  /** A body of known length, which is one message. */
  #counted(bytes: Uint8Array, at: number, listener: ResponseListener): Step {
    if (this.#left > floodLimits.pollBytesMax) return 'message_too_large'
    const end = Math.min(this.#end, at + this.#left)
    this.#left -= end - at
    if (this.#left === 0 && this.partial === null) {
      listener.onMessage(bytes, at, end)
      return 'ended'
    }
    this.keep(bytes, at, end)
    return this.#left === 0 ? this.#endOfBody(listener) : end
  }

  #endOfBody(listener: ResponseListener): 'ended' {
    const { partial } = this
    this.partial = null
    if (this.#framing === BODY)
      listener.onMessage(partial?.view() ?? NO_BYTES, 0, partial?.length ?? 0)
    return 'ended'
  }

  #head(bytes: Uint8Array, at: number, listener: ResponseListener): Step {
    if (this.#lastHead !== null && this.#isLast(bytes, at)) {
      this.#onHead(this.#lastHead, listener)
      if (this.#phase === PHASE.length && this.#left === 0) return this.#endOfBody(listener)
      return at + this.#lastBytes.length
    }
    const before = this.partial?.length ?? 0
    const isWhole = before === 0
    const buffer = isWhole ? bytes : this.keep(bytes, at, this.#end).view()
    const from = isWhole ? at : 0
    const until = isWhole ? this.#end : buffer.length
    // The blank line may have begun in what came before.
    const end = endOfHead(buffer, Math.max(from, before - 3), until)
    if ((end < 0 ? until : end) - from > floodLimits.headBytesMax) return 'head_too_large'
    if (end < 0) {
      if (isWhole) this.keep(bytes, at, this.#end)
      return this.#end
    }
    const text = latin1Of(buffer, from, end)
    this.partial = null
    const head = parseHead(text)
    if (head === null) return 'bad_status_line'
    this.#lastBytes = copyOf(buffer, from, end)
    this.#lastHead = head
    this.#onHead(head, listener)
    if (this.#phase === PHASE.length && this.#left === 0) return this.#endOfBody(listener)
    return at + end - from - before
  }

  /** Do the bytes begin with the last head? */
  #isLast(bytes: Uint8Array, at: number): boolean {
    const last = this.#lastBytes
    if (this.partial !== null || this.#end - at < last.length) return false
    for (let place = 0; place < last.length; place++) {
      if (bytes[at + place] !== last[place]) return false
    }
    return true
  }

  #onHead(head: ResponseHead, listener: ResponseListener): void {
    // Early responses are followed by the final one (RFC 9110 section 15.2); 101 is final.
    if (head.status < 200 && head.status !== 101) return
    const framing = listener.onHead(head)
    this.#framing =
      framing === 'text' ? CHUNK : framing === 'sse' ? SSE_START : FRAMINGS.indexOf(framing)
    const rest = framing === 'text' ? PHASE.untilLine : PHASE.untilClose
    const isCounted = head.transfer === 'length' && framing === 'body'
    if (isCounted) this.#left = Math.min(head.length, floodLimits.pollBytesMax + 1)
    this.#phase = head.transfer === 'chunked' ? PHASE.size : isCounted ? PHASE.length : rest
  }

  /** Hot path: once a chunk. */
  #size(bytes: Uint8Array, at: number, listener: ResponseListener): Step {
    const most = this.#framing === CHUNK ? floodLimits.messageBytesMax : floodLimits.chunkBytesMax
    for (let cursor = at; cursor < this.#end; cursor++) {
      const byte = bytes[cursor] as number
      const digit = hexDigit(byte)
      if (digit < 0) {
        if (this.#lineBytes === 0) return 'bad_chunk_size'
        const next = byte === CR ? this.#wholeChunk(bytes, cursor + 1, listener) : null
        if (next !== null) return next
        if (byte === CR) this.#phase = PHASE.sizeEnd
        else if (byte === SEMICOLON || byte === SPACE || byte === TAB) this.#phase = PHASE.extension
        else return 'bad_chunk_size'
        return cursor + 1
      }
      this.#left = this.#left * 16 + digit
      if (this.#left > most) return 'chunk_too_large'
      if (++this.#lineBytes > floodLimits.headBytesMax) return 'bad_chunk_size'
    }
    return this.#end
  }

  /**
   * A chunk that has arrived whole, as nearly every one has, needs no phases.
   *
   * @param at behind the CR of its size
   * @returns where the next one begins, or null if this one is to be read phase by phase
   */
  #wholeChunk(bytes: Uint8Array, at: number, listener: ResponseListener): number | null {
    const start = at + 1
    const end = start + this.#left
    if (this.#framing !== CHUNK || this.#left === 0 || end + 2 > this.#end) return null
    if (bytes[at] !== LF || bytes[end] !== CR || bytes[end + 1] !== LF) return null
    this.#left = 0
    this.#lineBytes = 0
    listener.onMessage(bytes, start, end)
    return end + 2
  }

  /** Extensions (RFC 9112 section 7.1.1) are skipped. */
  #extension(bytes: Uint8Array, at: number): Step {
    for (let cursor = at; cursor < this.#end; cursor++) {
      const byte = bytes[cursor]
      if (byte === LF) {
        return this.#phase === PHASE.extensionEnd ? this.#sizeKnown(cursor + 1) : 'bad_chunk_size'
      }
      this.#phase = byte === CR ? PHASE.extensionEnd : PHASE.extension
      if (++this.#lineBytes > floodLimits.headBytesMax) return 'bad_chunk_size'
    }
    return this.#end
  }

  #sizeKnown(next: number): number {
    this.#phase = this.#left === 0 ? PHASE.trailer : PHASE.data
    this.#lineBytes = 0
    return next
  }

  /** Hot path: once a read, and mostly the whole chunk. */
  #data(bytes: Uint8Array, at: number, listener: ResponseListener): Step {
    const end = Math.min(this.#end, at + this.#left)
    this.#left -= end - at
    if (this.#left === 0) this.#phase = PHASE.dataEnd
    if (this.#framing !== CHUNK) return this.#body(bytes, at, end, listener)
    if (this.#left > 0 || this.partial !== null) {
      const chunk = this.keep(bytes, at, end)
      if (this.#left > 0) return end
      this.partial = null
      listener.onMessage(chunk.view(), 0, chunk.length)
    } else listener.onMessage(bytes, at, end)
    return end
  }

  /** A piece of the body, of any number of messages. */
  #body(bytes: Uint8Array, at: number, end: number, listener: ResponseListener): Step {
    if (this.#framing === BODY) {
      this.keep(bytes, at, end)
      return (this.partial?.length ?? 0) > floodLimits.pollBytesMax ? 'message_too_large' : end
    }
    const from = this.#framing === SSE_START ? this.#skipMark(bytes, at, end) : at
    if (this.#framing === SSE_START) return end
    return this.readMessages(framingOf(this.#framing), bytes, from, end, listener) ?? end
  }

  /** Skips a byte-order mark before the first event (WHATWG HTML, section 9.2.5). */
  #skipMark(bytes: Uint8Array, at: number, end: number): number {
    let length = this.partial?.length ?? 0
    let cursor = at
    while (cursor < end && bytes[cursor] === BYTE_ORDER_MARK[length]) {
      cursor++
      length++
    }
    if (length < BYTE_ORDER_MARK.length && cursor === end) {
      // It may go on in the next piece.
      this.keep(bytes, at, end)
      return end
    }
    this.#framing = SSE
    if (length < BYTE_ORDER_MARK.length) return at
    this.partial = null
    return cursor
  }

  #expect(byte: number, then: Phase, bytes: Uint8Array, at: number): Step {
    if (bytes[at] !== byte) return 'bad_chunk_end'
    this.#phase = then
    return at + 1
  }

  /** Trailer fields (RFC 9112 section 7.1.2) are skipped; an empty line ends the response. */
  #trailer(bytes: Uint8Array, at: number, listener: ResponseListener): Step {
    for (let cursor = at; cursor < this.#end; cursor++) {
      const byte = bytes[cursor]
      if (byte === LF) {
        if (this.#phase !== PHASE.trailerField) return this.#endOfBody(listener)
        this.#phase = PHASE.trailer
      } else
        this.#phase =
          byte === CR && this.#phase === PHASE.trailer ? PHASE.trailerEnd : PHASE.trailerField
      if (++this.#lineBytes > floodLimits.headBytesMax) return 'head_too_large'
    }
    return this.#end
  }
}

/**
 * The end of the first head, before `until`, whose blank line begins at `from` or later; -1 if it
 * is incomplete.
 */
function endOfHead(bytes: Uint8Array, from: number, until: number): number {
  for (let lf = from + BLANK_LINE_BYTES - 1; lf < until; lf++) {
    if (bytes[lf] !== LF) continue
    if (bytes[lf - 1] === CR && bytes[lf - 2] === LF && bytes[lf - 3] === CR) return lf + 1
  }
  return -1
}

function framingOf(code: number): Framing {
  const framing = FRAMINGS[code]
  if (framing === undefined || framing === 'sse-start') throw new Error(`no framing ${code}`)
  return framing
}

function hasLineEnd(bytes: Uint8Array, from: number, until: number): boolean {
  for (let at = from; at < until; at++) if (bytes[at] === LF) return true
  return false
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
