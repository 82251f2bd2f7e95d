// What Redis looks at before it adds a batch, and changes together with the log: the key of a
// message, or the sets of who follows whom.

import { BARRIER, type LogItem } from '../log/message-bus.ts'
import type { FollowChange, LogMessage } from '../log/message-log.ts'
import { decodeBatch, textOf } from './batch.ts'
import type { BatchEntry } from './stream-entry.ts'

/** Of one message alone: it is added unless its key was another batch's a moment ago. */
export interface KeyCondition {
  readonly kind: 'key'
  /** Of the key, as hexadecimal digits. */
  readonly hash: string
  /** Of what was published with it. */
  readonly content: string
}

/** Of changes alone, all to the same: only those are added that change something. */
export interface FollowCondition {
  readonly kind: 'follows'
  readonly follows: boolean
  /** A barrier stands for one that changed nothing when it was added again. */
  readonly items: readonly (FollowChange | typeof BARRIER)[]
  /** Subjects that a user may follow; null for any number. */
  readonly perUserMax: number | null
}

export type BatchCondition = KeyCondition | FollowCondition

/** Is it a batch of its own, because of a condition? Hot path: once an item. */
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

/** The same of one that was read from the log, and is added again. */
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
 * The hash of a key, and of the content that it must be the same for: of receiver, kind, event and
 * bytes. By an algorithm that all versions of all nodes have in common.
 */
export function keyOf(message: LogMessage, key: string): { hash: string; content: string } {
  const { isAbout, target, name, isJson, event, bytes } = message
  const receiver = textOf({ id: target, name })
  // No name or event has a blank or a line end.
  const head = `${isAbout ? 'subject' : 'to'} ${receiver} ${isJson ? 'data' : 'body'} ${event ?? ''}\n`
  const content = new Bun.SHA256().update(head).update(bytes).digest('hex')
  return {
    // No two keys have the same by chance, nor by anyone's choice.
    hash: new Bun.SHA256().update(key).digest('hex').slice(0, 32),
    content: content.slice(0, 16),
  }
}
