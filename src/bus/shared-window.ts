// What one node makes of the entries of the shared log, one after the other: its window, which
// cursors are of it, and what its streams get. The same entries make the same of every node.

import type { BusLimits } from '../core/bus-limits.ts'
import type { Cursor } from '../core/cursor.ts'
import { Epochs } from '../log/epochs.ts'
import {
  BARRIER,
  type BusGap,
  type BusListener,
  type LogItem,
  type Publication,
} from '../log/message-bus.ts'
import { memoryLog, type RingLog } from '../log/ring-log.ts'
import { decodeBatch, type InternName, reportedItems } from './batch.ts'
import { CutPlaces } from './cut-places.ts'
import { EntryClock } from './entry-clock.ts'
import { type Fork, LeftBranches } from './forks.ts'
import { type MemberChange, memberChangeOf } from './member-entry.ts'
import { Orphans } from './orphans.ts'
import { bytesOfAll, RecentBatches } from './recent-batches.ts'
import { RecentKeys } from './recent-keys.ts'
import {
  type BatchEntry,
  compareCursors,
  type ForkEntry,
  type StreamEntry,
} from './stream-entry.ts'
import { appendAll, isChange, named } from './window-items.ts'

/** Items of this node, as they were published. */
export interface OwnItems {
  /** Null if they are as the entry has them. */
  readonly items: readonly LogItem[] | null
  readonly publications: readonly (Publication | null)[]
}

export interface SharedWindowOptions {
  /** Bytes of the window. */
  readonly bytes: number
  readonly limits: BusLimits
  readonly listener: BusListener
  readonly intern: InternName
  /** The name of a handle. */
  readonly nameOf: (handle: number) => string
  /** Removes a batch of this node from those that are not in the log yet; null if it is not one. */
  readonly takeOwn: (entry: BatchEntry) => OwnItems | null
  /** Called when the items do not tell any more who follows whom: it is as Redis has it. */
  readonly onFollowsLost?: (() => void) | undefined
  /** Called for each fork. */
  readonly onFork?: () => void
  /** Called for each change of the nodes that are there, in the order of the log. */
  readonly onMemberChange: (change: MemberChange) => void
  /** What streams settle of an item that another node asks for. */
  readonly publicationOf: (origin: string, cursor: Cursor) => Publication
}

/** A part that this node has read and the log has lost: it is being added again. */
interface Tail {
  /** Where streams have had everything up to. */
  readonly after: Cursor
  /** What is not there again yet. */
  pending: BatchEntry[]
  /** Is it in the same places as before? Then nobody notices. */
  isSame: boolean
  /** Settled when it is there again, or will not be. */
  readonly ended: PromiseWithResolvers<void>
}

export interface WindowCounts {
  forks: number
  /** Times that streams of this node may have missed something. */
  gaps: number
  /** Entries that no node has written, or whose content is none. */
  foreign: number
  /** Batches that came a second time. */
  doubled: number
}

export class SharedWindow {
  readonly counts: WindowCounts = { forks: 0, gaps: 0, foreign: 0, doubled: 0 }
  /** Of messages, for a Redis that has lost them. */
  readonly keys: RecentKeys
  readonly #options: SharedWindowOptions
  readonly #epochs = new Epochs(NOWHERE)
  readonly #recent: RecentBatches
  readonly #cuts: CutPlaces
  readonly #orphans: Orphans
  /** The log may not have all of them. */
  readonly #left: LeftBranches
  #batches = new Map<string, number>()
  /** The last batch of each origin that was read, since the last gap. */
  readonly #heard = new Map<string, number>()
  readonly #clock = new EntryClock()
  #ring: RingLog
  #readAfter = NOWHERE
  /** Where Redis had lost everything the last time. */
  #anewAt = NOWHERE
  /** Are there streams that are to hear of it? */
  #isLive = false
  #tail: Tail | null = null
  /** Settled with the next entry; null while nobody waits for it. */
  #more: PromiseWithResolvers<void> | null = null
  #isTailLost = false

  constructor(options: SharedWindowOptions) {
    const { bytes, limits } = options
    this.#options = options
    this.keys = new RecentKeys(limits.keysAgainMax)
    this.#recent = new RecentBatches(limits.recentBytesMax)
    this.#cuts = new CutPlaces(bytes, limits.cutEveryBytes)
    this.#left = new LeftBranches(limits.looksMax)
    this.#orphans = new Orphans(limits.recentBytesMax)
    this.#ring = this.#newRing(0)
  }

  get log(): RingLog {
    return this.#ring
  }

  /** Of the last entry; epoch 0 before the first one. */
  get cursor(): Cursor {
    return this.#epochs.last
  }

  /** Up to where the streams of this node have had everything: also what the log has lost since. */
  get reached(): Cursor {
    return this.#tail?.after ?? this.cursor
  }

  /** Entries up to here were read. */
  get readAfter(): Cursor {
    return this.#readAfter
  }

  /** Entries of the stream before it may go. */
  get minId(): string {
    return this.#cuts.minId
  }

  /** The last batch of each origin that is in the log, as far as it was read. */
  get batches(): ReadonlyMap<string, number> {
    return this.#batches
  }

  /** What the log has lost and this node can add again, in this order. */
  get tail(): readonly BatchEntry[] {
    return this.#tail?.pending ?? []
  }

  /** The history is read: from now on, entries are for streams. */
  goLive(): void {
    this.#isLive = true
  }

  /** Settles when a tail is there again, or will not be; null if there is none. */
  settled(): Promise<void> | null {
    return this.#tail === null ? null : this.#tail.ended.promise
  }

  /** Settles with the next entry. */
  more(): Promise<void> {
    this.#more ??= Promise.withResolvers()
    return this.#more.promise
  }

  /** Is all that this node has read in the log, or told to be lost? */
  get isWhole(): boolean {
    if (this.#tail !== null || this.#isTailLost) return false
    return this.#orphans.entries.length === 0 && this.#left.isEmpty
  }

  /** Behind a gap that its streams were told of. */
  get orphans(): readonly BatchEntry[] {
    return this.#orphans.entries
  }

  /** The log has all of them. */
  clearOrphans(): void {
    this.#orphans.clear()
  }

  /** Has the log lost more than this node can add again? */
  get isTailLost(): boolean {
    return this.#isTailLost
  }

  numberOf(cursor: Cursor): number | null {
    // Of those behind, it is not known yet which will be there again.
    return this.#epochs.has(cursor) ? cursor.number : null
  }

  cursorOf(number: number): Cursor {
    return this.#epochs.cursorOf(number)
  }

  /** Is the place in a part of the log that was lost, and may be added again? */
  hasCut(place: Cursor): boolean {
    return this.#epochs.hasCut(place)
  }

  /** Hot path: once a batch. */
  apply(entry: StreamEntry): void {
    if (compareCursors(entry.at, this.#readAfter) <= 0) {
      this.counts.foreign++
      return
    }
    this.#readAfter = entry.at
    if (entry.kind === 'batch') this.#applyBatch(entry)
    else if (entry.kind === 'fork') this.#applyFork(entry)
    else if (entry.kind === 'lost') this.#applyLost(entry.at)
    else this.counts.foreign++
    this.#more?.resolve()
    this.#more = null
  }

  #applyBatch(entry: BatchEntry): void {
    const { at, count, again } = entry
    const change = memberChangeOf(entry)
    const own = this.#options.takeOwn(entry)
    const items = change === null ? this.#itemsOf(entry, own) : []
    if (items === null || (change === null && items.length !== count)) {
      for (const publication of own?.publications ?? []) publication?.onRefused('unknown')
      this.counts.foreign++
      return
    }
    const { epoch, number } = this.cursor
    const isNext = at.epoch === epoch && at.number === number + 1
    if (!isNext) {
      // What lies between was cut off before it was read here; perhaps a new epoch, too.
      if (at.epoch !== epoch) this.#leave(this.cursor, NOTHING)
      else this.#forget()
      this.#restart({ epoch: at.epoch, number: at.number - 1 })
    }
    const last = at.number + count - 1
    this.#readAfter = { epoch: at.epoch, number: last }
    this.#clock.seconds = entry.seconds
    this.#noteKey(items, entry)
    if (change === null) appendAll(this.#ring, items)
    else this.#ring.appendNothing()
    this.#epochs.advance(last)
    if (again !== null && again.number === at.number) this.#epochs.extend(again, count)
    this.#recent.push(entry)
    this.#cuts.add(at, this.#options.limits.entryBytes + entry.head.length + entry.body.length)
    const isNew = this.#note(entry.origin, entry.batch)
    if (change === null) this.#hand(items, entry, own, isNew)
    else this.#options.onMemberChange(change)
    if (this.#tail !== null) this.#settleTail(this.#tail, entry)
  }

  #itemsOf(entry: BatchEntry, own: OwnItems | null): readonly LogItem[] | null {
    const items = own?.items ?? null
    return items === null ? this.#decoded(entry) : named(items, this.#options.intern)
  }

  #decoded({ head, body, isText }: BatchEntry): LogItem[] | null {
    const decoded = decodeBatch(head, body, isText, this.#options.intern, this.#options.limits)
    return decoded.ok ? decoded.value : null
  }

  /** What has a key is a batch of its own. */
  #noteKey(items: readonly LogItem[], { at, seconds, count }: BatchEntry): void {
    this.keys.onEntry(seconds)
    const [item] = items
    if (count > 1 || item === undefined || item === BARRIER || !('bytes' in item)) return
    if (item.key !== null) this.keys.push(item, item.key, at, seconds)
  }

  /** Is the batch one that was not read before? Remembers it. */
  #note(origin: string, batch: number): boolean {
    this.#batches.set(origin, batch)
    const last = this.#heard.get(origin)
    if (last !== undefined && batch <= last) return false
    this.#heard.set(origin, batch)
    if (this.#heard.size > this.#options.limits.originsMax) {
      const [oldest = ''] = this.#heard.keys()
      this.#heard.delete(oldest)
      this.#batches.delete(oldest)
    }
    return true
  }

  #hand(
    items: readonly LogItem[],
    { at, origin, head }: BatchEntry,
    own: OwnItems | null,
    isNew: boolean,
  ): void {
    const isLive = this.#isLive && this.#tail === null && isNew
    if (!isNew && this.#tail === null) this.counts.doubled++
    const { listener } = this.#options
    const reported = own === null && isLive ? reportedItems(head) : NO_ITEMS
    for (let index = 0; index < items.length; index++) {
      const cursor = { epoch: at.epoch, number: at.number + index }
      const publication = reported.includes(index)
        ? this.#options.publicationOf(origin, cursor)
        : (own?.publications[index] ?? null)
      const item = items[index] as LogItem
      publication?.onAccepted(cursor, isLive)
      if (isLive || (this.#isLive && isChange(item))) listener.onItem(item, cursor, publication)
    }
  }

  #applyFork({ at, base, batches, isAnew }: ForkEntry): void {
    this.counts.forks++
    this.#options.onFork?.()
    // Redis has lost the sets, or has those again that it had lost.
    const isOther = isAnew || compareCursors(base, this.#anewAt) < 0
    if (isOther && this.#isLive) this.#options.onFollowsLost?.()
    if (isAnew) this.#anewAt = at
    const { epoch, number } = this.cursor
    const isOfThisLog = epoch !== 0 && this.#epochs.has(base)
    if (!isOfThisLog || !this.#ring.truncate(base.number)) {
      // It has been behind that, and does not have all of it: perhaps nobody has, and those who
      // were there only then know of no gap.
      if (base.epoch !== 0 && compareCursors(base, this.cursor) < 0) this.giveUp()
      // Of a node that knew nothing of any log, all others know that they may miss something.
      this.#leave(base.epoch > epoch ? this.cursor : null, batches)
      if (base.epoch === 0) this.keys.onNewStart()
      this.#restart(at)
      return
    }
    this.keys.truncate(base.number)
    this.#epochs.fork(base, at.epoch)
    if (number > base.number) this.#beginTail({ epoch, number }, base.number)
  }

  /** Streams have had what the log has lost. */
  #beginTail(after: Cursor, base: number): void {
    const taken = this.#recent.takeAfter(base, after.number)
    const earlier = this.#tail
    const { recentBytesMax } = this.#options.limits
    if (taken === null || bytesOfAll(earlier?.pending ?? []) > recentBytesMax) {
      this.#isTailLost = true
      // If it is to begin the log anew, it may not know all that count: all are told of a gap.
      this.#forget()
      return
    }
    this.#tail = {
      after: earlier?.after ?? after,
      // Those of one origin are in its order: what came before has not come again since.
      pending: [...taken, ...(earlier?.pending ?? [])],
      isSame: earlier === null,
      ended: earlier?.ended ?? Promise.withResolvers<void>(),
    }
    // From the newest one on: the first of each origin counts.
    for (const { origin, previous } of taken.toReversed()) this.#batches.set(origin, previous)
  }

  /** What is held back, streams have not had: they are told of a gap once all is there. */
  #settleTail(tail: Tail, { origin, batch, at, count }: BatchEntry): void {
    const [first] = tail.pending
    const isFirst = first !== undefined && first.origin === origin && first.batch === batch
    if (!isFirst || first.at.number !== at.number || first.count !== count) tail.isSame = false
    this.#takeFromTail(tail, origin, batch)
  }

  #takeFromTail(tail: Tail, origin: string, batch: number): void {
    tail.pending = tail.pending.filter((one) => one.origin !== origin || one.batch !== batch)
    if (tail.pending.length > 0) return
    this.#tail = null
    tail.ended.resolve()
    if (!tail.isSame) this.#tellGap({ after: tail.after, resume: this.cursor })
  }

  /** A batch of the tail will not be there again: another one has the key of its message. */
  forgo({ origin, batch }: BatchEntry): void {
    const tail = this.#tail
    if (tail?.pending.some((one) => one.origin === origin && one.batch === batch) !== true) return
    tail.isSame = false
    this.#takeFromTail(tail, origin, batch)
  }

  #applyLost(at: Cursor): void {
    // Forks before it were cut off, and what this node has read may be in no log.
    if (at.epoch !== this.cursor.epoch) this.#leave(null, NOTHING)
    this.keys.onNewStart()
    this.#restart(at)
    this.#isTailLost = false
    this.#orphans.clear()
    this.#left.clear()
  }

  /** @param forks of the log, up to where it was read */
  checkLeft(forks: readonly Fork[]): void {
    // Nobody else may have it, and nodes that were behind know of no gap.
    if (!this.#left.isAllIn(forks)) this.giveUp()
    this.#left.clear()
  }

  /** What is missing in the log cannot be added again. */
  giveUp(): void {
    this.#isTailLost = true
  }

  /**
   * Of the same log, entries were not read: some that it knows are not the last of their origin.
   * Redis takes the next one of an origin of which it knows none, and none behind a hole.
   */
  #forget(): void {
    this.keys.onGap()
    this.#batches = new Map()
  }

  /**
   * The log has gone another way than this node: it has these batches, and perhaps others.
   *
   * @param place up to where it is unknown whether the log has all; null if that is known
   */
  #leave(place: Cursor | null, batches: ReadonlyMap<string, number>): void {
    this.keys.clear()
    this.#batches = new Map(batches)
    if (place === null || place.epoch === 0) return
    // The epoch of the last entry, which may be older than that of a fork behind it.
    this.#left.push(this.#epochs.cursorOf(place.number))
  }

  /** Nothing is known of what was up to this place. */
  #restart(at: Cursor): void {
    const after = this.reached
    if (!this.#orphans.keep(this.#tail?.pending ?? [])) this.giveUp()
    this.#tail?.ended.resolve()
    this.#tail = null
    this.#recent.clear()
    // What comes again is behind the gap, for streams that have begun since, or had it held back.
    this.#heard.clear()
    this.#ring.close()
    this.#ring = this.#newRing(at.number)
    this.#epochs.restart(at)
    if (after.epoch !== 0) this.#tellGap({ after, resume: at })
  }

  #tellGap(gap: BusGap): void {
    if (!this.#isLive) return
    this.counts.gaps++
    this.#options.onFollowsLost?.()
    this.#options.listener.onGap(gap)
  }

  #newRing(last: number): RingLog {
    const { bytes, nameOf } = this.#options
    return memoryLog({ bytes, clock: this.#clock, epoch: 0, first: last + 1, nameOf })
  }
}

const NOTHING: ReadonlyMap<string, number> = new Map()
const NO_ITEMS: readonly number[] = []

const NOWHERE: Cursor = { epoch: 0, number: 0 }
