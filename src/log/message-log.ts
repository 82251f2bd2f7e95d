// The log: recent messages and changes of who follows whom, in one total order. What the router and
// those who resume need of it; one in this process fulfils it now, one that machines share later.

/** A message as the log keeps it; a frame is one. */
export interface LogMessage {
  /** The body; never empty. */
  readonly bytes: Uint8Array
  /** Is it about a subject, or to one user alone, or everyone? */
  readonly isAbout: boolean
  /** That subject or user; 0 for everyone. */
  readonly target: number
  readonly event: string | null
  /** Are the bytes JSON, and not text? */
  readonly isJson: boolean
  /** The name of the target; null if it is a number, or everyone. */
  readonly name: string | null
  /** By which its publisher may send it again without a second message; null for none. */
  readonly key: string | null
}

/** A message that was read from the log; its bytes are a copy. */
export interface LoggedMessage extends LogMessage {
  readonly number: number
}

/** A user or subject, and its name if it has one: handles do not outlive the process. */
export interface NamedUser {
  readonly id: number
  readonly name: string | null
}

/** Whose messages are looked for. */
export interface LogReader {
  readonly user: number
  /** What the user follows now, each once, and never the user. */
  readonly follows: Uint32Array
  /** What this stream follows for itself, each once. */
  readonly subjects: readonly number[]
}

/** Why it is not known what a reader has missed, or it is too much: see the manual. */
export type GapReason = 'lost' | 'too_many' | 'unknown'

export type Missed = { readonly numbers: readonly number[] } | { readonly gap: GapReason }

export interface MessageLog {
  /** When the log began, in milliseconds since 1970; it begins anew when entries were lost. */
  readonly epoch: number
  /** The number of the last entry; 0 before the first one. */
  readonly last: number
  /** The number of the oldest entry that is kept; above {@link last} if none is. */
  readonly oldest: number
  /**
   * Adds a message, and drops the oldest entries for it. Hot path: once a message.
   *
   * @returns its number
   */
  append(message: LogMessage): number
  /** From here on the user follows the subject, or does so no longer. */
  appendFollow(user: NamedUser, subject: NamedUser, follows: boolean): number
  /** From here on many users follow others than before: what they followed is not known. */
  appendBarrier(): number
  /**
   * What a reader has missed since an entry: what its stream would have got had it been open, by
   * what the user followed at the time of each message and the stream's own subjects.
   *
   * @param after 0 for before the first entry; up to {@link last}
   * @returns the numbers of the messages, in order; or why there is a gap
   */
  missedBy(reader: LogReader, after: number): Missed
  /** The numbers of the newest messages for a reader, by what it follows now, in order. */
  newestFor(reader: LogReader, count: number): readonly number[]
  /** A message that is kept. */
  read(number: number): LoggedMessage
  /** Does an entry that is kept refer to this user or subject? */
  refersTo(id: number): boolean
  /** The name has no handle any more; the same name may have another one later. */
  onNameFreed(id: number): void
  close(): void
}
