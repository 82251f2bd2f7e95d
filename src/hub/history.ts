// The figures of the log of messages, and of the streams that began with what their clients had
// missed: plain data, gathered on request.

import { cursorText } from '../core/cursor.ts'
import type { MessageBus } from '../log/message-bus.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { GapCounts, Resumption } from './resumption.ts'

/** Where the log is kept. */
export interface HistoryPlace {
  readonly kind: 'file' | 'memory' | 'bus'
  /** Why it is in memory although it should be in a file; else null. */
  readonly reason: string | null
}

export interface HistoryFigures {
  /** When the log began, in milliseconds since 1970. */
  readonly epoch: number
  /** Cursors of the last entry, and of the oldest one that is kept; null if none is. */
  readonly last: string
  readonly oldest: string | null
  readonly entries: number
  readonly bytes: number
  readonly limitBytes: number
  readonly oldestAgeSeconds: number | null
  readonly place: HistoryPlace
  readonly resumed: number
  readonly replayed: number
  readonly gaps: GapCounts
}

export interface HistorySource {
  readonly bus: Pick<MessageBus, 'window' | 'cursor' | 'cursorOf'>
  readonly resumption: Pick<Resumption, 'resumed' | 'replayed' | 'gaps'>
  readonly dispatcher: Pick<Dispatcher, 'gapsTold'>
  readonly place: HistoryPlace
  /**
   * Milliseconds since an entry was added; null if not known.
   *
   * @param last the last entry
   */
  readonly ageMs: (number: number, last: number) => number | null
}

/** Called every second or so. */
export function historyFigures(source: HistorySource): HistoryFigures {
  const { bus, resumption, dispatcher, place } = source
  const { last, oldest, keptBytes, keptBytesMax } = bus.window
  const { resumed, replayed, gaps } = resumption
  const ageMs = source.ageMs(oldest, last)
  return {
    epoch: bus.cursor.epoch,
    last: cursorText(bus.cursorOf(last)),
    oldest: oldest > last ? null : cursorText(bus.cursorOf(oldest)),
    entries: Math.max(0, last - oldest + 1),
    bytes: keptBytes,
    limitBytes: keptBytesMax,
    oldestAgeSeconds: ageMs === null || oldest > last ? null : ageMs / 1_000,
    place,
    ...{ resumed, replayed, gaps: { ...gaps, lost: gaps.lost + dispatcher.gapsTold } },
  }
}
