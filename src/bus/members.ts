// The members of the cluster at a place in the log, the same on every node. Redis has all members
// with a version; the log has the changes.

import type { NodeLimits } from '../core/bus-limits.ts'
import type { Cursor } from '../core/cursor.ts'
import type { Member, MemberChange } from './member-entry.ts'
import { compareCursors } from './stream-entry.ts'

/** Called in the order of the log; at first once for each member. */
export interface MemberListener {
  onJoin(member: Member): void
  /** @param isDead whether another node declared it dead, as opposed to a stop */
  onLeave(member: Member, isDead: boolean): void
}

/** All members at a place of the log, from Redis. */
export interface MemberSnapshot {
  readonly at: Cursor
  readonly version: number
  readonly members: readonly Member[]
}

/** A request to Redis for all members. */
export interface Renewal {
  /** Changes read since the request. */
  readonly changes: MemberChange[]
  /** Null before the answer. */
  snapshot: MemberSnapshot | null
}

export class Members {
  readonly #limits: NodeLimits
  readonly #listener: MemberListener | null
  #members: ReadonlyMap<string, Member> = new Map()
  #sorted: readonly Member[] = []
  #version = 0
  #epoch = 0
  /** Were they read from Redis yet? */
  #isKnown = false
  #renewal: Renewal | null = null

  constructor(limits: NodeLimits, listener: MemberListener | null = null) {
    this.#limits = limits
    this.#listener = listener
  }

  /** Sorted by origin. */
  get all(): readonly Member[] {
    return this.#sorted
  }

  /** The version of the last change with no missing change before it; 0 for none. */
  get version(): number {
    return this.#version
  }

  /** The epoch of the log at that change. */
  get epoch(): number {
    return this.#epoch
  }

  /** Is a snapshot requested and not applied yet? */
  get isRenewing(): boolean {
    return this.#renewal !== null
  }

  get(origin: string): Member | null {
    return this.#members.get(origin) ?? null
  }

  others(origin: string): readonly Member[] {
    return this.#sorted.filter((member) => member.origin !== origin)
  }

  /** The next members in the order of origins, from the first again after the last. */
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
      // The version will not match, so another snapshot is requested.
      if (renewal.changes.length >= this.#limits.changesMax) this.#renewal = null
      else renewal.changes.push(change)
    }
    if (!this.#isKnown || change.version <= this.#version) return
    // After a missing change the version stays, so that a heartbeat notices it.
    if (change.version === this.#version + 1) this.#reach(change)
    this.#set(changed(this.#members, change, this.#limits.membersMax), [change])
  }

  /** Begins a request for a snapshot; an earlier one that was not applied is dropped. */
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

  /** Entries up to this place were read: applies a snapshot that is not above it. Hot path: once an
   * answer of Redis. */
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
