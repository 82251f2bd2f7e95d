// Applies the entries of the shared log on one node, in order: keeps its window, knows which
// cursors belong to the log, and hands items to streams. The same entries give the same state on
// every node.

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

/** Items that this node published. */
export interface OwnItems {
  /** Null to decode them from the entry. */
  readonly items: readonly LogItem[] | null
  readonly publications: readonly (Publication | null)[]
}

export interface SharedWindowOptions {
  /** Size of the window. */
  readonly bytes: number
  readonly limits: BusLimits
  readonly listener: BusListener
  readonly intern: InternName
  /** Returns the name of a handle. */
  readonly nameOf: (handle: number) => string
  /** Removes a batch of this node from those not in the log yet; null for any other batch. */
  readonly takeOwn: (entry: BatchEntry) => OwnItems | null
  /** Called when items alone no longer tell who follows whom: the sets in Redis do. */
  readonly onFollowsLost?: (() => void) | undefined
  readonly onFork?: () => void
  /** Called for each change of the members, in the order of the log. */
  readonly onMemberChange: (change: MemberChange) => void
  /** Makes the publication of an item for which another node asks for a report. */
  readonly publicationOf: (origin: string, cursor: Cursor) => Publication
}

/** A part of the log that this node has read and Redis has lost: it is being added again. */
interface Tail {
  /** Streams have had everything up to here. */
  readonly after: Cursor
  /** Batches that are not in the log again yet. */
  pending: BatchEntry[]
  /** Are all batches in the same places as before? Then no gap is needed. */
  isSame: boolean
  /** Settled when the tail is in the log again, or is given up. */
  readonly ended: PromiseWithResolvers<void>
}

export interface WindowCounts {
  forks: number
  /** Times that streams of this node may have missed something. */
  gaps: number
  /** Entries that no node has written, or that cannot be decoded. */
  foreign: number
  /** Batches that were read a second time. */
  doubled: number
}

export class SharedWindow {
  readonly counts: WindowCounts = { forks: 0, gaps: 0, foreign: 0, doubled: 0 }
  /** Keys of recent messages, to restore them if Redis loses them. */
  readonly keys: RecentKeys
  readonly clock = new EntryClock()
  readonly #options: SharedWindowOptions
  readonly #epochs = new Epochs(NOWHERE)
  readonly #recent: RecentBatches
  readonly #cuts: CutPlaces
  readonly #orphans: Orphans
  /** Branches that the log may not contain in full. */
  readonly #left: LeftBranches
  #batches = new Map<string, number>()
  /** The last batch of each origin that was read since the last gap. */
  readonly #heard = new Map<string, number>()
  #ring: RingLog
  #readAfter = NOWHERE
  /** The last fork with which the log began again, after Redis had lost everything. */
  #resetAt = NOWHERE
  /** Is the history read, so that entries go to streams? */
  #isLive = false
  #tail: Tail | null = null
  /** Settled with the next entry; null while nothing waits for it. */
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

  /** The cursor of the last entry; epoch 0 before the first one. */
  get cursor(): Cursor {
    return this.#epochs.last
  }

  /** Streams of this node have had everything up to here, including what the log has lost since. */
  get reached(): Cursor {
    return this.#tail?.after ?? this.cursor
  }

  /** All entries up to this one were read. */
  get readAfter(): Cursor {
    return this.#readAfter
  }

  /** Entries of the stream before this id may be removed. */
  get minId(): string {
    return this.#cuts.minId
  }

  /** The last batch of each origin in the log, as far as it was read. */
  get batches(): ReadonlyMap<string, number> {
    return this.#batches
  }

  /** Batches that the log has lost and this node can add again, in this order. */
  get tail(): readonly BatchEntry[] {
    return this.#tail?.pending ?? []
  }

  /** Called when the history is read: from now on, entries go to streams. */
  goLive(): void {
    this.#isLive = true
  }

  /** Settles when the tail is in the log again, or is given up; null if there is none. */
  settled(): Promise<void> | null {
    return this.#tail === null ? null : this.#tail.ended.promise
  }

  /** Settles with the next entry. */
  more(): Promise<void> {
    this.#more ??= Promise.withResolvers()
    return this.#more.promise
  }

  /** Is everything that this node has read in the log, or announced as lost? */
  get isWhole(): boolean {
    if (this.#tail !== null || this.#isTailLost) return false
    return this.#orphans.entries.length === 0 && this.#left.isEmpty
  }

  /** Batches of an earlier tail; the streams of this node were told of a gap instead. */
  get orphans(): readonly BatchEntry[] {
    return this.#orphans.entries
  }

  /** Called when the log has all of them. */
  clearOrphans(): void {
    this.#orphans.clear()
  }

  /** Has the log lost more than this node can add again? */
  get isTailLost(): boolean {
    return this.#isTailLost
  }

  numberOf(cursor: Cursor): number | null {
    // Those after the last one are being added again, and their new places are not known yet.
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
      // The entries between were removed before they were read here, perhaps with a fork.
      if (at.epoch !== epoch) this.#leave(this.cursor, NOTHING)
      else this.#forget()
      this.#restart({ epoch: at.epoch, number: at.number - 1 })
    }
    const last = at.number + count - 1
    this.#readAfter = { epoch: at.epoch, number: last }
    this.clock.onEntry(at.number, entry.seconds)
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

  /** A message with a key is a batch of its own. */
  #noteKey(items: readonly LogItem[], { at, seconds, count }: BatchEntry): void {
    this.keys.onEntry(seconds)
    const [item] = items
    if (count > 1 || item === undefined || item === BARRIER || !('bytes' in item)) return
    if (item.key !== null) this.keys.push(item, item.key, at, seconds)
  }

  /** Remembers the batch. Returns whether it was not read before. */
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

  #applyFork({ at, base, batches, isReset }: ForkEntry): void {
    this.counts.forks++
    this.#options.onFork?.()
    // Redis has lost the sets, or has sets again that it had lost.
    const areOtherSets = isReset || compareCursors(base, this.#resetAt) < 0
    if (areOtherSets && this.#isLive) this.#options.onFollowsLost?.()
    if (isReset) this.#resetAt = at
    const { epoch, number } = this.cursor
    const isOfThisLog = epoch !== 0 && this.#epochs.has(base)
    if (!isOfThisLog || !this.#ring.truncate(base.number)) {
      // This node was past the base once, and no longer has all of that. Perhaps no node has it,
      // and nodes that were only there then know of no gap.
      if (base.epoch !== 0 && compareCursors(base, this.cursor) < 0) this.giveUp()
      // After a fork by a node that knew no log, all other nodes tell a gap anyway.
      this.#leave(base.epoch > epoch ? this.cursor : null, batches)
      if (base.epoch === 0) this.keys.onNewStart()
      this.#restart(at)
      return
    }
    this.keys.truncate(base.number)
    this.#epochs.fork(base, at.epoch)
    if (number > base.number) this.#beginTail({ epoch, number }, base.number)
  }

  /** Begins to add again what streams have had and the log has lost. */
  #beginTail(after: Cursor, base: number): void {
    const taken = this.#recent.takeAfter(base, after.number)
    const earlier = this.#tail
    const { recentBytesMax } = this.#options.limits
    if (taken === null || bytesOfAll(earlier?.pending ?? []) > recentBytesMax) {
      this.#isTailLost = true
      // If this node begins the log again, it may not know all keys that count: all are told.
      this.#forget()
      return
    }
    this.#tail = {
      after: earlier?.after ?? after,
      // The order of each origin is kept: what is still pending comes after what was read.
      pending: [...taken, ...(earlier?.pending ?? [])],
      isSame: earlier === null,
      ended: earlier?.ended ?? Promise.withResolvers<void>(),
    }
    // From the newest to the oldest, so that the first one of each origin counts.
    for (const { origin, previous } of taken.toReversed()) this.#batches.set(origin, previous)
  }

  /** Entries read meanwhile did not go to streams: a gap is told once the tail is complete. */
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

  /** Gives up a batch of the tail: another batch has taken the key of its message. */
  drop({ origin, batch }: BatchEntry): void {
    const tail = this.#tail
    if (tail?.pending.some((one) => one.origin === origin && one.batch === batch) !== true) return
    tail.isSame = false
    this.#takeFromTail(tail, origin, batch)
  }

  #applyLost(at: Cursor): void {
    // The forks before it were removed, and what this node has read may be in no log.
    if (at.epoch !== this.cursor.epoch) this.#leave(null, NOTHING)
    this.keys.onNewStart()
    this.#restart(at)
    this.#isTailLost = false
    this.#orphans.clear()
    this.#left.clear()
  }

  /** Checks whether a log with these forks has what this node had read on branches that it left. */
  checkLeft(forks: readonly Fork[]): void {
    // Perhaps no other node has it, and nodes that were behind know of no gap.
    if (!this.#left.isAllIn(forks)) this.giveUp()
    this.#left.clear()
  }

  /** Called when something missing in the log cannot be added again: all nodes are told. */
  giveUp(): void {
    this.#isTailLost = true
  }

  /** Entries of the same log were not read: forgets the batches, which may not be the last of their
   * origins. Redis accepts any batch of an origin that it does not know, but none after a hole. */
  #forget(): void {
    this.keys.onGap()
    this.#batches = new Map()
  }

  /**
   * Leaves the branch of this node: the log continued on another one.
   *
   * @param place up to here, the log may not have everything; null if there is no doubt
   * @param batches the last batch of each origin that the log has; perhaps not all of them
   */
  #leave(place: Cursor | null, batches: ReadonlyMap<string, number>): void {
    this.keys.clear()
    this.#batches = new Map(batches)
    if (place === null || place.epoch === 0) return
    // With the epoch of its entry, which may be older than that of a fork after it.
    this.#left.push(this.#epochs.cursorOf(place.number))
  }

  /** Begins with an empty window at this place: nothing before it is known. */
  #restart(at: Cursor): void {
    const after = this.reached
    if (!this.#orphans.keep(this.#tail?.pending ?? [])) this.giveUp()
    this.#tail?.ended.resolve()
    this.#tail = null
    this.#recent.clear()
    // A batch that is read again comes after the gap: streams that began since need it.
    this.#heard.clear()
    this.clock.restart()
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
    return memoryLog({ bytes, clock: this.clock, epoch: 0, first: last + 1, nameOf })
  }
}

const NOTHING: ReadonlyMap<string, number> = new Map()
const NO_ITEMS: readonly number[] = []

const NOWHERE: Cursor = { epoch: 0, number: 0 }
