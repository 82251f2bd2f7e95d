// The items of a batch, as a node takes them from the log: their names have handles of this node,
// and they stand in its ring.

import { appendItem } from '../log/local-bus.ts'
import { BARRIER, type LogItem } from '../log/message-bus.ts'
import type { LogMessage } from '../log/message-log.ts'
import type { RingLog } from '../log/ring-log.ts'
import type { InternName } from './batch.ts'

/** A name may have got another handle while its item was under way. */
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

/** Runs of messages together, which takes half the time. */
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
