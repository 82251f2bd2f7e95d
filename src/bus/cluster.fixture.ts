// Several nodes at once, traffic through all of them, and the accounts at the end.

import { expect } from 'bun:test'
import type { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import { until } from '../core/time.fixture.ts'
import { wrongAccounts, wrongFollows } from './accounts.fixture.ts'
import { RedisNode, type RedisNodeOptions } from './bus.fixture.ts'

/** Turns in which all nodes publish a message with the same key. */
const TURNS_PER_KEY = 4

/**
 * Publishes a few texts in each turn of the loop, as long as it runs; and with them messages whose
 * keys all nodes use, and changes of who follows whom.
 */
export class Traffic {
  readonly #nodes: readonly RedisNode[]
  readonly #texts: string[][]
  #isRunning = true
  readonly #running: Promise<void>

  constructor(nodes: readonly RedisNode[]) {
    this.#nodes = nodes
    this.#texts = nodes.map(() => [])
    this.#running = this.#run()
  }

  get count(): number {
    return Math.min(...this.#texts.map(({ length }) => length))
  }

  async #run(): Promise<void> {
    while (this.#isRunning) {
      for (const [at, node] of this.#nodes.entries()) {
        const texts = this.#texts[at] as string[]
        const text = `${at} ${texts.length}`
        texts.push(text)
        node.publish(text)
        this.#publishMore(node, texts.length)
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  #publishMore(node: RedisNode, turn: number): void {
    const key = `k${Math.floor(turn / TURNS_PER_KEY)}`
    node.publishKeyed(`${key}.0 0#${turn}`, key, `${key}.0 0`)
    const user = 101 + (turn % 3)
    const subject = 1 + (turn % 5)
    // Now and then one, by several nodes at about the same time.
    if (turn % 5 < 2) void node.follow([`${user} ${subject}`], turn % 2 === 0)
  }

  /** Waits until so many more were published, and the first of them were accepted. */
  async more(count: number): Promise<void> {
    const end = this.count + count
    await until(`${count} more are published`, () => this.count >= end)
  }

  /** Ends it, and waits until all nodes have heard the last message of each. */
  async end(): Promise<void> {
    this.#isRunning = false
    await this.#running
    await settled(this.#nodes)
    const [first] = this.#nodes
    if (first !== undefined) expect(await wrongFollows(this.#nodes, first.load)).toEqual([])
  }
}

/** Waits until all that was published has its outcome, and all nodes are at the same place. */
export async function settled(nodes: readonly RedisNode[]): Promise<void> {
  await until('all queues are empty', () =>
    nodes.every(({ redis }) => redis.figures.isReady && redis.figures.queuedMessages === 0),
  )
  await until('all nodes are at the same place', () => {
    const [first] = nodes
    return nodes.every(({ bus }) => Bun.deepEquals(bus.cursor, first?.bus.cursor))
  })
}

/** Waits until all of these nodes, and no others, are members to all of them, and the same ones. */
export async function sameMembers(nodes: readonly RedisNode[]): Promise<void> {
  const origins = nodes.map(({ origin }) => origin).toSorted()
  await until('all know the same members', () => {
    const [first] = nodes
    const all = first?.redis.members.all ?? []
    if (all.map(({ origin }) => origin).join() !== origins.join()) return false
    return nodes.every(({ redis }) => Bun.deepEquals(redis.members.all, all))
  })
}

/** Cuts a node off, until `isRefusing` of its proxy is false again. */
export async function cutOff(proxy: TcpProxy, node: RedisNode): Promise<void> {
  proxy.cutOff()
  await node.isAway()
}

export class Nodes implements AsyncDisposable {
  readonly all: RedisNode[]

  static async start(...urls: readonly string[]): Promise<Nodes> {
    return await Nodes.startWith({}, ...urls)
  }

  static async startWith(options: RedisNodeOptions, ...urls: readonly string[]): Promise<Nodes> {
    const names = ['left', 'middle', 'right']
    const starts = urls.map((url, at) =>
      RedisNode.start(url, { name: names[at] ?? '', ...options }),
    )
    return new Nodes(await Promise.all(starts))
  }

  private constructor(all: RedisNode[]) {
    this.all = all
  }

  at(index: number): RedisNode {
    return this.all[index] as RedisNode
  }

  get gaps(): number[] {
    return this.all.map(({ listener }) => listener.gaps)
  }

  /** All are the same, and all is right. */
  check(): void {
    expect(wrongAccounts(this.all)).toEqual([])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((node) => node[Symbol.asyncDispose]()))
  }
}
