// The bus of several machines: one log in Redis. Each node adds its messages there, and reads those
// of all nodes, its own included, in the one order that they have there.

import { type BusLimits, busLimits, type RedisLimits, redisLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { OK, type Result, refused } from '../core/result.ts'
import type {
  BusListener,
  LogItem,
  LogWindow,
  MessageBus,
  Publication,
} from '../log/message-bus.ts'
import type { InternName } from './batch.ts'
import { BusSession } from './bus-session.ts'
import { PublishQueue } from './publish-queue.ts'
import { AWAY, type RedisCommands } from './redis-commands.ts'
import type { Argument, RedisFailure } from './redis-connection.ts'
import { type LinkState, RedisLink } from './redis-link.ts'
import { busKeys } from './scripts.ts'
import { SharedWindow, type WindowCounts } from './shared-window.ts'

export interface RedisBusOptions {
  readonly address: RedisAddress
  /** Before the names of all keys. */
  readonly prefix: string
  /** Of the window here, and of the bodies and heads in Redis, about. */
  readonly historyBytes: number
  readonly listener: BusListener
  readonly intern: InternName
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** 16 hexadecimal digits that no other start of any node has. */
  readonly origin: string
  readonly limits?: BusLimits
  readonly redisLimits?: RedisLimits
  /** Called when Redis was lost, or is there again. */
  readonly onChange?: (state: LinkState) => void
}

export interface BusFigures extends WindowCounts {
  readonly link: LinkState
  /** Is everything read, has nothing to be added again, and can messages be added? */
  readonly isReady: boolean
  readonly queuedMessages: number
  readonly queuedBytes: number
  /** Batches that were added. */
  readonly added: number
}

export class RedisBus implements MessageBus, RedisCommands {
  readonly isShared = true
  /** Settles when the log was read for the first time: clients can resume. */
  readonly ready: Promise<void>
  readonly #window: SharedWindow
  readonly #queue: PublishQueue
  readonly #link: RedisLink
  readonly #expiry: Timer
  #session: BusSession | null = null
  #added = 0
  #isClosed = false
  #isFlushing = false

  constructor(options: RedisBusOptions) {
    const { limits = busLimits, clock, origin, listener, intern, prefix } = options
    this.#queue = new PublishQueue({ origin, limits, clock })
    this.#window = new SharedWindow({
      bytes: options.historyBytes,
      ...{ limits, listener, intern },
      takeOwn: (entry) => this.#queue.take(entry),
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ready = promise
    const keys = busKeys(prefix)
    this.#link = new RedisLink({
      address: options.address,
      clock,
      limits: options.redisLimits ?? redisLimits,
      random: options.random,
      ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
      use: async (connections) => {
        const session = new BusSession({
          ...{ connections, keys, origin, limits },
          window: this.#window,
          queue: this.#queue,
          onReady: resolve,
          onAdded: () => this.#added++,
        })
        this.#session = session
        await session.run()
        this.#session = null
      },
    })
    this.#expiry = setInterval(() => this.#queue.expire(), limits.waitCheckEveryMs)
  }

  get window(): LogWindow {
    return this.#window.log
  }

  get cursor(): Cursor {
    return this.#window.reached
  }

  get figures(): BusFigures {
    return {
      ...this.#window.counts,
      link: this.#link.state,
      isReady: this.#session?.isReady === true && this.#window.isWhole,
      queuedMessages: this.#queue.messages,
      queuedBytes: this.#queue.bytes,
      added: this.#added,
    }
  }

  numberOf(cursor: Cursor): number | null {
    return this.#window.numberOf(cursor)
  }

  cursorOf(number: number): Cursor {
    return this.#window.cursorOf(number)
  }

  settled(): Promise<void> | null {
    return this.#window.settled()
  }

  /** What is published in one turn of the loop goes together, at the end of the turn. */
  publish(item: LogItem, publication: Publication | null): Result<void, 'full' | 'closed'> {
    if (this.#isClosed) return refused('closed')
    const pushed = this.#queue.push(item, publication)
    if (!pushed.ok) return pushed
    if (!this.#isFlushing) {
      this.#isFlushing = true
      setImmediate(this.#flush)
    }
    return OK
  }

  /** Of the same connection as what is published. */
  async send(command: string, args: readonly Argument[]): Promise<Result<unknown, RedisFailure>> {
    return (await this.#session?.send(command, args)) ?? AWAY
  }

  readonly #flush = (): void => {
    this.#isFlushing = false
    this.#session?.flush()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#expiry)
    await this.#link.stop()
    this.#queue.close()
    this.#window.log.close()
  }
}
