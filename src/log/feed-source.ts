// The feed of connections: which were opened and closed, in order, as those who follow it read it.
// That of one node fulfils it (hub/feed.ts), and that of several (bus/shared-feed.ts).

import type { Cursor } from '../core/cursor.ts'
import type { Subject } from '../core/user.ts'

/** A connection that is open. */
export interface OpenConnection {
  readonly user: Subject
  /** No other connection has it, of any process, node or run. */
  readonly connection: string
  readonly node: string
  /** When it was opened, in milliseconds since 1970. */
  readonly sinceMs: number
}

/** A connection of a user was opened, or is closed. */
export interface ConnectionEvent extends OpenConnection {
  /** Who has had this event, is here. */
  readonly cursor: Cursor
  /** Has the user a connection with this node now? */
  readonly online: boolean
  /** When this was seen, in milliseconds since 1970. */
  readonly atMs: number
  /** Why it ended; null of one that was opened. */
  readonly reason: string | null
}

/** Where a reader begins: with the next event, the oldest one, or behind what it had last. */
export type FeedFrom = 'live' | 'oldest' | { readonly after: Cursor }

/** `lost`: events have left the window. `unknown`: the feed has never been there. */
export type FeedGapReason = 'lost' | 'unknown'

/** What a reader has not got and does not get. */
export interface FeedGap {
  readonly after: Cursor
  readonly reason: FeedGapReason
}

/** What is next for a reader: a gap, or events, or nothing yet. */
export interface FeedPage {
  readonly gap: FeedGap | null
  readonly events: readonly ConnectionEvent[]
  /** Where it goes on. */
  readonly cursor: Cursor
}

/** Connections that are open, in no order. */
export interface PresentPage {
  readonly connections: readonly OpenConnection[]
  /** Where the others are; null if these were all. */
  readonly next: PresentPlace | null
}

/** A place among those that are connected; 0 is before all of them. */
export type PresentPlace = number | string

/**
 * Who is connected, page by page. A connection that is open all the while is in one of the pages;
 * of one that was opened or closed meanwhile, the feed tells behind where it was before the first.
 *
 * @param place 0 for the first page
 * @param count of a page, about
 * @returns null while unknown, because Redis is away
 */
export type PresentConnections = (
  place: PresentPlace,
  count: number,
) => PresentPage | null | Promise<PresentPage | null>

/**
 * Each event is there at least once, and those of one user in their order. A feed that begins again
 * has another epoch; all connections of the nodes that it had before are over, unless it says so.
 */
export interface FeedSource {
  /** Will there be nothing more? */
  readonly isClosed: boolean
  /** Where a reader begins, without events; null if unknown, because Redis is away. */
  begin(from: FeedFrom): FeedPage | Promise<FeedPage | null>
  /** What comes behind a place, `eventsMax` at most; nothing while Redis is away. */
  read(after: Cursor, eventsMax: number): FeedPage | Promise<FeedPage>
  /**
   * Calls back after events were added, once for many, and when the feed is closed; until the
   * returned function is called.
   */
  listen(onMore: () => void): () => void
}
