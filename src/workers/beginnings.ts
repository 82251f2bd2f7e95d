// The records by which a worker asks where a stream begins, and is told, with what its client has
// missed.

import type { Cursor } from '../core/cursor.ts'
import type { Frame } from '../hub/frame.ts'
import type { Resumption } from '../hub/resumption.ts'
import type { StreamBeginning, StreamFrom } from '../hub/stream.ts'
import type { GapReason } from '../log/message-log.ts'
import type { Link } from './link.ts'
import { readFrame, TO_PARENT, TO_WORKER, writeFrame } from './protocol.ts'
import { longNumberAt, type RecordBytes, type RecordWriter } from './records.ts'

/** A stream of a worker that is to begin. */
export interface BeginRequest {
  readonly slot: number
  readonly user: number
  /** When it was opened, in microseconds since 1970. */
  readonly sinceUs: number
  readonly from: StreamFrom
  /** What it follows for itself. */
  readonly subjects: readonly number[]
  /** It has waited for the log, in vain. */
  readonly isLate: boolean
}

/** By their number in a record. */
const KINDS = ['live', 'oldest', 'after', 'last', 'page', 'page of the oldest'] as const
const GAPS: readonly (GapReason | null)[] = [null, 'lost', 'too_many', 'unknown']

const NOWHERE: Cursor = { epoch: 0, number: 0 }

/** Hot path: once a stream. */
export function writeBeginRequest(out: RecordWriter, request: BeginRequest): void {
  const { slot, user, sinceUs, from, subjects, isLate } = request
  out.begin(TO_PARENT.begin)
  out.number(slot)
  out.number(user)
  out.number(KINDS.indexOf(kindOf(from)))
  writeCursor(out, placeIn(from) ?? NOWHERE)
  out.number(typeof from === 'object' && 'last' in from ? from.last : 0)
  out.longNumber(sinceUs)
  out.number(isLate ? 1 : 0)
  for (const subject of subjects) out.number(subject)
  out.end()
}

function kindOf(from: StreamFrom): (typeof KINDS)[number] {
  if (typeof from === 'string') return from
  if ('page' in from) return from.page === null ? 'page of the oldest' : 'page'
  return 'after' in from ? 'after' : 'last'
}

function placeIn(from: StreamFrom): Cursor | null {
  if (typeof from === 'string' || 'last' in from) return null
  return 'page' in from ? from.page : from.after
}

const REQUEST_BYTES = 44

export function readBeginRequest({ view }: RecordBytes): BeginRequest {
  const subjects: number[] = []
  for (let at = REQUEST_BYTES; at < view.byteLength; at += 4)
    subjects.push(view.getUint32(at, true))
  return {
    slot: view.getUint32(0, true),
    user: view.getUint32(4, true),
    sinceUs: longNumberAt(view, 32),
    from: fromOf(view),
    subjects,
    isLate: view.getUint32(40, true) === 1,
  }
}

function fromOf(view: DataView): StreamFrom {
  const kind = KINDS[view.getUint32(8, true)] ?? 'live'
  if (kind === 'after') return { after: cursorAt(view, 12) }
  if (kind === 'page') return { page: cursorAt(view, 12) }
  if (kind === 'page of the oldest') return { page: null }
  return kind === 'last' ? { last: view.getUint32(28, true) } : kind
}

/** Hot path: once a stream, and in it once a message that was missed. */
export function writeBeginning(
  out: RecordWriter,
  slot: number,
  { start, missed, upTo, isAll }: StreamBeginning,
): void {
  const { cursor, gap } = start
  out.begin(TO_WORKER.begin)
  out.number(slot)
  writeCursor(out, cursor)
  out.number(GAPS.indexOf(gap?.reason ?? null))
  writeCursor(out, gap?.after ?? NOWHERE)
  writeCursor(out, upTo)
  out.number(Number(isAll))
  for (const frame of missed) {
    const lengthAt = out.length
    out.number(0)
    writeFrame(out, frame)
    out.setUint32(lengthAt, out.length - lengthAt - 4, true)
  }
  out.end()
}

/**
 * The parent's side, in one turn: what the stream has missed, its place in the outlet, and then
 * what comes next. If that is not known yet, the worker is to ask again: others, which it may let
 * begin meanwhile, need not wait for it, too.
 *
 * @param onBegin called just before the stream begins
 * @param isGone whether the worker has ended, should the answer take time
 */
export function answerBegin(
  link: Pick<Link, 'out' | 'flushSoon'>,
  { slot, user, subjects, from, isLate }: BeginRequest,
  resumption: Pick<Resumption, 'begin' | 'settledFor'>,
  onBegin: () => void,
  isGone: () => boolean,
): void {
  const tell = (kind: number, ...numbers: readonly number[]) => {
    link.out.begin(kind)
    for (const number of numbers) link.out.number(number)
    link.out.end()
    link.flushSoon()
  }
  const settled = isLate ? null : resumption.settledFor(from)
  if (settled === null) {
    onBegin()
    writeBeginning(link.out, slot, resumption.begin(user, subjects, from))
    link.flushSoon()
    return
  }
  tell(TO_WORKER.wait, slot)
  settled.then((isSettled) => isGone() || tell(TO_WORKER.again, slot, isSettled ? 0 : 1))
}

const BEGINNING_BYTES = 60

export function readBeginning({ bytes, view }: RecordBytes): StreamBeginning & { slot: number } {
  const missed: Frame[] = []
  for (let at = BEGINNING_BYTES; at < bytes.length; ) {
    const start = at + 4
    const end = start + view.getUint32(at, true)
    missed.push(readFrame(bytes.subarray(0, end), view, start))
    at = end
  }
  const reason = GAPS[view.getUint32(20, true)] ?? null
  const gap = reason === null ? null : { after: cursorAt(view, 24), reason }
  const start = { cursor: cursorAt(view, 4), gap }
  const upTo = cursorAt(view, 40)
  const isAll = view.getUint32(56, true) === 1
  return { slot: view.getUint32(0, true), start, missed, upTo, isAll }
}

function writeCursor(out: RecordWriter, { epoch, number }: Cursor): void {
  out.longNumber(epoch)
  out.longNumber(number)
}

function cursorAt(view: DataView, at: number): Cursor {
  return { epoch: longNumberAt(view, at), number: longNumberAt(view, at + 8) }
}
