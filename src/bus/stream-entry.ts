// Reads the entries of the stream in Redis. Other programs may write there too, so every entry is
// checked.

import type { Cursor } from '../core/cursor.ts'

/** What one node adds in one turn of its loop, not decoded yet. */
export interface BatchEntry {
  readonly kind: 'batch'
  /** The place of its first item. */
  readonly at: Cursor
  /** The run of the node that added it, and its number among the batches of that run, from 1. */
  readonly origin: string
  readonly batch: number
  readonly count: number
  /** When it was added, in seconds since 1970, by the clock of Redis. */
  readonly seconds: number
  readonly head: string
  readonly body: string
  readonly isText: boolean
  /** Its place before the log lost it and a node added it again; null for a new batch. */
  readonly again: Cursor | null
  /** The last batch of its origin before it in the log; none between them is there. 0 for none. */
  readonly previous: number
}

/** The log continues under another epoch from here on. */
export interface ForkEntry {
  readonly kind: 'fork'
  readonly at: Cursor
  /** The last entry before it; epoch 0 if none is known. */
  readonly base: Cursor
  /** If Redis had lost everything: the last batch of each origin before it. */
  readonly batches: ReadonlyMap<string, number>
  /** Had Redis lost everything, or was its content not written by comet? */
  readonly isReset: boolean
}

/** Accepted messages were lost for good, and it is not known whose: all nodes tell a gap. */
export interface LostEntry {
  readonly kind: 'lost'
  readonly at: Cursor
}

/** Not written by a node. */
export interface ForeignEntry {
  readonly kind: 'foreign'
  readonly at: Cursor
}

export type StreamEntry = BatchEntry | ForkEntry | LostEntry | ForeignEntry

/** A cursor has 48 bits for each part. */
const PART_MAX = 2 ** 48 - 1

/** Random bytes of an origin, which identifies one run of a node. */
export const ORIGIN_BYTES = 8
/** In hexadecimal digits. */
const ORIGIN = /^[0-9a-f]{16}$/

/** Is it the origin of a node? */
export function isOrigin(value: unknown): value is string {
  return typeof value === 'string' && ORIGIN.test(value)
}

/** Reads an id of the stream, `<epoch>-<number>`; null for any other text. */
export function parseId(text: unknown): Cursor | null {
  if (typeof text !== 'string') return null
  const dash = text.indexOf('-')
  if (dash < 1) return null
  const epoch = wholeOf(text.slice(0, dash))
  const number = wholeOf(text.slice(dash + 1))
  return epoch < 0 || number < 0 ? null : { epoch, number }
}

export function idText({ epoch, number }: Cursor): string {
  return `${epoch}-${number}`
}

/** Compares two places for sorting: negative if the left one comes first. */
export function compareCursors(left: Cursor, right: Cursor): number {
  return left.epoch === right.epoch ? left.number - right.number : left.epoch - right.epoch
}

/** Parses a whole number; -1 for any other text. */
function wholeOf(text: unknown): number {
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) return -1
  const value = Number(text)
  return value <= PART_MAX ? value : -1
}

/**
 * The entries of one stream in an answer to `XREAD`, not parsed yet.
 *
 * @returns null if it is not a valid answer
 */
export function entriesOf(answer: unknown, key: string): readonly unknown[] | null {
  if (answer === null) return []
  if (typeof answer !== 'object' || Array.isArray(answer)) return null
  // Redis names only streams with new entries.
  const list = (answer as Record<string, unknown>)[key] ?? []
  return Array.isArray(list) ? list : null
}

/**
 * Reads the entries of the log in an answer to `XREAD`. Hot path: once a batch.
 *
 * @returns null if it is not a valid answer
 */
export function parseEntries(answer: unknown, key: string): StreamEntry[] | null {
  const list = entriesOf(answer, key)
  if (list === null) return null
  const entries: StreamEntry[] = []
  for (const item of list) {
    const [id, fields] = Array.isArray(item) ? item : []
    const at = parseId(id)
    if (at === null) return null
    entries.push(entryOf(at, fields))
  }
  return entries
}

function entryOf(at: Cursor, fields: unknown): StreamEntry {
  const foreign: ForeignEntry = { kind: 'foreign', at }
  if (!Array.isArray(fields) || fields.some((field) => typeof field !== 'string')) return foreign
  const texts: readonly string[] = fields
  if (texts[0] === 'lost') return { kind: 'lost', at }
  if (texts[0] === 'fork') {
    const base = parseId(texts[1])
    if (base === null || base.number !== at.number) return foreign
    const [, , , , , batches = ''] = texts
    return { kind: 'fork', at, base, batches: batchesOf(batches), isReset: batches !== '' }
  }
  return batchOf(at, texts) ?? foreign
}

function batchesOf(text: string): Map<string, number> {
  const pairs = text.matchAll(/([0-9a-f]{16}) (\d{1,15})/g)
  return new Map(Array.from(pairs, ([, origin = '', batch]) => [origin, Number(batch)]))
}

/**
 * `o <origin> n <batch> c <count> t <seconds> h <head> m|x <body> [a <id>] [p <batch>]`, in this
 * order.
 */
function batchOf(at: Cursor, texts: readonly string[]): BatchEntry | null {
  const [o, origin = '', n, batchText, c, countText, t, secondsText, h, head, field, body] = texts
  if (o !== 'o' || n !== 'n' || c !== 'c' || t !== 't' || h !== 'h') return null
  if (head === undefined || body === undefined || (field !== 'm' && field !== 'x')) return null
  const batch = wholeOf(batchText)
  const count = wholeOf(countText)
  const seconds = wholeOf(secondsText)
  if (!isOrigin(origin) || batch < 1 || count < 1 || seconds < 0 || at.number < 1) return null
  const more = texts.length > 12 ? moreOf(texts.slice(12), batch) : NO_MORE
  if (more === null) return null
  const isText = field === 'm'
  const { again } = more
  const previous = more.previous ?? batch - 1
  return { kind: 'batch', at, origin, batch, count, seconds, head, body, isText, again, previous }
}

interface MoreOfBatch {
  again: Cursor | null
  previous: number | null
}

const NO_MORE: MoreOfBatch = { again: null, previous: null }

function moreOf(texts: readonly string[], batch: number): MoreOfBatch | null {
  const more = { ...NO_MORE }
  let at = 0
  if (texts[at] === 'a') {
    more.again = parseId(texts[at + 1])
    if (more.again === null) return null
    at += 2
  }
  if (texts[at] === 'p') {
    more.previous = wholeOf(texts[at + 1])
    if (more.previous < 0 || more.previous >= batch) return null
    at += 2
  }
  return at === texts.length ? more : null
}
