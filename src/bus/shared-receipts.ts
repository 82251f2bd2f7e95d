// Delivery counts of a message on all other nodes: each reports to the node that published it,
// which waits until all have reported or a time limit is over.

import type { NodeLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { Queue } from '../core/queue.ts'
import { type DeliveryCounts, NO_DELIVERIES } from '../hub/receipt.ts'
import type { Publication } from '../log/message-bus.ts'
import type { ReceiptReport } from './inbox-entry.ts'
import type { InboxSender } from './inbox-sender.ts'
import type { Member } from './member-entry.ts'
import { idText } from './stream-entry.ts'

/**
 * Called once, when all have reported or the time is over.
 *
 * @param counts of the nodes that have reported, added up
 * @param missing the others
 */
export type ReceiptDone = (counts: DeliveryCounts, missing: readonly Member[]) => void

/** A message whose counts are outstanding. */
interface Expected {
  readonly id: string
  readonly untilMs: number
  readonly waiting: Map<string, Member>
  counts: DeliveryCounts
  /** Null once it was called. */
  onDone: ReceiptDone | null
}

interface EarlyReport {
  readonly from: string
  readonly counts: DeliveryCounts
}

export interface SharedReceiptsOptions {
  readonly sender: InboxSender
  readonly clock: Clock
  readonly limits: NodeLimits
}

export class SharedReceipts {
  readonly #options: SharedReceiptsOptions
  readonly #expected = new Map<string, Expected>()
  /** In the order of their time limits; those that are done stay until it is their turn. */
  readonly #inOrder = new Queue<Expected>()
  /** Reports of messages that this node has not read back yet, the oldest first. */
  readonly #early = new Map<string, EarlyReport[]>()
  #earlyCount = 0
  #timer: Timer | null = null

  constructor(options: SharedReceiptsOptions) {
    this.#options = options
  }

  /** Messages whose counts are outstanding. */
  get pending(): number {
    return this.#expected.size
  }

  /**
   * Called when a message of this node is in the log.
   *
   * @param members all other members at its place in the log
   */
  expect(cursor: Cursor, members: readonly Member[], onDone: ReceiptDone): void {
    const { limits, clock } = this.#options
    const id = idText(cursor)
    if (members.length === 0 || this.#inOrder.length >= limits.receiptsMax) {
      onDone(NO_DELIVERIES, members)
      return
    }
    const expected: Expected = {
      id,
      untilMs: clock.elapsedMs() + limits.receiptMs,
      waiting: new Map(members.map((member) => [member.origin, member])),
      counts: NO_DELIVERIES,
      onDone,
    }
    this.#expected.set(id, expected)
    this.#inOrder.push(expected)
    if (this.#timer === null) this.#watch()
    const early = this.#early.get(id)
    if (early === undefined) return
    this.#early.delete(id)
    this.#earlyCount -= early.length
    for (const { from, counts } of early) this.#count(expected, from, counts)
  }

  /** Reports what the streams of this node have settled of a message of another node. */
  report(origin: string, cursor: Cursor, counts: DeliveryCounts): void {
    this.#options.sender.add(origin, { type: 'report', report: { cursor, ...counts } })
  }

  /** The publication of a message of another node that asks for a report. */
  publicationOf(origin: string, cursor: Cursor): Publication {
    return {
      onAccepted: () => undefined,
      onRepeated: () => undefined,
      onRefused: () => undefined,
      settle: (delivered, skipped, unknown = 0) =>
        this.report(origin, cursor, { delivered, skipped, unknown }),
      // Its publisher was told that they are unknown.
      late: () => undefined,
    }
  }

  /** Takes a report of another node. Hot path: once a message that all nodes report. */
  onReport(from: string, { cursor, ...counts }: ReceiptReport): void {
    const id = idText(cursor)
    const expected = this.#expected.get(id)
    if (expected !== undefined) this.#count(expected, from, counts)
    else this.#keepEarly(id, { from, counts })
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    for (const expected of [...this.#expected.values()]) this.#end(expected)
    this.#inOrder.clear()
    this.#early.clear()
  }

  #count(expected: Expected, from: string, counts: DeliveryCounts): void {
    if (!expected.waiting.delete(from)) return
    const { delivered, skipped, unknown } = expected.counts
    expected.counts = {
      delivered: delivered + counts.delivered,
      skipped: skipped + counts.skipped,
      unknown: unknown + counts.unknown,
    }
    if (expected.waiting.size === 0) this.#end(expected)
  }

  #end(expected: Expected): void {
    this.#expected.delete(expected.id)
    const { onDone, counts, waiting } = expected
    expected.onDone = null
    onDone?.(counts, [...waiting.values()])
  }

  /** Keeps a report: another node may read a message before this one. Keeps late reports, too. */
  #keepEarly(id: string, report: EarlyReport): void {
    const reports = this.#early.get(id)
    if (reports === undefined) this.#early.set(id, [report])
    else reports.push(report)
    this.#earlyCount++
    while (this.#earlyCount > this.#options.limits.earlyReceiptsMax) {
      const [oldest, dropped] = this.#early.entries().next().value ?? ['', []]
      this.#early.delete(oldest)
      this.#earlyCount -= dropped.length
    }
  }

  /** One timer for all, since all have the same time limit: it runs until the first one ends. */
  #watch(): void {
    this.#timer = null
    const nowMs = this.#options.clock.elapsedMs()
    for (let first = this.#inOrder.at(0); first !== undefined; first = this.#inOrder.at(0)) {
      if (first.onDone !== null && first.untilMs > nowMs) {
        this.#timer = setTimeout(() => this.#watch(), first.untilMs - nowMs)
        return
      }
      this.#inOrder.shift()
      if (first.onDone !== null) this.#end(first)
    }
  }
}
