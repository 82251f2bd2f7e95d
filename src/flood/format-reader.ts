// Holds the streams of `/stream` to their format: what its head must say, what may come in which
// order, that cursors grow and gaps are told as they must be. Messages go on to be counted.

import { END_REASONS, ENVELOPE, Envelope, GAP_REASONS, type Place, readPlace } from './envelope.ts'
import type { Framing } from './framing.ts'
import type { StreamFormat } from './plan.ts'
import { DONE, type Positions } from './positions.ts'
import type { Counters, ProcessStats } from './process-stats.ts'
import type { ReceivedMessages } from './received-messages.ts'
import { fieldOf, type ResponseHead } from './response-head.ts'
import type { ResumeCheck } from './resume-check.ts'

/** Why a stream is not of its format: each is a closed connection and a counted error. */
export type FormatFault =
  | 'wrong_type'
  | 'bad_accept'
  | 'no_cursor'
  | 'bad_message'
  | 'misplaced'
  | 'bad_gap'
  | 'bad_close'
  | 'bad_answer'
  | 'end_not_told'

/** Formats that a stream is read in, by the framing of their messages. */
const FRAMINGS = {
  json: 'line',
  sse: 'sse',
  websocket: 'websocket',
  raw: 'chunk',
  poll: 'body',
} as const satisfies Partial<Record<StreamFormat, Framing>>

export type StrictFormat = keyof typeof FRAMINGS

const MEDIA_TYPES: Partial<Record<StrictFormat, string>> = {
  json: 'application/x-ndjson',
  sse: 'text/event-stream',
  poll: 'application/json',
}

/** The status that makes a response a stream; 200 where it is not said. */
const STATUSES: Partial<Record<StrictFormat, readonly number[]>> = {
  websocket: [101],
  // No message until the time was over; and a gap.
  poll: [200, 204, 410],
}

/** The codes of close frames, by the index of a reason. */
const CLOSE_CODES = [null, 4001, 1001, 4002] as const

/** By the index of a reason. */
const GAP_COUNTERS = [
  'gapsLost',
  'gapsTooMany',
  'gapsUnknown',
] as const satisfies readonly (keyof Counters)[]

export interface FormatParts {
  readonly format: StrictFormat
  readonly positions: Positions
  readonly received: ReceivedMessages
  readonly stats: ProcessStats
  /** Null unless streams resume. */
  readonly resume: ResumeCheck | null
  /** What the server must answer to the key of a WebSocket. */
  readonly accept: string
}

interface PollAnswer {
  readonly status: number
  readonly next: Place
  /** Of a gap: an index of reasons. */
  readonly reason: number
}

export class FormatReader {
  readonly framing: Framing
  readonly #parts: FormatParts
  readonly #envelope = new Envelope()
  readonly #place: Place = { epoch: 0, number: 0 }
  /** Of polls whose body is to come: its status, and where the stream is behind it. */
  readonly #answers = new Map<number, PollAnswer>()

  constructor(parts: FormatParts) {
    this.#parts = parts
    this.framing = FRAMINGS[parts.format]
  }

  /** Is each response only a part of the stream, so that the next one is to be asked for? */
  get isPolled(): boolean {
    return this.#parts.format === 'poll'
  }

  allows(status: number): boolean {
    return (STATUSES[this.#parts.format] ?? [200]).includes(status)
  }

  /** What is wrong with the head of a response; null if nothing is. */
  headFault(index: number, head: ResponseHead): FormatFault | null {
    const { format, accept } = this.#parts
    const { mediaType, text } = head
    if (format === 'raw') return this.#rawFault(text)
    if (format === 'poll') return this.#pollFault(index, head)
    if (format !== 'websocket') return mediaType === MEDIA_TYPES[format] ? null : 'wrong_type'
    // RFC 6455 section 4.1.
    const isSwitch =
      fieldOf(text, 'upgrade')?.toLowerCase() === 'websocket' &&
      /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i.test(fieldOf(text, 'connection') ?? '')
    const isAgreed =
      fieldOf(text, 'sec-websocket-accept') === accept &&
      fieldOf(text, 'sec-websocket-extensions') === undefined
    return isSwitch && isAgreed ? null : 'bad_accept'
  }

  /** Its cursor and a gap are in the head, and nowhere else. */
  #rawFault(text: string): FormatFault | null {
    const cursor = Buffer.from(fieldOf(text, 'comet-cursor') ?? '')
    if (!readPlace(cursor, 0, cursor.length, this.#place)) return 'no_cursor'
    const gap = fieldOf(text, 'comet-gap')
    if (gap !== undefined) {
      const reason = GAP_REASONS.indexOf(gap as (typeof GAP_REASONS)[number])
      if (reason < 0) return 'bad_gap'
      this.#countGap(reason)
    }
    return null
  }

  /** By the Durable Streams protocol, sections 5.5 and 5.6. */
  #pollFault(index: number, { status, mediaType, text }: ResponseHead): FormatFault | null {
    const { positions } = this.#parts
    const offset = Buffer.from(fieldOf(text, 'stream-next-offset') ?? '')
    const next: Place = { epoch: 0, number: 0 }
    if (!readPlace(offset, 0, offset.length, next)) return 'no_cursor'
    if (status === 200 && mediaType !== MEDIA_TYPES.poll) return 'wrong_type'
    const reason = GAP_REASONS.indexOf(
      (fieldOf(text, 'comet-gap') ?? 'unknown') as (typeof GAP_REASONS)[number],
    )
    this.#answers.set(index, { status, next, reason })
    if (status === 410) return reason < 0 ? 'bad_gap' : null
    const isUpToDate = fieldOf(text, 'stream-up-to-date') === 'true'
    if (status === 204 && !isUpToDate) return 'bad_answer'
    if (!positions.has(index, DONE.placed)) return null
    const cursor = fieldOf(text, 'stream-cursor') ?? ''
    if (!/^\d{1,16}$/.test(cursor)) return 'bad_answer'
    positions.pollCursor = cursor
    return null
  }

  /** The body of a poll: all that came since the last one, or nothing. */
  #onAnswer(
    index: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    atMicros: number,
  ): FormatFault | null {
    const { positions, received, resume, stats } = this.#parts
    const answer = this.#answers.get(index)
    this.#answers.delete(index)
    if (answer === undefined) return 'bad_answer'
    const { status, next, reason } = answer
    if (status === 410) {
      positions.add(index, DONE.gapped)
      positions.set(index, next)
      this.#countGap(reason)
      resume?.onGap(index, atMicros, reason)
      return null
    }
    const isFirst = !positions.has(index, DONE.placed)
    const isResuming = positions.has(index, DONE.resuming)
    if (isFirst && isResuming) stats.counters.resumed++
    if (isFirst) {
      const here = { epoch: positions.epochOf(index), number: positions.numberOf(index) }
      this.#placeAt(index, isResuming ? here : next, atMicros)
    }
    if (status === 200) {
      const isRead = this.#envelope.readArray(bytes, start, end, () => {
        if (this.#envelope.kind !== ENVELOPE.message) return false
        this.#onMessage(index, bytes, atMicros)
        return true
      })
      if (!isRead) return 'bad_message'
    }
    if (!this.#isFrom(index, next)) received.countMisnumbered(index, NO_BYTES, 0, 0)
    positions.set(index, next)
    return null
  }

  /** Hot path: once a message. */
  #onMessage(index: number, bytes: Uint8Array, atMicros: number): void {
    const { received, positions } = this.#parts
    const { bodyStart, bodyEnd, id } = this.#envelope
    const isResumed = positions.has(index, DONE.resuming)
    if (!this.#follow(index, id)) received.countMisnumbered(index, bytes, bodyStart, bodyEnd)
    received.record(index, bytes, bodyStart, bodyEnd, atMicros, isResumed)
  }

  /** Hot path: once a message, or what comes between them. */
  onMessage(
    index: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    atMicros: number,
  ): FormatFault | null {
    const { format, received, positions } = this.#parts
    if (format === 'raw') {
      received.record(index, bytes, start, end, atMicros)
      return null
    }
    if (format === 'poll') return this.#onAnswer(index, bytes, start, end, atMicros)
    const envelope = this.#envelope
    const kind =
      format === 'sse'
        ? envelope.readEvent(bytes, start, end)
        : envelope.readObject(bytes, start, end)
    if (kind === ENVELOPE.message) {
      if (!positions.has(index, DONE.placed) || positions.endOf(index) > 0) return 'misplaced'
      this.#onMessage(index, bytes, atMicros)
      return null
    }
    if (kind === ENVELOPE.nothing) return null
    if (kind === ENVELOPE.place) return this.#onPlace(index, atMicros)
    if (kind === ENVELOPE.gap) return this.#onGap(index, atMicros)
    if (kind === ENVELOPE.end) return this.#onEnd(index)
    return 'bad_message'
  }

  /** Is a place not before the last one? A shared log goes on under a later epoch at a failover. */
  #isFrom(index: number, { epoch, number }: Place): boolean {
    const { positions } = this.#parts
    const last = positions.epochOf(index)
    return epoch === last ? number >= positions.numberOf(index) : epoch > last
  }

  /** Goes on to the cursor of a message, if it is behind the last one. */
  #follow(index: number, id: Place): boolean {
    const { positions } = this.#parts
    const isSame = id.epoch === positions.epochOf(index)
    const isBehind = !positions.is(index, id) && this.#isFrom(index, id)
    // One from another epoch is wrong once, not with each message from there on.
    if (isBehind || !isSame) positions.set(index, id)
    return isBehind
  }

  /** The first thing of a stream, unless it is told a gap. */
  #onPlace(index: number, atMicros: number): FormatFault | null {
    const { positions, received, stats } = this.#parts
    const { id } = this.#envelope
    if (positions.has(index, DONE.placed)) return 'misplaced'
    if (positions.has(index, DONE.gapped)) {
      if (!positions.is(index, id)) return 'bad_gap'
    } else if (positions.has(index, DONE.resuming)) {
      const isAfter =
        id.epoch === positions.epochOf(index) && id.number >= positions.numberOf(index)
      if (!isAfter) received.countMisnumbered(index, NO_BYTES, 0, 0)
    }
    if (positions.has(index, DONE.resuming)) stats.counters.resumed++
    this.#placeAt(index, id, atMicros)
    return null
  }

  #placeAt(index: number, place: Place, atMicros: number): void {
    const { positions, resume } = this.#parts
    positions.set(index, place)
    positions.add(index, DONE.placed)
    const isOwed = positions.has(index, DONE.resuming) && !positions.has(index, DONE.gapped)
    resume?.onPlace(index, atMicros, isOwed)
  }

  #onGap(index: number, atMicros: number): FormatFault | null {
    const { positions, resume: check } = this.#parts
    const { after, resume, gapReason } = this.#envelope
    const isOpen = positions.has(index, DONE.placed)
    if (isOpen ? positions.endOf(index) > 0 : positions.has(index, DONE.gapped)) return 'misplaced'
    // Of an open stream, what is not for it may stand between its last message and the gap.
    const isThere = isOpen ? this.#isFrom(index, after) : positions.is(index, after)
    if ((isOpen || positions.has(index, DONE.resuming)) && !isThere) return 'bad_gap'
    const isSame = resume.epoch === after.epoch
    const isAhead = isSame ? resume.number > after.number : resume.epoch > after.epoch
    // Only an unknown cursor may be of a later epoch, or above the top.
    const isUnknown = GAP_REASONS[gapReason] === 'unknown'
    if (isUnknown ? isOpen || (isSame && isAhead) : !isAhead) return 'bad_gap'
    positions.add(index, DONE.gapped)
    positions.set(index, resume)
    this.#countGap(gapReason)
    check?.onGap(index, atMicros, gapReason)
    return null
  }

  #countGap(reason: number): void {
    const { counters } = this.#parts.stats
    counters[GAP_COUNTERS[reason] ?? 'gapsUnknown']++
  }

  #onEnd(index: number): FormatFault | null {
    const { positions } = this.#parts
    if (!positions.has(index, DONE.placed) || positions.endOf(index) > 0) return 'misplaced'
    positions.setEnd(index, this.#envelope.endReason)
    return null
  }

  /** A close frame of a WebSocket, whose code says what the end before it said. */
  closeFault(index: number, payload: Uint8Array): FormatFault | null {
    const code = payload.length < 2 ? null : (payload[0] as number) * 256 + (payload[1] as number)
    const wanted = CLOSE_CODES[this.#parts.positions.endOf(index)] ?? null
    return wanted === null || code === wanted ? null : 'bad_close'
  }

  /** The kind of an end: why the server has ended the stream, if it did so as it should. */
  endKind(index: number, kind: string): string {
    const { format, positions } = this.#parts
    this.#answers.delete(index)
    if (kind !== 'ended' || format === 'raw') return kind
    return END_REASONS[positions.endOf(index)] ?? 'end_not_told'
  }
}

const NO_BYTES = new Uint8Array(0)
