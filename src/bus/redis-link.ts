// Keeps two connections to one Redis, one that waits for entries and one for all else; opens new
// ones after each failure, for as long as it runs.

import { type Result, refused, success } from '../core/result.ts'
import { backoffMs, jitteredMs } from '../core/retry.ts'
import { Sleeper } from '../core/sleeper.ts'
import { RedisConnection, type RedisConnectionOptions } from './redis-connection.ts'
import type { RedisInfo } from './redis-info.ts'

/** Two connections to the same server; they end together. */
export interface RedisSession {
  readonly reader: RedisConnection
  readonly writer: RedisConnection
  readonly info: RedisInfo
  /** Settles when it is over, with why. */
  readonly ended: Promise<string>
  end(why: string): void
}

/** How it is with Redis, for people. */
export interface LinkState {
  readonly isConnected: boolean
  /** Since when, in milliseconds of the clock. */
  readonly sinceMs: number
  /** Why it is away; null while it is there, and before the first attempt has ended. */
  readonly why: string | null
  /** Attempts in a row that have failed. */
  readonly failures: number
  /** Of the last server that was there. */
  readonly info: RedisInfo | null
}

export interface RedisLinkOptions extends RedisConnectionOptions {
  /** From 0 to 1. */
  readonly random: () => number
  /** Called with each new session; settles when it has no more use for it. Does not throw. */
  readonly use: (session: RedisSession) => Promise<void>
  /** Called when it was lost, or is there again; not for each attempt in between. */
  readonly onChange?: (state: LinkState) => void
}

export class RedisLink {
  readonly #options: RedisLinkOptions
  #state: LinkState
  #session: RedisSession | null = null
  #isStopped = false
  readonly #sleeper = new Sleeper()
  readonly #running: Promise<void>

  /** Begins to connect. */
  constructor(options: RedisLinkOptions) {
    this.#options = options
    const sinceMs = options.clock.elapsedMs()
    this.#state = { isConnected: false, sinceMs, why: null, failures: 0, info: null }
    this.#running = this.#run()
  }

  get state(): LinkState {
    return this.#state
  }

  /** Ends the session and connects no more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#session?.end('It is stopped.')
    this.#sleeper.stop()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, limits } = this.#options
    while (!this.#isStopped) {
      const opened = await openSession(this.#options)
      const startedMs = clock.elapsedMs()
      const why = opened.ok ? await this.#use(opened.value) : opened.why
      const livedMs = opened.ok ? clock.elapsedMs() - startedMs : 0
      const failures = livedMs >= limits.forgetMs ? 1 : this.#state.failures + 1
      this.#change({ isConnected: false, why, failures })
      const delayMs = backoffMs(failures, {
        firstMs: limits.firstRetryMs,
        maxMs: limits.maxRetryMs,
      })
      await this.#sleeper.sleep(jitteredMs(delayMs, this.#options.random))
    }
  }

  async #use(session: RedisSession): Promise<string> {
    if (this.#isStopped) session.end('It is stopped.')
    this.#session = session
    this.#change({ isConnected: true, why: null, info: session.info })
    await this.#options.use(session)
    session.end('It is not used any more.')
    this.#session = null
    return await session.ended
  }

  #change(change: Partial<LinkState>): void {
    const { isConnected, why } = this.#state
    this.#state = { ...this.#state, ...change }
    const isNew = this.#state.isConnected !== isConnected
    if (isNew) this.#state = { ...this.#state, sinceMs: this.#options.clock.elapsedMs() }
    if (!this.#isStopped && (isNew || why === null)) this.#options.onChange?.(this.#state)
  }
}

async function openSession(options: RedisConnectionOptions): Promise<Result<RedisSession>> {
  const [reader, writer] = await Promise.all([
    RedisConnection.open(options),
    RedisConnection.open(options),
  ])
  const whyNot = !reader.ok ? reader.why : writer.ok ? notTheSame(reader.value, writer.value) : null
  if (!reader.ok || !writer.ok || whyNot !== null) {
    const why = whyNot ?? (writer.ok ? '' : writer.why)
    if (reader.ok) reader.value.close(why)
    if (writer.ok) writer.value.close(why)
    return refused(why)
  }
  const both = [reader.value, writer.value] as const
  const end = (why: string) => {
    for (const connection of both) connection.close(why)
  }
  const ended = Promise.race(both.map(({ closed }) => closed))
  ended.then(end)
  const { info } = writer.value
  return success({ reader: reader.value, writer: writer.value, info, ended, end })
}

/** A name that stands for several servers may lead to two of them, in the middle of a failover. */
function notTheSame(one: RedisConnection, other: RedisConnection): string | null {
  if (one.info.runId === other.info.runId) return null
  return 'Two connections to Redis have led to two servers.'
}
