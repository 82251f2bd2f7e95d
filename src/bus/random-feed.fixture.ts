// Random connections, faults and waits on a real Redis, by a seed; then everything is whole again,
// and all who follow the feed have to know who is connected. Timing is not repeatable, the order of
// what is done is.

import { RedisServer } from '../../scripts/support/redis.ts'
import type { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import { type RandomBelow, randomFrom } from '../core/random.ts'
import { FeedNode, type FeedNodeOptions, Follower } from './feed-node.fixture.ts'
import { ReplicatedRedis } from './replicated-redis.fixture.ts'

const NODES = 3
const USERS = 40

/** Windows so small that events leave them, and times so short that nodes die of an outage. */
const OPTIONS: FeedNodeOptions = {
  ...{ feedBytes: 4_096, bytes: 64 * 300 },
  limits: {
    readBlockMs: 20,
    lookEveryMs: 20,
    forgottenEveryMs: 20,
    claimMs: 50,
    beginMsMax: 100,
    eventsPerEntry: 20,
    tailEventsMax: 50,
  },
  redisLimits: { answerMsMax: 150, graceMs: 30 },
  nodeLimits: { beatEveryMs: 10, aliveMs: 30, judgeAfterMs: 50 },
}

/** What became of a run, so that a test can tell that something did. */
export interface RandomFeedRun {
  readonly events: number
  readonly gaps: number
  readonly renewals: number
  readonly nodesRemoved: number
}

export class RandomFeed implements AsyncDisposable {
  readonly done: string[] = []
  readonly #random: RandomBelow
  readonly #servers: ReplicatedRedis
  readonly #proxies: TcpProxy[] = []
  readonly #nodes: FeedNode[] = []
  readonly #gone: FeedNode[] = []
  readonly #followers: Follower[] = []
  #isPaused = false
  #names = 0

  static async start(seed: number): Promise<RandomFeed> {
    const random = randomFrom(seed)
    const redis = await RedisServer.start({ isDurable: random(3) === 0 })
    const feed = new RandomFeed(random, redis)
    if (random(3) === 0) await feed.#servers.addReplica()
    for (let at = 0; at < NODES; at++) await feed.#add(at)
    for (let at = 0; at < NODES; at++) {
      feed.#followers.push(new Follower(feed.#nodes[at] as FeedNode, true))
    }
    return feed
  }

  private constructor(random: RandomBelow, redis: RedisServer) {
    this.#random = random
    this.#servers = new ReplicatedRedis(redis, this.#proxies)
  }

  async #add(at: number): Promise<void> {
    const name = `node-${++this.#names}`
    const node = await FeedNode.open(this.#servers.master.url, { name, ...OPTIONS })
    this.#proxies.push(node.proxy)
    this.#nodes[at] = node
  }

  /** Settles when all know who is connected; fails if they do not. */
  async run(steps: number): Promise<RandomFeedRun> {
    for (let step = 0; step < steps; step++) await this.#step()
    await this.#heal()
    await Promise.all(this.#nodes.map((node) => node.isReady()))
    await Promise.all(this.#nodes.map((node) => node.isSent()))
    this.#followers.push(new Follower(this.#nodes[0] as FeedNode, true))
    await this.#agree()
    const all = [...this.#nodes, ...this.#gone].map(({ sharing }) => sharing.figures)
    return {
      events: all.reduce((sum, { sent }) => sum + sent, 0),
      gaps: this.#followers.reduce((sum, { gaps }) => sum + gaps.length, 0),
      renewals: all.reduce((sum, { renewals }) => sum + renewals, 0),
      nodesRemoved: all.reduce((sum, { nodesRemoved }) => sum + nodesRemoved, 0),
    }
  }

  async #agree(): Promise<void> {
    for (const follower of this.#followers) await follower.agreesWith(this.#nodes)
  }

  async #step(): Promise<void> {
    const kind = this.#random(100)
    const at = this.#random(NODES)
    const node = this.#nodes[at] as FeedNode
    if (kind < 60) this.#change(node)
    else if (kind < 78) await Bun.sleep(1 + this.#random(20))
    else if (kind < 82) await this.#move(at)
    else if (kind < 85) this.#do(`cut ${at}`, () => node.proxy.cut())
    else if (kind < 88) {
      const bytes = 1 + this.#random(3_000)
      this.#do(`cut ${at} after ${bytes}`, () => node.proxy.cutAfter(bytes))
    } else if (kind < 90) {
      const what = (['requests', 'answers', 'both'] as const)[this.#random(3)] ?? 'both'
      this.#do(`swallow ${what} of ${at}`, () => node.proxy.swallow(what))
    } else if (kind < 92) this.#toggle(at, node.proxy)
    else if (kind < 94) await this.#replace(at)
    else if (kind < 95) this.#do('hold', () => this.#servers.hold())
    else if (kind < 97) await this.#restart()
    else if (kind < 98) await this.#empty()
    else this.#freeze()
  }

  #do(what: string, run: () => void): void {
    this.done.push(what)
    run()
  }

  /** Some are opened, some are closed, in one turn. */
  #change(node: FeedNode): void {
    for (let count = 1 + this.#random(30); count > 0; count--) {
      const open = [...node.open.keys()]
      const which = open[this.#random(2 * USERS)]
      const user = 1 + this.#random(USERS)
      if (which !== undefined) node.disconnect(which)
      else node.connect(user % 3 === 0 ? `user-${user}` : user)
    }
  }

  /** A reader goes on at another node. */
  async #move(at: number): Promise<void> {
    const to = this.#random(NODES)
    this.done.push(`reader ${at} to ${to}`)
    await (this.#followers[at] as Follower).moveTo(this.#nodes[to] as FeedNode)
  }

  /** A node dies, and another one comes; who reads there goes on with the new one. */
  async #replace(at: number): Promise<void> {
    this.done.push(`replace ${at}`)
    const dead = this.#nodes[at] as FeedNode
    await dead.kill()
    this.#gone.push(dead)
    await this.#add(at)
    for (const follower of this.#followers) {
      if (follower.node === dead) await follower.moveTo(this.#nodes[at] as FeedNode)
    }
  }

  #toggle(at: number, proxy: TcpProxy): void {
    this.#do(`${proxy.isRefusing ? 'connect' : 'cut off'} ${at}`, () => {
      proxy.isRefusing = !proxy.isRefusing
      if (proxy.isRefusing) proxy.cut()
    })
  }

  async #restart(): Promise<void> {
    this.#isPaused = false
    this.done.push(this.#servers.hasReplica ? 'fail over' : 'restart')
    if (this.#servers.hasReplica) await this.#servers.failOver()
    else await this.#servers.master.restart()
  }

  async #empty(): Promise<void> {
    if (this.#isPaused) return
    this.done.push('FLUSHALL')
    await this.#servers.master.command('FLUSHALL')
  }

  #freeze(): void {
    this.#do(this.#isPaused ? 'resume' : 'pause', () => {
      if (this.#isPaused) this.#servers.master.resume()
      else this.#servers.master.pause()
    })
    this.#isPaused = !this.#isPaused
  }

  async #heal(): Promise<void> {
    if (this.#isPaused) this.#freeze()
    for (const { proxy } of this.#nodes) proxy.isRefusing = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isPaused) this.#freeze()
    for (const follower of this.#followers) await follower.stop()
    for (const one of [...this.#nodes, ...this.#gone, this.#servers]) {
      await one[Symbol.asyncDispose]()
    }
  }
}
