// Connections as descriptors, on Linux: this process keeps a few numbers of each, by index. Opens
// them, reads from all of them into one buffer, and closes them.

import { copyOf } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { type DescriptorCalls, descriptorCalls, EPOLL, LoopWaker } from '../os/epoll.ts'
import { ERRNO } from '../os/libc.ts'
import { PollSignal } from '../os/poll-signal.ts'
import { SocketAddress, type TcpCalls, tcpCalls } from '../os/tcp.ts'
import {
  BUSY_CODES,
  type Connections,
  type ConnectionsOptions,
  failureKind,
  Tokens,
} from './connections.ts'

/** As edges: what has arrived, and the end, are reported once. */
const WATCHED = EPOLL.in | EPOLL.readHangUp | EPOLL.edge

const FAILED = EPOLL.error | EPOLL.hangUp
const ENDS = FAILED | EPOLL.readHangUp
const READABLE = ENDS | EPOLL.in

/** What a stream's connection is doing. */
const PHASE = { none: 0, connecting: 1, open: 2, paused: 3, vanished: 4 } as const

const CODES = new Map(Object.entries(ERRNO).map(([code, errno]) => [-errno, code]))

function codeOf(result: number): string {
  return CODES.get(result) ?? ''
}

interface Kernel {
  readonly tcp: TcpCalls
  readonly calls: DescriptorCalls
  readonly epoll: number
  readonly server: SocketAddress
}

/** How long turns are, and after how long without an event they end; see `floodLimits`. */
export interface Pace {
  readonly turnMs: number
  readonly idleMs: number
}

/** Null where this system does not have what it takes. */
export function openDescriptorConnections(
  options: ConnectionsOptions,
  clock: Clock,
  pace: Pace = floodLimits,
): DescriptorConnections | null {
  const calls = descriptorCalls(floodLimits.eventsPerWait)
  const tcp = tcpCalls(floodLimits.receiveBytes)
  const server = SocketAddress.of(options.server.address, options.server.port)
  if (calls === null || tcp === null || server === null) return null
  const epoll = calls.openEpoll()
  if (epoll < 0) return null
  // A sandbox may allow the one and forbid the other.
  if (calls.wait(epoll) < 0) {
    calls.close(epoll)
    return null
  }
  return new DescriptorConnections({ tcp, calls, epoll, server }, options, clock, pace)
}

export class DescriptorConnections implements Connections {
  readonly #kernel: Kernel
  readonly #options: ConnectionsOptions
  readonly #clock: Clock
  readonly #pace: Pace
  readonly #tokens: Tokens
  readonly #waker: LoopWaker
  /** By index. */
  readonly #phases: Uint8Array
  readonly #descriptors: Int32Array
  /** Local addresses by their text. */
  readonly #addresses = new Map<string, SocketAddress>()
  /** The rest of what the kernel did not take at once, by index. */
  readonly #unsent = new Map<number, Uint8Array>()
  /** Streams whose connection failed during a call, and why; reported in the next turn. */
  readonly #failed = new Map<number, string>()
  /** Tokens of connections that may have more to read than one turn did. */
  #unread = new Set<number>()
  #isTurnDue = false
  /** Milliseconds spent waiting since the last event. */
  #idleMs = 0
  #timer: Timer | null = null
  #isStopped = false

  constructor(kernel: Kernel, options: ConnectionsOptions, clock: Clock, pace: Pace) {
    this.#kernel = kernel
    this.#options = options
    this.#clock = clock
    this.#pace = pace
    this.#tokens = new Tokens(options.count)
    this.#phases = new Uint8Array(options.count)
    this.#descriptors = new Int32Array(options.count)
    const { calls, epoll } = kernel
    this.#waker = new LoopWaker(calls, epoll, () => this.#wake(), PollSignal.open(epoll))
  }

  /** Times that Bun reported events. */
  get wakes(): number {
    return this.#waker.wakes
  }

  /** Hot path: once a stream. */
  begin(index: number): void {
    const result = this.#connect(index)
    // Later, or a server that refuses at once would be asked again and again in one loop.
    if (result < 0) this.#failLater(index, result)
    else this.#wake()
  }

  #connect(index: number): number {
    const { tcp, calls, server } = this.#kernel
    const { sources } = this.#options
    for (let tries = 1; ; tries++) {
      const descriptor = tcp.open(server.family)
      if (descriptor < 0) return descriptor
      let result = this.#bind(descriptor)
      if (result >= 0) result = tcp.connect(descriptor, server)
      if (result >= 0 || result === -ERRNO.EINPROGRESS) {
        return this.#request(index, descriptor)
      }
      calls.close(descriptor)
      const isBusy = sources !== null && BUSY_CODES.has(codeOf(result))
      if (!isBusy || tries >= floodLimits.portTriesMax) return result
      sources.jumpAhead()
    }
  }

  #bind(descriptor: number): number {
    const { sources } = this.#options
    if (sources === null) return 0
    const { address: text, port } = sources.next()
    const address = this.#addresses.get(text) ?? SocketAddress.of(text)
    if (address === null) return -ERRNO.EADDRNOTAVAIL
    this.#addresses.set(text, address)
    address.setPort(port)
    return this.#kernel.tcp.bind(descriptor, address)
  }

  /**
   * Sends the request at once: a connection on this machine is there already, which saves an event
   * and two system calls.
   */
  #request(index: number, descriptor: number): number {
    const { calls, epoll } = this.#kernel
    const { requests } = this.#options
    const count = requests.write(index)
    const sent = calls.send(descriptor, requests.bytes, count)
    let result = sent === -ERRNO.EAGAIN ? 0 : sent
    if (result >= 0) {
      const mask = sent === count ? WATCHED : WATCHED | EPOLL.out
      result = calls.watch(epoll, true, descriptor, this.#tokens.renew(index), mask)
    }
    if (result < 0) {
      calls.close(descriptor)
      return result
    }
    this.#descriptors[index] = descriptor
    this.#phases[index] = sent < 0 ? PHASE.connecting : PHASE.open
    if (sent >= 0 && sent < count) this.#unsent.set(index, copyOf(requests.bytes, sent, count))
    return 0
  }

  send(index: number, bytes: Uint8Array): void {
    if (this.#phases[index] !== PHASE.open) return
    const unsent = this.#unsent.get(index)
    if (unsent === undefined) this.#sendNow(index, bytes, bytes.length)
    // What is beyond that is dropped: the server reads nothing.
    else if (unsent.length + bytes.length <= floodLimits.headBytesMax) {
      this.#unsent.set(index, Buffer.concat([unsent, bytes]))
    }
  }

  #sendNow(index: number, bytes: Uint8Array, count: number): void {
    const { calls, epoll } = this.#kernel
    const descriptor = this.#descriptors[index] as number
    const sent = calls.send(descriptor, bytes, count)
    this.#unsent.delete(index)
    if (sent === count) return
    if (sent < 0 && sent !== -ERRNO.EAGAIN) {
      // Later, since the listener is in the middle of something.
      this.#failLater(index, sent)
      return
    }
    this.#unsent.set(index, copyOf(bytes, Math.max(0, sent), count))
    calls.watch(epoll, false, descriptor, this.#tokens.current(index), WATCHED | EPOLL.out)
  }

  pause(index: number): void {
    if (this.#phases[index] !== PHASE.open) return
    this.#phases[index] = PHASE.paused
    this.#unsent.delete(index)
    // A reset and an error are still reported.
    const { calls, epoll } = this.#kernel
    const descriptor = this.#descriptors[index] as number
    calls.watch(epoll, false, descriptor, this.#tokens.current(index), EPOLL.edge)
  }

  blackhole(index: number): boolean {
    if (this.#phases[index] !== PHASE.open) return false
    const { blackhole } = this.#options
    if (blackhole?.(this.#descriptors[index] as number) !== true) return false
    this.#phases[index] = PHASE.vanished
    return true
  }

  /** The only place that closes the descriptor of a stream. */
  close(index: number): void {
    this.#failed.delete(index)
    if (this.#phases[index] === PHASE.none) return
    this.#phases[index] = PHASE.none
    this.#tokens.renew(index)
    this.#unsent.delete(index)
    this.#kernel.calls.close(this.#descriptors[index] as number)
  }

  #end(index: number, kind: string): void {
    this.close(index)
    this.#options.listener.onEnd(index, kind)
  }

  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#waker.stop()
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#kernel.calls.close(this.#kernel.epoll)
  }

  /** There is something to do, or will be soon. */
  #wake(): void {
    this.#idleMs = 0
    this.#takeTurn()
  }

  #takeTurn(): void {
    if (this.#isTurnDue || this.#isStopped) return
    this.#isTurnDue = true
    setImmediate(() => {
      this.#isTurnDue = false
      this.#turn()
    })
  }

  /**
   * Handles events for a few milliseconds, and waits for more of them in the kernel, not in Bun's
   * loop: a {@link LoopWaker} takes about nine system calls and some garbage each time, which is
   * more than a message takes. Bun's loop runs between turns, and waits itself once nothing has
   * arrived for a while.
   */
  #turn(): void {
    this.#reportFailed()
    this.#readOn()
    const { turnMs, idleMs } = this.#pace
    const endMs = this.#clock.elapsedMs() + turnMs
    for (let waits = 0; waits < floodLimits.waitsPerTurn && !this.#isStopped; waits++) {
      const leftMs = Math.min(endMs - this.#clock.elapsedMs(), this.#options.listener.idleMs())
      const waitMs = this.#hasMore ? 0 : Math.max(0, Math.ceil(leftMs))
      if (this.#handle(waitMs) > 0) this.#idleMs = 0
      else {
        this.#idleMs += waitMs
        break
      }
      if (this.#hasMore || leftMs <= 0) break
    }
    if (this.#isStopped) return
    if (this.#hasMore || this.#idleMs < idleMs) this.#takeTurn()
    else this.#sleep()
  }

  #failLater(index: number, result: number): void {
    this.#failed.set(index, failureKind(codeOf(result)))
    this.#wake()
  }

  get #hasMore(): boolean {
    return this.#failed.size > 0 || this.#unread.size > 0
  }

  #sleep(): void {
    this.#waker.arm()
    this.#timer ??= setInterval(() => this.#check(), floodLimits.checkEventsMs).unref()
  }

  /** Does what Bun should have caused. */
  #check(): void {
    if (this.#isTurnDue || this.#isStopped) return
    if (this.#handle(0) > 0) this.#wake()
    else this.#waker.arm()
  }

  #reportFailed(): void {
    // No more than there are now: those of a server that refuses at once keep coming. One that is
    // closed meanwhile is not among them any more.
    let left = this.#failed.size
    for (const [index, kind] of this.#failed) {
      if (left-- === 0) return
      this.#end(index, kind)
    }
  }

  #readOn(): void {
    if (this.#unread.size === 0) return
    const unread = this.#unread
    this.#unread = new Set()
    for (const token of unread) {
      const index = this.#tokens.indexOf(token)
      const isOpen = this.#tokens.isValid(token) && this.#phases[index] === PHASE.open
      // To the end, if the edge that was reported was one of it, too.
      if (isOpen) this.#read(index, token, READABLE)
    }
  }

  /** Answers how many events it handled. */
  #handle(waitMs: number): number {
    const { calls, epoll } = this.#kernel
    const count = calls.wait(epoll, waitMs)
    if (count < 0 && count !== -ERRNO.EINTR) throw new Error(`epoll_wait failed: errno ${-count}`)
    for (let at = 0; at < count && !this.#isStopped; at++) {
      const token = calls.generationAt(at)
      // Otherwise it was closed after the kernel reported it.
      if (this.#tokens.isValid(token)) this.#onEvents(token, calls.eventsAt(at))
    }
    return count
  }

  /** Hot path: once a message, or less. */
  #onEvents(token: number, events: number): void {
    const index = this.#tokens.indexOf(token)
    const phase = this.#phases[index]
    if (phase === PHASE.open) {
      if ((events & EPOLL.out) !== 0) this.#flush(index)
      if ((events & READABLE) !== 0) this.#read(index, token, events)
    } else if (phase === PHASE.connecting) this.#onConnect(index, token, events)
    else if (phase === PHASE.paused && (events & FAILED) !== 0) {
      this.#end(index, this.#failure(index) === 0 ? 'cut_short' : 'reset')
    }
  }

  #failure(index: number): number {
    return this.#kernel.tcp.failure(this.#descriptors[index] as number)
  }

  #onConnect(index: number, token: number, events: number): void {
    const failure = (events & FAILED) === 0 ? 0 : this.#failure(index)
    if (failure < 0) {
      this.#end(index, failureKind(codeOf(failure)))
      return
    }
    if ((events & EPOLL.out) === 0) return
    const { requests } = this.#options
    this.#phases[index] = PHASE.open
    this.#sendNow(index, requests.bytes, requests.write(index))
    if ((events & READABLE) !== 0) this.#read(index, token, events)
  }

  #flush(index: number): void {
    const unsent = this.#unsent.get(index)
    if (unsent !== undefined) this.#sendNow(index, unsent, unsent.length)
  }

  /** Hot path: once a message, or less. */
  #read(index: number, token: number, events: number): void {
    const { tcp } = this.#kernel
    const descriptor = this.#descriptors[index] as number
    for (let reads = 0; reads < floodLimits.readsPerTurn; reads++) {
      const count = tcp.receive(descriptor)
      if (count > 0) {
        this.#options.listener.onBytes(index, tcp.received, count)
        if (!this.#tokens.isValid(token) || this.#phases[index] !== PHASE.open) return
        // That was all, unless the buffer is full or the end of the connection is behind it.
        if (count < tcp.received.length && (events & ENDS) === 0) return
      } else if (count === -ERRNO.EAGAIN) return
      else if (count !== -ERRNO.EINTR) {
        // Without an error it is the server's FIN before the last chunk.
        this.#end(index, count === 0 ? 'cut_short' : 'reset')
        return
      }
    }
    this.#unread.add(token)
  }
}
