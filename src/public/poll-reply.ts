// What readers of the format `poll` are answered: the responses of the Durable Streams protocol
// (draft 1.0) in its JSON mode, whose messages are the objects of JSON lines.

import { CURSOR_LENGTH, cursorText } from '../core/cursor.ts'
import { streamLimits } from '../core/limits.ts'
import type { Reply } from '../http/response.ts'
import { REFUSALS } from '../hub/refusals.ts'
import type { StreamStart } from '../hub/stream.ts'
import { gapJson } from './message-json.ts'
import { UNTRUSTED_BODY } from './transport.ts'

export const POLL_HEADERS = {
  ...UNTRUSTED_BODY,
  // What is one user's is kept in no cache (section 12.7).
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
} as const

const JSON_HEADERS = { ...POLL_HEADERS, 'content-type': 'application/json' } as const

/** What a reader gets: messages, or none. */
export interface PollPage {
  /** As JSON lines. */
  readonly lines: Uint8Array
  /** The offset that it goes on from. */
  readonly next: string
  /** Is there no more by now? */
  readonly isUpToDate: boolean
  /** For the `Stream-Cursor`; null for a reader that does not wait. */
  readonly collapsing: number | null
}

export interface Tagging {
  /** Has the answer a tag, by which it is known again? */
  readonly isTagged: boolean
  /** The `If-None-Match` of the request; null without one. */
  readonly noneMatch: string | null
}

export function pageReply(page: PollPage, { isTagged, noneMatch }: Tagging): Reply {
  const body = arrayOf(page.lines)
  const headers = { ...JSON_HEADERS, ...placeOf(page) }
  if (!isTagged) return { status: 200, headers, body }
  const etag = tagOf(body, page.isUpToDate)
  const isKnown = noneMatch !== null && listsTag(noneMatch, etag)
  return { status: isKnown ? 304 : 200, headers: { ...headers, etag }, body }
}

/** Nothing came in time, or until the server stopped. */
export function nothingReply(page: Omit<PollPage, 'lines'>): Reply {
  return { status: 204, headers: { ...POLL_HEADERS, ...placeOf(page) } }
}

/** To a request that the server could not look for messages for, before it stops. */
export function stoppingReply(): Reply {
  const headers = {
    ...POLL_HEADERS,
    'content-type': 'text/plain;charset=utf-8',
    'retry-after': String(streamLimits.retryAfterSeconds),
  }
  return { status: REFUSALS.draining.status, headers, body: `draining: ${REFUSALS.draining.text}` }
}

/** To a request for the head alone. */
export function tailReply({ cursor }: Pick<StreamStart, 'cursor'>): Reply {
  return { status: 200, headers: { ...JSON_HEADERS, 'stream-next-offset': cursorText(cursor) } }
}

/** To a reader that has missed what is lost, with where it can go on. */
export function gapReply(start: StreamStart): Reply | null {
  const gap = gapJson(start)
  if (gap === null) return null
  const resume = cursorText(start.cursor)
  const message = `What follows this offset is not kept; go on from ${resume}`
  const body = `{"error":{"code":"gap","message":"${message}"},"gap":${gap}}\n`
  return { status: 410, headers: { ...JSON_HEADERS, 'stream-next-offset': resume }, body }
}

function placeOf({ next, isUpToDate, collapsing }: Omit<PollPage, 'lines'>) {
  return {
    'stream-next-offset': next,
    ...(isUpToDate && { 'stream-up-to-date': 'true' }),
    ...(collapsing !== null && { 'stream-cursor': String(collapsing) }),
  }
}

/** The same body may be all that there is or not. */
function tagOf(body: Uint8Array, isUpToDate: boolean): string {
  return `"${Bun.hash(body).toString(36)}${isUpToDate ? '' : '-'}"`
}

/** RFC 9110 section 13.1.2: the comparison is a weak one. */
function listsTag(noneMatch: string, etag: string): boolean {
  const tags = noneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}

const [LF, COMMA, BRACKET, BRACKET_END] = [0x0a, 0x2c, 0x5b, 0x5d]

/** JSON lines as one array. */
export function arrayOf(lines: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.max(2, lines.length + 1))
  bytes[0] = BRACKET
  bytes.set(lines, 1)
  // In JSON no line ends within an object.
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) bytes[at] = COMMA
  bytes[bytes.length - 1] = BRACKET_END
  return bytes
}

const ID_AT = '{"id":"'.length

/** The id of the last one of JSON lines that are messages. */
export function lastIdOf(lines: Uint8Array): string {
  const start = lines.lastIndexOf(LF, lines.length - 2) + 1 + ID_AT
  return Buffer.from(lines.buffer, lines.byteOffset + start, CURSOR_LENGTH).toString('latin1')
}
