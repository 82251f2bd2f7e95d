// What clients ask about the subjects of their streams, from a worker to its parent, which has the
// names and knows where the log is, and back.

import type { Cursor } from '../core/cursor.ts'
import { workerLimits } from '../core/limits.ts'
import { Queue } from '../core/queue.ts'
import { refused } from '../core/result.ts'
import type { Broadcasts } from '../hub/broadcast.ts'
import type { RouterParts } from '../hub/local-registry.ts'
import type { StreamStore } from '../hub/store.ts'
import type { SubjectsOwner } from '../hub/stream-subjects.ts'
import {
  changeSubjects,
  idsOf,
  type SubjectsChange,
  type SubjectsRequest,
} from '../hub/subject-changes.ts'
import type { Link } from './link.ts'
import { TO_PARENT, TO_WORKER } from './protocol.ts'
import { longNumberAt, type RecordBytes, type RecordWriter } from './records.ts'

/** What the parent answers. */
export interface SubjectsAnswer {
  /** Where the log is. */
  readonly cursor: Cursor
  /**
   * Those of the subjects; of a request to subscribe, each counts as followed by a stream of the
   * worker from now on. Null if there is no room for a name.
   */
  readonly ids: readonly number[] | null
}

export function writeSubjectsAnswer(out: RecordWriter, { cursor, ids }: SubjectsAnswer): void {
  out.begin(TO_WORKER.changed)
  out.number(Number(ids !== null))
  out.longNumber(cursor.epoch)
  out.longNumber(cursor.number)
  for (const id of ids ?? []) out.number(id)
  out.end()
}

const ANSWER_BYTES = 20

export function readSubjectsAnswer({ view }: RecordBytes): SubjectsAnswer {
  const cursor = { epoch: longNumberAt(view, 4), number: longNumberAt(view, 12) }
  if (view.getUint32(0, true) === 0) return { cursor, ids: null }
  const ids: number[] = []
  for (let at = ANSWER_BYTES; at < view.byteLength; at += 4) ids.push(view.getUint32(at, true))
  return { cursor, ids }
}

/**
 * The parent's side, in one turn.
 *
 * @param onFollow is called for each subject that is followed by a stream from now on
 */
export function answerSubjects(
  link: Pick<Link, 'out' | 'flushSoon'>,
  request: SubjectsRequest,
  { names, resumption }: RouterParts,
  onFollow: (id: number) => void,
): void {
  const ids = idsOf(names, request)
  if (request.kind === 'subscribe') for (const id of ids ?? []) onFollow(id)
  writeSubjectsAnswer(link.out, { cursor: resumption.cursor, ids })
  link.flushSoon()
}

/** The worker's side. The parent answers in the order of the requests. */
export class RemoteSubjects {
  readonly #store: StreamStore
  readonly #link: Pick<Link, 'json'>
  readonly #broadcasts: Pick<Broadcasts, 'inOrder'>
  readonly #owner: Pick<SubjectsOwner, 'onUnfollow'>
  readonly #asked = new Queue<SubjectsChange>()

  /** @param owner is told of what counts as followed by a stream that does not follow it */
  constructor(
    store: StreamStore,
    link: Pick<Link, 'json'>,
    broadcasts: Pick<Broadcasts, 'inOrder'>,
    owner: Pick<SubjectsOwner, 'onUnfollow'>,
  ) {
    this.#store = store
    this.#link = link
    this.#broadcasts = broadcasts
    this.#owner = owner
  }

  ask(change: SubjectsChange): void {
    if (this.#asked.length >= workerLimits.requestsMax) {
      change.done(refused('busy'))
      return
    }
    this.#asked.push(change)
    const { kind, subjects } = change
    const request: SubjectsRequest = { kind, subjects }
    this.#link.json(TO_PARENT.change, request)
  }

  /** The messages that follow from it are in later records. */
  onAnswer({ cursor, ids }: SubjectsAnswer): void {
    const change = this.#asked.shift()
    if (change === undefined) throw new Error('the parent answered what it was not asked')
    if (ids === null) change.done(refused('too_many_names'))
    else this.#broadcasts.inOrder(() => this.#change(change, ids, cursor))
  }

  #change(change: SubjectsChange, ids: readonly number[], cursor: Cursor): void {
    const added = new Set(changeSubjects(this.#store, change, ids, cursor, true))
    if (change.kind !== 'subscribe') return
    for (const id of ids) if (!added.has(id)) this.#owner.onUnfollow(id)
  }
}
