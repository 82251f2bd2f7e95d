// Nodes of tests that share the feed of connections in a real Redis, each with connections that are
// opened and closed by hand; and a reader that knows who is connected by what it is told.

import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import { busLimits, type NodeLimits, nodeLimits, type RedisLimits } from '../core/bus-limits.ts'
import { systemClock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { type SharedFeedLimits, sharedFeedLimits } from '../core/feed-limits.ts'
import { until } from '../core/time.fixture.ts'
import { Feed, type HeldConnection } from '../hub/feed.ts'
import type { CloseReason } from '../hub/refusals.ts'
import type {
  ConnectionEvent,
  FeedGap,
  FeedSource,
  PresentConnections,
} from '../log/feed-source.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { randomOrigin } from './bus.fixture.ts'
import { FeedSharing } from './feed-sharing.ts'
import { addressOf, SHORT_LIMITS } from './redis.fixture.ts'
import { RedisBus } from './redis-bus.ts'

export interface FeedNodeOptions {
  readonly name?: string
  /** Of its own feed. */
  readonly feedBytes?: number
  /** Of the shared one. */
  readonly bytes?: number
  readonly limits?: Partial<SharedFeedLimits>
  readonly nodeLimits?: Partial<NodeLimits>
  readonly redisLimits?: Partial<RedisLimits>
  /** A user of Redis. */
  readonly as?: { readonly user: string; readonly password: string }
}

/** As the tests of members have it. */
export const SHORT_LIVES: Partial<NodeLimits> = { beatEveryMs: 40, aliveMs: 200, judgeAfterMs: 300 }

const SHORT: Partial<SharedFeedLimits> = {
  ...{ readBlockMs: 100, lookEveryMs: 60, firstRetryMs: 5, maxRetryMs: 50, claimMs: 300 },
  ...{ closeMsMax: 1_000, gatherMs: 2, forgottenEveryMs: 60 },
}

export class FeedNode implements AsyncDisposable {
  readonly run = randomOrigin().slice(0, 12)
  readonly name: string
  /** Between it and Redis. */
  readonly proxy: TcpProxy
  readonly bus: RedisBus
  readonly feed: Feed
  readonly sharing: FeedSharing
  /** Connections that are open, by when they were opened. */
  readonly open = new Map<number, HeldConnection>()
  readonly #names = new NameTable({ seed: 1 })
  #sinceUs = 1_000_000

  static async open(url: string, options: FeedNodeOptions = {}): Promise<FeedNode> {
    return new FeedNode(await TcpProxy.start(Number(new URL(url).port)), options)
  }

  /** One that has joined, and can tell of connections. */
  static async start(url: string, options: FeedNodeOptions = {}): Promise<FeedNode> {
    const node = await FeedNode.open(url, options)
    await node.isReady()
    return node
  }

  private constructor(proxy: TcpProxy, options: FeedNodeOptions) {
    const { name = 'node', feedBytes = 2 ** 20, bytes = 2 ** 20 } = options
    const origin = randomOrigin()
    const ofNodes = { ...nodeLimits, ...options.nodeLimits }
    const ofRedis = { ...SHORT_LIMITS, ...options.redisLimits }
    const limits = { ...sharedFeedLimits, ...SHORT, ...options.limits }
    this.proxy = proxy
    const address = addressOf(proxy.url, options.as)
    const shared = { address, prefix: 'comet:', clock: systemClock }
    this.name = name
    this.feed = new Feed({
      ...{ bytes: feedBytes, epoch: Date.now(), run: this.run, node: name, names: this.#names },
    })
    this.bus = new RedisBus({
      ...{
        ...shared,
        historyBytes: 2 ** 20,
        random: Math.random,
        origin,
        intern: () => null,
        nameOf: String,
      },
      listener: { onItem: (_, __, one) => one?.settle(0, 0), onGap: () => undefined },
      node: { name, address: '127.0.0.1:8001', version: '0.0.0', startedMs: Date.now() },
      memberListener: {
        onJoin: () => undefined,
        onLeave: (member) => this.sharing.onLeave(member.origin),
      },
      redisLimits: ofRedis,
      nodeLimits: ofNodes,
      limits: { ...busLimits, readBlockMs: limits.readBlockMs },
      onReady: () => this.sharing.onReady(),
    })
    this.sharing = new FeedSharing({
      ...{ ...shared, bus: this.bus, node: { run: this.run, name }, feed: this.feed, bytes },
      present: this.#present,
      isOnline: async (user) => this.#isOnline(this.#names.idOf(user)),
      random: Math.random,
      limits,
      redisLimits: ofRedis,
      nodeLimits: ofNodes,
    })
  }

  async isReady(): Promise<void> {
    await until('the node has told of all its connections', () => this.sharing.figures.isSteady)
    await until('it has joined', () => this.bus.members.get(this.bus.origin) !== null)
  }

  get source(): FeedSource {
    return this.sharing.source
  }

  get present(): PresentConnections {
    return (place, count) => this.sharing.source.present(place, count)
  }

  /** By the ids of those that are open. */
  get users(): ReadonlyMap<string, number | string> {
    const all = [...this.open.values()].map(({ process, sinceUs, user }) => {
      const id = `${this.run}-${process.toString(16)}-${sinceUs.toString(16)}`
      return [id, this.#names.subjectOf(user)] as const
    })
    return new Map(all)
  }

  /** Opens a connection, which the returned number stands for. */
  connect(user: number | string): number {
    const sinceUs = ++this.#sinceUs
    const id = this.#names.intern(user) ?? 0
    const connection = { user: id, process: 0, sinceUs }
    this.open.set(sinceUs, connection)
    this.feed.opened(connection)
    return sinceUs
  }

  disconnect(which: number, reason: CloseReason = 'client'): void {
    const connection = this.open.get(which)
    if (connection === undefined) throw new Error('it is not open')
    this.open.delete(which)
    this.feed.closed(connection, reason, this.#isOnline(connection.user), Date.now())
  }

  #isOnline(user: number): boolean {
    return [...this.open.values()].some((one) => one.user === user)
  }

  /** By slots, as a port has them: here when they were opened. */
  readonly #present: PresentConnections = (place, count) => {
    const behind = [...this.open.keys()].filter((since) => since > Number(place)).slice(0, count)
    const connections = behind.map((since) => this.open.get(since) as HeldConnection)
    return this.feed.present({
      connections,
      next: behind.length < count ? null : (behind.at(-1) ?? null),
    })
  }

  /** All that it has told by now is in Redis. */
  async isSent(): Promise<void> {
    await until('all is sent', () => {
      const { isSteady, unsentBytes } = this.sharing.figures
      return isSteady && unsentBytes === 0
    })
  }

  /** As a server stops: its connections end, and their ends are told. */
  async stop(): Promise<void> {
    for (const which of this.open.keys()) this.disconnect(which, 'drained')
    this.feed.close()
    await this.sharing.close()
    await this[Symbol.asyncDispose]()
  }

  /** As if it had died: it does not say that it leaves. */
  async kill(): Promise<void> {
    this.proxy.isRefusing = true
    this.proxy.cut()
    await this.sharing.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sharing.stop()
    await this.bus.close()
    await this.proxy[Symbol.asyncDispose]()
  }
}

/** Follows the feed at any node, by the rules for those who do. */
export class Follower {
  /** Connections that are open by what it was told, with their users. */
  readonly open = new Map<string, number | string>()
  readonly events: ConnectionEvent[] = []
  readonly gaps: FeedGap[] = []
  cursor: Cursor | null = null
  #node: FeedNode
  #isStopped = false
  readonly #hasSnapshots: boolean
  /** Was it told of all who were connected? If not, it asks again. */
  #isComplete = false
  #running: Promise<void>

  constructor(node: FeedNode, hasSnapshots = false) {
    this.#node = node
    this.#hasSnapshots = hasSnapshots
    this.#running = this.#run(node)
  }

  /** Goes on at another node, with its cursor. */
  async moveTo(node: FeedNode): Promise<void> {
    await this.stop()
    this.#node = node
    this.#isStopped = false
    this.#running = this.#run(node)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  get node(): FeedNode {
    return this.#node
  }

  get short(): string[] {
    return this.events.map(({ user, reason }) => `${user} ${reason ?? 'connected'}`)
  }

  async has(event: string): Promise<void> {
    await until(`${event}`, () => this.short.includes(event))
  }

  /** Knows exactly the connections of these nodes. */
  async agreesWith(nodes: readonly FeedNode[]): Promise<void> {
    await until('it knows who is connected', () => {
      const users = new Map(nodes.flatMap(({ users: of }) => [...of]))
      return this.open.size === users.size && Bun.deepEquals(this.open, users)
    })
  }

  async #run(node: FeedNode): Promise<void> {
    const { source } = node
    let hasMore = false
    const stopListening = source.listen(() => {
      hasMore = true
    })
    if (this.cursor === null || !this.#isComplete) await this.#begin(source)
    while (!this.#isStopped) {
      hasMore = false
      const page = await source.read(this.cursor as Cursor, 50)
      this.cursor = page.cursor
      if (page.gap !== null) await this.#onGap(page.gap, source)
      for (const event of page.events) this.#take(event)
      if (page.events.length === 0 && !hasMore) await Bun.sleep(1)
    }
    stopListening()
  }

  async #begin(source: FeedSource): Promise<void> {
    let begun = null
    while (begun === null && !this.#isStopped) {
      begun = await source.begin(this.#hasSnapshots ? 'live' : 'oldest')
      if (begun === null) await Bun.sleep(1)
    }
    if (begun === null) return
    this.open.clear()
    this.cursor = begun.cursor
    if (this.#hasSnapshots) await this.#takePresent()
    else this.#isComplete = true
  }

  async #onGap(gap: FeedGap, source: FeedSource): Promise<void> {
    this.gaps.push(gap)
    this.open.clear()
    if (!this.#hasSnapshots) return
    const live = await source.begin('live')
    this.cursor = live?.cursor ?? this.cursor
    await this.#takePresent()
  }

  async #takePresent(): Promise<void> {
    this.#isComplete = false
    let place: number | string | null = 0
    while (place !== null && !this.#isStopped) {
      const page = await this.#node.present(place, 50)
      if (page === null) {
        await Bun.sleep(1)
        continue
      }
      for (const { connection, user } of page.connections) this.open.set(connection, user)
      place = page.next
    }
    this.#isComplete = place === null
  }

  #take(event: ConnectionEvent): void {
    this.events.push(event)
    if (event.reason === null) this.open.set(event.connection, event.user)
    else this.open.delete(event.connection)
  }
}
