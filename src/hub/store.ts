// The store of open streams: who is connected, how streams begin and end, and what waits for each.
// A stream is a slot in typed arrays, and no object.

import type { Clock } from '../core/clock.ts'
import { streamLimits, websocketLimits } from '../core/limits.ts'
import { Connected } from './connected.ts'
import { Delivery } from './delivery.ts'
import { Expiries } from './expiries.ts'
import type { Frame } from './frame.ts'
import { Heartbeats } from './heartbeats.ts'
import { KindTable } from './kind-table.ts'
import { Outbox } from './outbox.ts'
import { Outboxes } from './outboxes.ts'
import type { DeliveryAck } from './receipt.ts'
import { CLOSES, type CloseReason, zeroCounts } from './refusals.ts'
import type { Settings } from './settings.ts'
import {
  ANSWERED,
  DRAINED,
  type Lease,
  type StreamBeginning,
  type StreamEnd,
  type StreamKind,
  type StreamTerms,
  UNLIMITED,
  type WireOwner,
} from './stream.ts'
import { StreamSubjects, type SubjectsOwner } from './stream-subjects.ts'
import { STATE, StreamTable } from './stream-table.ts'
import { TwoWayStreams } from './two-way-streams.ts'

export interface StreamStoreOptions {
  readonly settings: Settings<'outboxBytes'>
  readonly clock: Clock
  /** Called once for every stream that opens. */
  readonly onOpen?: (slot: number) => void
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
  /** Called when a stream has opened that is to get heartbeats, so that {@link StreamStore.beat} is
   * as long as {@link StreamStore.heartbeats} has streams. */
  readonly onBeating?: () => void
  /** Told of the subjects that streams follow for themselves. */
  readonly subjects?: SubjectsOwner
}

export class StreamStore implements WireOwner {
  /** Streams open now. */
  open = 0
  /** Streams that are reserved and still to be registered: each takes room, too. */
  opening = 0
  /** Bytes of answers with what was missed, that wait for their clients to read them. */
  answerBytes = 0
  /** Streams opened since the start. */
  opened = 0
  /** Streams ended since the start, by reason. */
  readonly closed = zeroCounts(CLOSES)

  readonly connected: Connected
  readonly #options: StreamStoreOptions
  readonly #table = new StreamTable()
  readonly #outboxes = new Outboxes()
  /** By slot, of streams that count towards a limit. */
  readonly #leases = new Map<number, Lease>()
  readonly #kinds = new KindTable()
  readonly #twoWay = new TwoWayStreams()
  readonly expiries = new Expiries(() => this.#options.onExpiring?.())
  readonly #subjects: StreamSubjects
  readonly heartbeats = new Heartbeats(() => this.#options.onBeating?.())
  readonly delivery: Delivery
  /** Where {@link drain} goes on. */
  #drained = 0

  constructor(options: StreamStoreOptions) {
    this.#options = options
    this.#subjects = new StreamSubjects(options.subjects ?? null)
    const parts = { table: this.#table, subjects: this.#subjects, clock: options.clock }
    this.connected = new Connected({ ...parts, refresh: () => this.refresh() })
    this.delivery = new Delivery({
      ...{ table: this.#table, outboxes: this.#outboxes, subjects: this.#subjects },
      ...{ heartbeats: this.heartbeats, settings: options.settings },
      kindOf: (slot) => this.#kindOf(slot),
      onEnd: (slot, reason) => this.#remove(slot, reason),
      onSkipped: (slot) => {
        this.#endProperly(slot, DRAINED)
        if (this.#outboxes.has(slot)) this.#endWithin(slot, streamLimits.drainMsMax)
      },
      refresh: () => this.refresh(),
    })
  }

  /** Forgets the clients that have left by now. */
  refresh(): void {
    this.#options.refresh?.()
  }

  /** Bytes that wait in the outboxes of all streams together. */
  get queuedBytes(): number {
    return this.#outboxes.queuedBytes
  }

  /** Bytes of what streams begin with, that wait in the outboxes of all, and of answers. */
  get beginningBytes(): number {
    return this.#outboxes.beginningBytes + this.answerBytes
  }

  /** Frames that waited when their stream ended; of those in the kernel only bytes are known. */
  get undelivered(): number {
    return this.#outboxes.undelivered
  }

  /** A slot for a new stream, which is to be connected and registered. */
  reserve(user: number, { lease, expiresAtSeconds, subjects }: StreamTerms): number {
    const { length } = this.#table
    const slot = this.#table.reserve(user)
    if (this.#table.length !== length) this.delivery.growTo(this.#table.length)
    if (lease !== null) this.#leases.set(slot, lease)
    this.expiries.set(slot, expiresAtSeconds)
    this.#subjects.add(slot, subjects)
    this.opening++
    return slot
  }

  /**
   * The stream has its connection.
   *
   * @param head what it alone begins with, before what all of its kind do, if it reads
   */
  connect(slot: number, kind: StreamKind, head: Uint8Array | null = null): void {
    this.#table.kind[slot] = this.#kinds.numberOf(kind)
    if (kind.input !== null) this.#twoWay.connect(slot, head)
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

  hasOpen(slot: number): boolean {
    return this.#table.isOpen(slot)
  }

  /**
   * The open stream follows these, too.
   *
   * @param subjects that it does not follow already, each once
   * @param areCounted does the owner of the subjects know of them already?
   */
  follow(slot: number, subjects: readonly number[], areCounted = false): void {
    this.#subjects.add(slot, subjects, areCounted)
  }

  /** The open stream follows none of these for itself any more. */
  unfollow(slot: number, subjects: readonly number[]): void {
    for (const subject of subjects) this.#subjects.removeOne(slot, subject)
  }

  /** What the stream follows beside what its user does. */
  subjectsOf(slot: number): number[] {
    return this.#subjects.of(slot)
  }

  /**
   * Opens a stream. What it gets first it was promised: that waits for room however much it is.
   *
   * @param beginning null for a stream that is not told where it is in the log
   */
  register(slot: number, beginning: StreamBeginning | null = null): void {
    const kind = this.#kindOf(slot)
    const begun = beginning === null ? undefined : kind.begin?.(slot, beginning)
    const before = begun?.bytes ?? kind.opening(this.userOf(slot), beginning?.start ?? null)
    const opening = kind.input === null ? before : this.#twoWay.headed(slot, before)
    const taken = Math.max(0, kind.wire.write(slot, opening, opening.length))
    this.#table.state[slot] = STATE.open
    const missed = (begun === undefined ? beginning?.missed : undefined) ?? []
    if (taken < opening.length || missed.length > 0) {
      this.#begin(slot, opening.slice(taken), missed)
    }
    this.connected.stamp(slot)
    this.#table.link(slot)
    this.heartbeats.begin(slot, kind.heartbeat)
    this.opening--
    this.open++
    this.opened++
    this.#options.onOpen?.(slot)
    if (begun?.isOver === true) this.#endProperly(slot, ANSWERED)
  }

  /** What a stream begins with is sent as far as its socket takes it; the rest waits. */
  #begin(slot: number, opening: Uint8Array, missed: readonly Frame[]): void {
    const kind = this.#kindOf(slot)
    const outbox = new Outbox()
    this.#fill(slot, outbox)
    const isFull = opening.length > 0
    if (isFull) this.#outboxes.pushBeginning(outbox, opening)
    for (const frame of missed) this.#outboxes.pushBeginning(outbox, kind.encode(frame))
    // A client that has gone is noticed by the wire.
    if (!isFull) this.#outboxes.write(slot, kind.wire, this.delivery.buffer, true)
    if (!this.#outboxes.has(slot)) this.#table.state[slot] = STATE.open
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
    this.delivery.begin(frame, ack)
  }

  /** The message that was begun last is for all streams of this user. Hot path: once a receiver. */
  deliver(user: number): void {
    this.delivery.deliver(user)
  }

  /** Sends what this turn of the loop has for all streams, and settles its messages. */
  flush(): void {
    this.delivery.flush()
  }

  /** @param share of the longest silence of a stream that has gone by since the last call */
  beat(share: number): void {
    this.heartbeats.look(share, this.#table.slots, (slot) => this.#beat(slot))
  }

  /** What waits for a full socket is sign of life enough. */
  #beat(slot: number): void {
    if (this.#table.state[slot] !== STATE.open) return
    const { wire, heartbeat } = this.#kindOf(slot)
    if (heartbeat.length === 0) return
    this.heartbeats.sentTotal++
    const taken = wire.write(slot, heartbeat, heartbeat.length)
    if (taken < 0) this.#remove(slot, 'client')
    else if (taken < heartbeat.length) this.#begin(slot, heartbeat.subarray(taken), [])
  }

  onDrain(slot: number): void {
    if (!this.#outboxes.has(slot)) return
    const { wire } = this.#kindOf(slot)
    const isOpen = this.#table.state[slot] !== STATE.ending
    if (!this.#outboxes.write(slot, wire, this.delivery.buffer, isOpen)) {
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
    if (this.#twoWay.isClosing(slot)) wire.halfClose(slot)
    wire.onEnding(slot)
    this.#endWithin(slot, websocketLimits.closeMsMax)
  }

  /** Connections of streams that read what their clients send. */
  get readers(): number {
    return this.#twoWay.count
  }

  reads(slot: number): boolean {
    return this.#kindOf(slot).input !== null
  }

  onData(slot: number, bytes: Uint8Array): void {
    const { input, wire } = this.#kindOf(slot)
    if (this.#table.isOpen(slot)) input?.onData(slot, bytes)
    // Before it was answered: what it takes the answer for cannot be known.
    else if (this.isOpening(slot)) wire.cut(slot)
    else if (!this.#twoWay.isClosing(slot) && input?.isEnd(slot, bytes) === true) {
      this.#twoWay.setClosing(slot)
      if (!this.#outboxes.has(slot)) wire.end(slot)
    }
  }

  /** The client has closed its half, as it does when it leaves, or once it has had the end. */
  onEnd(slot: number): void {
    const isSending = this.#table.state[slot] === STATE.ending && this.#outboxes.has(slot)
    if (!isSending) this.#kindOf(slot).wire.end(slot)
  }

  onClose(slot: number, reason: CloseReason = 'client'): void {
    const { input } = this.#kindOf(slot)
    if (input !== null) this.#twoWay.onClose(slot, input)
    const state = this.#table.state[slot]
    if (state === STATE.opening) {
      // The registry, which still has the slot, frees it by {@link forget}.
      this.#table.state[slot] = STATE.closed
      this.opening--
      this.#release(slot)
      return
    }
    if (state === STATE.open || state === STATE.full) this.#remove(slot, reason)
    this.#outboxes.delete(slot)
    this.expiries.set(slot, UNLIMITED.expiresAtSeconds)
    // Another stream in its slot would get what this turn has for this one.
    if (this.delivery.has(slot)) this.#table.state[slot] = STATE.closed
    else this.#table.free(slot)
  }

  /** Ends up to `count` streams in their proper way, in no particular order. Answers how many. */
  drain(count: number): number {
    this.delivery.sendTurn()
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
    const due = this.expiries.due(this.#options.clock.nowMs(), this.#table.slots, drainBatch)
    if (due.length === 0) return this.expiries.count > 0 ? 'later' : 'never'
    this.refresh()
    this.delivery.sendTurn()
    for (const slot of due) {
      const state = this.#table.state[slot]
      // One that is opening is found again.
      if (state === STATE.open || state === STATE.full)
        this.#endProperly(slot, this.expiries.endOf(slot))
      else if (state === STATE.ending) this.#endLate(slot)
    }
    if (this.expiries.count === 0) return 'never'
    return due.length < drainBatch ? 'later' : 'now'
  }

  /**
   * Ends all streams of a user in their proper way, those that are still to be registered soon
   * after they are. Answers how many they are.
   */
  endUser(user: number, end: StreamEnd): number {
    this.delivery.sendTurn()
    const slots = this.#table.slotsOf(user)
    for (const slot of slots) this.#endProperly(slot, end)
    const opening = this.#table.openingOf(user)
    return slots.length + opening.filter((slot) => this.expiries.endSoon(slot, end)).length
  }

  #endProperly(slot: number, end: StreamEnd): void {
    this.#endWith(slot, end.reason, this.#kindOf(slot).ending(end))
  }

  /** Ends an open stream as its format does, when its client ended it, or has broken its rules. */
  close(slot: number, reason: 'client' | 'protocol', ending: Uint8Array): void {
    if (!this.#table.isOpen(slot)) return
    this.#twoWay.setClosing(slot)
    this.#endWith(slot, reason, ending)
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
    this.expiries.setExactly(slot, (this.#options.clock.nowMs() + ms) / 1_000, DRAINED)
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
    this.heartbeats.end(this.#kindOf(slot).heartbeat)
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
    this.expiries.set(slot, UNLIMITED.expiresAtSeconds)
    this.#subjects.remove(slot)
  }
}
