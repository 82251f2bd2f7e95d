// The requests that follow the feed of connections: how many there are, what became of them, and
// the figures of the feed.

import { cursorText } from '../core/cursor.ts'
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
  /** Cursors of its last event, and of where the oldest one that is kept begins. */
  readonly last: string
  readonly start: string
  /** Since the start of the server. */
  readonly events: number
  readonly limitBytes: number
  readonly readers: number
  readonly readersCut: number
  readonly readersRefused: number
  readonly gaps: Readonly<Record<FeedGapReason, number>>
}

export function feedFigures(
  feed: Pick<Feed, 'cursor' | 'start' | 'events' | 'limitBytes'>,
  { open, cut, refused, gaps }: FeedReaders,
): FeedFigures {
  const { events, limitBytes } = feed
  return {
    ...{ last: cursorText(feed.cursor), start: cursorText(feed.start), events, limitBytes },
    ...{ readers: open, readersCut: cut, readersRefused: refused, gaps: { ...gaps } },
  }
}
