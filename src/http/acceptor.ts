// Accepts the connections of an address as descriptors, past Bun, on Linux in the clear. One whose
// first bytes are all that it takes to answer is taken at once, and never is an object; all others
// become sockets of Bun.

import { acceptLimits, pollLimits } from '../core/limits.ts'
import { type DescriptorCalls, EPOLL, Poller } from '../os/epoll.ts'
import { ERRNO } from '../os/libc.ts'
import type { TcpCalls } from '../os/tcp.ts'
import type { OnBug } from './elysia.ts'

/** What an acceptor does with connections. */
export interface AcceptorOwner {
  /** One was accepted; it may stop the acceptor. */
  onAccepted(): void
  /**
   * May take a connection that has sent these bytes, as its only owner from then on. Hot path: once
   * a connection.
   *
   * @param bytes the first `length` of them, valid during the call
   */
  take(descriptor: number, bytes: Uint8Array, length: number): boolean
  /** Owns a connection from now on, which has sent these bytes. */
  adopt(descriptor: number, bytes: Uint8Array): void
}

export interface AcceptorOptions {
  readonly calls: TcpCalls
  readonly events: DescriptorCalls
  /** A socket that listens; closed with the acceptor. */
  readonly descriptor: number
  readonly owner: AcceptorOwner
  /** Is each process to run seldom, and then to take all that waits? */
  readonly inBatches?: boolean
  readonly onBug: OnBug
}

export class Acceptor {
  readonly port: number
  readonly #options: AcceptorOptions
  readonly #epoll: number
  readonly #poller: Poller
  #isStopped = false

  /** Null, with the descriptor closed, if the system has no epoll for it. */
  static open(options: AcceptorOptions): Acceptor | null {
    const { events, descriptor } = options
    const epoll = events.openEpoll()
    if (epoll >= 0 && events.watch(epoll, true, descriptor, 0, EPOLL.in) >= 0) {
      return new Acceptor(options, epoll)
    }
    if (epoll >= 0) events.close(epoll)
    events.close(descriptor)
    return null
  }

  private constructor(options: AcceptorOptions, epoll: number) {
    this.#options = options
    const { calls, events, descriptor, inBatches = false } = options
    const { batchEveryMs } = pollLimits
    this.port = calls.portOf(descriptor)
    this.#epoll = epoll
    this.#poller = new Poller({
      calls: events,
      epoll,
      poll: () => this.#acceptAll(),
      ...pollLimits,
      ...(inBatches ? { everyMs: batchEveryMs, manyEvents: 1 } : {}),
    })
    this.#poller.start()
  }

  /** Accepts what waits, up to a bound; answers how many connections that was. */
  #acceptAll(): number {
    const { calls, owner, descriptor, onBug } = this.#options
    for (let count = 0; count < acceptLimits.perTurn && !this.#isStopped; count++) {
      const connection = calls.accept(descriptor)
      if (connection === -ERRNO.ECONNABORTED || connection === -ERRNO.EINTR) continue
      // That was all, or this process is short of open files or memory.
      if (connection < 0) return count
      try {
        this.#onConnection(connection)
      } catch (error) {
        // It may have another owner by now, so it is not closed here.
        onBug(error)
      }
      owner.onAccepted()
    }
    return acceptLimits.perTurn
  }

  #onConnection(connection: number): void {
    const { calls, events, owner } = this.#options
    const length = calls.receive(connection)
    if (length > 0) {
      if (owner.take(connection, calls.received, length)) return
      owner.adopt(connection, calls.received.slice(0, length))
    } else if (length === -ERRNO.EAGAIN) owner.adopt(connection, NOTHING)
    // It has left without a request.
    else events.close(connection)
  }

  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    const { events, descriptor } = this.#options
    this.#poller.stop()
    events.close(descriptor)
    events.close(this.#epoll)
  }
}

const NOTHING = new Uint8Array(0)
