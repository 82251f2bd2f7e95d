// What clients ask for on streams that are open: to follow subjects for this stream alone, or to do
// so no longer.

import type { Cursor } from '../core/cursor.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { Subject } from '../core/user.ts'
import { type NameTable, NOBODY } from '../subscriptions/name-table.ts'

/** What a client asks for. */
export interface SubjectsRequest {
  readonly kind: 'subscribe' | 'unsubscribe'
  /** Each once. */
  readonly subjects: readonly Subject[]
}

/** Where in the log it was done: what is behind it comes, or comes no more. Or why it was not. */
export type SubjectsResult = Result<Cursor, 'too_many_subjects' | 'too_many_names' | 'busy'>

/** A request of a stream that is to be done. */
export interface SubjectsChange extends SubjectsRequest {
  readonly slot: number
  /** Has the stream ended meanwhile? Set by who asks, before the slot is another stream's. */
  isOver: boolean
  /** Called once, when it is done or cannot be; perhaps not if the stream has ended. */
  done(result: SubjectsResult): void
}

/** The numbers of subjects, or the handles of their names; null if there is no room for a name. */
export function idsOf(
  names: Pick<NameTable, 'intern' | 'idOf'>,
  { kind, subjects }: SubjectsRequest,
): readonly number[] | null {
  if (kind === 'unsubscribe') {
    // A name that is not in use, no stream follows.
    return subjects.map((subject) => names.idOf(subject)).filter((id) => id !== NOBODY)
  }
  const ids: number[] = []
  for (const subject of subjects) {
    const id = names.intern(subject)
    if (id === null) return null
    ids.push(id)
  }
  return ids
}

/** What a store does with them. */
interface SubjectsStore {
  hasOpen(slot: number): boolean
  subjectsOf(slot: number): readonly number[]
  follow(slot: number, subjects: readonly number[], areCounted: boolean): void
  unfollow(slot: number, subjects: readonly number[]): void
}

/**
 * Does what a client asked for, behind all messages up to the cursor and before all others.
 *
 * @param ids of the subjects
 * @param areCounted were they counted as followed by the stream already?
 * @returns those that the stream follows from now on and did not before
 */
export function changeSubjects(
  store: SubjectsStore,
  change: SubjectsChange,
  ids: readonly number[],
  cursor: Cursor,
  areCounted = false,
): readonly number[] {
  const { slot, kind } = change
  if (change.isOver || !store.hasOpen(slot)) return []
  if (kind === 'unsubscribe') {
    store.unfollow(slot, ids)
    change.done(success(cursor))
    return []
  }
  const followed = new Set(store.subjectsOf(slot))
  const added = ids.filter((id) => !followed.has(id))
  if (followed.size + added.length > identityLimits.subjectsMax) {
    change.done(refused('too_many_subjects'))
    return []
  }
  store.follow(slot, added, areCounted)
  change.done(success(cursor))
  return added
}
