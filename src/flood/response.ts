// Reads an HTTP/1.1 response (RFC 9112) as it arrives, cut anywhere, and tells of its head and of
// each chunk. It holds bytes only while a head or a chunk is incomplete. It knows no sockets.

import { floodLimits } from '../core/limits.ts'

/** How the body's end is known (RFC 9112 section 6.3): by chunks, a length, or the close. */
export type Framing = 'chunked' | 'length' | 'until-close'

/** What a reader tells, while {@link ResponseReader.read} runs. */
export interface ResponseListener {
  onHead(status: number, framing: Framing): void
  /** One chunk: the bytes from `start` to before `end`, valid during the call only. */
  onChunk(bytes: Uint8Array, start: number, end: number): void
}

/** Why a response cannot be read on: each is a closed connection and a counted error. */
export type ResponseFault =
  | 'bad_status_line'
  | 'head_too_large'
  | 'bad_chunk_size'
  | 'chunk_too_large'
  | 'bad_chunk_end'

/** `more`: waiting for bytes; `ended`: the final chunk has come. */
export type ReadResult = 'more' | 'ended' | ResponseFault

/** Bytes consumed of the buffer in one step, or -1 when the step needs more of them. */
type Step = number | ResponseFault

const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b
const INCOMPLETE = -1

export class ResponseReader {
  #state: 'head' | 'chunk' | 'trailer' | 'until-close' | 'ended' = 'head'
  /** What has arrived of an incomplete head, chunk or trailer line. */
  #held: Uint8Array | null = null

  /** Takes the next bytes. After a fault or `ended` it must not be called again. */
  read(bytes: Uint8Array, listener: ResponseListener): ReadResult {
    const buffer = this.#held === null ? bytes : joined(this.#held, bytes)
    this.#held = null
    let at = 0
    while (at < buffer.length) {
      const step = this.#step(buffer, at, listener)
      if (typeof step === 'string') return step
      if (step === INCOMPLETE) {
        // A copy of the rest alone, so that the connection's buffer can be used again; not slice(),
        // which for a Buffer is but another view.
        this.#held = new Uint8Array(buffer.subarray(at))
        return 'more'
      }
      at += step
      if (this.#state === 'ended') return 'ended'
    }
    return 'more'
  }

  #step(buffer: Uint8Array, at: number, listener: ResponseListener): Step {
    switch (this.#state) {
      case 'head':
        return this.#head(buffer, at, listener)
      case 'chunk':
        return this.#chunk(buffer, at, listener)
      case 'trailer':
        return this.#trailer(buffer, at)
      case 'until-close':
      case 'ended':
        // RFC 9112 section 6.3: without a length or chunks, the body is all until the close.
        listener.onChunk(buffer, at, buffer.length)
        return buffer.length - at
    }
  }

  #head(buffer: Uint8Array, at: number, listener: ResponseListener): Step {
    const end = endOfHead(buffer, at)
    if (end < 0)
      return buffer.length - at > floodLimits.headBytesMax ? 'head_too_large' : INCOMPLETE
    const head = Buffer.from(buffer.buffer, buffer.byteOffset + at, end - at).toString('latin1')
    const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |\r|$)/.exec(head)?.[1]
    if (status === undefined) return 'bad_status_line'
    // 1xx responses are followed by the real one (RFC 9110 section 15.2).
    if (!status.startsWith('1')) {
      const framing = framingOf(head)
      this.#state = framing === 'chunked' ? 'chunk' : 'until-close'
      listener.onHead(Number(status), framing)
    }
    return end - at
  }

  /** Hot path: once a chunk. A chunk is told of whole, so one that is cut is read from its start. */
  #chunk(buffer: Uint8Array, at: number, listener: ResponseListener): Step {
    let cursor = at
    let size = 0
    let digits = 0
    for (; cursor < buffer.length; cursor++) {
      const digit = hexDigit(buffer[cursor] as number)
      if (digit < 0) break
      size = size * 16 + digit
      if (++digits > 8) return 'chunk_too_large'
    }
    const lineEnd = endOfSizeLine(buffer, cursor)
    if (lineEnd === INCOMPLETE) {
      return buffer.length - at > floodLimits.headBytesMax ? 'bad_chunk_size' : INCOMPLETE
    }
    if (lineEnd < 0 || digits === 0) return 'bad_chunk_size'
    if (size === 0) {
      this.#state = 'trailer'
      return lineEnd - at
    }
    if (size > floodLimits.chunkBytesMax) return 'chunk_too_large'
    const end = lineEnd + size
    if (buffer.length < end + 2) return INCOMPLETE
    if (buffer[end] !== CR || buffer[end + 1] !== LF) return 'bad_chunk_end'
    listener.onChunk(buffer, lineEnd, end)
    return end + 2 - at
  }

  /** Trailer fields (RFC 9112 section 7.1.2) are passed over; an empty line ends the response. */
  #trailer(buffer: Uint8Array, at: number): Step {
    const lineFeed = buffer.indexOf(LF, at)
    if (lineFeed < 0) {
      return buffer.length - at > floodLimits.headBytesMax ? 'head_too_large' : INCOMPLETE
    }
    if (lineFeed === at || (lineFeed === at + 1 && buffer[at] === CR)) this.#state = 'ended'
    return lineFeed + 1 - at
  }
}

function framingOf(head: string): Framing {
  if (/^transfer-encoding:(?:.*,)?[ \t]*chunked[ \t]*\r?$/im.test(head)) return 'chunked'
  // With any other transfer coding the body ends with the connection, whatever length it claims.
  if (/^transfer-encoding:/im.test(head)) return 'until-close'
  return /^content-length:/im.test(head) ? 'length' : 'until-close'
}

const MALFORMED = -2

/**
 * Where the line of a chunk's size ends, behind its extensions (RFC 9112 section 7.1.1), if any.
 * INCOMPLETE if the bytes end first, MALFORMED if something else follows the size.
 */
function endOfSizeLine(buffer: Uint8Array, cursor: number): number {
  const next = buffer[cursor]
  if (next === undefined) return INCOMPLETE
  if (next === CR) {
    const after = buffer[cursor + 1]
    if (after === undefined) return INCOMPLETE
    return after === LF ? cursor + 2 : MALFORMED
  }
  if (next !== SEMICOLON && next !== 0x20 && next !== 0x09) return MALFORMED
  const lineFeed = buffer.indexOf(LF, cursor)
  if (lineFeed < 0) return INCOMPLETE
  return buffer[lineFeed - 1] === CR ? lineFeed + 1 : MALFORMED
}

function endOfHead(buffer: Uint8Array, at: number): number {
  for (let lf = buffer.indexOf(LF, at); lf >= 0; lf = buffer.indexOf(LF, lf + 1)) {
    if (buffer[lf - 1] === CR && buffer[lf - 2] === LF && buffer[lf - 3] === CR) return lf + 1
  }
  return -1
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + tail.length)
  whole.set(head)
  whole.set(tail, head.length)
  return whole
}
