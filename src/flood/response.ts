// Parses an HTTP/1.1 response (RFC 9112) that arrives in pieces, and reports its head and each
// message of its body to a listener.

import { floodLimits } from '../core/tool-limits.ts'
import { type Framing, type MessageFault, type MessageListener, MessageReader } from './framing.ts'

/**
 * What marks the end of the body (RFC 9112 section 6.3): the last chunk, a length, or the close.
 */
export type Transfer = 'chunked' | 'length' | 'until-close'

/** The parts of a response's head that decide how its body is read. */
export interface ResponseHead {
  readonly status: number
  readonly transfer: Transfer
  /** In lower case and without parameters, like `text/event-stream`; empty if there is none. */
  readonly mediaType: string
}

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

/** What comes next. Size lines and trailers are parsed byte by byte and never kept. */
type Phase =
  | 'head'
  | 'size'
  | 'extension'
  | 'extension-end'
  | 'size-end'
  | 'data'
  | 'data-end'
  | 'data-end-feed'
  | 'trailer'
  | 'trailer-end'
  | 'trailer-field'
  | 'until-line'
  | 'until-close'

const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b
/** U+FEFF in UTF-8. */
const BYTE_ORDER_MARK: readonly number[] = [0xef, 0xbb, 0xbf]
const SPACE = 0x20
const TAB = 0x09
/** CR LF CR LF */
const BLANK_LINE_BYTES = 4

/** One for each stream, of which there are a million: fields only, and few. */
export class ResponseReader extends MessageReader {
  #phase: Phase = 'head'
  /** `sse-start` until it is known whether a byte-order mark comes before the first event. */
  #framing: Framing | 'sse-start' = 'chunk'
  /** Bytes of the chunk still to come; while its size is read, the size so far. */
  #left = 0
  /** Bytes so far of the line of a chunk's size, or of the trailer. */
  #lineBytes = 0

  /** Parses the next bytes. Must not be called again after a fault or `ended`. */
  read(bytes: Uint8Array, listener: ResponseListener): ReadResult {
    let at = 0
    while (at < bytes.length) {
      const step = this.#step(bytes, at, listener)
      if (typeof step === 'string') return step
      at = step
    }
    return 'more'
  }

  /** The server has ended the body: reports the last line, even without a line end. */
  end(listener: MessageListener): void {
    if (this.#phase === 'head' || this.#framing !== 'line') return
    const { partial } = this
    this.partial = null
    if (partial !== null) listener.onMessage(partial.view(), 0, partial.length)
  }

  #step(bytes: Uint8Array, at: number, listener: ResponseListener): Step {
    switch (this.#phase) {
      case 'head':
        return this.#head(bytes, at, listener)
      case 'size':
        return this.#size(bytes, at, listener)
      case 'extension':
      case 'extension-end':
        return this.#extension(bytes, at)
      case 'size-end':
        return bytes[at] === LF ? this.#sizeKnown(at + 1) : 'bad_chunk_size'
      case 'data':
        return this.#data(bytes, at, listener)
      case 'data-end':
        return this.#expect(CR, 'data-end-feed', bytes, at)
      case 'data-end-feed':
        return this.#expect(LF, 'size', bytes, at)
      case 'trailer':
      case 'trailer-end':
      case 'trailer-field':
        return this.#trailer(bytes, at)
      case 'until-line':
        if (bytes.includes(LF, at)) {
          this.#framing = 'line'
          this.#phase = 'until-close'
        }
        return this.#body(bytes, at, bytes.length, listener)
      case 'until-close':
        // RFC 9112 section 6.3: without a length or chunks, the body is all until the close.
        return this.#body(bytes, at, bytes.length, listener)
    }
  }

  #head(bytes: Uint8Array, at: number, listener: ResponseListener): Step {
    const before = this.partial?.length ?? 0
    const isWhole = before === 0
    const buffer = isWhole ? bytes : this.keep(bytes, at, bytes.length).view()
    const from = isWhole ? at : 0
    // The blank line may have begun in what came before.
    const end = endOfHead(buffer, Math.max(from, before - 3))
    if ((end < 0 ? buffer.length : end) - from > floodLimits.headBytesMax) return 'head_too_large'
    if (end < 0) {
      if (isWhole) this.keep(bytes, at, bytes.length)
      return bytes.length
    }
    const text = Buffer.from(buffer.buffer, buffer.byteOffset + from, end - from).toString('latin1')
    this.partial = null
    const head = parseHead(text)
    if (head === null) return 'bad_status_line'
    // Early responses are followed by the final one (RFC 9110 section 15.2); 101 is final.
    if (head.status >= 200 || head.status === 101) {
      const framing = listener.onHead(head)
      this.#framing = framing === 'text' ? 'chunk' : framing === 'sse' ? 'sse-start' : framing
      const rest = framing === 'text' ? 'until-line' : 'until-close'
      this.#phase = head.transfer === 'chunked' ? 'size' : rest
    }
    return at + end - from - before
  }

  /** Hot path: once a chunk. */
  #size(bytes: Uint8Array, at: number, listener: ResponseListener): Step {
    const most = this.#framing === 'chunk' ? floodLimits.messageBytesMax : floodLimits.chunkBytesMax
    for (let cursor = at; cursor < bytes.length; cursor++) {
      const byte = bytes[cursor] as number
      const digit = hexDigit(byte)
      if (digit < 0) {
        if (this.#lineBytes === 0) return 'bad_chunk_size'
        const next = byte === CR ? this.#wholeChunk(bytes, cursor + 1, listener) : null
        if (next !== null) return next
        if (byte === CR) this.#phase = 'size-end'
        else if (byte === SEMICOLON || byte === SPACE || byte === TAB) this.#phase = 'extension'
        else return 'bad_chunk_size'
        return cursor + 1
      }
      this.#left = this.#left * 16 + digit
      if (this.#left > most) return 'chunk_too_large'
      if (++this.#lineBytes > floodLimits.headBytesMax) return 'bad_chunk_size'
    }
    return bytes.length
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
    if (this.#framing !== 'chunk' || this.#left === 0 || end + 2 > bytes.length) return null
    if (bytes[at] !== LF || bytes[end] !== CR || bytes[end + 1] !== LF) return null
    this.#left = 0
    this.#lineBytes = 0
    listener.onMessage(bytes, start, end)
    return end + 2
  }

  /** Extensions (RFC 9112 section 7.1.1) are skipped. */
  #extension(bytes: Uint8Array, at: number): Step {
    for (let cursor = at; cursor < bytes.length; cursor++) {
      const byte = bytes[cursor]
      if (byte === LF) {
        return this.#phase === 'extension-end' ? this.#sizeKnown(cursor + 1) : 'bad_chunk_size'
      }
      this.#phase = byte === CR ? 'extension-end' : 'extension'
      if (++this.#lineBytes > floodLimits.headBytesMax) return 'bad_chunk_size'
    }
    return bytes.length
  }

  #sizeKnown(next: number): number {
    this.#phase = this.#left === 0 ? 'trailer' : 'data'
    this.#lineBytes = 0
    return next
  }

  /** Hot path: once a read, and mostly the whole chunk. */
  #data(bytes: Uint8Array, at: number, listener: ResponseListener): Step {
    const end = Math.min(bytes.length, at + this.#left)
    this.#left -= end - at
    if (this.#left === 0) this.#phase = 'data-end'
    if (this.#framing !== 'chunk') return this.#body(bytes, at, end, listener)
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
    const from = this.#framing === 'sse-start' ? this.#skipMark(bytes, at, end) : at
    if (this.#framing === 'sse-start') return end
    return this.readMessages(this.#framing, bytes, from, end, listener) ?? end
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
    this.#framing = 'sse'
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
  #trailer(bytes: Uint8Array, at: number): Step {
    for (let cursor = at; cursor < bytes.length; cursor++) {
      const byte = bytes[cursor]
      if (byte === LF) {
        if (this.#phase !== 'trailer-field') return 'ended'
        this.#phase = 'trailer'
      } else
        this.#phase = byte === CR && this.#phase === 'trailer' ? 'trailer-end' : 'trailer-field'
      if (++this.#lineBytes > floodLimits.headBytesMax) return 'head_too_large'
    }
    return bytes.length
  }
}

/** Null if it is not a head of HTTP/1.0 or 1.1. */
function parseHead(text: string): ResponseHead | null {
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |\r|$)/.exec(text)?.[1]
  if (status === undefined) return null
  const mediaType = /^content-type:[ \t]*([^\s;]+)/im.exec(text)?.[1]?.toLowerCase() ?? ''
  // RFC 9112 section 6.3: what follows a 101 has no framing of HTTP.
  const transfer = status === '101' ? 'until-close' : transferOf(text)
  return { status: Number(status), transfer, mediaType }
}

function transferOf(head: string): Transfer {
  if (/^transfer-encoding:(?:.*,)?[ \t]*chunked[ \t]*\r?$/im.test(head)) return 'chunked'
  // With any other transfer coding the body ends with the connection, whatever length it claims.
  if (/^transfer-encoding:/im.test(head)) return 'until-close'
  return /^content-length:/im.test(head) ? 'length' : 'until-close'
}

/** The end of the first head whose blank line begins at `from` or later; -1 if it is incomplete. */
function endOfHead(bytes: Uint8Array, from: number): number {
  const first = bytes.indexOf(LF, from + BLANK_LINE_BYTES - 1)
  for (let lf = first; lf >= 0; lf = bytes.indexOf(LF, lf + 1)) {
    if (bytes[lf - 1] === CR && bytes[lf - 2] === LF && bytes[lf - 3] === CR) return lf + 1
  }
  return -1
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
