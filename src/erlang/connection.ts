// A connected node: reads its packets as fast as comet can take them, sends it what it is answered, and
// notices by ticks when it is gone. What packets say is the conversation's business.

import { erlangLimits } from '../core/limits.ts'
import type { Router } from '../hub/router.ts'
import type { Conversation } from './channel.ts'
import type { Outbound } from './outbound.ts'
import { Packets } from './packets.ts'
import { NOBODY, type OwnedSocket } from './socket.ts'

export interface ConnectionOptions {
  readonly socket: OwnedSocket
  readonly outbound: Outbound
  readonly conversation: Conversation
  readonly router: Router
  readonly tickTimeMs: number
  /** A bug that a message met. */
  readonly onBug: (error: unknown) => void
  /** Told once, with why; the socket is closed. */
  readonly onClosed: (why: string) => void
}

export class Connection {
  readonly conversation: Conversation
  readonly #options: ConnectionOptions
  readonly #packets = new Packets(new Uint8Array(0))
  readonly #timer: Timer
  #state: 'open' | 'closed' = 'open'
  /** What came last has not been held against who is connected. */
  #isFresh = false
  #isWorking = false
  #isPaused = false
  /** Is it comet's turn? Then the node is not to blame for silence. */
  #isOurTurn = false
  /** Looks since anything was heard of the node. */
  #silentLooks = 0

  constructor(options: ConnectionOptions) {
    const { socket, conversation, tickTimeMs } = options
    this.#options = options
    this.conversation = conversation
    socket.data.owner = {
      data: (bytes) => this.#data(bytes),
      drained: () => {
        this.#silentLooks = 0
        options.outbound.drained()
      },
      closed: () => this.close('it has closed the connection'),
    }
    const everyMs = tickTimeMs / erlangLimits.looksPerTickTime
    this.#timer = setInterval(() => this.#look(), everyMs)
  }

  /** Takes what the node has sent already. */
  begin(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#data(bytes)
  }

  /** Ends it in order: those who watch comet are told, and what waits is sent, in bounded time. */
  async end(): Promise<void> {
    const { socket, outbound } = this.#options
    // Nothing more is taken.
    this.#isWorking = true
    socket.pause()
    const timeout = Promise.withResolvers<void>()
    const timer = setTimeout(timeout.resolve, erlangLimits.endMsMax)
    const told = this.conversation.end(() => outbound.room()).then(() => outbound.empty())
    await Promise.race([told, timeout.promise])
    clearTimeout(timer)
    this.close('the server has stopped')
  }

  /** Closes it; only the first reason counts. */
  close(why: string): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    clearInterval(this.#timer)
    const { socket, outbound, onClosed } = this.#options
    outbound.flush()
    socket.data.owner = NOBODY
    socket.end()
    onClosed(why)
  }

  #data(bytes: Uint8Array): void {
    this.#silentLooks = 0
    this.#isFresh = true
    this.#packets.push(bytes)
    if (this.#isWorking) {
      // What comes meanwhile waits in the kernel, and in the end at its sender.
      this.#isPaused = true
      this.#options.socket.pause()
      return
    }
    this.#isWorking = true
    this.conversation.pace.begin()
    this.#work()
  }

  /** Takes all packets that have come, and then lets more come. Hot path: once a part that comes. */
  #work(): void {
    try {
      const wait = this.#advance()
      if (wait === null) this.#rest()
      else wait.then(() => this.#work()).catch((error) => this.#bug(error))
    } catch (error) {
      this.#bug(error)
    }
  }

  #bug(error: unknown): void {
    this.#options.onBug(error)
    this.close('a message met a bug')
  }

  #rest(): void {
    this.#isWorking = false
    if (!this.#isPaused || this.#state === 'closed') return
    this.#isPaused = false
    this.#options.socket.resume()
  }

  /** Takes packets until something is to be awaited, and answers what; null when all are taken. */
  #advance(): Promise<void> | null {
    const { conversation, outbound, router } = this.#options
    const { pace, receipt } = conversation
    while (this.#state === 'open') {
      this.#isOurTurn = true
      if (this.#isFresh) {
        this.#isFresh = false
        const sync = router.sync()
        if (sync !== null) return sync
      }
      // All of them are asked before each slice, whatever has been waited for.
      const wait = pace.next(receipt) ?? conversation.room()
      if (wait !== null) return wait
      this.#isOurTurn = false
      const room = outbound.room()
      if (room !== null) return room
      const taken = this.#slice()
      if (taken === 'all') return null
      this.#isOurTurn = true
      if (taken !== 'some') return taken
    }
    return null
  }

  #slice(): Taken {
    const { conversation } = this.#options
    const packets = this.#packets
    for (let bytes = 0; bytes < erlangLimits.sliceBytes; bytes += packets.end - packets.at) {
      if (!packets.next()) {
        if (packets.failure !== null) this.close(packets.failure)
        return 'all'
      }
      const taken = conversation.take(packets.bytes, packets.at, packets.end)
      if (taken === null) continue
      if (typeof taken !== 'string') return taken
      this.close(taken)
      return 'all'
    }
    return 'some'
  }

  /** Once every so often: shows that comet is alive, and looks whether the node is. */
  #look(): void {
    const { outbound, tickTimeMs } = this.#options
    if (!outbound.isActive) outbound.tick()
    outbound.isActive = false
    if (this.#isOurTurn) return
    if (++this.#silentLooks <= erlangLimits.looksPerTickTime) return
    this.close(`nothing was heard of it for ${tickTimeMs / 1000} s`)
  }
}

/** What a slice has taken of the packets that were there; a promise is awaited before the next. */
type Taken = 'all' | 'some' | Promise<void>
