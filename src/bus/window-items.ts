// Prepares the items of a batch that was read: gives their names the handles of this node, and
// appends them to its ring.

import { appendItem } from '../log/local-bus.ts'
import { BARRIER, type LogItem } from '../log/message-bus.ts'
import type { LogMessage } from '../log/message-log.ts'
import type { RingLog } from '../log/ring-log.ts'
import type { InternName } from './batch.ts'

/** Renews handles: a name may have got another one since its item was published. */
export function named(items: readonly LogItem[], intern: InternName): readonly LogItem[] {
  if (items.every(isOfNumbers)) return items
  return items.map((item) => {
    if (item === BARRIER) return item
    if ('follows' in item) {
      const { user, subject } = item
      return { ...item, user: renamed(user, intern), subject: renamed(subject, intern) }
    }
    const target = item.name === null ? item.target : (intern(item.name) ?? item.target)
    return target === item.target ? item : { ...item, target }
  })
}

/** Is it a change of who follows whom? */
export function isChange(item: LogItem): boolean {
  return item !== BARRIER && 'follows' in item
}

function isOfNumbers(item: LogItem): boolean {
  return item !== BARRIER && !('follows' in item) && item.name === null
}

function renamed<T extends { readonly id: number; readonly name: string | null }>(
  user: T,
  intern: InternName,
): T {
  return user.name === null ? user : { ...user, id: intern(user.name) ?? user.id }
}

/** Appends items; a batch of messages alone in one call, which takes half the time. */
export function appendAll(log: RingLog, items: readonly LogItem[]): void {
  if (items.every(isMessage)) {
    log.appendAll(items)
    return
  }
  for (const item of items) appendItem(log, item)
}

function isMessage(item: LogItem): item is LogMessage {
  return item !== BARRIER && 'bytes' in item
}
