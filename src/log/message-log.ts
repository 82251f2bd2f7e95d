// The log: recent messages and changes of who follows whom, in one total order. The interface for
// the router and for streams that resume.

import type { NamedUser } from '../core/user.ts'

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

/** A message that its publisher may send again. */
export interface KeyedMessage {
  readonly number: number
  readonly key: string
  /** When it was added, in seconds since 1970. */
  readonly seconds: number
}

/** From an entry on a user follows a subject, or does so no longer. */
export interface FollowChange {
  readonly user: NamedUser
  readonly subject: NamedUser
  readonly follows: boolean
}

/** Whose messages are looked for. */
export interface LogReader {
  readonly user: number
  /** What the user follows now, each once, and never the user. */
  readonly follows: Uint32Array
  /** What this stream follows for itself, each once. */
  readonly subjects: readonly number[]
}

/**
 * Why it is not known what a reader has missed (`lost`), or it is too much: see the manual. Where
 * both are true, it is either.
 */
export type GapReason = 'lost' | 'too_many' | 'unknown'

/** As much of it as fits: the oldest messages, up to some entry. */
export type MissedPage =
  | { readonly numbers: readonly number[]; readonly upTo: number }
  | { readonly gap: GapReason }

export type Missed = { readonly numbers: readonly number[] } | { readonly gap: GapReason }

export interface MessageLog {
  /** When the log began, in milliseconds since 1970; it begins anew when entries were lost. */
  readonly epoch: number
  /** The number of the last entry; 0 before the first one. */
  readonly last: number
  /** The number of the oldest entry that is kept; above {@link last} if none is. */
  readonly oldest: number
  /** Bytes that the entries take which are kept, and that they may take. */
  readonly keptBytes: number
  readonly keptBytesMax: number
  /**
   * Adds a message, and drops the oldest entries for it. Hot path: once a message.
   *
   * @returns its number
   */
  append(message: LogMessage): number
  /**
   * Adds several, one after the other: in half the time of one at a time.
   *
   * @returns the number of the last one
   */
  appendAll(messages: readonly LogMessage[]): number
  /**
   * From here on the user follows the subject, or does so no longer. Only for what was not so
   * before: a reader that comes back is taken to have followed the opposite until then.
   */
  appendFollow(user: NamedUser, subject: NamedUser, follows: boolean): number
  /**
   * From here on many users follow others than before. What they followed is not known: for the
   * time before, what they follow just after it counts.
   */
  appendBarrier(): number
  /**
   * Which change of who follows whom was recorded last, by the stamp that it had, also before a
   * restart; null if that is not known.
   */
  readonly followsStamp: number | null
  setFollowsStamp(stamp: number): void
  /**
   * A change is to be committed where it is kept, with this stamp; until then its entries follow,
   * and nothing else.
   */
  beginFollows(stamp: number): void
  /** The stamp of a change that was begun and not ended, also before a restart; null for none. */
  readonly begunStamp: number | null
  /** It was made, and is the last one; or it was not, and all is as before. */
  endFollows(isMade: boolean): void
  /**
   * What a reader has missed since an entry: what its stream would have got had it been open, by
   * what the user followed at the time of each message and the stream's own subjects.
   *
   * @param after 0 for before the first entry; up to {@link last}
   * @returns the numbers of the messages, in order; or why there is a gap
   */
  missedBy(reader: LogReader, after: number): Missed
  /** The same, and of too much the oldest ones that fit. */
  pageFor(reader: LogReader, after: number): MissedPage
  /**
   * The numbers of the newest messages for a reader, by what it follows now, in order: as many as
   * are wanted and kept, and no more than one that resumes would get.
   */
  newestFor(reader: LogReader, count: number): readonly number[]
  /** A message that is kept. */
  read(number: number): LoggedMessage
  /** The messages that have a key and were added since a moment, the oldest first. */
  keyedSince(seconds: number): Iterable<KeyedMessage>
  /** Does an entry that is kept refer to this handle of a name? */
  refersTo(handle: number): boolean
  /**
   * The name has no handle any more, and no entry refers to it; the same name may have another one
   * later, and the handle another name.
   */
  onNameFreed(handle: number): void
  /** Does a little of what is to be done besides. Answers whether there is more of it. */
  maintain(): boolean
  close(): void
}
