// The connections of streams as descriptors, on Linux in the clear: each is taken out of Bun, which
// keeps nothing of it, and costs this process 13 bytes in four tables. The only place that writes
// to them, waits for them and closes them.

import { type Clock, togetherMs } from '../core/clock.ts'
import { settledWithin } from '../core/deadline.ts'
import { clockLimits, wireLimits } from '../core/limits.ts'
import { grown } from '../core/typed-array.ts'
import type { OnBug } from '../http/elysia.ts'
import type { Socket } from '../http/exchange.ts'
import { NO_OWNER, type Wire, type WireOwner } from '../hub/stream.ts'
import { closeDescriptor, descriptorOf } from '../os/bun-socket.ts'
import { type DescriptorCalls, EPOLL } from '../os/epoll.ts'
import { ERRNO } from '../os/libc.ts'
import { UNHELD } from './socket-wire.ts'

const { descriptorsMax, generationsMax, receivedBytesPerTurn } = wireLimits
const { pollMsMin, pollMsFull, pollMsReading, pollMsMax } = wireLimits

/** As edges, so that what a client leaves unread, or has closed, is reported once. */
const WATCHED = EPOLL.in | EPOLL.readHangUp | EPOLL.edge

const FIRST_TABLE = 1_024

/** Errors that a connection ends with; any other one is a bug. */
const GONE: ReadonlySet<number> = new Set([
  ERRNO.EPIPE,
  ERRNO.ECONNRESET,
  ERRNO.ECONNABORTED,
  ERRNO.ENOTCONN,
  ERRNO.ETIMEDOUT,
  ERRNO.ENETDOWN,
  ERRNO.ENETUNREACH,
  ERRNO.EHOSTDOWN,
  ERRNO.EHOSTUNREACH,
])

export interface DescriptorWireOptions {
  readonly calls: DescriptorCalls
  /** A descriptor of an epoll, which is closed with the wire. */
  readonly epoll: number
  readonly clock: Clock
  readonly onBug: OnBug
}

/**
 * The kernel gives the number of a descriptor that was closed to the next one that is opened; so a
 * generation beside it tells whether an event is of the connection that has it now.
 */
export class DescriptorWire implements Wire {
  /** Connections that are open. */
  open = 0
  /** Set before the first connection. */
  owner: WireOwner = NO_OWNER
  readonly #options: DescriptorWireOptions
  readonly #calls: DescriptorCalls
  /** By slot: the descriptor, or 0, which is none of a connection. */
  #descriptors = new Uint32Array(FIRST_TABLE)
  /** By descriptor: the slot of its stream, or 0. */
  #slots = new Uint32Array(FIRST_TABLE)
  /** By descriptor. */
  #generations = new Uint32Array(FIRST_TABLE)
  /** By descriptor: is the owner to be told when there is room? */
  #isFull = new Uint8Array(FIRST_TABLE)
  #generation = 0
  /** Slots that the kernel had no memory for. */
  #starved: number[] = []
  /** Descriptors of streams that read, of which more has arrived than one turn reads. */
  readonly #unread = new Set<number>()
  /** Bytes that may still be read in this turn. */
  #readable = 0
  /** Descriptors that are full. */
  #full = 0
  #timer: Timer | null = null
  /** When all that had happened was handled, the last time. */
  #polledMs = 0
  /** Milliseconds from the last poll to the next one. */
  #waitMs: number = pollMsMax
  #onEmpty: (() => void) | null = null
  /** Is the epoll closed? Its number may be another file's by now. */
  #isStopped = false

  constructor(options: DescriptorWireOptions) {
    this.#options = options
    this.#calls = options.calls
  }

  /**
   * Takes the connection of a stream out of a socket of Bun, which is closed, and of which its peer
   * notices nothing.
   *
   * @returns false if that is not possible, as when no descriptor is left; then the socket is as it
   *   was
   */
  adopt(slot: number, socket: Socket): boolean {
    const descriptor = this.#calls.duplicate(descriptorOf(socket) ?? -1)
    if (descriptor < 0) return false
    if (!this.add(slot, descriptor)) {
      this.#calls.close(descriptor)
      return false
    }
    socket.data = UNHELD
    closeDescriptor(socket)
    return true
  }

  /** Owns a descriptor from now on, for a stream. False if that is not possible. */
  add(slot: number, descriptor: number): boolean {
    if (descriptor === 0 || descriptor >= descriptorsMax) return false
    const generation = (this.#generation % (generationsMax - 1)) + 1
    const { epoll } = this.#options
    if (this.#calls.watch(epoll, true, descriptor, generation, WATCHED) < 0) return false
    this.#generation = generation
    this.#growTo(slot, descriptor)
    this.#descriptors[slot] = descriptor
    this.#slots[descriptor] = slot
    this.#generations[descriptor] = generation
    this.open++
    if (this.#timer === null) this.#pollLater()
    return true
  }

  descriptorOf(slot: number): number {
    return this.#descriptors[slot] ?? 0
  }

  /** Hot path: once a delivery. */
  write(slot: number, bytes: Uint8Array, length: number): number {
    const descriptor = this.#descriptors[slot] as number
    if (descriptor === 0) return -1
    let taken: number
    do taken = this.#calls.send(descriptor, bytes, length)
    while (taken === -ERRNO.EINTR)
    return taken === length ? taken : this.#onShort(slot, descriptor, taken)
  }

  #onShort(slot: number, descriptor: number, taken: number): number {
    if (taken >= 0 || taken === -ERRNO.EAGAIN) {
      this.#watchRoom(descriptor, true)
      return Math.max(0, taken)
    }
    // The socket may have room, so that no event would come.
    if (taken === -ERRNO.ENOBUFS || taken === -ERRNO.ENOMEM) {
      this.#starved.push(slot)
      this.#pollWithin(pollMsFull)
      return 0
    }
    // The owner is told later, since it is in the middle of something.
    if (this.#isOurs(descriptor, 'send', taken)) {
      const generation = this.#generations[descriptor]
      queueMicrotask(() => {
        if (this.#generations[descriptor] === generation) this.#close(descriptor)
      })
    } else {
      this.#forget(descriptor)
      queueMicrotask(() => this.#onClosed(slot))
    }
    return -1
  }

  /** Reports an error that no connection has; false if the descriptor is not ours to close. */
  #isOurs(descriptor: number, call: string, result: number): boolean {
    if (GONE.has(-result)) return true
    this.#options.onBug(new Error(`${call} of descriptor ${descriptor} failed: errno ${-result}`))
    return result !== -ERRNO.EBADF && result !== -ERRNO.ENOTSOCK
  }

  #watchRoom(descriptor: number, isFull: boolean): void {
    if (this.#isFull[descriptor] === Number(isFull)) return
    this.#setFull(descriptor, isFull)
    if (isFull) this.#pollWithin(pollMsFull)
    const generation = this.#generations[descriptor] as number
    const events = isFull ? WATCHED | EPOLL.out : WATCHED
    const result = this.#calls.watch(this.#options.epoll, false, descriptor, generation, events)
    if (result < 0) this.#isOurs(descriptor, 'epoll_ctl', result)
  }

  #setFull(descriptor: number, isFull: boolean): void {
    this.#full += Number(isFull) - (this.#isFull[descriptor] as number)
    this.#isFull[descriptor] = Number(isFull)
  }

  end(slot: number): void {
    const descriptor = this.descriptorOf(slot)
    if (descriptor === 0) return
    // With bytes unread, closing would reset the connection before the client has read its end.
    this.#calls.drop(descriptor, wireLimits.droppedBytesPerTurn)
    this.#calls.shutdown(descriptor)
    this.#close(descriptor)
  }

  halfClose(slot: number): void {
    const descriptor = this.descriptorOf(slot)
    // If the connection is broken, an event says so.
    if (descriptor !== 0) this.#calls.shutdown(descriptor)
  }

  cut(slot: number): void {
    const descriptor = this.descriptorOf(slot)
    if (descriptor === 0) return
    this.#calls.resetOnClose(descriptor)
    this.#close(descriptor)
  }

  /** Nothing to do: {@link stop} waits for all that are open. */
  onEnding(): void {
    // Empty.
  }

  /** The only place that closes a descriptor. */
  #close(descriptor: number): void {
    const slot = this.#forget(descriptor)
    const result = this.#calls.close(descriptor)
    if (result === -ERRNO.EBADF) this.#isOurs(descriptor, 'close', result)
    this.#onClosed(slot)
  }

  /** Answers the slot of its stream. */
  #forget(descriptor: number): number {
    const slot = this.#slots[descriptor] as number
    this.#slots[descriptor] = 0
    this.#generations[descriptor] = 0
    this.#setFull(descriptor, false)
    if (this.#unread.size > 0) this.#unread.delete(descriptor)
    this.#descriptors[slot] = 0
    this.open--
    return slot
  }

  #onClosed(slot: number): void {
    this.owner.onClose(slot)
    if (this.open === 0) this.#onEmpty?.()
  }

  /**
   * Handles what has happened, up to a bound. If there is more, it is handled a moment later.
   *
   * @returns how many events it handled
   */
  poll(): number {
    if (this.#isStopped) return 0
    const calls = this.#calls
    this.#readable = receivedBytesPerTurn
    const rest = this.#readRest()
    const count = calls.wait(this.#options.epoll)
    if (count < 0 && count !== -ERRNO.EINTR) {
      this.#options.onBug(new Error(`epoll_wait failed: errno ${-count}`))
    }
    for (let at = 0; at < count; at++) {
      const descriptor = calls.descriptorAt(at)
      // Closed since the kernel reported it, and perhaps used again.
      if (this.#generations[descriptor] !== calls.generationAt(at)) continue
      try {
        this.#onEvents(descriptor, calls.eventsAt(at))
      } catch (error) {
        // Of one stream; the events of the others come only once.
        this.#options.onBug(error)
      }
    }
    if (this.#starved.length > 0) this.#feed()
    return rest + Math.max(0, count)
  }

  /** Reads what earlier turns have left, of each stream a part; answers of how many. */
  #readRest(): number {
    if (this.#unread.size === 0) return 0
    const descriptors = [...this.#unread]
    for (const descriptor of descriptors) {
      if (this.#readable <= 0) break
      // Closed meanwhile.
      if (!this.#unread.delete(descriptor)) continue
      try {
        this.#receive(descriptor)
      } catch (error) {
        this.#options.onBug(error)
      }
    }
    return descriptors.length
  }

  /**
   * Handles all that has happened until a millisecond ago, so that figures are of now.
   */
  pollAll(): void {
    const nowMs = this.#options.clock.elapsedMs()
    if (nowMs - this.#polledMs < pollMsMin) return
    this.#polledMs = nowMs
    for (let polls = 0; polls < wireLimits.pollsMax; polls++) {
      if (this.poll() < wireLimits.eventsPerTurn) return
    }
  }

  /** Memory may be there again. */
  #feed(): void {
    const starved = this.#starved
    this.#starved = []
    // The slot may be another stream's by now, of which nothing waits.
    for (const slot of starved) if (this.descriptorOf(slot) !== 0) this.owner.onDrain(slot)
  }

  #onEvents(descriptor: number, events: number): void {
    if ((events & (EPOLL.error | EPOLL.hangUp)) !== 0) {
      this.#close(descriptor)
      return
    }
    const generation = this.#generations[descriptor]
    if (this.#slotReads(descriptor)) {
      if ((events & (EPOLL.in | EPOLL.readHangUp)) !== 0) this.#receive(descriptor)
    } else {
      if ((events & EPOLL.in) !== 0 && !this.#drop(descriptor)) return
      if ((events & EPOLL.readHangUp) !== 0) this.owner.onEnd(this.#slots[descriptor] as number)
    }
    if ((events & EPOLL.out) === 0 || this.#generations[descriptor] !== generation) return
    this.#drain(descriptor)
  }

  /**
   * Drops what a client has sent, up to a bound; what is left waits in the kernel until more
   * arrives, and keeps the client from sending much more. Answers whether the connection is open.
   */
  #drop(descriptor: number): boolean {
    const dropped = this.#calls.drop(descriptor, wireLimits.droppedBytesPerTurn)
    if (dropped >= 0 || dropped === -ERRNO.EAGAIN || dropped === -ERRNO.EINTR) return true
    this.#onUnreadable(descriptor, dropped)
    return false
  }

  #onUnreadable(descriptor: number, result: number): void {
    if (this.#isOurs(descriptor, 'recv', result)) this.#close(descriptor)
    else this.#onClosed(this.#forget(descriptor))
  }

  #slotReads(descriptor: number): boolean {
    return this.owner.readers > 0 && this.owner.reads(this.#slots[descriptor] as number)
  }

  /**
   * Passes on what a client has sent, up to a bound: the rest in the next turns, since the kernel
   * reports what has arrived once.
   */
  #receive(descriptor: number): void {
    const generation = this.#generations[descriptor]
    const slot = this.#slots[descriptor] as number
    while (this.#readable > 0) {
      const received = this.#calls.receive(descriptor)
      if (received === -ERRNO.EAGAIN) return
      if (received === -ERRNO.EINTR) continue
      if (received > 0) {
        this.#readable -= received
        this.owner.onData(slot, this.#calls.received.subarray(0, received))
        if (this.#generations[descriptor] !== generation) return
        continue
      }
      if (received === 0) this.owner.onEnd(slot)
      else this.#onUnreadable(descriptor, received)
      return
    }
    this.#unread.add(descriptor)
  }

  #drain(descriptor: number): void {
    const generation = this.#generations[descriptor]
    // The owner's next write that is short sets it again, and asks the kernel again.
    this.#setFull(descriptor, false)
    this.owner.onDrain(this.#slots[descriptor] as number)
    if (this.#generations[descriptor] !== generation || this.#isFull[descriptor] === 1) return
    this.#setFull(descriptor, true)
    this.#watchRoom(descriptor, false)
  }

  #growTo(slot: number, descriptor: number): void {
    const bySlot = this.#descriptors.length
    if (slot >= bySlot) this.#descriptors = grown(this.#descriptors, Math.max(slot + 1, bySlot * 2))
    const byDescriptor = this.#slots.length
    if (descriptor < byDescriptor) return
    const length = Math.max(descriptor + 1, byDescriptor * 2)
    this.#slots = grown(this.#slots, length)
    this.#generations = grown(this.#generations, length)
    this.#isFull = grown(this.#isFull, length)
  }

  /**
   * Looks by a timer: soon while events come or something waits for room, and less and less often
   * while nothing happens. Bun could be made to poll an epoll, but to give it one takes the kernel
   * as long as there are descriptors in it, 0.5 ms with 18,000, and half of that time no other
   * process of the machine can do the same (`ep_loop_check_proc` of Linux 6.18). A `PollSignal`
   * takes no longer with many, but a sandbox may forbid it, and then this would be needed all the
   * same.
   */
  #pollLater(): void {
    const { clock } = this.#options
    const isLong = this.#waitMs === pollMsMax
    const waitMs = isLong ? togetherMs(clock, pollMsMax, clockLimits.gridMs) : this.#waitMs
    this.#timer = setTimeout(() => this.#pollByTimer(), waitMs)
    this.#timer.unref()
  }

  #pollByTimer(): void {
    this.#timer = null
    const isBusy = this.poll() > 0
    if (this.open === 0) {
      this.#waitMs = pollMsMax
      return
    }
    this.#waitMs = isBusy ? pollMsMin : Math.min(this.#waitMsMax, this.#waitMs * 2)
    if (this.#timer === null) this.#pollLater()
  }

  get #waitMsMax(): number {
    if (this.#full > 0 || this.#starved.length > 0) return pollMsFull
    return this.owner.readers > 0 ? pollMsReading : pollMsMax
  }

  /** A stream has begun to read: its client will wait for answers. */
  onReader(): void {
    this.#pollWithin(pollMsReading)
  }

  #pollWithin(ms: number): void {
    if (this.#waitMs <= ms) return
    this.#waitMs = ms
    if (this.#timer === null) return
    clearTimeout(this.#timer)
    this.#pollLater()
  }

  /**
   * Waits up to `ms` for all connections to end, then cuts them. No other may be adopted.
   *
   * @returns whether there were any left to cut
   */
  async stop(ms: number): Promise<boolean> {
    await settledWithin(this.#empty(), ms)
    if (this.#isStopped) return false
    this.#isStopped = true
    const cut = this.open > 0
    for (const slot of this.#slots) if (slot !== 0) this.cut(slot)
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#calls.close(this.#options.epoll)
    return cut
  }

  async #empty(): Promise<void> {
    if (this.open === 0) return
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve
    })
  }
}
