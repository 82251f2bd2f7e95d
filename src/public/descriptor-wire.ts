// The connections of streams as descriptors, on Linux in the clear: each is taken out of Bun, which
// keeps nothing of it, and costs this process an entry in three tables. The only place that writes
// to them, waits for them and closes them.

import { type Clock, togetherMs } from '../core/clock.ts'
import { settledWithin } from '../core/deadline.ts'
import { clockLimits, wireLimits } from '../core/limits.ts'
import type { OnBug } from '../http/elysia.ts'
import type { Socket, SocketHolder } from '../http/exchange.ts'
import { type DescriptorCalls, EPOLL, ERRNO, LoopWaker } from '../os/epoll.ts'
import { UNHELD, type Wire } from './wire.ts'

const { descriptorsMax, generationsMax } = wireLimits

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
 * A handle is a descriptor and its generation in one number. The kernel gives the number of a
 * descriptor that was closed to the next one that is opened; the generation tells them apart.
 */
export class DescriptorWire implements Wire<number> {
  /** Connections that are open. */
  open = 0
  readonly #options: DescriptorWireOptions
  readonly #calls: DescriptorCalls
  readonly #waker: LoopWaker
  /** By descriptor: its handle, or 0. */
  #handles = new Float64Array(FIRST_TABLE)
  /** By descriptor: is its owner to be told when there is room? */
  #isFull = new Uint8Array(FIRST_TABLE)
  /** By descriptor. */
  readonly #owners: (SocketHolder | null)[] = []
  #generation = 0
  /** Handles that the kernel had no memory for. */
  #starved: number[] = []
  #emptyWakes = 0
  #timer: Timer | null = null
  #onEmpty: (() => void) | null = null

  constructor(options: DescriptorWireOptions) {
    this.#options = options
    this.#calls = options.calls
    this.#waker = new LoopWaker(options.calls, options.epoll, () => this.#onWake())
  }

  /** Times that Bun reported events. */
  get wakes(): number {
    return this.#waker.wakes
  }

  /**
   * Takes the connection out of a socket of Bun, which is closed, and of which its peer notices
   * nothing.
   *
   * @returns null if that is not possible, as when no descriptor is left; then the socket is as it
   *   was
   */
  adopt(socket: Socket): number | null {
    // Neither is in the types of Bun 1.4.5. `close` only closes the descriptor; `terminate` would
    // set an option before, which the copy shares.
    const bunSocket = socket as Socket & { readonly fd: number; close(): void }
    const descriptor = this.#calls.duplicate(bunSocket.fd)
    if (descriptor < 0) return null
    const handle = this.add(descriptor)
    if (handle === null) {
      this.#calls.close(descriptor)
      return null
    }
    socket.data = UNHELD
    bunSocket.close()
    return handle
  }

  /** Owns a descriptor from now on. Null if that is not possible. */
  add(descriptor: number): number | null {
    if (descriptor >= descriptorsMax) return null
    const generation = (this.#generation % (generationsMax - 1)) + 1
    const { epoll } = this.#options
    if (this.#calls.watch(epoll, true, descriptor, generation, WATCHED) < 0) return null
    this.#generation = generation
    this.#growTo(descriptor + 1)
    const handle = handleOf(descriptor, generation)
    this.#handles[descriptor] = handle
    this.#isFull[descriptor] = 0
    this.open++
    this.#waker.arm()
    if (this.#timer === null) this.#checkLater()
    return handle
  }

  attach(handle: number, owner: SocketHolder): void {
    if (this.#isValid(handle)) this.#owners[descriptorOf(handle)] = owner
  }

  /** Hot path: once a delivery. */
  write(handle: number, bytes: Uint8Array): number {
    const descriptor = descriptorOf(handle)
    if (this.#handles[descriptor] !== handle) return -1
    let taken: number
    do taken = this.#calls.send(descriptor, bytes)
    while (taken === -ERRNO.EINTR)
    return taken === bytes.length ? taken : this.#onShort(handle, descriptor, taken)
  }

  #onShort(handle: number, descriptor: number, taken: number): number {
    if (taken >= 0 || taken === -ERRNO.EAGAIN) {
      this.#watchRoom(handle, descriptor, true)
      return Math.max(0, taken)
    }
    // The socket may have room, so that no event would come.
    if (taken === -ERRNO.ENOBUFS || taken === -ERRNO.ENOMEM) {
      this.#starved.push(handle)
      return 0
    }
    // The owner is told later, since it is in the middle of something.
    if (this.#isOurs(descriptor, 'send', taken)) queueMicrotask(() => this.#close(handle))
    else {
      const owner = this.#forget(descriptor)
      queueMicrotask(() => this.#onClosed(owner))
    }
    return -1
  }

  /** Reports an error that no connection has; false if the descriptor is not ours to close. */
  #isOurs(descriptor: number, call: string, result: number): boolean {
    if (GONE.has(-result)) return true
    this.#options.onBug(new Error(`${call} of descriptor ${descriptor} failed: errno ${-result}`))
    return result !== -ERRNO.EBADF && result !== -ERRNO.ENOTSOCK
  }

  #watchRoom(handle: number, descriptor: number, isFull: boolean): void {
    if (this.#isFull[descriptor] === Number(isFull)) return
    this.#isFull[descriptor] = Number(isFull)
    const generation = generationOf(handle)
    const events = isFull ? WATCHED | EPOLL.out : WATCHED
    const result = this.#calls.watch(this.#options.epoll, false, descriptor, generation, events)
    if (result < 0) this.#isOurs(descriptor, 'epoll_ctl', result)
  }

  end(handle: number): void {
    if (!this.#isValid(handle)) return
    const descriptor = descriptorOf(handle)
    // With bytes unread, closing would reset the connection before the client has read its end.
    this.#calls.drop(descriptor, wireLimits.droppedBytesPerTurn)
    this.#calls.shutdown(descriptor)
    this.#close(handle)
  }

  cut(handle: number): void {
    if (!this.#isValid(handle)) return
    this.#calls.resetOnClose(descriptorOf(handle))
    this.#close(handle)
  }

  /** Nothing to do: {@link stop} waits for all that are open. */
  onEnding(): void {
    // Empty.
  }

  /** Never called: what a client sends is dropped by {@link poll}. */
  onDropped(): void {
    // Empty.
  }

  /** The only place that closes a descriptor. */
  #close(handle: number): void {
    if (!this.#isValid(handle)) return
    const descriptor = descriptorOf(handle)
    const owner = this.#forget(descriptor)
    const result = this.#calls.close(descriptor)
    if (result === -ERRNO.EBADF) this.#isOurs(descriptor, 'close', result)
    this.#onClosed(owner)
  }

  #forget(descriptor: number): SocketHolder | null {
    const owner = this.#owners[descriptor] ?? null
    this.#handles[descriptor] = 0
    this.#owners[descriptor] = null
    this.open--
    return owner
  }

  #onClosed(owner: SocketHolder | null): void {
    owner?.onClose()
    if (this.open === 0) this.#onEmpty?.()
  }

  #isValid(handle: number): boolean {
    return this.#handles[descriptorOf(handle)] === handle
  }

  #onWake(): void {
    // First, while the number that Bun has closed is free for sure.
    if (this.#emptyWakes < wireLimits.emptyWakesMax) this.#waker.arm()
    this.#emptyWakes = this.poll() === 0 ? this.#emptyWakes + 1 : 0
  }

  /**
   * Handles what has happened, up to a bound. If there is more, Bun reports it in the next turn of
   * the loop.
   *
   * @returns how many events it handled
   */
  poll(): number {
    const calls = this.#calls
    const count = calls.wait(this.#options.epoll)
    if (count < 0 && count !== -ERRNO.EINTR) {
      this.#options.onBug(new Error(`epoll_wait failed: errno ${-count}`))
    }
    for (let at = 0; at < count; at++) {
      const handle = handleOf(calls.descriptorAt(at), calls.generationAt(at))
      try {
        this.#onEvents(handle, calls.eventsAt(at))
      } catch (error) {
        // Of one stream; the events of the others come only once.
        this.#options.onBug(error)
      }
    }
    if (this.#starved.length > 0) this.#feed()
    return Math.max(0, count)
  }

  /** Memory may be there again. */
  #feed(): void {
    const starved = this.#starved
    this.#starved = []
    for (const handle of starved) {
      if (this.#isValid(handle)) this.#owners[descriptorOf(handle)]?.onDrain()
    }
  }

  #onEvents(handle: number, events: number): void {
    // Closed since the kernel reported it, and perhaps used again.
    if (!this.#isValid(handle)) return
    if ((events & (EPOLL.error | EPOLL.hangUp)) !== 0) {
      this.#close(handle)
      return
    }
    const descriptor = descriptorOf(handle)
    if ((events & EPOLL.in) !== 0 && !this.#drop(handle, descriptor)) return
    if ((events & EPOLL.readHangUp) !== 0) this.#owners[descriptor]?.onEnd()
    if ((events & EPOLL.out) !== 0 && this.#isValid(handle)) this.#drain(handle, descriptor)
  }

  /**
   * Drops what a client has sent, up to a bound; what is left waits in the kernel until more
   * arrives, and keeps the client from sending much more. Answers whether the connection is open.
   */
  #drop(handle: number, descriptor: number): boolean {
    const dropped = this.#calls.drop(descriptor, wireLimits.droppedBytesPerTurn)
    if (dropped >= 0 || dropped === -ERRNO.EAGAIN || dropped === -ERRNO.EINTR) return true
    if (this.#isOurs(descriptor, 'recv', dropped)) this.#close(handle)
    else this.#onClosed(this.#forget(descriptor))
    return false
  }

  #drain(handle: number, descriptor: number): void {
    // The owner's next write that is short sets it again, and asks the kernel again.
    this.#isFull[descriptor] = 0
    this.#owners[descriptor]?.onDrain()
    if (!this.#isValid(handle) || this.#isFull[descriptor] === 1) return
    this.#isFull[descriptor] = 1
    this.#watchRoom(handle, descriptor, false)
  }

  #growTo(length: number): void {
    while (this.#owners.length < length) this.#owners.push(null)
    if (this.#handles.length >= length) return
    const grown = Math.max(length, this.#handles.length * 2)
    const handles = new Float64Array(grown)
    handles.set(this.#handles)
    this.#handles = handles
    const isFull = new Uint8Array(grown)
    isFull.set(this.#isFull)
    this.#isFull = isFull
  }

  #checkLater(): void {
    const { clock } = this.#options
    const waitMs = togetherMs(clock, wireLimits.checkEveryMs, clockLimits.gridMs)
    this.#timer = setTimeout(() => this.#check(), waitMs)
    this.#timer.unref()
  }

  /** Does what Bun should have caused, and what has to wait for memory. */
  #check(): void {
    this.poll()
    this.#emptyWakes = 0
    this.#waker.arm()
    if (this.open === 0) this.#timer = null
    else this.#checkLater()
  }

  /**
   * Waits up to `ms` for all connections to end, then cuts them. No other may be adopted.
   *
   * @returns whether there were any left to cut
   */
  async stop(ms: number): Promise<boolean> {
    await settledWithin(this.#empty(), ms)
    const cut = this.open > 0
    for (const handle of this.#handles) if (handle !== 0) this.cut(handle)
    this.#waker.stop()
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

function handleOf(descriptor: number, generation: number): number {
  return generation * descriptorsMax + descriptor
}

/** The operator takes a number modulo 2^32, and `descriptorsMax` is a power of two. */
function descriptorOf(handle: number): number {
  return handle & (descriptorsMax - 1)
}

function generationOf(handle: number): number {
  return Math.floor(handle / descriptorsMax)
}
