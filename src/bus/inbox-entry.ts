// Entries of inboxes: what nodes send to each other. The inbox of a node is a stream in Redis.
// Other programs may write there too, so every entry is checked.

import { nodeLimits } from '../core/bus-limits.ts'
import type { Cursor } from '../core/cursor.ts'
import { parseJson } from '../core/json.ts'
import type { DeliveryCounts } from '../hub/receipt.ts'
import { entriesOf, isOrigin, parseId } from './stream-entry.ts'

/** The counts of a message on the node that sends the report. */
export interface ReceiptReport extends DeliveryCounts {
  readonly cursor: Cursor
}

/** The body of an answer is null if the node does not know that kind of question. */
export type InboxItem =
  | { readonly type: 'ask'; readonly id: number; readonly kind: string; readonly body: string }
  | { readonly type: 'answer'; readonly id: number; readonly body: string | null }
  | { readonly type: 'report'; readonly report: ReceiptReport }

export interface InboxEntry {
  readonly from: string
  readonly items: readonly InboxItem[]
}

/** The new entries of an inbox. */
export interface InboxBatch {
  /** The id of the last entry; null if there are none. */
  readonly last: string | null
  readonly entries: readonly InboxEntry[]
}

/*
 * An entry is `f <origin> m <items>`, and the items are a JSON array:
 *
 *   ["q", id, kind, body]          a question
 *   ["a", id, body or null]        its answer
 *   ["r", epoch, number, delivered, skipped, unknown, number, …]    delivery counts of messages
 */

/** Hot path: once a node in each turn in which items are sent to it. */
export function itemsText(items: readonly InboxItem[]): string {
  const list: unknown[][] = []
  let reports: unknown[] | null = null
  for (const item of items) {
    if (item.type === 'report') {
      const { cursor, delivered, skipped, unknown } = item.report
      if (reports === null || reports[1] !== cursor.epoch) {
        reports = ['r', cursor.epoch]
        list.push(reports)
      }
      reports.push(cursor.number, delivered, skipped, unknown)
    } else if (item.type === 'ask') list.push(['q', item.id, item.kind, item.body])
    else list.push(['a', item.id, item.body])
  }
  return JSON.stringify(list)
}

/** About how many characters an item takes in an entry. */
export function lengthOf(item: InboxItem): number {
  if (item.type === 'report') return REPORT_LENGTH
  return REPORT_LENGTH + (item.body?.length ?? 0)
}

const REPORT_LENGTH = 32

/**
 * Reads the entries of an inbox in an answer to `XREAD`.
 *
 * @returns null if it is not a valid answer
 */
export function parseInbox(answer: unknown, key: string): InboxBatch | null {
  const list = entriesOf(answer, key)
  if (list === null) return null
  const entries: InboxEntry[] = []
  let last: string | null = null
  for (const one of list) {
    const [id, fields] = Array.isArray(one) ? one : []
    if (parseId(id) === null) return null
    last = id
    const entry = Array.isArray(fields) ? entryOf(fields) : null
    if (entry !== null) entries.push(entry)
  }
  return { last, entries }
}

function entryOf([f, from, m, text]: readonly unknown[]): InboxEntry | null {
  if (f !== 'f' || m !== 'm' || !isOrigin(from) || typeof text !== 'string') return null
  if (text.length > nodeLimits.inboxEntryLengthMax) return null
  const list = parseJson(text)
  if (!list.ok || !Array.isArray(list.value)) return null
  return { from, items: list.value.flatMap(itemsOf) }
}

/** Empty if it is not a valid item. */
function itemsOf(item: unknown): InboxItem[] {
  if (!Array.isArray(item)) return []
  const [letter, id] = item
  if (!isCount(id)) return []
  if (letter === 'r') return reportsOf(id, item.slice(2))
  if (letter === 'q') {
    const [, , kind, body] = item
    const isAsk = typeof kind === 'string' && typeof body === 'string'
    return isAsk ? [{ type: 'ask', id, kind, body }] : []
  }
  const [, , body] = item
  const isAnswer = letter === 'a' && (body === null || typeof body === 'string')
  return isAnswer ? [{ type: 'answer', id, body }] : []
}

function reportsOf(epoch: number, numbers: readonly unknown[]): InboxItem[] {
  if (numbers.length % 4 !== 0 || !numbers.every(isCount)) return []
  const items: InboxItem[] = []
  for (let at = 0; at < numbers.length; at += 4) {
    const [number, delivered, skipped, unknown] = numbers.slice(at, at + 4) as Four
    const report = { cursor: { epoch, number }, delivered, skipped, unknown }
    items.push({ type: 'report', report })
  }
  return items
}

type Four = [number, number, number, number]

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
