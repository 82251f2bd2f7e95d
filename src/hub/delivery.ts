// Delivers messages to streams: gathers what one turn of the event loop has for each, sends it
// together, and has the one policy for slow consumers.

import { streamLimits } from '../core/limits.ts'
import type { Frame } from './frame.ts'
import type { Heartbeats } from './heartbeats.ts'
import { JoinedFrames } from './joined-frames.ts'
import { Outbox } from './outbox.ts'
import type { Outboxes } from './outboxes.ts'
import type { DeliveryAck } from './receipt.ts'
import type { CloseReason } from './refusals.ts'
import type { Settings } from './settings.ts'
import type { StreamKind } from './stream.ts'
import type { StreamSubjects } from './stream-subjects.ts'
import { STATE, type StreamTable } from './stream-table.ts'
import { Turn } from './turn.ts'

export interface DeliveryParts {
  readonly table: StreamTable
  readonly outboxes: Outboxes
  readonly subjects: StreamSubjects
  readonly heartbeats: Heartbeats
  readonly settings: Settings<'outboxBytes'>
  readonly kindOf: (slot: number) => StreamKind
  /** An open stream ends: its client has gone, or was too slow and is cut next. */
  readonly onEnd: (slot: number, reason: CloseReason) => void
  /** An open stream is to end in its proper way, since messages for it are missing here. */
  readonly onSkipped: (slot: number) => void
  /** Finds the clients that have left by now. */
  readonly refresh: () => void
}

export class Delivery {
  readonly #parts: DeliveryParts
  readonly #table: StreamTable
  readonly #outboxes: Outboxes
  readonly #subjects: StreamSubjects
  readonly #heartbeats: Heartbeats
  readonly #turn: Turn
  readonly #joined = new JoinedFrames()
  #isFlushDue = false

  constructor(parts: DeliveryParts) {
    this.#parts = parts
    this.#table = parts.table
    this.#outboxes = parts.outboxes
    this.#subjects = parts.subjects
    this.#heartbeats = parts.heartbeats
    this.#turn = new Turn(parts.table.length)
  }

  /** For several frames at a time; free between two turns. */
  get buffer(): Uint8Array {
    return this.#joined.bytes
  }

  /** The table has room for so many slots now. */
  growTo(slots: number): void {
    this.#turn.growTo(slots)
  }

  /** Does this turn have messages for the stream? */
  has(slot: number): boolean {
    return this.#turn.has(slot)
  }

  /**
   * A message, which {@link deliver} then says the receivers of; one about a subject is for the
   * streams that follow it for themselves, too. Hot path: once a message.
   *
   * @param ack is settled once with how many streams took it, when it has been sent
   */
  begin(frame: Frame, ack: DeliveryAck): void {
    if (this.#turn.isFull) this.flush()
    if (!this.#isFlushDue) {
      this.#isFlushDue = true
      setImmediate(() => this.flush())
    }
    this.#turn.begin(frame, ack)
    if (this.#subjects.size > 0) this.#deliverAbout(frame)
  }

  /** Marks the streams, so that none gets the message a second time as one of a user. */
  #deliverAbout({ isAbout, target }: Frame): void {
    const subjects = this.#subjects
    subjects.beginMarking()
    if (!isAbout) return
    if (this.#turn.isFullOfEntries) this.sendTurn()
    for (let entry = subjects.firstOf(target); entry !== 0; entry = subjects.next(entry)) {
      const slot = subjects.slotOf(entry)
      if (!this.#table.isOpen(slot)) continue
      subjects.mark(slot)
      this.#turn.add(slot)
    }
  }

  /** The message that was begun last is for all streams of this user. Hot path: once a receiver. */
  deliver(user: number): void {
    const { next } = this.#table
    let slot = this.#table.firstOf(user)
    if (slot !== 0 && this.#turn.isFullOfEntries) {
      this.sendTurn()
      slot = this.#table.firstOf(user)
    }
    const marks = this.#subjects.size > 0 ? this.#subjects : null
    for (; slot !== 0; slot = next[slot] as number) {
      if (marks?.isMarked(slot) !== true) this.#turn.add(slot)
    }
  }

  /**
   * The message that was begun last is for the next open stream behind a slot, too. Answers its
   * slot; 0 if there is none.
   *
   * @param isGap whether it is none, and only for streams that can be told of a gap
   */
  deliverBehind(slot: number, isGap: boolean): number {
    if (this.#turn.isFullOfEntries) this.sendTurn()
    const next = this.#table.nextOpen(slot)
    if (next === 0) return 0
    if (!isGap || this.#parts.kindOf(next).tellsGaps) this.#turn.add(next)
    return next
  }

  /** Sends what this turn of the loop has for all streams, and settles its messages. */
  flush(): void {
    this.#isFlushDue = false
    if (this.#turn.messages === 0) return
    // Who has left by now is not counted as a receiver.
    this.#parts.refresh()
    this.sendTurn()
    this.#turn.settle()
  }

  /** Sends what this turn has so far, and settles nothing. */
  sendTurn(): void {
    const turn = this.#turn
    const { entries } = turn
    for (let entry = 1; entry <= entries; entry++) {
      const slot = turn.takeOut(entry)
      if (slot === 0) continue
      const state = this.#table.state[slot]
      if (state === STATE.open) this.#send(slot, entry)
      else if (state === STATE.full) this.#queue(slot, this.#outboxes.of(slot), entry)
      else if (state === STATE.closed) this.#table.free(slot)
    }
    turn.clearEntries()
    this.#joined.clear()
  }

  /** Sends a stream all that this turn has for it. Hot path: one system call. */
  #send(slot: number, first: number): void {
    this.#heartbeats.sent(slot)
    const turn = this.#turn
    const kind = this.#parts.kindOf(slot)
    const joined = this.#joined
    for (let entry = first; entry !== 0; ) {
      const begun = entry
      const next = turn.after(begun)
      // A frame that is alone, or too large to be joined, is sent as it is.
      entry = next === 0 ? begun : joined.join(turn, kind, begun)
      const isJoined = entry !== begun
      if (!isJoined) entry = next
      const bytes = isJoined ? joined.bytes : kind.encode(turn.frameOf(begun))
      const length = isJoined ? joined.length : bytes.length
      const taken = kind.wire.write(slot, bytes, length)
      if (taken < 0) {
        this.#parts.onEnd(slot, 'client')
        return
      }
      if (taken < length) {
        this.#sentInPart(slot, begun, taken)
        return
      }
      for (let sent = begun; sent !== entry; sent = turn.after(sent)) turn.delivered(sent)
    }
  }

  /** The socket has taken some bytes of those of the entries from `first` on, and is full. */
  #sentInPart(slot: number, first: number, taken: number): void {
    const turn = this.#turn
    const kind = this.#parts.kindOf(slot)
    let entry = first
    let left = taken
    let bytes = kind.encode(turn.frameOf(entry))
    while (left >= bytes.length) {
      left -= bytes.length
      turn.delivered(entry)
      entry = turn.after(entry)
      bytes = kind.encode(turn.frameOf(entry))
    }
    const outbox = this.#fill(slot, bytes, left)
    turn.delivered(entry)
    this.#queue(slot, outbox, turn.after(entry))
  }

  #queue(slot: number, outbox: Outbox, first: number): void {
    const turn = this.#turn
    const kind = this.#parts.kindOf(slot)
    for (let entry = first; entry !== 0; entry = turn.after(entry)) {
      if (!this.#push(slot, outbox, kind.encode(turn.frameOf(entry)))) return
      turn.delivered(entry)
    }
  }

  /**
   * The slow-consumer policy, all of it: a frame waits as long as the outbox has room for it, and
   * then the stream ends. No other stream waits, nothing grows, and the client may reconnect.
   *
   * @returns whether the stream is still open
   */
  #push(slot: number, outbox: Outbox, bytes: Uint8Array): boolean {
    const { outboxBytes } = this.#parts.settings.current
    const isFull =
      outbox.bytes + bytes.length > outboxBytes || outbox.frames >= streamLimits.outboxFramesMax
    // What a stream begins with is no message: one message of any size may wait behind it.
    if (!isFull || outbox.frames === 0) {
      this.#outboxes.push(outbox, bytes)
      return true
    }
    this.#cut(slot)
    return false
  }

  /** Cuts the streams that have taken nothing of what they begin with since the last call. */
  cutStalled(): void {
    for (const slot of this.#outboxes.stalled()) {
      if (this.#table.state[slot] === STATE.full) this.#cut(slot)
    }
  }

  /**
   * Messages for these users, or about these subjects, are missing here, or for all: ends the
   * streams that can come back behind their last message, behind all that they are to have.
   */
  endSkipped(users: readonly number[]): void {
    this.sendTurn()
    const slots = new Set<number>(users.length === 0 ? this.#openSlots() : [])
    for (const user of users) {
      for (const slot of this.#table.slotsOf(user)) slots.add(slot)
      for (const slot of this.#subjects.slotsOf(user)) slots.add(slot)
    }
    for (const slot of slots) this.#endSkipped(slot)
  }

  /** All streams here may have missed something: ends those that cannot be told while open. */
  endUntold(): void {
    this.sendTurn()
    for (const slot of this.#openSlots()) {
      if (!this.#parts.kindOf(slot).tellsGaps) this.#endSkipped(slot)
    }
  }

  #endSkipped(slot: number): void {
    if (!this.#table.isOpen(slot)) return
    if (this.#parts.kindOf(slot).hasCursor) this.#parts.onSkipped(slot)
  }

  #openSlots(): number[] {
    const slots: number[] = []
    for (let slot = this.#table.nextOpen(0); slot !== 0; slot = this.#table.nextOpen(slot)) {
      slots.push(slot)
    }
    return slots
  }

  /** A client that comes back with its cursor has lost nothing. */
  #cut(slot: number): void {
    this.#parts.onEnd(slot, 'slow')
    this.#parts.kindOf(slot).wire.cut(slot)
  }

  /**
   * Sends what is no message, behind all that this turn has for the stream.
   *
   * @param bytes are kept as long as they wait
   */
  reply(slot: number, bytes: Uint8Array): void {
    if (this.#turn.has(slot)) this.sendTurn()
    const state = this.#table.state[slot]
    if (state === STATE.full) this.#push(slot, this.#outboxes.of(slot), bytes)
    if (state !== STATE.open) return
    this.#heartbeats.sent(slot)
    const taken = this.#parts.kindOf(slot).wire.write(slot, bytes, bytes.length)
    if (taken < 0) this.#parts.onEnd(slot, 'client')
    else if (taken < bytes.length) this.#fill(slot, bytes, taken)
  }

  /** The socket has taken some bytes of a frame, and is full. */
  #fill(slot: number, bytes: Uint8Array, taken: number): Outbox {
    const outbox = new Outbox()
    this.#table.state[slot] = STATE.full
    this.#outboxes.set(slot, outbox)
    this.#outboxes.push(outbox, bytes)
    outbox.take(taken)
    return outbox
  }
}
