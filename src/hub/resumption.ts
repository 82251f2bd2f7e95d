// Where a new stream begins in the log of messages, and what its client has missed; in the process
// with the router.

import type { Cursor } from '../core/cursor.ts'
import { resumeLimits } from '../core/history-limits.ts'
import type { GapReason, LogReader, MessageLog } from '../log/message-log.ts'
import type { Follows } from '../subscriptions/subscriptions.ts'
import { type Frame, newFrame } from './frame.ts'
import { zeroCounts } from './refusals.ts'
import type { Gap, StreamBeginning, StreamFrom } from './stream.ts'

const NOTHING: readonly Frame[] = []

/** Why streams are told of a gap. The texts describe their figures. */
export const GAPS = {
  lost: 'Something for them had left the window.',
  too_many: 'They had missed more than is sent again.',
  unknown:
    'They were at no place of this log: it began anew, or their cursor is of another server.',
} as const satisfies Record<GapReason, string>

export type GapCounts = Record<GapReason, number>

export interface ResumptionOptions {
  readonly log: MessageLog
  readonly subscriptions: Follows
}

export class Resumption {
  /** Since the start: streams that began behind an entry, and the messages that they got so; */
  resumed = 0
  replayed = 0
  /** and those that were told of a gap instead. */
  readonly gaps: GapCounts = zeroCounts(GAPS)
  readonly #log: MessageLog
  readonly #subscriptions: ResumptionOptions['subscriptions']
  /** By number, of those that were missed lately: many streams miss the same ones together. */
  readonly #frames = new Map<number, Frame>()
  #framesBytes = 0

  constructor({ log, subscriptions }: ResumptionOptions) {
    this.#log = log
    this.#subscriptions = subscriptions
  }

  /** Where the log is now. */
  get cursor(): Cursor {
    const { epoch, last } = this.#log
    return { epoch, number: last }
  }

  /**
   * What a stream begins with that gets every message from now on. Hot path: once a stream.
   *
   * @param subjects that it follows for itself
   */
  begin(user: number, subjects: readonly number[], from: StreamFrom): StreamBeginning {
    if (from === 'live') return this.#beginning(this.cursor, null, NOTHING)
    const { epoch, last } = this.#log
    const reader = { user, subjects, follows: this.#subscriptions.subjectsOf(user) }
    if (from === 'oldest') {
      // Of a log that has kept nothing, nothing is old.
      return this.#after(reader, { epoch, number: Math.min(last, this.#log.oldest - 1) })
    }
    if ('after' in from) return this.#after(reader, from.after)
    if ('page' in from) return this.#page(reader, from.page)
    const numbers = this.#log.newestFor(reader, from.last)
    const first = numbers[0]
    const number = first === undefined ? last : first - 1
    return this.#replay({ epoch, number }, numbers)
  }

  #after(reader: LogReader, after: Cursor): StreamBeginning {
    const { epoch, last } = this.#log
    if (after.epoch !== epoch || after.number > last) return this.#gap(after, 'unknown')
    const missed = this.#log.missedBy(reader, after.number)
    return 'gap' in missed ? this.#gap(after, missed.gap) : this.#replay(after, missed.numbers)
  }

  #page(reader: LogReader, from: Cursor | null): StreamBeginning {
    const { epoch, last, oldest } = this.#log
    const after = from ?? { epoch, number: Math.min(last, oldest - 1) }
    if (after.epoch !== epoch || after.number > last) return this.#gap(after, 'unknown')
    const page = this.#log.pageFor(reader, after.number)
    if ('gap' in page) return this.#gap(after, page.gap)
    return { ...this.#replay(after, page.numbers), upTo: page.upTo, isAll: page.upTo === last }
  }

  #gap(after: Cursor, reason: GapReason): StreamBeginning {
    this.gaps[reason]++
    return this.#beginning(this.cursor, { after, reason }, NOTHING)
  }

  #replay(cursor: Cursor, numbers: readonly number[]): StreamBeginning {
    this.resumed++
    this.replayed += numbers.length
    const missed = numbers.map((number) => this.#frameOf(number))
    return this.#beginning(cursor, null, missed)
  }

  #frameOf(number: number): Frame {
    const known = this.#frames.get(number)
    if (known !== undefined) return known
    const { bytes, isAbout, target, event, isJson, name } = this.#log.read(number)
    const frame = newFrame(bytes, isAbout, target, event, isJson, name)
    frame.epoch = this.#log.epoch
    frame.number = number
    this.#framesBytes += bytes.length + resumeLimits.frameBytesMin
    if (this.#framesBytes > resumeLimits.framesBytesMax) {
      this.#frames.clear()
      this.#framesBytes = 0
    }
    this.#frames.set(number, frame)
    return frame
  }

  #beginning(cursor: Cursor, gap: Gap | null, missed: readonly Frame[]): StreamBeginning {
    return { start: { cursor, gap }, missed, upTo: this.#log.last, isAll: true }
  }
}
