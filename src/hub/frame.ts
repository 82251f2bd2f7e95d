// A frame: a message, encoded once and shared by every stream that gets it. Its bytes must not be
// changed; a transport that wraps them keeps its own copy here.

import type { Cursor } from '../core/cursor.ts'
import type { LogMessage } from '../log/message-log.ts'

export interface Frame extends LogMessage {
  /**
   * Null for a message. Else it is none, and tells open streams that they may have missed what came
   * behind this place, up to where the frame is.
   */
  readonly gapAfter: Cursor | null
  /** Where it is in the log of messages: */
  epoch: number
  number: number
  /** These once a stream needed them: the bytes as a chunk of HTTP/1.1, */
  chunk: Uint8Array | null
  /** the message as a line of JSON, and that as a chunk; */
  line: Uint8Array | null
  lineChunk: Uint8Array | null
  /** as a text frame of WebSocket; */
  textFrame: Uint8Array | null
  /** as a server-sent event of its body, and of its JSON object. */
  sse: Uint8Array | null
  sseChunk: Uint8Array | null
  sseEnvelope: Uint8Array | null
  sseEnvelopeChunk: Uint8Array | null
  /** and as the events of the format `poll`, and those as a chunk. */
  pollEvents: Uint8Array | null
  pollEventsChunk: Uint8Array | null
}

/** No user and no subject. */
export const EVERYONE = 0

/** Hot path: once a message. All frames have the same fields in the same order. */
export function newFrame(
  bytes: Uint8Array,
  isAbout: boolean,
  target: number,
  event: string | null = null,
  isJson = false,
  name: string | null = null,
  key: string | null = null,
  gapAfter: Cursor | null = null,
): Frame {
  return {
    gapAfter,
    bytes,
    isAbout,
    target,
    event,
    isJson,
    name,
    key,
    epoch: 0,
    number: 0,
    chunk: null,
    line: null,
    lineChunk: null,
    textFrame: null,
    sse: null,
    sseChunk: null,
    sseEnvelope: null,
    sseEnvelopeChunk: null,
    pollEvents: null,
    pollEventsChunk: null,
  }
}

/** Of a message that was published here it is one already. Hot path: once a message. */
export function frameOf(message: LogMessage): Frame {
  if (isFrame(message)) return message
  const { bytes, isAbout, target, event, isJson, name, key } = message
  return newFrame(bytes, isAbout, target, event, isJson, name, key)
}

function isFrame(message: LogMessage): message is Frame {
  return 'chunk' in message
}

const NO_BYTES = new Uint8Array(0)

export function newGapFrame(after: Cursor, resume: Cursor): Frame {
  const frame = newFrame(NO_BYTES, false, EVERYONE, null, false, null, null, after)
  frame.epoch = resume.epoch
  frame.number = resume.number
  return frame
}
