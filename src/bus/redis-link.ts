// Keeps two connections to one Redis: one that waits for entries, and one for all other commands.
// Opens new ones after each failure.

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
  /** Settles with the reason when they end. */
  readonly ended: Promise<string>
  end(why: string): void
}

/** The state of the connection to Redis, for operators. */
export interface LinkState {
  readonly isConnected: boolean
  /** Since when, in milliseconds of the clock. */
  readonly sinceMs: number
  /** Why it is not connected; null while it is, and before the first attempt has ended. */
  readonly why: string | null
  /** Attempts in a row that have failed. */
  readonly failures: number
  /** Of the last server that was connected. */
  readonly info: RedisInfo | null
}

export interface RedisLinkOptions extends RedisConnectionOptions {
  /** From 0 to 1. */
  readonly random: () => number
  /** Called with each new session; settles when the session is no longer used. Does not throw. */
  readonly use: (session: RedisSession) => Promise<void>
  /** Called when the connection is lost or back; not for each attempt in between. */
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

  /** Ends the session and does not connect again. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#session?.end('The link is stopped.')
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
    if (this.#isStopped) session.end('The link is stopped.')
    this.#session = session
    this.#change({ isConnected: true, why: null, info: session.info })
    await this.#options.use(session)
    session.end('The session is not used any more.')
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

/** During a failover, a name may resolve to two servers. */
function notTheSame(one: RedisConnection, other: RedisConnection): string | null {
  if (one.info.runId === other.info.runId) return null
  return 'Two connections to the address of Redis reached two servers.'
}
