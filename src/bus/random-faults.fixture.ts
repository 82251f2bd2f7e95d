// Random faults, publications and waits on a real Redis, by a seed; then everything is whole again,
// and the accounts are made. Timing is not repeatable, the order of what is done is.

import { RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import { type RandomBelow, randomFrom } from '../core/random.ts'
import { wrongAccounts, wrongFollows } from './accounts.fixture.ts'
import { RedisNode } from './bus.fixture.ts'
import { sameMembers, settled } from './cluster.fixture.ts'
import { followsIn } from './follow-graph.fixture.ts'
import { ReplicatedRedis } from './replicated-redis.fixture.ts'

const NODES = 3

/** With one in so many seeds so little of the log is kept that nodes which are away miss some. */
const TRIMMED_EVERY = 3
const TRIMMED_BYTES = 4 * 1024

/** Short limits, so that a silent outage is noticed in a moment, and nodes die of it. */
const LIMITS = {
  limits: { readBlockMs: 20 },
  redisLimits: { answerMsMax: 150, graceMs: 30 },
  nodeLimits: { beatEveryMs: 10, aliveMs: 30, judgeAfterMs: 50 },
}

export interface RandomRun {
  /** What is wrong; empty if nothing is. */
  readonly wrong: readonly string[]
  readonly accepted: number
  /** Messages that were published before with their key. */
  readonly repeated: number
  /** Subscriptions that are in the log, as publishers were told. */
  readonly changed: number
  readonly gaps: number
  readonly forks: number
  /** Times that a node was taken for dead by another one. */
  readonly deaths: number
}

export class RandomFaults implements AsyncDisposable {
  readonly done: string[] = []
  readonly #random: RandomBelow
  readonly #servers: ReplicatedRedis
  readonly #proxies: readonly TcpProxy[]
  readonly #nodes: readonly RedisNode[]
  readonly #counts = Array.from({ length: NODES }, () => 0)
  #keyed = 0
  readonly #following: Promise<void>[] = []
  #changed = 0
  #isPaused = false

  static async start(seed: number): Promise<RandomFaults> {
    const random = randomFrom(seed)
    const isTrimmed = seed % TRIMMED_EVERY === 0
    // It cuts by the entry, and not by the hundred.
    const settings = isTrimmed ? ['stream-node-max-entries 2'] : []
    const redis = await RedisServer.start({ isDurable: random(3) === 0, settings })
    const proxies = await Promise.all(
      Array.from({ length: NODES }, () => TcpProxy.start(redis.port)),
    )
    const servers = new ReplicatedRedis(redis, proxies)
    if (random(3) === 0) await servers.addReplica()
    // As by a connection of its own: faults are for the bus.
    const load = () => followsIn(servers.master.url)
    const kept = isTrimmed ? { historyBytes: TRIMMED_BYTES } : {}
    const options = { ...LIMITS, ...kept, load }
    const nodes = await Promise.all(proxies.map(({ url }) => RedisNode.start(url, options)))
    return new RandomFaults(random, servers, proxies, nodes)
  }

  private constructor(
    random: RandomBelow,
    servers: ReplicatedRedis,
    proxies: readonly TcpProxy[],
    nodes: readonly RedisNode[],
  ) {
    this.#random = random
    this.#servers = servers
    this.#proxies = proxies
    this.#nodes = nodes
  }

  async run(steps: number): Promise<RandomRun> {
    for (let step = 0; step < steps; step++) await this.#step()
    await this.#heal()
    await settled(this.#nodes)
    await sameMembers(this.#nodes)
    await Promise.all(this.#following)
    const figures = this.#nodes.map(({ redis }) => redis.figures)
    const [{ load }] = this.#nodes as readonly [RedisNode]
    return {
      wrong: [...wrongAccounts(this.#nodes), ...(await wrongFollows(this.#nodes, load))],
      repeated: this.#nodes.reduce((sum, { listener }) => sum + listener.repeated.size, 0),
      changed: this.#changed,
      accepted: this.#nodes.reduce((sum, { listener }) => {
        return (
          sum + [...listener.outcomes.keys()].filter((text) => listener.isAccepted(text)).length
        )
      }, 0),
      gaps: figures.reduce((sum, { gaps }) => sum + gaps, 0),
      forks: Math.max(...figures.map(({ forks }) => forks)),
      deaths: this.#nodes.reduce((sum, { recorder }) => {
        return sum + recorder.told.filter((text) => text.endsWith('died')).length
      }, 0),
    }
  }

  async #step(): Promise<void> {
    const kind = this.#random(100)
    const at = this.#random(NODES)
    const proxy = this.#proxies[at] as TcpProxy
    if (kind < 60) this.#publish(at)
    else if (kind < 80) await this.#pass(1 + this.#random(20))
    else if (kind < 84) this.#do(`cut ${at}`, () => proxy.cut())
    else if (kind < 87) {
      const bytes = 1 + this.#random(3_000)
      this.#do(`cut ${at} after ${bytes}`, () => proxy.cutAfter(bytes))
    } else if (kind < 90) {
      const what = (['requests', 'answers', 'both'] as const)[this.#random(3)]
      if (what !== undefined) this.#do(`swallow ${what} of ${at}`, () => proxy.swallow(what))
    } else if (kind < 93) this.#toggle(at, proxy)
    else if (kind < 94) this.#do(`delay ${at}`, () => this.#delay(proxy))
    else if (kind < 95) this.#do('hold', () => this.#servers.hold())
    else if (kind < 97) await this.#restart()
    else if (kind < 98) await this.#empty()
    else this.#freeze()
  }

  #do(what: string, run: () => void): void {
    this.done.push(what)
    run()
  }

  /** Some with keys and some changes of who follows whom among them, all in one turn. */
  #publish(at: number): void {
    const node = this.#nodes[at] as RedisNode
    for (let count = 1 + this.#random(10); count > 0; count--) {
      this.#counts[at] = (this.#counts[at] as number) + 1
      const kind = this.#random(10)
      if (kind < 6) node.publish(`${at} ${this.#counts[at]}`)
      else if (kind < 9) this.#publishKeyed(node)
      else this.#follow(node)
    }
  }

  /** The same few keys from all nodes at about the same time, and now and then another message. */
  #publishKeyed(node: RedisNode): void {
    const count = ++this.#keyed
    const key = `k${Math.floor(count / 12) + this.#random(3)}`
    const text = `${key}.${this.#random(8) === 0 ? 1 : 0} 0`
    node.publishKeyed(`${text}#${count}`, key, text)
  }

  #follow(node: RedisNode): void {
    const pairs = Array.from({ length: 1 + this.#random(4) }, () => {
      return `${101 + this.#random(4)} ${1 + this.#random(5)}`
    })
    const changing = node.follow(pairs, this.#random(5) < 3, this.#random(2) === 0 ? 3 : null)
    const counted = changing.then((result) => {
      if (result.ok) this.#changed += result.value
    })
    this.#following.push(counted)
  }

  /** Time passes: some milliseconds. */
  async #pass(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms))
  }

  #toggle(at: number, proxy: TcpProxy): void {
    this.#do(`${proxy.isRefusing ? 'connect' : 'cut off'} ${at}`, () => {
      proxy.isRefusing = !proxy.isRefusing
      if (proxy.isRefusing) proxy.cut()
    })
  }

  #delay(proxy: TcpProxy): void {
    proxy.delayMs = proxy.delayMs === 0 ? 1 + this.#random(20) : 0
  }

  async #restart(): Promise<void> {
    this.#isPaused = false
    if (this.#servers.hasReplica) {
      this.done.push('fail over')
      await this.#servers.failOver()
      return
    }
    this.done.push('restart')
    await this.#servers.master.restart()
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
    for (const proxy of this.#proxies) {
      proxy.isRefusing = false
      proxy.delayMs = 0
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isPaused) this.#freeze()
    for (const one of [...this.#nodes, ...this.#proxies, this.#servers]) {
      await one[Symbol.asyncDispose]()
    }
  }
}
