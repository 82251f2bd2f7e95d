// Nodes of tests that share who follows whom in a real Redis, each with its bus, as servers do.

import { busLimits } from '../core/bus-limits.ts'
import { systemClock } from '../core/clock.ts'
import { type FollowLimits, followLimits } from '../core/follow-limits.ts'
import { BARRIER, type LogItem } from '../log/message-bus.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { type FollowsRead, SharedSubscriptions } from '../subscriptions/shared.ts'
import { randomOrigin } from './bus.fixture.ts'
import { FollowLoader } from './follow-loader.ts'
import { addressOf, SHORT_LIMITS } from './redis.fixture.ts'
import { RedisBus } from './redis-bus.ts'

export interface SharedNodeOptions {
  readonly prefix: string
  readonly limits?: Partial<FollowLimits>
}

export class SharedNode implements AsyncDisposable {
  readonly names = new NameTable({ seed: 1 })
  readonly subscriptions: SharedSubscriptions
  readonly loader: FollowLoader<FollowsRead>
  readonly bus: RedisBus
  readonly reloads: FollowsRead[] = []
  readonly failures: string[] = []

  /** One that has read all. */
  static async open(url: string, options: SharedNodeOptions): Promise<SharedNode> {
    const node = new SharedNode(url, options)
    await node.bus.ready
    const loaded = await node.loader.load()
    if (!loaded.ok) throw new Error(loaded.why)
    return node
  }

  private constructor(url: string, { prefix, limits: given }: SharedNodeOptions) {
    const origin = randomOrigin()
    const limits = { ...followLimits, firstRetryMs: 5, maxRetryMs: 50, ...given }
    const shared = {
      ...{ address: addressOf(url), prefix, clock: systemClock, random: Math.random },
      redisLimits: SHORT_LIMITS,
    }
    this.bus = new RedisBus({
      ...shared,
      ...{ origin, historyBytes: 1024 * 1024 },
      node: { name: origin, address: '127.0.0.1:8001', version: '0.0.0', startedMs: Date.now() },
      listener: { onItem: (item) => this.#onItem(item), onGap: () => undefined },
      intern: (name) => this.names.intern(name),
      nameOf: (handle) => this.names.nameOf(handle),
      onFollowsLost: () => this.loader.reload(),
      limits: { ...busLimits, readBlockMs: 100, waitMsMax: 1_000 },
    })
    const [names, changer] = [this.names, this.bus]
    this.subscriptions = new SharedSubscriptions({ names, changer, limits })
    this.loader = new FollowLoader({
      ...{ ...shared, target: this.subscriptions, limits, readUpTo: () => this.bus.readUpTo },
      onReloaded: (loaded) => this.reloads.push(loaded),
      onFailed: (why) => this.failures.push(why),
    })
  }

  #onItem(item: LogItem): void {
    if (item === BARRIER) this.loader.reload()
    else if ('follows' in item) this.subscriptions.apply(item)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loader.stop()
    await this.bus.close()
    this.subscriptions.close()
  }
}
