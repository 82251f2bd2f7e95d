// Random faults of servers on one Redis, by a seed: kills and freezes nodes and Redis, and cuts,
// swallows, delays and refuses the connections between them. Each fault ends by itself.

import type { BusCluster } from './bus-cluster.ts'
import { randomOf } from './chaos/chaos.ts'
import type { TcpProxy } from './tcp-proxy.ts'

export interface BusFaultsOptions {
  /** Needs proxies to its Redis, and a Redis with an append-only file. */
  readonly cluster: BusCluster
  readonly seed: number
}

export class BusFaults {
  /** How often each fault occurred. */
  readonly counts: Record<string, number> = {}
  readonly #cluster: BusCluster
  readonly #random: () => number
  /** Nodes that have a fault of their own. */
  readonly #busy = new Set<number>()
  readonly #underWay = new Set<Promise<void>>()

  constructor({ cluster, seed }: BusFaultsOptions) {
    this.#cluster = cluster
    this.#random = randomOf(seed)
  }

  /** Makes faults for this time. Settles when all are over. */
  async run(ms: number): Promise<void> {
    const endMs = performance.now() + ms
    while (performance.now() < endMs) {
      await this.#pass(300, 1_500)
      await this.#begin()
    }
    await Promise.all(this.#underWay)
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  async #pass(fromMs: number, toMs: number): Promise<void> {
    await Bun.sleep(fromMs + this.#random() * (toMs - fromMs))
  }

  /** Begins a fault. One of Redis is awaited; those of nodes may run at the same time. */
  async #begin(): Promise<void> {
    const dice = this.#random()
    if (dice < 0.12) await this.#killRedis()
    else if (dice < 0.22) await this.#freezeRedis()
    else {
      const node = Math.floor(this.#random() * this.#cluster.ports.length)
      if (this.#busy.has(node)) return
      this.#busy.add(node)
      const running = this.#disturb(node, this.#cluster.links[node] as TcpProxy).finally(() => {
        this.#busy.delete(node)
        this.#underWay.delete(running)
      })
      this.#underWay.add(running)
    }
  }

  async #killRedis(): Promise<void> {
    this.#count('Redis killed')
    await this.#cluster.redis.kill()
    await this.#pass(100, 2_000)
    await this.#cluster.redis.startAgain()
  }

  async #freezeRedis(): Promise<void> {
    this.#count('Redis frozen')
    this.#cluster.redis.pause()
    await this.#pass(200, 4_000)
    this.#cluster.redis.resume()
  }

  async #disturb(node: number, link: TcpProxy): Promise<void> {
    const dice = this.#random()
    if (dice < 0.25) await this.#killNode(node)
    else if (dice < 0.45) await this.#freezeNode(node)
    else if (dice < 0.6) this.#cut(link)
    else if (dice < 0.8) this.#swallow(link)
    else if (dice < 0.9) await this.#refuse(link)
    else await this.#delay(link)
  }

  async #killNode(node: number): Promise<void> {
    this.#count('nodes killed')
    await this.#cluster.end(node, 'SIGKILL')
    await this.#pass(0, 1_500)
    // It may not start while Redis is away.
    await this.#cluster.start(node)
  }

  async #freezeNode(node: number): Promise<void> {
    this.#count('nodes frozen')
    await this.#cluster.pause(node)
    await this.#pass(200, 4_000)
    this.#cluster.resume(node)
  }

  #cut(link: TcpProxy): void {
    this.#count('connections cut')
    if (this.#random() < 0.5) link.cut()
    else link.cutAfter(1 + Math.floor(this.#random() * 3_000))
  }

  #swallow(link: TcpProxy): void {
    this.#count('connections swallowed')
    const what = (['requests', 'answers', 'both'] as const)[Math.floor(this.#random() * 3)]
    link.swallow(what ?? 'both')
  }

  async #refuse(link: TcpProxy): Promise<void> {
    this.#count('connections refused')
    link.cutOff()
    await this.#pass(200, 3_000)
    link.isRefusing = false
  }

  async #delay(link: TcpProxy): Promise<void> {
    this.#count('connections delayed')
    link.delayMs = 1 + Math.floor(this.#random() * 40)
    await this.#pass(500, 3_000)
    link.delayMs = 0
  }
}
