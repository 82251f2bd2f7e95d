// Entries of the shared feed, as text: connections opened and closed, in few bytes. Other programs
// may write to Redis too, so every entry is checked.

import type { Cursor } from '../core/cursor.ts'
import { isName } from '../core/name.ts'
import type { Subject } from '../core/user.ts'
import type { ConnectionEvent, OpenConnection } from '../log/feed-source.ts'
import { entriesOf, parseId } from './stream-entry.ts'

/** What the feed tells about a node. */
export interface FeedNode {
  /** The prefix of all ids of its connections. */
  readonly run: string
  /** For people; without spaces. */
  readonly name: string
}

/** The id of an entry is the number of its last event. */
export interface FeedEntry {
  readonly at: Cursor
  /** Empty if no node has written the entry. */
  readonly events: readonly ConnectionEvent[]
}

/** A connection as Redis has it: its name among those of its node, and its user. */
export interface ConnectionField {
  readonly field: string
  readonly user: Subject
}

const FIELD = /^[0-9a-f]{1,8}-[0-9a-f]{1,14}$/

export function nodeText({ run, name }: FeedNode): string {
  return `${run} ${name}`
}

/** Null if no node has written it. */
export function parseNode(text: unknown): FeedNode | null {
  if (typeof text !== 'string') return null
  const [, run, name] = /^([0-9a-f]{1,32}) ([^ ]{1,255})$/.exec(text) ?? []
  return run === undefined || name === undefined ? null : { run, name }
}

/** The name of a connection among those of its run. */
export function fieldOf({ connection, user }: OpenConnection, run: string): ConnectionField {
  return { field: connection.slice(run.length + 1), user }
}

/** Hot path: once an event. */
export function eventText(event: ConnectionEvent, run: string): string {
  const { user, online, atMs, reason } = event
  const { field } = fieldOf(event, run)
  return reason === null ? `${user} ${field}` : closedText({ field, user }, online, atMs, reason)
}

export function closedText(
  { field, user }: ConnectionField,
  isOnline: boolean,
  atMs: number,
  reason: string,
): string {
  return `${user} ${field} ${isOnline ? 1 : 0} ${Math.floor(atMs)} ${reason}`
}

/** A connection that Redis has as open; null if it is not valid. */
export function openConnectionOf(
  { run, name }: FeedNode,
  field: string,
  user: string,
): OpenConnection | null {
  const subject = subjectOf(user)
  if (subject === null || !FIELD.test(field)) return null
  const sinceMs = Math.floor(Number.parseInt(field.slice(field.indexOf('-') + 1), 16) / 1_000)
  return { user: subject, connection: `${run}-${field}`, node: name, sinceMs }
}

/**
 * The entries in an answer to `XREAD`, in order.
 *
 * @returns null if it is not a valid answer
 */
export function parseFeed(answer: unknown, key: string): FeedEntry[] | null {
  const list = entriesOf(answer, key)
  if (list === null) return null
  const entries: FeedEntry[] = []
  for (const item of list) {
    const [id, fields] = Array.isArray(item) ? item : []
    const at = parseId(id)
    if (at === null) return null
    entries.push({ at, events: eventsOf(at, fields) })
  }
  return entries
}

/** Reads `n <run> <name> e <events>`. Empty if one of the events is not valid. */
function eventsOf({ epoch, number }: Cursor, fields: unknown): readonly ConnectionEvent[] {
  const [n, info, e, text] = Array.isArray(fields) ? fields : []
  const node = n === 'n' && e === 'e' ? parseNode(info) : null
  if (node === null || typeof text !== 'string') return []
  const lines = text.split('\n')
  const before = number - lines.length
  const events: ConnectionEvent[] = []
  for (const [at, line] of lines.entries()) {
    const event = before < 0 ? null : parseEvent(line, node, { epoch, number: before + at + 1 })
    if (event === null) return []
    events.push(event)
  }
  return events
}

/** Hot path: once an event. */
function parseEvent(line: string, node: FeedNode, cursor: Cursor): ConnectionEvent | null {
  const [user = '', field = '', online, at, reason] = line.split(' ')
  const open = openConnectionOf(node, field, user)
  if (open === null) return null
  if (online === undefined) {
    return { cursor, ...open, online: true, atMs: open.sinceMs, reason: null }
  }
  const atMs = Number(at)
  if (!Number.isSafeInteger(atMs) || Math.abs(atMs) > TIME_MS_MAX || !reason) return null
  return { cursor, ...open, online: online === '1', atMs, reason }
}

/** The latest time of a date. */
const TIME_MS_MAX = 8.64e15

function subjectOf(text: string): Subject | null {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  return isName(text) ? text : null
}
