// One connection to Redis by Bun's client. It never reconnects, each command has a time limit, and
// failures are values.

import type { RedisLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import { settledWithin } from '../core/deadline.ts'
import { Queue } from '../core/queue.ts'
import { clientUrl, type RedisAddress, redisName } from '../core/redis-address.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { INFO_SECTIONS, parseInfo, type RedisInfo, whyUnusable } from './redis-info.ts'

/**
 * `lost`: the connection has ended, and the command may have been executed. `error`: Redis has
 * refused it, and nothing was done; the text begins with the code of Redis, such as `NOSCRIPT`.
 */
export interface RedisFailure {
  readonly kind: 'lost' | 'error'
  readonly text: string
}

export interface RedisConnectionOptions {
  readonly address: RedisAddress
  readonly clock: Clock
  readonly limits: RedisLimits
  /** Why a server is refused; null if it is not. By default {@link whyUnusable}. */
  readonly whyRefused?: (info: RedisInfo, versionMin: number) => string | null
}

/** Bun accepts bytes too, although its types do not say so. */
export type Argument = string | Uint8Array

export class RedisConnection {
  readonly info: RedisInfo
  /** Settles with the reason when the connection ends. */
  readonly closed: Promise<string>
  readonly #client: Bun.RedisClient
  readonly #clock: Clock
  readonly #limits: RedisLimits
  readonly #onClosed: (why: string) => void
  /** The deadline of each command without an answer, in their order. */
  readonly #deadlines = new Queue<number>()
  #timer: Timer | null = null
  #isClosed = false
  /** Commands answered so far. */
  #answered = 0

  /**
   * Connects and reads the server's `INFO`. Does not retry: Bun's client reports a wrong password
   * like a server that cannot be reached.
   */
  static async open(options: RedisConnectionOptions): Promise<Result<RedisConnection>> {
    const { address, limits, whyRefused = whyUnusable } = options
    const name = redisName(address)
    const client = new Bun.RedisClient(clientUrl(address), {
      autoReconnect: false,
      enableOfflineQueue: false,
      connectionTimeout: limits.openMsMax,
      ...(address.isTls ? { tls: tlsOf(address) } : {}),
    })
    const opened = await settledWithin(infoFrom(client), limits.openMsMax)
    const failed = (why: string) => {
      client.close()
      return refused(why)
    }
    if (opened === undefined) return failed(`${name} gave no answer in ${limits.openMsMax} ms.`)
    if (!opened.ok) return failed(`${name} cannot be used. ${opened.why}`)
    const why = whyRefused(opened.value, limits.versionMin)
    if (why !== null) return failed(`${name} cannot be used. ${why}`)
    return success(new RedisConnection(client, opened.value, options))
  }

  private constructor(client: Bun.RedisClient, info: RedisInfo, options: RedisConnectionOptions) {
    this.info = info
    this.#client = client
    this.#clock = options.clock
    this.#limits = options.limits
    const { promise, resolve } = Promise.withResolvers<string>()
    this.closed = promise
    this.#onClosed = resolve
    client.onclose = () => this.close('Redis closed the connection.')
    // It may have closed before the callback was set.
    if (!client.connected) this.close('Redis closed the connection.')
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Commands without an answer. */
  get pending(): number {
    return this.#deadlines.length
  }

  /**
   * Sends a command; several are answered in their order. Hot path: once a batch.
   *
   * @param blockMs how long Redis itself may wait before it answers
   */
  async send(
    command: string,
    args: readonly Argument[],
    blockMs = 0,
  ): Promise<Result<unknown, RedisFailure>> {
    if (this.#isClosed) return LOST
    if (this.#deadlines.length >= this.#limits.commandsMax) {
      return refused({ kind: 'error', text: 'BUSY too many commands have no answer' })
    }
    this.#deadlines.push(this.#clock.elapsedMs() + blockMs + this.#limits.answerMsMax)
    if (this.#timer === null) this.#watch()
    try {
      return success(await this.#client.send(command, args as string[]))
    } catch (error) {
      return refused(this.#failureOf(error))
    } finally {
      this.#answered++
      this.#deadlines.shift()
    }
  }

  /** Closes it; commands without an answer fail. */
  close(why: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#client.onclose = null
    this.#client.close()
    this.#onClosed(why)
  }

  #failureOf(error: unknown): RedisFailure {
    const text = error instanceof Error ? error.message : String(error)
    if (codeOf(error) === 'ERR_REDIS_SERVER_ERROR') return { kind: 'error', text }
    // A bug of ours must not pass as an outage.
    if (codeOf(error)?.startsWith('ERR_REDIS_') !== true) throw error
    this.close(text)
    return { kind: 'lost', text }
  }

  /** One timer for all commands, since they are answered in order: until that of the first one. */
  #watch(): void {
    const first = this.#deadlines.at(0)
    if (first === undefined) {
      this.#timer = null
      return
    }
    const leftMs = first - this.#clock.elapsedMs()
    this.#timer = setTimeout(() => this.#look(), Math.max(0, leftMs))
  }

  #look(): void {
    const first = this.#deadlines.at(0)
    if (first === undefined || first > this.#clock.elapsedMs()) {
      this.#watch()
      return
    }
    const answered = this.#answered
    this.#timer = setTimeout(() => {
      if (this.#answered !== answered) this.#watch()
      else this.close(`Redis gave no answer in ${this.#limits.answerMsMax} ms.`)
    }, this.#limits.graceMs)
  }
}

const LOST = refused({ kind: 'lost', text: 'The connection is closed.' } as const)

function tlsOf({ authorities }: RedisAddress): true | Bun.TLSOptions {
  return authorities === null ? true : { ca: authorities }
}

async function infoFrom(client: Bun.RedisClient): Promise<Result<RedisInfo>> {
  try {
    await client.connect()
    return parseInfo(await client.send('INFO', [...INFO_SECTIONS]))
  } catch (error) {
    if (codeOf(error)?.startsWith('ERR_REDIS_') !== true) throw error
    const { message } = error as Error
    return refused(`${message}. Check the address, user and password.`)
  }
}
