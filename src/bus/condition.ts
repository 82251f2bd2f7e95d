// The condition of a batch: what Redis checks before it adds the batch, and changes together with
// the log. It is about the key of a message, or about the sets of subscriptions.

import { BARRIER, type LogItem } from '../log/message-bus.ts'
import type { FollowChange, LogMessage } from '../log/message-log.ts'
import { decodeBatch, textOf } from './batch.ts'
import type { BatchEntry } from './stream-entry.ts'

/** For a single message: it is added unless another batch has its key. */
export interface KeyCondition {
  readonly kind: 'key'
  /** Hash of the key, in hexadecimal digits. */
  readonly hash: string
  /** Hash of the message that was published with it. */
  readonly content: string
}

/** For changes that all add or all remove: only those that change something go to the log. */
export interface FollowCondition {
  readonly kind: 'follows'
  readonly follows: boolean
  /** A barrier is in the place of a change that changed nothing when it was added again. */
  readonly items: readonly (FollowChange | typeof BARRIER)[]
  /** Subjects that a user may follow; null for any number. */
  readonly perUserMax: number | null
}

export type BatchCondition = KeyCondition | FollowCondition

/** Is the item sent as a batch of its own, with a condition? Hot path: once an item. */
export function hasCondition(item: LogItem): boolean {
  return item !== BARRIER && ('follows' in item || item.key !== null)
}

/** The condition of a batch; null if it has none. */
export function conditionOf(items: readonly LogItem[]): BatchCondition | null {
  const [first] = items
  if (items.length === 1 && isMessage(first) && first.key !== null) {
    return { kind: 'key', ...keyOf(first, first.key) }
  }
  const changes = items.filter(isChangeOrBarrier)
  const change = changes.find((item) => item !== BARRIER)
  if (change === undefined || changes.length < items.length) return null
  return { kind: 'follows', follows: change.follows, items: changes, perUserMax: null }
}

/** The condition of a batch that was read from the log and is added again. */
export function conditionOfEntry(entry: BatchEntry): BatchCondition | null {
  const { head, body, isText, count } = entry
  if (!MAY_BE_FOLLOWS.test(head) && !(count === 1 && MAY_BE_KEYED.test(head))) return null
  const decoded = decodeBatch(head, body, isText, () => null)
  return decoded.ok ? conditionOf(decoded.value) : null
}

const MAY_BE_FOLLOWS = /^(?:b )*[fu]/
const MAY_BE_KEYED = /,k\d+$/

function isMessage(item: LogItem | undefined): item is LogMessage {
  return item !== undefined && item !== BARRIER && 'bytes' in item
}

function isChangeOrBarrier(item: LogItem): item is FollowChange | typeof BARRIER {
  return item === BARRIER || 'follows' in item
}

/**
 * The hash of a key, and that of the content: receiver, kind, event and bytes. A second message
 * with the key must have the same content. All versions of all nodes use the same algorithm.
 */
export function keyOf(message: LogMessage, key: string): { hash: string; content: string } {
  const { isAbout, target, name, isJson, event, bytes } = message
  const receiver = textOf({ id: target, name })
  // Names and events have no spaces or line breaks.
  const head = `${isAbout ? 'subject' : 'to'} ${receiver} ${isJson ? 'data' : 'body'} ${event ?? ''}\n`
  const content = new Bun.SHA256().update(head).update(bytes).digest('hex')
  return {
    // Long enough that no two keys have the same hash, not even keys chosen for it.
    hash: new Bun.SHA256().update(key).digest('hex').slice(0, 32),
    content: content.slice(0, 16),
  }
}
