// Where a new stream begins in the log of messages, and what its client has missed; in the process
// with the router.

import type { Cursor } from '../core/cursor.ts'
import { settledWithin } from '../core/deadline.ts'
import { resumeLimits } from '../core/history-limits.ts'
import type { LogWindow, MessageBus } from '../log/message-bus.ts'
import type { GapReason, LogReader } from '../log/message-log.ts'
import type { Follows } from '../subscriptions/subscriptions.ts'
import { type Frame, newFrame } from './frame.ts'
import { zeroCounts } from './refusals.ts'
import type { Gap, StreamBeginning, StreamFrom } from './stream.ts'

const NOTHING: readonly Frame[] = []

/** Where a stream says that it was. */
function placeOf(from: StreamFrom): Cursor | undefined {
  if (typeof from === 'string' || 'last' in from) return undefined
  return 'after' in from ? from.after : (from.page ?? undefined)
}

/** Why streams are told of a gap. The texts describe their figures. */
export const GAPS = {
  lost: 'Something for them had left the window.',
  too_many: 'They had missed more than is sent again.',
  unknown:
    'They were at no place of this log: it began anew, or their cursor is of another server.',
} as const satisfies Record<GapReason, string>

export type GapCounts = Record<GapReason, number>

export interface ResumptionOptions {
  readonly bus: Pick<MessageBus, 'window' | 'cursor' | 'numberOf' | 'cursorOf' | 'settled'>
  readonly subscriptions: Follows
}

export class Resumption {
  /** Since the start: streams that began behind an entry, and the messages that they got so; */
  resumed = 0
  replayed = 0
  /** and those that were told of a gap instead. */
  readonly gaps: GapCounts = zeroCounts(GAPS)
  readonly #bus: ResumptionOptions['bus']
  readonly #subscriptions: ResumptionOptions['subscriptions']
  /** By number, of those that were missed lately: many streams miss the same ones together. */
  readonly #frames = new Map<number, Frame>()
  #framesBytes = 0
  /** Of the log when they were read: in another one they may be others. */
  #framesEpoch = 0

  constructor({ bus, subscriptions }: ResumptionOptions) {
    this.#bus = bus
    this.#subscriptions = subscriptions
  }

  /** Up to where streams that are open have had everything. */
  get cursor(): Cursor {
    return this.#bus.cursor
  }

  /**
   * What is to be awaited, if anything, before a stream begins: of one that resumes while the log
   * is being mended, or that was further on another server than this one is, it is not known yet
   * what it has missed. After a while it is told so.
   *
   * @returns null for nothing; if not, whether all is there by then. If it is not, the stream
   *   begins as things are
   */
  settledFor(from: StreamFrom): Promise<boolean> | null {
    const settled = from === 'live' ? null : this.#bus.settled(placeOf(from))
    return settled === null ? null : this.#settles(settled, placeOf(from))
  }

  async #settles(first: Promise<boolean>, behind: Cursor | undefined): Promise<boolean> {
    let isLate = false
    const look = async () => {
      for (let settled: Promise<boolean> | null = first; settled !== null; ) {
        // Redis has no such place: there is nothing to wait for.
        if (!(await settled) || isLate) return false
        settled = this.#bus.settled(behind)
      }
      return true
    }
    const isSettled = (await settledWithin(look(), resumeLimits.settleMsMax)) === true
    isLate = true
    return isSettled
  }

  /**
   * What a stream begins with that gets every message from now on. Hot path: once a stream.
   *
   * @param subjects that it follows for itself
   */
  begin(user: number, subjects: readonly number[], from: StreamFrom): StreamBeginning {
    if (from === 'live') return this.#beginning(this.cursor, null, NOTHING)
    const { window } = this.#bus
    if (this.#bus.settled() !== null) {
      // Part of what open streams have had is not in the window, and would be missing silently.
      return this.#gap(placeOf(from) ?? this.#oldest(window), 'unknown')
    }
    const reader = { user, subjects, follows: this.#subscriptions.subjectsOf(user) }
    if (from === 'oldest') return this.#after(reader, this.#oldest(window), window)
    if ('after' in from) return this.#after(reader, from.after, window)
    if ('page' in from) return this.#page(reader, from.page ?? this.#oldest(window), window)
    const numbers = window.newestFor(reader, from.last)
    const first = numbers[0]
    const number = first === undefined ? window.last : first - 1
    return this.#replay(this.#bus.cursorOf(number), numbers, window)
  }

  /** Before the oldest entry; of a log that has kept nothing, nothing is old. */
  #oldest({ last, oldest }: LogWindow): Cursor {
    return this.#bus.cursorOf(Math.min(last, oldest - 1))
  }

  #after(reader: LogReader, after: Cursor, window: LogWindow): StreamBeginning {
    const number = this.#bus.numberOf(after)
    if (number === null) return this.#gap(after, 'unknown')
    const missed = window.missedBy(reader, number)
    return 'gap' in missed
      ? this.#gap(after, missed.gap)
      : this.#replay(after, missed.numbers, window)
  }

  #page(reader: LogReader, after: Cursor, window: LogWindow): StreamBeginning {
    const number = this.#bus.numberOf(after)
    if (number === null) return this.#gap(after, 'unknown')
    const page = window.pageFor(reader, number)
    if ('gap' in page) return this.#gap(after, page.gap)
    const replay = this.#replay(after, page.numbers, window)
    // The last one of a log that has gone on has two cursors.
    return page.upTo === window.last
      ? replay
      : { ...replay, upTo: this.#bus.cursorOf(page.upTo), isAll: false }
  }

  #gap(after: Cursor, reason: GapReason): StreamBeginning {
    this.gaps[reason]++
    return this.#beginning(this.cursor, { after, reason }, NOTHING)
  }

  #replay(cursor: Cursor, numbers: readonly number[], window: LogWindow): StreamBeginning {
    this.resumed++
    this.replayed += numbers.length
    this.#forgetOfOthers()
    const missed = numbers.map((number) => this.#frameOf(number, window))
    return this.#beginning(cursor, null, missed)
  }

  #forgetOfOthers(): void {
    const { epoch } = this.#bus.cursor
    if (epoch === this.#framesEpoch) return
    this.#framesEpoch = epoch
    this.#forget()
  }

  #forget(): void {
    this.#frames.clear()
    this.#framesBytes = 0
  }

  #frameOf(number: number, window: LogWindow): Frame {
    const known = this.#frames.get(number)
    if (known !== undefined) return known
    const { bytes, isAbout, target, event, isJson, name } = window.read(number)
    const frame = newFrame(bytes, isAbout, target, event, isJson, name)
    frame.epoch = this.#bus.cursorOf(number).epoch
    frame.number = number
    this.#framesBytes += bytes.length + resumeLimits.frameBytesMin
    if (this.#framesBytes > resumeLimits.framesBytesMax) this.#forget()
    this.#frames.set(number, frame)
    return frame
  }

  #beginning(cursor: Cursor, gap: Gap | null, missed: readonly Frame[]): StreamBeginning {
    return { start: { cursor, gap }, missed, upTo: this.#bus.cursor, isAll: true }
  }
}
