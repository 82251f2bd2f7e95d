// Sends to other nodes what one turn of the loop has for them, as one entry of the inbox of each.

import type { NodeLimits } from '../core/bus-limits.ts'
import { type InboxItem, itemsText, lengthOf } from './inbox-entry.ts'

/** Adds an entry to a node's inbox. Answers whether it is there. */
export type SendEntry = (to: string, text: string) => Promise<boolean>

export class InboxSender {
  readonly #limits: NodeLimits
  #send: SendEntry | null = null
  #items = new Map<string, InboxItem[]>()
  #count = 0
  /** Entries to nodes that were not there, items beyond the limit, and all while Redis is away. */
  #dropped = 0

  /** Called for items that the node does not get; not in the turn in which they were added. */
  onDropped: (to: string, items: readonly InboxItem[]) => void = () => undefined

  constructor(limits: NodeLimits) {
    this.#limits = limits
  }

  get dropped(): number {
    return this.#dropped
  }

  /** Sends by this from now on; null while Redis is away. */
  connect(send: SendEntry | null): void {
    this.#send = send
  }

  /** Goes at the end of the turn. Hot path: once a message that all nodes answer for. */
  add(to: string, item: InboxItem): void {
    if (this.#count === 0) setImmediate(this.#flush)
    if (++this.#count > this.#limits.inboxItemsMax) {
      this.#dropped++
      return
    }
    const items = this.#items.get(to)
    if (items === undefined) this.#items.set(to, [item])
    else items.push(item)
  }

  readonly #flush = (): void => {
    const all = this.#items
    this.#items = new Map()
    this.#count = 0
    for (const [to, items] of all) {
      for (const part of parts(items, this.#limits.inboxEntryBytes)) void this.#sendPart(to, part)
    }
  }

  async #sendPart(to: string, items: readonly InboxItem[]): Promise<void> {
    if (this.#send !== null && (await this.#send(to, itemsText(items)))) return
    this.#dropped += items.length
    this.onDropped(to, items)
  }
}

/** As few as possible, none of which is too long unless it is one item. */
function parts(items: readonly InboxItem[], lengthMax: number): InboxItem[][] {
  const all: InboxItem[][] = []
  let length = Number.POSITIVE_INFINITY
  for (const item of items) {
    length += lengthOf(item)
    if (length > lengthMax) {
      all.push([])
      length = lengthOf(item)
    }
    all.at(-1)?.push(item)
  }
  return all
}
