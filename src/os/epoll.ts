// Sockets by their descriptors, past Bun: what a process needs to write to them, to read from them
// and to wait for them. By system calls through the C library, with constants of Linux that are the
// same for every architecture Bun has. No call allocates.

import { ptr } from 'bun:ffi'
import { overDescriptor } from './bun-socket.ts'
import { openSystemCalls, type SystemCalls } from './libc.ts'
import type { PollSignal } from './poll-signal.ts'

const SYMBOLS = {
  epoll_create1: { args: ['i32'], returns: 'i32' },
  epoll_ctl: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
  epoll_wait: { args: ['i32', 'ptr', 'i32', 'i32'], returns: 'i32' },
  // Counts of bytes fit into 32 bits here, and a number is cheaper than a BigInt.
  send: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i32' },
  recv: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i32' },
  fcntl: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
  shutdown: { args: ['i32', 'i32'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
} as const

// <sys/epoll.h>, <fcntl.h>, <sys/socket.h>
const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
const EPOLL_CTL_MOD = 3
const F_DUPFD_CLOEXEC = 1030
const MSG_TRUNC = 0x20
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const SOL_SOCKET = 1
const SO_LINGER = 13
const SHUT_WR = 1

/** Events, as bits. */
export const EPOLL = {
  in: 0x001,
  out: 0x004,
  /** These two are reported always. */
  error: 0x008,
  hangUp: 0x010,
  /** The other end sends no more. */
  readHangUp: 0x2000,
  /** Reports what is new, and not again what was there. */
  edge: 0x8000_0000,
} as const

/** `struct epoll_event` in words of 32 bits: the events, and two that are ours. x64 packs it. */
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4
const DESCRIPTOR = EVENT_WORDS - 2
const GENERATION = EVENT_WORDS - 1

/** The system calls. Each answers as the kernel does: with a negative number of `ERRNO`. */
export interface DescriptorCalls {
  /** The lowest number that is free, for the same socket or file. */
  duplicate(descriptor: number): number
  close(descriptor: number): number
  /** How many of the first `length` bytes the kernel took. Never waits, and raises no signal. */
  send(descriptor: number, bytes: Uint8Array, length: number): number
  /** Drops up to `bytesMax` bytes that have arrived; 0 when the other end sends no more. */
  drop(descriptor: number, bytesMax: number): number
  /**
   * How many bytes there are in {@link received} now, until the next call; 0 when the other end
   * sends no more.
   */
  receive(descriptor: number): number
  readonly received: Uint8Array
  /** Sends the end, after all that was sent before it. */
  shutdown(descriptor: number): number
  /** Closing the descriptor will reset the connection, and free what waits. */
  resetOnClose(descriptor: number): number
  openEpoll(): number
  /** @param isNew whether the epoll has it not yet; a closed descriptor leaves by itself */
  watch(
    epoll: number,
    isNew: boolean,
    descriptor: number,
    generation: number,
    events: number,
  ): number
  /**
   * How many events there are now, or within `waitMs`, which blocks this thread; at most
   * `eventsMax`. They are valid until the next call.
   *
   * @param waitMs 0 by default
   */
  wait(epoll: number, waitMs?: number): number
  eventsAt(at: number): number
  descriptorAt(at: number): number
  generationAt(at: number): number
}

/**
 * @param eventsMax of one {@link DescriptorCalls.wait}
 * @param receiveBytes of one {@link DescriptorCalls.receive}
 * @returns null where the C library is not available
 */
export function descriptorCalls(eventsMax: number, receiveBytes = 0): DescriptorCalls | null {
  const calls = openSystemCalls(SYMBOLS)
  return calls === null ? null : callsWith(calls, eventsMax, receiveBytes)
}

function callsWith(
  { symbols, answer }: SystemCalls<typeof SYMBOLS>,
  eventsMax: number,
  receiveBytes: number,
): DescriptorCalls {
  const { epoll_create1, epoll_ctl, epoll_wait, send, recv, fcntl, close, shutdown } = symbols
  const { setsockopt } = symbols
  const event = new Uint32Array(EVENT_WORDS)
  const events = new Uint32Array(EVENT_WORDS * eventsMax)
  const linger = new Int32Array([1, 0])
  // Made when it is needed: most processes receive nothing by these calls.
  let received: Uint8Array = new Uint8Array(0)
  return {
    duplicate: (descriptor) => answer(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)),
    close: (descriptor) => answer(close(descriptor)),
    send: (descriptor, bytes, length) =>
      answer(send(descriptor, ptr(bytes), length, MSG_DONTWAIT | MSG_NOSIGNAL)),
    // TCP copies nothing when it is asked to truncate (tcp(7)).
    drop: (descriptor, bytesMax) =>
      answer(recv(descriptor, null, bytesMax, MSG_DONTWAIT | MSG_TRUNC)),
    receive(descriptor) {
      if (received.length === 0) received = new Uint8Array(new ArrayBuffer(receiveBytes))
      return answer(recv(descriptor, ptr(received), received.length, MSG_DONTWAIT))
    },
    get received() {
      return received
    },
    shutdown: (descriptor) => answer(shutdown(descriptor, SHUT_WR)),
    resetOnClose: (descriptor) =>
      answer(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, ptr(linger), linger.byteLength)),
    openEpoll: () => answer(epoll_create1(EPOLL_CLOEXEC)),
    watch(epoll, isNew, descriptor, generation, mask) {
      event[0] = mask
      event[DESCRIPTOR] = descriptor
      event[GENERATION] = generation
      const operation = isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
      return answer(epoll_ctl(epoll, operation, descriptor, ptr(event)))
    },
    wait: (epoll, waitMs = 0) => answer(epoll_wait(epoll, ptr(events), eventsMax, waitMs)),
    eventsAt: (at) => events[at * EVENT_WORDS] ?? 0,
    descriptorAt: (at) => events[at * EVENT_WORDS + DESCRIPTOR] ?? 0,
    generationAt: (at) => events[at * EVENT_WORDS + GENERATION] ?? 0,
  }
}

/**
 * Calls `onReady` in Bun's event loop when there is something to read of a descriptor that is no
 * socket, such as an epoll. Bun 1.4.5 has no interface for it, but polls every descriptor that it
 * is given as a socket; its read then fails, and it closes the descriptor. So it is given a copy,
 * and another one after each call: about nine system calls, and nothing while it is idle. One of
 * them takes longer the more descriptors an epoll has, 0.5 ms with 18,000, see `DescriptorWire`; a
 * {@link PollSignal} of the epoll does not.
 */
export class LoopWaker {
  /** Times that Bun called. */
  wakes = 0
  readonly #calls: Pick<DescriptorCalls, 'duplicate'>
  readonly #descriptor: number
  readonly #onReady: () => void
  readonly #signal: PollSignal | null
  /** What Bun polls now. */
  #polled: Polled | null = null
  #isStopped = false

  /** @param signal of the descriptor, to be given to Bun instead; closed with this object */
  constructor(
    calls: Pick<DescriptorCalls, 'duplicate'>,
    descriptor: number,
    onReady: () => void,
    signal: PollSignal | null = null,
  ) {
    this.#calls = calls
    this.#descriptor = descriptor
    this.#onReady = onReady
    this.#signal = signal
  }

  /** Will Bun call? */
  get isArmed(): boolean {
    return this.#polled !== null
  }

  /**
   * Lets Bun call once, at once if there is something to read now. It will not when no descriptor
   * is left for the copy, or Bun refuses it.
   */
  arm(): void {
    if (this.isArmed || this.#isStopped) return
    const signal = this.#signal
    const isSignalled = signal?.request() === true
    const copy = this.#calls.duplicate(isSignalled ? signal.descriptor : this.#descriptor)
    if (copy < 0) return
    const polled: Polled = { socket: null }
    this.#polled = polled
    const opening: Promise<Bun.Socket> = Bun.connect({
      ...overDescriptor(copy),
      socket: {
        open: (socket) => {
          polled.socket = socket
          socket.unref()
          if (this.#isStopped) socket.end()
        },
        data: () => undefined,
        error: () => undefined,
        close: () => this.#onClose(polled),
      },
    })
    opening.catch(() => this.#onClose(polled))
  }

  #onClose(polled: Polled): void {
    if (this.#polled !== polled) return
    this.#polled = null
    if (this.#isStopped) return
    this.#signal?.clear()
    this.wakes++
    this.#onReady()
  }

  stop(): void {
    this.#isStopped = true
    this.#polled?.socket?.end()
    this.#signal?.close()
  }
}

interface Polled {
  socket: Bun.Socket | null
}

export interface PollerOptions {
  readonly calls: Pick<DescriptorCalls, 'duplicate'>
  readonly epoll: number
  /** Handles events, and answers how many there were. */
  readonly poll: () => number
  /** Milliseconds between two polls while there are events. */
  readonly everyMs: number
  /** Events of one poll from which the next poll is by a timer. */
  readonly manyEvents: number
  /** Calls of Bun without an event in a row, after which it is not asked for a while. */
  readonly emptyWakesMax: number
  /** Milliseconds until it is asked again then, or after no descriptor was left for the copy. */
  readonly retryMs: number
}

/**
 * Polls an epoll when there are events. While many come it does so by a timer, which takes one
 * system call each time, and a call of Bun takes nine. After few, timers mostly find nothing: with
 * three of them after each event, 55 processes took 320 µs of CPU time a connection accepted, and
 * 230 to 270 without.
 */
export class Poller {
  readonly #options: PollerOptions
  readonly #waker: LoopWaker
  #timer: Timer | null = null
  #emptyWakes = 0
  #isStopped = false

  constructor(options: PollerOptions) {
    this.#options = options
    this.#waker = new LoopWaker(options.calls, options.epoll, () => this.#onWake())
  }

  /** Times that Bun called. */
  get wakes(): number {
    return this.#waker.wakes
  }

  /** Polls from now on when there are events, if it does not do so. */
  start(): void {
    if (this.#timer !== null || this.#isStopped) return
    this.#waker.arm()
    // As when no descriptor is left.
    if (!this.#waker.isArmed) this.#retryLater()
  }

  #retryLater(): void {
    this.#timer = setTimeout(() => this.#restart(), this.#options.retryMs)
  }

  #restart(): void {
    this.#timer = null
    this.#emptyWakes = 0
    this.#options.poll()
    this.start()
  }

  #onWake(): void {
    const { poll, emptyWakesMax } = this.#options
    const count = poll()
    this.#emptyWakes = count === 0 ? this.#emptyWakes + 1 : 0
    if (this.#isStopped) return
    if (this.#emptyWakes < emptyWakesMax) this.#continue(count)
    else this.#retryLater()
  }

  /** After a poll that found so many events. */
  #continue(count: number): void {
    const { everyMs, manyEvents } = this.#options
    if (this.#isStopped) return
    if (count < manyEvents) this.start()
    else this.#timer = setTimeout(() => this.#pollAgain(), everyMs)
  }

  #pollAgain(): void {
    this.#timer = null
    this.#continue(this.#options.poll())
  }

  stop(): void {
    this.#isStopped = true
    this.#waker.stop()
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}
