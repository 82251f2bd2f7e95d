// Reads who follows whom into the memory of a node: at its start, after a bulk load, and after a
// part of the log was lost, when memory and the sets in Redis may differ.

import type { RedisLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { type FollowLimits, followLimits } from '../core/follow-limits.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { backoffMs, jitteredMs } from '../core/retry.ts'
import { Sleeper } from '../core/sleeper.ts'
import { busKeys } from './bus-keys.ts'
import { type OnFollows, readFollows } from './follow-sets.ts'
import { RedisConnection, type RedisFailure } from './redis-connection.ts'
import { compareCursors, parseId } from './stream-entry.ts'

/** Takes what is read. */
export interface FollowTarget<Loaded> {
  /** Calls `read` with the lists to fill, and uses them if it succeeds. */
  load(read: (lists: { add: OnFollows }) => Promise<Result<void>>): Promise<Result<Loaded>>
}

export interface FollowLoaderOptions<Loaded> {
  readonly address: RedisAddress
  readonly prefix: string
  readonly target: FollowTarget<Loaded>
  /** Up to where this node has read the log and applied its changes. */
  readonly readUpTo: () => Cursor
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly redisLimits: RedisLimits
  readonly limits?: FollowLimits
  /** Called after each reading that {@link FollowLoader.reload} has asked for. */
  readonly onReloaded: (loaded: Loaded) => void
  /** Called after the first failure of such a reading; it is tried again until it succeeds. */
  readonly onFailed: (why: string) => void
}

const OTHER_EPOCH = 'the epoch of the log changed meanwhile'

export class FollowLoader<Loaded> {
  readonly #options: FollowLoaderOptions<Loaded>
  readonly #limits: FollowLimits
  /** Is a reading due? */
  #isStale = false
  #running: Promise<void> | null = null
  #first: Promise<unknown> | null = null
  #isStopped = false
  #connection: RedisConnection | null = null
  readonly #sleeper = new Sleeper()

  constructor(options: FollowLoaderOptions<Loaded>) {
    this.#options = options
    this.#limits = options.limits ?? followLimits
  }

  /** Is a reload requested and not finished? */
  get isReloading(): boolean {
    return this.#running !== null
  }

  /** Reads all sets once, when the node starts. */
  load(): Promise<Result<Loaded>> {
    const loaded = this.#load()
    this.#first = loaded
    return loaded
  }

  /** Reads all sets again, with retries, and once more if this is called meanwhile. */
  reload(): void {
    this.#isStale = true
    this.#running ??= this.#reload()
  }

  /** Ends a reading under way; there is no later one. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#connection?.close('The node is stopping.')
    this.#sleeper.stop()
    await this.#running
  }

  async #reload(): Promise<void> {
    await this.#first
    let failures = 0
    while (this.#isStale && !this.#isStopped) {
      this.#isStale = false
      const loaded = await this.#load()
      if (this.#isStopped) break
      if (loaded.ok) {
        failures = 0
        this.#options.onReloaded(loaded.value)
        continue
      }
      this.#isStale = true
      if (++failures === 1) this.#options.onFailed(loaded.why)
      const { firstRetryMs: firstMs, maxRetryMs: maxMs } = this.#limits
      await this.#sleeper.sleep(
        jitteredMs(backoffMs(failures, { firstMs, maxMs }), this.#options.random),
      )
    }
    this.#running = null
  }

  async #load(): Promise<Result<Loaded>> {
    for (let times = 1; ; times++) {
      const loaded = await this.#options.target.load((lists) => this.#read(lists))
      const isOther = !loaded.ok && loaded.why === OTHER_EPOCH && times < this.#limits.epochsMax
      if (!isOther || this.#isStopped) return loaded
    }
  }

  async #read(lists: { add: OnFollows }): Promise<Result<void>> {
    const { address, clock, prefix, redisLimits } = this.#options
    const opened = await RedisConnection.open({ address, clock, limits: redisLimits })
    if (!opened.ok) return opened
    const connection = opened.value
    this.#connection = connection
    if (this.#isStopped) connection.close('The node is stopping.')
    const add: OnFollows = (user, subjects) => lists.add(user, subjects)
    const read = await readFollows(connection, prefix, add, this.#limits)
    const top = read.ok ? await lastEntry(connection, busKeys(prefix).log) : read
    connection.close('All sets are read.')
    this.#connection = null
    return top.ok ? await this.#catchUp(top.value) : refused(top.why.text)
  }

  /**
   * Waits until this node has read the log up to the state of the sets. Otherwise the sets would
   * have changes from after the messages that a resuming client gets. After a new epoch, Redis may
   * have lost what was read.
   */
  async #catchUp(top: Cursor): Promise<Result<void>> {
    const { readUpTo, clock } = this.#options
    const untilMs = clock.elapsedMs() + this.#limits.catchUpMsMax
    while (compareCursors(readUpTo(), top) < 0) {
      if (this.#isStopped) return refused('the node is stopping')
      if (clock.elapsedMs() > untilMs) return refused('the log was not read up to the sets in time')
      await this.#sleeper.sleep(this.#limits.catchUpEveryMs)
    }
    return readUpTo().epoch === top.epoch ? OK : refused(OTHER_EPOCH)
  }
}

/** The cursor of the newest entry of the log; before all others if there is none. */
async function lastEntry(
  connection: RedisConnection,
  log: string,
): Promise<Result<Cursor, RedisFailure>> {
  const answer = await connection.send('XREVRANGE', [log, '+', '-', 'COUNT', '1'])
  if (!answer.ok) return answer
  const [newest] = Array.isArray(answer.value) ? answer.value : []
  return success(parseId(newest?.[0]) ?? { epoch: 0, number: 0 })
}
