// The bounds of tokens, of the control port and of clients, with their units and reasons; limits.ts
// has the others.

const KIB = 1024

/** Tokens of the control port. */
export const controlLimits = {
  /** Characters of a token: fewer can be guessed, more do not fit a head. */
  tokenLengthMin: 16,
  tokenLengthMax: 4_096,
  /** Each request is compared with all of them. */
  tokensMax: 100,
} as const

/** Tokens of clients, and the keys that they are checked with. */
export const identityLimits = {
  /** Characters of a name of a user or subject; names at the same time, in about a gigabyte. */
  nameLengthMax: 64,
  namesMax: 2 ** 24,
  /** Milliseconds between two looks for names that no one uses, and how many are looked at: in
   * about two milliseconds. */
  nameCheckEveryMs: 1_000,
  namesPerCheck: 20_000,
  /** Milliseconds from one pass over all names to the next. A name goes when two have found it
   * unused: much longer than a worker may take to open a stream that was admitted. */
  namePassMs: 60_000,
  /** Bytes of a token: with the other fields it must fit a request head. */
  tokenBytesMax: 4 * KIB,
  /** Seconds by which the clocks of two machines may differ. */
  leewaySeconds: 30,
  /** Patterns of subjects that one token may list. */
  patternsMax: 100,
  /** Subjects that one stream may follow for itself: each takes about 30 bytes. */
  subjectsMax: 100,
  /** Keys of one file or URL: large issuers publish about ten. */
  keysMax: 32,
  keyIdLengthMax: 256,
  /** Keys that a token without a key id is tried with: each costs as much as a valid token. */
  keysTriedMax: 4,
  /** Bits of an RSA modulus: the least of RFC 7518 section 3.3, and as many as anyone uses; a check
   * takes longer with each. */
  rsaBitsMin: 2_048,
  rsaBitsMax: 8_192,
  /** Bytes of a shared secret: as long as its hash, by RFC 7518 section 3.2. */
  secretBytesMin: 32,
  secretBytesMax: 4_096,
  /** Bytes of a set of keys at a URL, and milliseconds until all have come. */
  keysBytesMax: 256 * KIB,
  keysFetchMsMax: 5_000,
  /** Milliseconds between two fetches, whatever tokens name; and until they are fetched again
   * though no token asks for it, so that a key that was withdrawn does not count for longer. */
  keysFetchedEveryMs: 60_000,
  keysAgeMsMax: 600_000,
  /** Milliseconds between two times that a worker asks for a fetch. */
  keysAskedEveryMs: 5_000,
  /** Milliseconds that a ticket may be used, once: the time of a page to open its stream; and how
   * many may be open, in about 50 MB. And seconds that its stream lasts. */
  ticketMs: 30_000,
  ticketsMax: 100_000,
  ticketBytes: 32,
  ttlSecondsDefault: 3_600,
  ttlSecondsMax: 10 * 365 * 86_400,
  /** Milliseconds between two looks at which streams' tokens have ended: 20,000 streams are looked
   * at in about 20 µs. And those over which streams that expire together end: their clients come
   * back as slowly. */
  expiryCheckEveryMs: 250,
  expirySpreadMs: 5_000,
} as const
