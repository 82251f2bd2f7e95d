// Every bound of HTTP, with its unit and the reason for its value.

const KIB = 1024
const MIB = 1024 * KIB

/** Requests as bytes: heads, and what surrounds the data of chunked bodies. */
export const httpLimits = {
  /** Bytes of a head, with the empty lines before it: a token of 4 KiB, a long target, and the
   * fields of a browser with cookies. */
  headBytesMax: 16 * KIB,
  /** Bytes of a target: RFC 9112 section 3 recommends 8,000 at least. */
  targetBytesMax: 8 * KIB,
  /** Bytes of a method: twice the longest registered one, so that a line which is no HTTP is
   * rejected early. */
  methodBytesMax: 32,
  /** Lines of fields; browsers behind several proxies send about forty. They also bound how often
   * the lines of a head that arrives slowly are read again. */
  fieldsMax: 100,
  /** Heads that are kept to be compared with the next ones: of a few publishers with messages of
   * different lengths. A power of two. */
  keptHeadsMax: 64,
  /** Bytes of a head that is kept: those of clients that are no browsers are shorter. */
  keptHeadBytesMax: 1 * KIB,
  /** Heads in a row that had not been kept, after which one in so many is. */
  keptHeadMissesMax: 64,
  /** Bytes of a head and of a body that are written into one buffer for all: of most answers. */
  sharedReplyHeadBytesMax: 1 * KIB,
  sharedReplyBodyBytesMax: 1 * KIB,
  /** Empty lines before a request line: some clients send one after a body (RFC 9112 section
   * 2.2). */
  emptyLinesMax: 4,
  /** Hexadecimal digits of a chunk's size; 14 are enough for every safe integer, the others may be
   * leading zeros. */
  chunkSizeDigitsMax: 16,
  /** Bytes of the extensions of one chunk, and of all chunks of a body; few clients send any. */
  chunkExtensionBytesMax: 1 * KIB,
  bodyExtensionBytesMax: 16 * KIB,
  /** Bytes of a trailer section. */
  trailerBytesMax: 8 * KIB,
  /** Bytes that have arrived and that no handler reads, before the client has to wait: a whole
   * message, or what the kernel hands over in one read. */
  inputBytesMax: 64 * KIB,
  /** Requests of one connection that are begun before all others have a turn: one read of a socket
   * may bring twenty thousand. These take a few milliseconds. */
  requestsPerTurn: 100,
  /** Bytes of a body that is dropped, since its request was answered without it; with more the
   * connection ends, which is cheaper for both. */
  skippedBytesMax: 64 * KIB,
  /** Bytes and milliseconds that a connection is read after its last answer, so that closing it
   * does not reset it before the client has read that. Many clients read only once they have sent
   * all, so it is as much as a publisher may send by mistake. */
  lingerBytesMax: 16 * MIB,
  lingerMsMax: 2_000,
  /** Milliseconds in which a client must take some bytes of its answer. */
  writeMsMax: 30_000,
} as const
