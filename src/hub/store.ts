// The store of open streams: who is connected, what is for each stream in this turn of the event
// loop, what waits for it, and the one policy for slow consumers. A stream is a slot in typed
// arrays, and no object.

import type { Clock } from '../core/clock.ts'
import { streamLimits, websocketLimits } from '../core/limits.ts'
import { Connected } from './connected.ts'
import { Expiries } from './expiries.ts'
import type { Frame } from './frame.ts'
import { JoinedFrames } from './joined-frames.ts'
import { KindTable } from './kind-table.ts'
import { Outbox } from './outbox.ts'
import { Outboxes } from './outboxes.ts'
import type { DeliveryAck } from './receipt.ts'
import { CLOSES, type CloseReason, zeroCounts } from './refusals.ts'
import type { Settings } from './settings.ts'
import {
  DRAINED,
  type Lease,
  type StreamEnd,
  type StreamKind,
  type StreamRegistry,
  type StreamTerms,
  UNLIMITED,
  type WireOwner,
} from './stream.ts'
import { StreamSubjects, type SubjectsOwner } from './stream-subjects.ts'
import { STATE, StreamTable } from './stream-table.ts'
import { Turn } from './turn.ts'

export interface StreamStoreOptions {
  readonly settings: Settings<'outboxBytes'>
  readonly clock: Clock
  /**
   * Called once for every stream that ends after it was open: the store has forgotten it, and its
   * connection is not closed yet, unless its client did that.
   */
  readonly onEnd?: (user: number, reason: CloseReason, slot: number) => void
  /** Finds the clients that have left by now; called before a turn is sent, and before figures
   * are read. */
  readonly refresh?: () => void
  /** Called when a stream is to end at some time, so that {@link StreamStore.endExpired} is. */
  readonly onExpiring?: () => void
  /** Told of the subjects that streams follow for themselves. */
  readonly subjects?: SubjectsOwner
}

export class StreamStore implements StreamRegistry, WireOwner {
  /** Streams open now. */
  open = 0
  /** Streams that are reserved and still to be registered: each takes room, too. */
  opening = 0
  /** Streams opened since the start. */
  opened = 0
  /** Connections of streams that read what their clients send. */
  readers = 0
  /** Streams ended since the start, by reason. */
  readonly closed = zeroCounts(CLOSES)

  readonly connected: Connected
  readonly #options: StreamStoreOptions
  readonly #table = new StreamTable()
  readonly #outboxes = new Outboxes()
  /** By slot, of streams that count towards a limit. */
  readonly #leases = new Map<number, Lease>()
  readonly #kinds = new KindTable()
  /** By slot, what a stream that opens begins with alone. */
  readonly #heads = new Map<number, Uint8Array>()
  readonly #turn = new Turn(this.#table.length)
  #isFlushDue = false
  readonly #joined = new JoinedFrames()
  readonly #expiries = new Expiries(() => this.#options.onExpiring?.())
  readonly #subjects: StreamSubjects
  /** Where {@link drain} goes on. */
  #drained = 0

  constructor(options: StreamStoreOptions) {
    this.#options = options
    this.#subjects = new StreamSubjects(options.subjects ?? null)
    this.connected = new Connected(this.#table, this.#subjects, () => this.refresh())
  }

  /** Forgets the clients that have left by now. */
  refresh(): void {
    this.#options.refresh?.()
  }

  /** Bytes that wait in the outboxes of all streams together. */
  get queuedBytes(): number {
    return this.#outboxes.queuedBytes
  }

  /** Frames that waited when their stream ended; of those in the kernel only bytes are known. */
  get undelivered(): number {
    return this.#outboxes.undelivered
  }

  /** A slot for a new stream, which is to be connected and registered. */
  reserve(user: number, { lease, expiresAtSeconds, subjects }: StreamTerms): number {
    const { length } = this.#table
    const slot = this.#table.reserve(user)
    if (this.#table.length !== length) this.#turn.growTo(this.#table.length)
    if (lease !== null) this.#leases.set(slot, lease)
    this.#expiries.set(slot, expiresAtSeconds)
    this.#subjects.add(slot, subjects)
    this.opening++
    return slot
  }

  /**
   * The stream has its connection.
   *
   * @param head what it alone begins with, before what all of its kind do
   */
  connect(slot: number, kind: StreamKind, head: Uint8Array | null = null): void {
    this.#table.kind[slot] = this.#kinds.numberOf(kind)
    if (head !== null) this.#heads.set(slot, head)
    if (kind.input !== null) this.readers++
  }

  #kindOf(slot: number): StreamKind {
    return this.#kinds.of(this.#table.kind[slot] as number)
  }

  descriptorOf(slot: number): number {
    return this.#kindOf(slot).wire.descriptorOf(slot)
  }

  userOf(slot: number): number {
    return this.#table.user[slot] as number
  }

  /** Every stream of this process is known at once to the router that is in it too. */
  register(slot: number): void {
    const kind = this.#kindOf(slot)
    const opening = this.#headed(slot, kind.opening(this.userOf(slot)))
    const taken = Math.max(0, kind.wire.write(slot, opening, opening.length))
    this.#table.state[slot] = STATE.open
    if (taken < opening.length) this.#fill(slot, new Outbox(opening.slice(taken)))
    this.#table.openedAtMs[slot] = this.#options.clock.nowMs()
    this.#table.link(slot)
    this.opening--
    this.open++
    this.opened++
  }

  #headed(slot: number, opening: Uint8Array): Uint8Array {
    const head = this.#heads.get(slot)
    if (head === undefined) return opening
    this.#heads.delete(slot)
    return Buffer.concat([head, opening])
  }

  #fill(slot: number, outbox: Outbox): void {
    this.#table.state[slot] = STATE.full
    this.#outboxes.set(slot, outbox)
  }

  /** Is the stream still to be registered? If not, its client has gone. */
  isOpening(slot: number): boolean {
    return this.#table.state[slot] === STATE.opening
  }

  /** Ends a stream that was not registered, properly and without a welcome. */
  endOpening(slot: number): void {
    this.#table.state[slot] = STATE.ended
    this.opening--
    this.#release(slot)
    this.#kindOf(slot).wire.end(slot)
  }

  /** A stream whose client left before it was registered is referred to no longer. */
  forget(slot: number): void {
    this.#table.free(slot)
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
    if (this.#turn.isFullOfEntries) this.#sendTurn()
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
      this.#sendTurn()
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
   */
  deliverBehind(slot: number): number {
    if (this.#turn.isFullOfEntries) this.#sendTurn()
    const next = this.#table.nextOpen(slot)
    if (next !== 0) this.#turn.add(next)
    return next
  }

  /** Sends what this turn of the loop has for all streams, and settles its messages. */
  flush(): void {
    this.#isFlushDue = false
    if (this.#turn.messages === 0) return
    // Who has left by now is not counted as a receiver.
    this.refresh()
    this.#sendTurn()
    this.#turn.settle()
  }

  #sendTurn(): void {
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
    const turn = this.#turn
    const kind = this.#kindOf(slot)
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
        this.#remove(slot, 'client')
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
    const kind = this.#kindOf(slot)
    let entry = first
    let left = taken
    let bytes = kind.encode(turn.frameOf(entry))
    while (left >= bytes.length) {
      left -= bytes.length
      turn.delivered(entry)
      entry = turn.after(entry)
      bytes = kind.encode(turn.frameOf(entry))
    }
    const outbox = new Outbox()
    this.#fill(slot, outbox)
    this.#outboxes.push(outbox, bytes)
    outbox.take(left)
    turn.delivered(entry)
    this.#queue(slot, outbox, turn.after(entry))
  }

  #queue(slot: number, outbox: Outbox, first: number): void {
    const turn = this.#turn
    const kind = this.#kindOf(slot)
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
    const { outboxBytes } = this.#options.settings.current
    const isFull =
      outbox.bytes + bytes.length > outboxBytes || outbox.frames >= streamLimits.outboxFramesMax
    // What a stream begins with is no message: one message of any size may wait behind it.
    if (!isFull || outbox.frames === 0) {
      this.#outboxes.push(outbox, bytes)
      return true
    }
    this.#remove(slot, 'slow')
    this.#kindOf(slot).wire.cut(slot)
    return false
  }

  /**
   * Sends what is no message, such as an answer to what the client has sent, behind all that it was
   * sent before.
   *
   * @param bytes are kept as long as they wait
   */
  reply(slot: number, bytes: Uint8Array): void {
    if (this.#turn.has(slot)) this.#sendTurn()
    const state = this.#table.state[slot]
    if (state === STATE.full) this.#push(slot, this.#outboxes.of(slot), bytes)
    if (state !== STATE.open) return
    const taken = this.#kindOf(slot).wire.write(slot, bytes, bytes.length)
    if (taken < 0) this.#remove(slot, 'client')
    if (taken < 0 || taken === bytes.length) return
    const outbox = new Outbox()
    this.#fill(slot, outbox)
    this.#outboxes.push(outbox, bytes)
    outbox.take(taken)
  }

  onDrain(slot: number): void {
    if (!this.#outboxes.has(slot)) return
    const { wire } = this.#kindOf(slot)
    const isOpen = this.#table.state[slot] !== STATE.ending
    if (!this.#outboxes.write(slot, wire, this.#joined.bytes, isOpen)) {
      if (isOpen) this.#remove(slot, 'client')
    } else if (!this.#outboxes.has(slot)) {
      if (isOpen) this.#table.state[slot] = STATE.open
      else this.#finish(slot)
    }
  }

  /** All is sent. A client that may be sending is let finish, so that nothing resets it. */
  #finish(slot: number): void {
    const { wire, input } = this.#kindOf(slot)
    if (input === null) {
      wire.end(slot)
      return
    }
    wire.halfClose(slot)
    wire.onEnding(slot)
    this.#endWithin(slot, websocketLimits.closeMsMax)
  }

  reads(slot: number): boolean {
    return this.#kindOf(slot).input !== null
  }

  onData(slot: number, bytes: Uint8Array): void {
    const { input, wire } = this.#kindOf(slot)
    if (this.#table.isOpen(slot)) input?.onData(slot, bytes)
    // Before it was answered: what it takes the answer for cannot be known.
    else if (this.isOpening(slot)) wire.cut(slot)
  }

  /** The client has closed its half, as it does when it leaves, or once it has had the end. */
  onEnd(slot: number): void {
    const isSending = this.#table.state[slot] === STATE.ending && this.#outboxes.has(slot)
    if (!isSending) this.#kindOf(slot).wire.end(slot)
  }

  onClose(slot: number): void {
    const { input } = this.#kindOf(slot)
    if (input !== null) {
      this.readers--
      this.#heads.delete(slot)
      input.onClose(slot)
    }
    const state = this.#table.state[slot]
    if (state === STATE.opening) {
      // The registry, which still has the slot, frees it by {@link forget}.
      this.#table.state[slot] = STATE.closed
      this.opening--
      this.#release(slot)
      return
    }
    if (state === STATE.open || state === STATE.full) this.#remove(slot, 'client')
    this.#outboxes.delete(slot)
    this.#expiries.set(slot, UNLIMITED.expiresAtSeconds)
    // Another stream in its slot would get what this turn has for this one.
    if (this.#turn.has(slot)) this.#table.state[slot] = STATE.closed
    else this.#table.free(slot)
  }

  /** Ends up to `count` streams in their proper way, in no particular order. Answers how many. */
  drain(count: number): number {
    this.#sendTurn()
    let ended = 0
    for (; ended < count && this.open > 0; ended++) {
      this.#drained = this.#table.nextOpen(this.#drained) || this.#table.nextOpen(0)
      this.#endProperly(this.#drained, DRAINED)
    }
    return ended
  }

  /**
   * Ends the streams whose tokens have expired, in their proper way, and cuts those that have not
   * taken their last bytes in time: a batch, since others wait meanwhile. Answers when some may be
   * left that are to end.
   */
  endExpired(): 'now' | 'later' | 'never' {
    const { drainBatch } = streamLimits
    const due = this.#expiries.due(this.#options.clock.nowMs(), this.#table.slots, drainBatch)
    if (due.length === 0) return this.#expiries.count > 0 ? 'later' : 'never'
    this.refresh()
    this.#sendTurn()
    for (const slot of due) {
      const state = this.#table.state[slot]
      // One that is opening is found again.
      if (state === STATE.open || state === STATE.full)
        this.#endProperly(slot, this.#expiries.endOf(slot))
      else if (state === STATE.ending) this.#endLate(slot)
    }
    if (this.#expiries.count === 0) return 'never'
    return due.length < drainBatch ? 'later' : 'now'
  }

  /**
   * Ends all streams of a user in their proper way, those that are still to be registered soon
   * after they are. Answers how many they are.
   */
  endUser(user: number, end: StreamEnd): number {
    this.#sendTurn()
    const slots = this.#table.slotsOf(user)
    for (const slot of slots) this.#endProperly(slot, end)
    const opening = this.#table.openingOf(user)
    return slots.length + opening.filter((slot) => this.#expiries.endSoon(slot, end)).length
  }

  #endProperly(slot: number, end: StreamEnd): void {
    this.#endWith(slot, end.reason, this.#kindOf(slot).ending(end))
  }

  /** Ends an open stream as its format does, when its client ended it, or has broken its rules. */
  close(slot: number, reason: 'client' | 'protocol', ending: Uint8Array): void {
    if (this.#table.isOpen(slot)) this.#endWith(slot, reason, ending)
  }

  /** Sends what waits, however full the socket is, and then the end. */
  #endWith(slot: number, reason: CloseReason, ending: Uint8Array): void {
    const waiting = this.#outboxes.get(slot)
    const outbox = waiting ?? new Outbox()
    this.#remove(slot, reason, true)
    if (ending.length > 0) outbox.push(ending)
    this.#outboxes.set(slot, outbox)
    if (waiting === undefined) this.onDrain(slot)
    if (!this.#outboxes.has(slot)) return
    this.#kindOf(slot).wire.onEnding(slot)
    // At a stop the port cuts them, and says so.
    if (reason !== 'drained') this.#endWithin(slot, streamLimits.drainMsMax)
  }

  /** The connection of a stream that ends is closed then, if its client has not done that. */
  #endWithin(slot: number, ms: number): void {
    this.#expiries.setExactly(slot, (this.#options.clock.nowMs() + ms) / 1_000, DRAINED)
  }

  #endLate(slot: number): void {
    const { wire } = this.#kindOf(slot)
    if (this.#outboxes.has(slot)) wire.cut(slot)
    else wire.end(slot)
  }

  /**
   * An open stream ends.
   *
   * @param isProper is what waits still sent?
   */
  #remove(slot: number, reason: CloseReason, isProper = false): void {
    this.#table.unlink(slot)
    this.#table.state[slot] = isProper ? STATE.ending : STATE.ended
    this.#outboxes.end(slot, isProper)
    this.open--
    this.closed[reason]++
    this.#release(slot)
    this.#options.onEnd?.(this.userOf(slot), reason, slot)
  }

  /** What a stream was admitted with, it has no more. */
  #release(slot: number): void {
    this.#leases.get(slot)?.release()
    this.#leases.delete(slot)
    this.#expiries.set(slot, UNLIMITED.expiresAtSeconds)
    this.#subjects.remove(slot)
  }
}
