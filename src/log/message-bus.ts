// The bus: where messages get their place in the one order, and come from. The log of this process
// fulfils it at once; one that machines share takes the time of a round trip, or is away.

import type { Cursor } from '../core/cursor.ts'
import type { Result } from '../core/result.ts'
import type { FollowChange, LogMessage, MessageLog } from './message-log.ts'

/** From here on many users follow others than before; see {@link MessageLog.appendBarrier}. */
export const BARRIER = 'barrier'

/** What has one number of the log. */
export type LogItem = LogMessage | FollowChange | typeof BARRIER

/** The side of a log that is read. */
export type LogWindow = Pick<
  MessageLog,
  | 'last'
  | 'oldest'
  | 'keptBytes'
  | 'keptBytesMax'
  | 'missedBy'
  | 'pageFor'
  | 'newestFor'
  | 'read'
  | 'keyedSince'
  | 'refersTo'
  | 'onNameFreed'
>

/**
 * Why an item is not in the log. `full` and `closed`: at once. `unavailable`: it has waited for as
 * long as it may, and was not sent. `unknown`: it was sent, and may still come. `conflict`: its key
 * was another message. `limit`: a user would follow more than is allowed.
 */
export type PublishRefusal = 'full' | 'closed' | 'unavailable' | 'unknown' | 'conflict' | 'limit'

/**
 * What becomes of an item that was published here. The bus calls one of the first three, once; who
 * listens to it answers for the streams that an item was handed to.
 */
export interface Publication {
  /** Are all nodes to report what became of it? Then each is handed a publication with it. */
  readonly isForAllNodes?: boolean
  /**
   * It is in the log, and every node will have it.
   *
   * @param cursor where it is; if it could not be read here, a place before it
   * @param isHanded whether it is handed to the streams of this node right after this call; if not,
   *   they are told of a gap, or were since it was published
   */
  onAccepted(cursor: Cursor, isHanded: boolean): void
  /** It was published before with its key, as this entry, and was not added again. */
  onRepeated(cursor: Cursor): void
  onRefused(why: PublishRefusal): void
  /** The streams of this node answer for it: once, if it was handed to them. */
  settle(delivered: number, skipped: number, unknown?: number): void
  /** Connections that were said to be unknown have taken it after all. */
  late(delivered: number): void
}

/** What streams that are open may have missed. */
export interface BusGap {
  /** Up to here they have had everything, */
  readonly after: Cursor
  /** and from here on they get everything. */
  readonly resume: Cursor
}

/**
 * Those who are to get what is published; called in the order of the log, for each item once, and
 * not for those that were there before the bus was.
 */
export interface BusListener {
  /**
   * Hot path: once an item. A change of who follows whom may come again, after others, and counts
   * again: a part of the log was lost and added again.
   *
   * @param publication null for an item of another node, unless that node asks for a report:
   *   then its streams settle it as one of this node
   */
  onItem(item: LogItem, cursor: Cursor, publication: Publication | null): void
  onGap(gap: BusGap): void
}

export interface MessageBus {
  /** Do other nodes publish here, too, so that it takes time, and may fail later? */
  readonly isShared: boolean
  /** What is kept of the log here; another object after each gap. */
  readonly window: LogWindow
  /** Up to where the streams of this node have had everything. */
  readonly cursor: Cursor
  /**
   * The number of a cursor in {@link window}, up to its last one; null if nobody can say what came
   * after it, as of another log, or of a part that was lost.
   */
  numberOf(cursor: Cursor): number | null
  /** The cursor of a number of the window. */
  cursorOf(number: number): Cursor
  /**
   * What is to be awaited, if anything, before a stream resumes here: while a part of the log is
   * added again that the streams of this node have had, nobody knows where it will stand; and of a
   * place that another node has read, this one may be behind.
   *
   * @param behind where the stream is to go on, if it says so
   * @returns whether to ask again then; false if there is no such place
   */
  settled(behind?: Cursor): Promise<boolean> | null
  /** Takes an item, and calls back later or at once; or refuses it. Hot path: once an item. */
  publish(item: LogItem, publication: Publication | null): Result<void, 'full' | 'closed'>
  /** Refuses what has no place in the log yet. */
  close(): Promise<void>
}
