// What a request of the format `poll` asks for: the query of the Durable Streams protocol (draft
// 1.0, sections 5.6 to 5.8 and 8), whose offsets are cursors.

import { type Cursor, parseCursor } from '../core/cursor.ts'
import { longPollLimits } from '../core/poll-limits.ts'
import { type Result, refused, success } from '../core/result.ts'

export interface PollRequest {
  /** From the oldest message that is kept, from now on, or behind a place in the log. */
  readonly offset: 'oldest' | 'now' | Cursor
  /** Answered at once; once there is a message; or a stream. */
  readonly live: 'no' | 'long-poll' | 'sse'
  /** The `Stream-Cursor` that the client was told last; null for none. */
  readonly collapsing: string | null
  /** How long to wait for a message. */
  readonly waitMs: number
}

/** Does a query ask for this format? */
export function isPoll(parameters: URLSearchParams): boolean {
  return FIELDS.some((name) => parameters.has(name)) || parameters.get('format') === 'poll'
}

const FIELDS = ['offset', 'live']
/** What says in the other formats where to go on. */
const OTHER_FIELDS = ['after', 'last']

const { waitMsDefault, waitMsMin, waitMsMax } = longPollLimits
const SECONDS_MIN = waitMsMin / 1_000
const SECONDS_MAX = waitMsMax / 1_000

/** Of a query that {@link isPoll}; or what is wrong with it. */
export function parsePoll(parameters: URLSearchParams): Result<PollRequest> {
  const format = parameters.get('format')
  if (format !== null && format !== 'poll') {
    return refused(`offset and live are of the format poll, not of ${format}`)
  }
  const other = OTHER_FIELDS.find((name) => parameters.has(name))
  if (other !== undefined) return refused(`the format poll has offset, not ${other}`)
  const live = liveOf(parameters)
  if (live === null) return refused('live is long-poll or sse')
  // A reader that waits knows for what.
  if (live !== 'no' && !parameters.has('offset')) return refused('live needs an offset')
  const offset = offsetOf(parameters)
  if (offset === null) return refused('offset is -1, now, or one that an answer had')
  const waitMs = waitMsOf(parameters)
  if (waitMs === null) return refused(`timeout is ${SECONDS_MIN} to ${SECONDS_MAX} seconds`)
  return success({ offset, live, collapsing: parameters.get('cursor'), waitMs })
}

function liveOf(parameters: URLSearchParams): PollRequest['live'] | null {
  const [live, ...more] = parameters.getAll('live')
  if (live === undefined) return 'no'
  return more.length === 0 && (live === 'long-poll' || live === 'sse') ? live : null
}

function offsetOf(parameters: URLSearchParams): PollRequest['offset'] | null {
  const [offset = '-1', ...more] = parameters.getAll('offset')
  if (more.length > 0) return null
  if (offset === '-1') return 'oldest'
  return offset === 'now' ? offset : parseCursor(offset)
}

function waitMsOf(parameters: URLSearchParams): number | null {
  const text = parameters.get('timeout')
  if (text === null) return waitMsDefault
  if (!/^\d{1,3}$/.test(text)) return null
  const seconds = Number(text)
  return seconds >= SECONDS_MIN && seconds <= SECONDS_MAX ? seconds * 1_000 : null
}
