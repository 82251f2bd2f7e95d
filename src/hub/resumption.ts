// Where a new stream begins in the log of messages, and what its client has missed. Runs in the
// process with the router.

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

/** The cursor that a stream gives, if any. */
function placeOf(from: StreamFrom): Cursor | undefined {
  if (typeof from === 'string' || 'last' in from) return undefined
  return 'after' in from ? from.after : (from.page ?? undefined)
}

/** Why streams are told of a gap, with the descriptions of the figures. */
export const GAPS = {
  lost: 'Messages for them had left the window.',
  too_many: 'They had missed more than is sent again.',
  unknown:
    'The log does not have their cursor: it began again, or the cursor is of another server.',
} as const satisfies Record<GapReason, string>

export type GapCounts = Record<GapReason, number>

export interface ResumptionOptions {
  readonly bus: Pick<MessageBus, 'window' | 'cursor' | 'numberOf' | 'cursorOf' | 'settled'>
  readonly subscriptions: Follows
}

export class Resumption {
  /** Streams that resumed after an entry, since the start. */
  resumed = 0
  /** Messages sent to them when they resumed. */
  replayed = 0
  /** Streams that were told of a gap instead, by reason. */
  readonly gaps: GapCounts = zeroCounts(GAPS)
  readonly #bus: ResumptionOptions['bus']
  readonly #subscriptions: ResumptionOptions['subscriptions']
  /** Frames of missed messages by number: many streams miss the same ones at the same time. */
  readonly #frames = new Map<number, Frame>()
  #framesBytes = 0
  /** The epoch in which these were read: in another one, numbers may have other messages. */
  #framesEpoch = 0

  constructor({ bus, subscriptions }: ResumptionOptions) {
    this.#bus = bus
    this.#subscriptions = subscriptions
  }

  /** Open streams have had everything up to here. */
  get cursor(): Cursor {
    return this.#bus.cursor
  }

  /**
   * Whether a stream has to wait before it begins. It is not known yet what a stream has missed if
   * it resumes while lost entries are added to the log again, or if it was further on another
   * server than this one is. The wait has a time limit.
   *
   * @returns null if it need not wait. Otherwise settles when the stream can begin, with whether
   *   what it has missed is known
   */
  settledFor(from: StreamFrom): Promise<boolean> | null {
    const settled = from === 'live' ? null : this.#bus.settled(placeOf(from))
    return settled === null ? null : this.#settles(settled, placeOf(from))
  }

  async #settles(first: Promise<boolean>, behind: Cursor | undefined): Promise<boolean> {
    let isLate = false
    const look = async () => {
      for (let settled: Promise<boolean> | null = first; settled !== null; ) {
        // The log has no such place, so there is nothing to wait for.
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
   * The beginning of a stream, which gets every message from now on. Hot path: once a stream.
   *
   * @param subjects the subjects that this stream follows itself
   */
  begin(user: number, subjects: readonly number[], from: StreamFrom): StreamBeginning {
    if (from === 'live') return this.#beginning(this.cursor, null, NOTHING)
    const { window } = this.#bus
    if (this.#bus.settled() !== null) {
      // The window lacks some of what open streams have had: without a gap, the loss is silent.
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

  /** The place before the oldest entry; the end of the log if it keeps no entries. */
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
    // After a fork, the last entry has two cursors.
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
