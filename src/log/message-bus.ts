// The bus: gives messages their place in one order, and passes them on in this order. The log of
// this process does it at once; a log that machines share takes a round trip, or may be
// unreachable.

import type { Cursor } from '../core/cursor.ts'
import type { Result } from '../core/result.ts'
import type { FollowChange, LogMessage, MessageLog } from './message-log.ts'

/** Many subscriptions were changed at once here; see {@link MessageLog.appendBarrier}. */
export const BARRIER = 'barrier'

/** An item of the log; each has a number. */
export type LogItem = LogMessage | FollowChange | typeof BARRIER

/** The part of a log that readers use. */
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
 * Why an item is not in the log. `full` and `closed`: refused at once. `unavailable`: it waited for
 * the time limit and was not sent. `unknown`: it was sent, and may still be added. `conflict`:
 * another message has its key. `limit`: a user would follow more than is allowed.
 */
export type PublishRefusal = 'full' | 'closed' | 'unavailable' | 'unknown' | 'conflict' | 'limit'

/**
 * Gets the outcome of an item that was published here. The bus calls one of `onAccepted`,
 * `onRepeated` and `onRefused`, once. Its listener settles it for the streams of this node.
 */
export interface Publication {
  /** Do all nodes have to report their counts? Then each gets a publication with the item. */
  readonly isForAllNodes?: boolean
  /**
   * It is in the log, and every node will read it.
   *
   * @param cursor its place; if it could not be read here, a place before it
   * @param isHanded whether it goes to the streams of this node right after this call. If not, they
   *   get a gap, or have got one since it was published
   */
  onAccepted(cursor: Cursor, isHanded: boolean): void
  /** It was not added: an earlier message with its key is this entry. */
  onRepeated(cursor: Cursor): void
  onRefused(why: PublishRefusal): void
  /** The counts of the streams of this node; called once if the item went to them. */
  settle(delivered: number, skipped: number, unknown?: number): void
  /** Connections that were counted as unknown have taken it after all. */
  late(delivered: number): void
}

/** A gap: the part of the log that open streams may have missed. */
export interface BusGap {
  /** They have had everything up to here. */
  readonly after: Cursor
  /** They get everything from here on. */
  readonly resume: Cursor
}

/**
 * Receives the items of the log: in order, each once, without those from before the bus started.
 */
export interface BusListener {
  /**
   * Hot path: once an item. A subscription change may come again, after others, and then applies
   * again: a part of the log was lost and added again.
   *
   * @param publication null for an item of another node, unless that node asks for a report: then
   *   streams settle it as an item of this node
   */
  onItem(item: LogItem, cursor: Cursor, publication: Publication | null): void
  onGap(gap: BusGap): void
}

export interface MessageBus {
  /** Do other nodes publish here too? Then publishing takes time, and may fail later. */
  readonly isShared: boolean
  /** The part of the log that is kept here; another object after each gap. */
  readonly window: LogWindow
  /** Streams of this node have had everything up to here. */
  readonly cursor: Cursor
  /**
   * The number of a cursor in {@link window}, at most its last one; null if it is not known what
   * came after it: the cursor is of another log, or of a part that was lost.
   */
  numberOf(cursor: Cursor): number | null
  /** The cursor of a number of the window. */
  cursorOf(number: number): Cursor
  /**
   * Whether a stream has to wait before it resumes here: while a lost part of the log is added
   * again, its new place is not known, and this node may be behind the cursor of a stream that was
   * on another node.
   *
   * @param behind the cursor after which the stream resumes, if it gives one
   * @returns null if it need not wait. Otherwise settles after a wait with whether to ask again;
   *   false if the log has no such place
   */
  settled(behind?: Cursor): Promise<boolean> | null
  /** Takes an item and calls back, at once or later; or refuses it. Hot path: once an item. */
  publish(item: LogItem, publication: Publication | null): Result<void, 'full' | 'closed'>
  /** Refuses new items, and those that get no place in the log within a time limit. */
  close(): Promise<void>
}
