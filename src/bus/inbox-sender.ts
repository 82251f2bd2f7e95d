// Sends items to other nodes: those of one turn of the loop as one entry in the inbox of each node.

import type { NodeLimits } from '../core/bus-limits.ts'
import { type InboxItem, itemsText, lengthOf } from './inbox-entry.ts'

/** Adds an entry to a node's inbox. Returns whether the node is alive. */
export type SendEntry = (to: string, text: string) => Promise<boolean>

export class InboxSender {
  readonly #limits: NodeLimits
  #send: SendEntry | null = null
  #items = new Map<string, InboxItem[]>()
  #count = 0
  /** Items to nodes that were not alive, beyond the limit, or without a connection. */
  #dropped = 0

  /** Called for items that were not sent; never in the turn in which they were added. */
  onDropped: (to: string, items: readonly InboxItem[]) => void = () => undefined

  constructor(limits: NodeLimits) {
    this.#limits = limits
  }

  get dropped(): number {
    return this.#dropped
  }

  /** Sends with this from now on; null without a connection. */
  connect(send: SendEntry | null): void {
    this.#send = send
  }

  /** Sends an item at the end of the turn. Hot path: once a message that all nodes report. */
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

/** Splits items into as few entries as possible; only a single item may exceed the limit. */
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
