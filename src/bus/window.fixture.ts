// A node of tests on entries by hand: its window, and what its streams hear.

import { busLimits } from '../core/bus-limits.ts'
import type { Cursor } from '../core/cursor.ts'
import { about, missed, reader } from '../log/log.fixture.ts'
import type { FollowChange } from '../log/message-log.ts'
import { encodeBatch } from './batch.ts'
import { Listener } from './bus.fixture.ts'
import type { MemberChange } from './member-entry.ts'
import { SharedWindow } from './shared-window.ts'
import type { BatchEntry, ForkEntry, StreamEntry } from './stream-entry.ts'

/** The handle of a name. */
export const ALICE = 2 ** 31 + 1
export const A = 'a'.repeat(16)
export const B = 'b'.repeat(16)

export function at(epoch: number, number: number): Cursor {
  return { epoch, number }
}

/** One message for each text. */
export function batch(
  where: Cursor,
  origin: string,
  count: number,
  ...texts: string[]
): BatchEntry {
  const { head, body } = encodeBatch(texts.map((text) => about(1, text)))
  const entry = { origin, batch: count, count: texts.length, seconds: 5, head, isText: true }
  return {
    kind: 'batch',
    at: where,
    body: Buffer.from(body).toString(),
    again: null,
    previous: count - 1,
    ...entry,
  }
}

export function again(where: Cursor, { origin, batch: count, head, body, ...entry }: BatchEntry) {
  return { ...entry, origin, batch: count, head, body, at: where, again: entry.at }
}

export function fork(
  where: Cursor,
  base: Cursor,
  batches: readonly [string, number][] = [],
): ForkEntry {
  return { kind: 'fork', at: where, base, batches: new Map(batches), isReset: batches.length > 0 }
}

export class WindowNode {
  readonly listener: Listener
  lost = 0
  readonly changed: FollowChange[] = []
  readonly changes: MemberChange[] = []
  readonly window: SharedWindow

  constructor(entries: readonly StreamEntry[] = [], bytes = 64 * 1024, recentBytesMax = 10_000) {
    this.listener = new Listener((change) => this.changed.push(change))
    this.window = new SharedWindow({
      bytes,
      limits: { ...busLimits, recentBytesMax },
      listener: this.listener,
      intern: (name) => (name === 'alice' ? ALICE : null),
      nameOf: String,
      takeOwn: () => null,
      onMemberChange: (change) => this.changes.push(change),
      publicationOf: () => {
        throw new Error('no report is expected')
      },
      onFollowsLost: () => this.lost++,
    })
    this.window.goLive()
    this.apply(...entries)
  }

  apply(...entries: readonly StreamEntry[]): void {
    for (const entry of entries) this.window.apply(entry)
  }

  get texts(): string[] {
    return this.listener.texts
  }

  /** What a client gets that comes back with a cursor. */
  back(cursor: Cursor): string[] | string {
    const number = this.window.numberOf(cursor)
    return number === null ? 'unknown' : missed(this.window.log, reader(1), number)
  }
}

export const [T1, T2] = [batch(at(5, 3), A, 2, 'three', 'four'), batch(at(5, 5), B, 1, 'five')]
export const START = [fork(at(5, 0), at(0, 0)), batch(at(5, 1), A, 1, 'one', 'two')] as const
