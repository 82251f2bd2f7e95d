// A frame: a message, encoded once and shared by every stream that gets it. Its bytes must not be
// changed; a transport that wraps them keeps its own copy here.

export interface Frame {
  /** The body as it was published, as UTF-8; never empty. */
  readonly bytes: Uint8Array
  /** Was it published about a subject, or to one user alone? */
  readonly isAbout: boolean
  /** That subject or user; {@link EVERYONE} for all who are connected. */
  readonly target: number
  /** What its publisher calls it; null for nothing. */
  readonly event: string | null
  /** Are the bytes JSON, and not text? */
  readonly isJson: boolean
  /** The name of the target; null if it is a number. */
  readonly name: string | null
  /** These once a stream needed them: the bytes as a chunk of HTTP/1.1, */
  chunk: Uint8Array | null
  /** the message as a line of JSON, and that as a chunk. */
  line: Uint8Array | null
  lineChunk: Uint8Array | null
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
): Frame {
  return { bytes, isAbout, target, event, isJson, name, chunk: null, line: null, lineChunk: null }
}
