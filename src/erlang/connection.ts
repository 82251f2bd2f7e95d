// The connection to a node: reads packets as fast as the streams take messages, and closes when the
// node is silent for the net tick time.

import { settledWithin } from '../core/deadline.ts'
import { erlangLimits } from '../core/limits.ts'
import type { Router } from '../hub/router.ts'
import type { DistributionChannel } from './channel.ts'
import { PacketReader, type PacketWriter } from './packets.ts'
import { NO_OWNER, type NodeSocket } from './socket.ts'

export interface ConnectionOptions {
  readonly socket: NodeSocket
  readonly outgoing: PacketWriter
  readonly channel: DistributionChannel
  readonly router: Router
  readonly tickTimeMs: number
  /** Called with an exception that a message caused. */
  readonly onBug: (error: unknown) => void
  /** Called once, with the reason, when the socket is closed. */
  readonly onClosed: (why: string) => void
}

/** A promise must be awaited before the next slice. */
type SliceResult = 'all' | 'some' | Promise<void>

export class Connection {
  readonly channel: DistributionChannel
  readonly #options: ConnectionOptions
  readonly #incoming = new PacketReader()
  readonly #timer: Timer
  #isClosed = false
  /** Whether anything was received since the streams were last synchronized. */
  #isUnsynced = false
  #isReading = false
  #isPaused = false
  /** While comet itself is waited for, silence is not the node's fault. */
  #isBusy = false
  /** Checks since the last sign of life of the node. */
  #silentChecks = 0

  constructor(options: ConnectionOptions) {
    const { socket, channel, tickTimeMs } = options
    this.#options = options
    this.channel = channel
    socket.data.owner = {
      data: (bytes) => this.receive(bytes),
      drained: () => {
        this.#silentChecks = 0
        options.outgoing.drained()
      },
      closed: () => this.close('the node closed the connection'),
    }
    this.#timer = setInterval(() => this.#tick(), tickTimeMs / erlangLimits.checksPerTickTime)
  }

  /**
   * Sends `shutdown` to monitors and links and then the end, and closes once the node has closed
   * too, in bounded time. What the node still sends is dropped and not left unread: the connection
   * would be reset, and the node lose what it has not read (RFC 2525, section 2.17).
   */
  async shutdown(): Promise<void> {
    const { socket, outgoing } = this.#options
    // Reads no more.
    this.#isReading = true
    const ended = Promise.withResolvers<void>()
    socket.data.owner = {
      ...socket.data.owner,
      data: () => undefined,
      closed: () => ended.resolve(),
    }
    socket.resume()
    const sent = this.channel
      .shutdown(() => outgoing.room())
      .then(() => outgoing.empty())
      .then(() => socket.shutdown())
    const closed = Promise.race([ended.promise, sent.then(() => ended.promise)])
    await settledWithin(closed, erlangLimits.shutdownMsMax)
    this.close('the server stopped')
  }

  /** The first reason counts. */
  close(why: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#timer)
    const { socket, outgoing, onClosed } = this.#options
    outgoing.flush()
    socket.data.owner = NO_OWNER
    socket.end()
    onClosed(why)
  }

  receive(bytes: Uint8Array): void {
    this.#silentChecks = 0
    this.#isUnsynced = true
    this.#incoming.push(bytes)
    if (this.#isReading) {
      // What follows waits in the kernel, and finally at the sender.
      this.#isPaused = true
      this.#options.socket.pause()
      return
    }
    this.#isReading = true
    this.channel.backpressure.begin()
    this.#read()
  }

  /** Handles all packets received and then resumes the socket. Hot path: once per part. */
  #read(): void {
    try {
      const wait = this.#advance()
      if (wait === null) this.#resume()
      else wait.then(() => this.#read()).catch((error) => this.#fail(error))
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#options.onBug(error)
    this.close('internal error')
  }

  #resume(): void {
    this.#isReading = false
    if (!this.#isPaused || this.#isClosed) return
    this.#isPaused = false
    this.#options.socket.resume()
  }

  /** Handles packets until there is something to await, and returns that; null when all are
   * handled. */
  #advance(): Promise<void> | null {
    const { channel, outgoing, router } = this.#options
    const { backpressure, receipt } = channel
    while (!this.#isClosed) {
      this.#isBusy = true
      if (this.#isUnsynced) {
        this.#isUnsynced = false
        const sync = router.sync()
        if (sync !== null) return sync
      }
      // Each is asked before every slice, whichever was awaited last.
      const wait = backpressure.next(receipt) ?? channel.room()
      if (wait !== null) return wait
      this.#isBusy = false
      const room = outgoing.room()
      if (room !== null) return room
      const result = this.#readSlice()
      if (result === 'all') return null
      this.#isBusy = true
      if (result !== 'some') return result
    }
    return null
  }

  #readSlice(): SliceResult {
    const incoming = this.#incoming
    for (let bytes = 0; bytes < erlangLimits.sliceBytes; bytes += incoming.end - incoming.at) {
      if (!incoming.next()) {
        if (incoming.failure !== null) this.close(incoming.failure)
        return 'all'
      }
      const taken = this.channel.take(incoming.bytes, incoming.at, incoming.end)
      if (taken instanceof Promise) return taken
      if (taken.ok) continue
      this.close(taken.why)
      return 'all'
    }
    return 'some'
  }

  /** Several times per tick time: sends a tick if nothing else was sent, and checks for silence. */
  #tick(): void {
    const { outgoing, tickTimeMs } = this.#options
    if (!outgoing.isActive) outgoing.tick()
    outgoing.isActive = false
    if (this.#isBusy) return
    if (++this.#silentChecks <= erlangLimits.checksPerTickTime) return
    this.close(`no data received for ${tickTimeMs / 1000} s`)
  }
}
