// The bus of one machine alone: each item is in the log, and with all streams, at once.

import type { Cursor } from '../core/cursor.ts'
import { OK, type Result, refused } from '../core/result.ts'
import {
  BARRIER,
  type BusListener,
  type LogItem,
  type LogWindow,
  type MessageBus,
  type Publication,
} from './message-bus.ts'
import type { MessageLog } from './message-log.ts'

export class LocalBus implements MessageBus {
  readonly isShared = false
  readonly #log: MessageLog
  readonly #listener: BusListener
  #isClosed = false

  constructor(log: MessageLog, listener: BusListener) {
    this.#log = log
    this.#listener = listener
  }

  get window(): LogWindow {
    return this.#log
  }

  get cursor(): Cursor {
    return { epoch: this.#log.epoch, number: this.#log.last }
  }

  numberOf({ epoch, number }: Cursor): number | null {
    return epoch === this.#log.epoch && number <= this.#log.last ? number : null
  }

  cursorOf(number: number): Cursor {
    return { epoch: this.#log.epoch, number }
  }

  settled(): null {
    return null
  }

  publish(item: LogItem, publication: Publication | null): Result<void, 'closed'> {
    if (this.#isClosed) return refused('closed')
    const cursor = { epoch: this.#log.epoch, number: appendItem(this.#log, item) }
    publication?.onAccepted(cursor, true)
    this.#listener.onItem(item, cursor, publication)
    return OK
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#log.close()
  }
}

/** Answers its number. */
export function appendItem(
  log: Pick<MessageLog, 'append' | 'appendFollow' | 'appendBarrier'>,
  item: LogItem,
): number {
  if (item === BARRIER) return log.appendBarrier()
  if ('follows' in item) return log.appendFollow(item.user, item.subject, item.follows)
  return log.append(item)
}
