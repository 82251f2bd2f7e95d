// Nodes of tests that share who follows whom in a real Redis. How a change gets into the sets and
// into the log is a STAND-IN here, a small script and stream of its own: RedisBus.changeFollows is
// to replace `StandInChanger`.

import { redisLimits } from '../core/bus-limits.ts'
import { systemClock } from '../core/clock.ts'
import { type FollowLimits, followLimits } from '../core/follow-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { userIdOf } from '../core/user.ts'
import { NameTable, NOBODY } from '../subscriptions/name-table.ts'
import {
  type FollowChanger,
  type FollowPair,
  type FollowRefusal,
  type FollowsRead,
  SharedSubscriptions,
} from '../subscriptions/shared.ts'
import { FollowLoader } from './follow-loader.ts'
import { followsPrefix } from './follow-sets.ts'
import { addressOf, connected, SHORT_LIMITS } from './redis.fixture.ts'
import type { RedisConnection } from './redis-connection.ts'

/*
 * KEYS log · ARGV what the keys of sets begin with, 1 or 0, subjects a user may follow or nothing,
 * name of this change, user, subject, …
 */
const CHANGE = `
local changed = {}
for at = 5, #ARGV, 2 do
  local key, subject = ARGV[1] .. ARGV[at], ARGV[at + 1]
  local done = redis.call(ARGV[2] == '1' and 'SADD' or 'SREM', key, subject)
  if done == 1 then
    changed[#changed + 1] = ARGV[at]
    changed[#changed + 1] = subject
  end
  if ARGV[2] == '1' and ARGV[3] ~= '' and redis.call('SCARD', key) > tonumber(ARGV[3])
    and done == 1 then
    for undo = 1, #changed, 2 do redis.call('SREM', ARGV[1] .. changed[undo], changed[undo + 1]) end
    return -1
  end
end
redis.call('XADD', KEYS[1], '*', 'name', ARGV[4], 'follows', ARGV[2],
  'pairs', table.concat(changed, ' '))
return #changed / 2`

class StandInChanger implements FollowChanger {
  readonly #connection: RedisConnection
  readonly #prefix: string
  readonly #readBack = new Map<string, () => void>()

  constructor(connection: RedisConnection, prefix: string) {
    this.#connection = connection
    this.#prefix = prefix
  }

  async changeFollows(
    pairs: readonly FollowPair[],
    follows: boolean,
    perUserMax: number | null,
  ): Promise<Result<number, FollowRefusal>> {
    const name = crypto.randomUUID()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#readBack.set(name, resolve)
    const texts = pairs.flatMap(({ user, subject }) =>
      [user, subject].map(({ id, name: text }) => text ?? String(id)),
    )
    const options = [followsPrefix(this.#prefix), follows ? '1' : '0', String(perUserMax ?? '')]
    const keys = ['1', `${this.#prefix}changes`]
    const answer = await this.#connection.send('EVAL', [
      CHANGE,
      ...keys,
      ...options,
      name,
      ...texts,
    ])
    if (!answer.ok) return refused(answer.why.kind === 'lost' ? 'unknown' : 'unavailable')
    const changed = Number(answer.value)
    if (changed < 0) return refused('limit')
    await promise
    return success(changed)
  }

  onRead(name: string): void {
    this.#readBack.get(name)?.()
    this.#readBack.delete(name)
  }
}

export interface SharedNodeOptions {
  readonly prefix: string
  readonly limits?: Partial<FollowLimits>
}

export class SharedNode implements AsyncDisposable {
  readonly names = new NameTable({ seed: 1 })
  readonly subscriptions: SharedSubscriptions
  readonly loader: FollowLoader<FollowsRead>
  readonly reloads: FollowsRead[] = []
  readonly failures: string[] = []
  readonly #log: string
  readonly #reader: RedisConnection
  readonly #writer: RedisConnection
  readonly #changer: StandInChanger
  #reading: Promise<void> = Promise.resolve()

  /** One that has read all. */
  static async open(url: string, options: SharedNodeOptions): Promise<SharedNode> {
    const node = new SharedNode(url, options, await connected(url), await connected(url))
    await node.#start()
    return node
  }

  private constructor(
    url: string,
    { prefix, limits }: SharedNodeOptions,
    reader: RedisConnection,
    writer: RedisConnection,
  ) {
    this.#log = `${prefix}changes`
    this.#reader = reader
    this.#writer = writer
    this.#changer = new StandInChanger(writer, prefix)
    const all = { ...followLimits, firstRetryMs: 5, maxRetryMs: 50, ...limits }
    this.subscriptions = new SharedSubscriptions({
      ...{ names: this.names, changer: this.#changer, limits: all },
    })
    this.loader = new FollowLoader({
      ...{ address: addressOf(url), prefix, clock: systemClock, random: Math.random },
      target: this.subscriptions,
      redisLimits: { ...redisLimits, ...SHORT_LIMITS },
      limits: all,
      onReloaded: (loaded) => this.reloads.push(loaded),
      onFailed: (why) => this.failures.push(why),
    })
  }

  async #start(): Promise<void> {
    const top = await this.#writer.send('XREVRANGE', [this.#log, '+', '-', 'COUNT', '1'])
    const [newest] = top.ok ? (top.value as [string, unknown][]) : []
    this.#reading = this.#read(newest?.[0] ?? '0')
    const loaded = await this.loader.load()
    if (!loaded.ok) throw new Error(loaded.why)
  }

  async #read(from: string): Promise<void> {
    let after = from
    while (!this.#reader.isClosed) {
      const args = ['COUNT', '10', 'BLOCK', '50', 'STREAMS', this.#log, after]
      const answer = await this.#reader.send('XREAD', args, 50)
      if (!answer.ok || answer.value === null) continue
      const entries = (answer.value as Record<string, [string, string[]][]>)[this.#log] ?? []
      for (const [id, fields] of entries) {
        after = id
        this.#apply(fields)
      }
    }
  }

  #apply([, name = '', , follows, , pairs = '']: readonly string[]): void {
    const texts = pairs === '' ? [] : pairs.split(' ')
    for (let at = 0; at < texts.length; at += 2) {
      const [user, subject] = [this.#named(texts[at] ?? ''), this.#named(texts[at + 1] ?? '')]
      this.subscriptions.apply({ user, subject, follows: follows === '1' })
    }
    this.#changer.onRead(name)
  }

  #named(text: string) {
    const id = userIdOf(text)
    if (id > 0) return { id, name: null }
    return { id: this.names.intern(text) ?? NOBODY, name: text }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loader.stop()
    this.#reader.close('The test is over.')
    this.#writer.close('The test is over.')
    await this.#reading
    this.subscriptions.close()
  }
}
