// The nodes that are there, as of a place in the log: the same on every node at the same place.
// Redis has all of them with a version; the log has the changes, as far back as it goes.

import type { NodeLimits } from '../core/bus-limits.ts'
import type { Cursor } from '../core/cursor.ts'
import type { Member, MemberChange } from './member-entry.ts'
import { compareCursors } from './stream-entry.ts'

/** Called in the order of the log. All that are there at first, have joined. */
export interface MemberListener {
  onJoin(member: Member): void
  /** @param isDead if it has not said so itself */
  onLeave(member: Member, isDead: boolean): void
}

/** All members, as Redis has them at a place of the log. */
export interface MemberSnapshot {
  readonly at: Cursor
  readonly version: number
  readonly members: readonly Member[]
}

/** Redis was asked for all of them. */
export interface Renewal {
  /** Read since then. */
  readonly changes: MemberChange[]
  /** Null before it has answered. */
  snapshot: MemberSnapshot | null
}

export class Members {
  readonly #limits: NodeLimits
  readonly #listener: MemberListener | null
  #members: ReadonlyMap<string, Member> = new Map()
  #sorted: readonly Member[] = []
  #version = 0
  #epoch = 0
  /** Are they known at all? */
  #isKnown = false
  #renewal: Renewal | null = null

  constructor(limits: NodeLimits, listener: MemberListener | null = null) {
    this.#limits = limits
    this.#listener = listener
  }

  /** In the order of their origins. */
  get all(): readonly Member[] {
    return this.#sorted
  }

  /** Which change was the last one without a hole before it; 0 for none. */
  get version(): number {
    return this.#version
  }

  /** The epoch of the log at that change. */
  get epoch(): number {
    return this.#epoch
  }

  /** Is a snapshot under way, or to be reached? */
  get isRenewing(): boolean {
    return this.#renewal !== null
  }

  get(origin: string): Member | null {
    return this.#members.get(origin) ?? null
  }

  others(origin: string): readonly Member[] {
    return this.#sorted.filter((member) => member.origin !== origin)
  }

  /** Those that come next in the order of all, which has no end. */
  behind(origin: string, count: number): readonly Member[] {
    const others = this.others(origin)
    const first = others.findIndex((member) => member.origin > origin)
    if (first < 0) return others.slice(0, count)
    return [...others.slice(first), ...others.slice(0, first)].slice(0, count)
  }

  /** An entry of the log was read. */
  apply(change: MemberChange): void {
    const renewal = this.#renewal
    if (renewal !== null) {
      // Another snapshot will be asked for: the version does not fit.
      if (renewal.changes.length >= this.#limits.changesMax) this.#renewal = null
      else renewal.changes.push(change)
    }
    if (!this.#isKnown || change.version <= this.#version) return
    // Behind a hole the version stays, so that it is noticed.
    if (change.version === this.#version + 1) this.#reach(change)
    this.#set(changed(this.#members, change, this.#limits.membersMax), [change])
  }

  /** Redis is being asked for a snapshot. Another one, which was not reached, does not count. */
  beginRenewal(): Renewal {
    const renewal: Renewal = { changes: [], snapshot: null }
    this.#renewal = renewal
    return renewal
  }

  /** @param snapshot null if there was no answer */
  endRenewal(renewal: Renewal, snapshot: MemberSnapshot | null, readAfter: Cursor): void {
    if (this.#renewal !== renewal) return
    renewal.snapshot = snapshot
    if (snapshot === null) this.#renewal = null
    else this.reached(readAfter)
  }

  /** Entries up to this place were read. Hot path: once an answer of the log. */
  reached(place: Cursor): void {
    if (this.#renewal === null) return
    const { snapshot, changes } = this.#renewal
    if (snapshot === null || compareCursors(place, snapshot.at) < 0) return
    this.#renewal = null
    const { membersMax } = this.#limits
    let members: ReadonlyMap<string, Member> = new Map(
      snapshot.members.slice(0, membersMax).map((member) => [member.origin, member]),
    )
    this.#reach(snapshot)
    for (const change of changes) {
      if (change.version <= this.#version) continue
      members = changed(members, change, membersMax)
      this.#reach(change)
    }
    this.#isKnown = true
    this.#set(members, changes)
  }

  #reach({ version, at }: Pick<MemberSnapshot, 'version' | 'at'>): void {
    this.#version = version
    this.#epoch = at.epoch
  }

  #set(members: ReadonlyMap<string, Member>, changes: readonly MemberChange[]): void {
    const before = this.#members
    this.#members = members
    this.#sorted = [...members.values()].sort(byOrigin)
    for (const [origin, member] of before) {
      if (members.has(origin)) continue
      const hasStopped = changes.some((one) => one.kind === 'stopped' && one.origin === origin)
      this.#listener?.onLeave(member, !hasStopped)
    }
    for (const [origin, member] of members) {
      if (!before.has(origin)) this.#listener?.onJoin(member)
    }
  }
}

function changed(
  members: ReadonlyMap<string, Member>,
  change: MemberChange,
  sizeMax: number,
): ReadonlyMap<string, Member> {
  const next = new Map(members)
  if (change.kind !== 'join') next.delete(change.origin)
  else if (next.size < sizeMax) next.set(change.member.origin, change.member)
  return next
}

function byOrigin(left: Member, right: Member): number {
  return left.origin < right.origin ? -1 : 1
}
