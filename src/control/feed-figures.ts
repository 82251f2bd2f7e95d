// The requests that follow the feed of connections: how many there are, what became of them, and
// the figures of the feed.

import { type Cursor, cursorText } from '../core/cursor.ts'
import type { Feed } from '../hub/feed.ts'
import type { FeedGapReason } from '../log/feed-source.ts'

export class FeedReaders {
  open = 0
  /** Ended, since for too long they took nothing of what they were sent. */
  cut = 0
  /** Refused, since there were too many. */
  refused = 0
  /** Gaps that they were told of. */
  readonly gaps: Record<FeedGapReason, number> = { lost: 0, unknown: 0 }
}

export interface FeedFigures {
  /** Cursors of its last event, and of where the oldest one that is kept begins. Of servers that
   * share it: the last one that this server knows, and null. */
  readonly last: string
  readonly start: string | null
  /** Since the start of the server. */
  readonly events: number
  readonly limitBytes: number
  readonly readers: number
  readonly readersCut: number
  readonly readersRefused: number
  readonly gaps: Readonly<Record<FeedGapReason, number>>
  /** Null for a server of its own. */
  readonly shared: SharedFeedFigures | null
}

export interface SharedFeedFigures {
  /** Is all of this server told, and can more be? */
  readonly isSteady: boolean
  /** Since the start: events that were told, in so many entries, */
  readonly sent: number
  readonly entries: number
  /** times that it has told of all its connections again, */
  readonly renewals: number
  /** and servers that were no more, whose connections it has told as lost. */
  readonly nodesRemoved: number
  /** Bytes of its window that were not told. */
  readonly unsentBytes: number
}

export function feedFigures(
  feed: Pick<Feed, 'cursor' | 'start' | 'events' | 'limitBytes'>,
  { open, cut, refused, gaps }: FeedReaders,
  sharing: (SharedFeedFigures & { readonly last: Cursor }) | null,
): FeedFigures {
  const { events, limitBytes } = feed
  const ofReaders = { readers: open, readersCut: cut, readersRefused: refused, gaps: { ...gaps } }
  const common = { events, limitBytes, ...ofReaders }
  if (sharing === null) {
    const places = { last: cursorText(feed.cursor), start: cursorText(feed.start) }
    return { ...common, ...places, shared: null }
  }
  const { last, ...shared } = sharing
  return { ...common, last: cursorText(last), start: null, shared }
}
