// Nodes of tests on one Redis: each one has a bus, keeps all that its streams would get, and what
// its publishers are told.

import {
  type BusLimits,
  busLimits,
  type NodeLimits,
  nodeLimits,
  type RedisLimits,
} from '../core/bus-limits.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { until } from '../core/time.fixture.ts'
import { about } from '../log/log.fixture.ts'
import type {
  BusGap,
  BusListener,
  LogItem,
  MessageBus,
  Publication,
  PublishRefusal,
} from '../log/message-bus.ts'
import type { FollowChange, LogMessage } from '../log/message-log.ts'
import type { FollowPair } from '../subscriptions/shared.ts'
import { FollowGraph, followsIn, type LoadFollows } from './follow-graph.fixture.ts'
import type { Member } from './member-entry.ts'
import type { MemberListener } from './members.ts'
import { addressOf, SHORT_LIMITS } from './redis.fixture.ts'
import { RedisBus } from './redis-bus.ts'

/** What a stream that follows everything gets; changes of who follows whom are for the node. */
export type Heard = { readonly text: string; readonly cursor: Cursor } | { readonly gap: BusGap }

/** What became of a message, by its text. */
export type Outcome = Cursor | PublishRefusal

/** Counts what happens to all listeners of this process, for which of two things came first. */
let moments = 0

export class Listener implements BusListener {
  readonly heard: Heard[] = []
  /** By the name of what was published, in the order in which it was, and when. */
  readonly published = new Map<string, number>()
  /** When it was told of a gap last; 0 if it was not. */
  lastGap = 0
  readonly outcomes = new Map<string, Outcome>()
  /** Where that is which was handed to the streams here first. */
  readonly handed = new Map<string, Cursor>()
  readonly repeated = new Set<string>()
  /** How its streams settle a message with a publication. */
  settle: (publication: Publication, text: string) => void = () => undefined
  readonly #onChange: (change: FollowChange) => void

  constructor(onChange: (change: FollowChange) => void = () => undefined) {
    this.#onChange = onChange
  }

  onItem(item: LogItem, cursor: Cursor, publication: Publication | null): void {
    if (item !== 'barrier' && 'follows' in item) {
      this.#onChange(item)
      return
    }
    const text = textOf(item)
    this.heard.push({ text, cursor })
    if (publication !== null) this.settle(publication, text)
  }

  onGap(gap: BusGap): void {
    this.heard.push({ gap })
    this.lastGap = ++moments
  }

  /** The texts since the start, and `gap` for each gap. */
  get texts(): string[] {
    return this.heard.map((one) => ('gap' in one ? 'gap' : one.text))
  }

  get gaps(): number {
    return this.heard.filter((one) => 'gap' in one).length
  }

  publicationOf(text: string): Publication {
    const tell = (outcome: Outcome) => {
      if (this.outcomes.has(text)) throw new Error(`${text} has two outcomes`)
      this.outcomes.set(text, outcome)
    }
    this.published.set(text, ++moments)
    return {
      ...NOT_DELIVERED,
      onAccepted: (cursor, isHanded) => {
        tell(cursor)
        if (isHanded) this.handed.set(text, cursor)
      },
      onRepeated: (cursor) => {
        tell(cursor)
        this.repeated.add(text)
      },
      onRefused: tell,
    }
  }

  isAccepted(text: string): boolean {
    return typeof this.outcomes.get(text) === 'object'
  }
}

function textOf(item: LogMessage | 'barrier'): string {
  return item === 'barrier' ? 'barrier' : Buffer.from(item.bytes).toString()
}

/** Ignores what streams settle. */
export const NOT_DELIVERED = { settle: () => undefined, late: () => undefined }

/** A bus and its listener. */
export class TestNode implements AsyncDisposable {
  readonly bus: MessageBus
  readonly listener: Listener

  constructor(bus: MessageBus, listener: Listener) {
    this.bus = bus
    this.listener = listener
  }

  /** Publishes texts, each about a subject; what became of them is in the listener. */
  publish(...texts: readonly string[]): void {
    for (const text of texts) this.publishItem(text, about(1, text))
  }

  /** With a key. @param name of its outcome: the same text may be published several times */
  publishKeyed(name: string, key: string, text: string): void {
    this.publishItem(name, about(1, text, { key }))
  }

  /** @param text of its outcome */
  publishItem(text: string, item: LogItem): void {
    const publication = this.listener.publicationOf(text)
    const taken = this.bus.publish(item, publication)
    if (!taken.ok) publication.onRefused(taken.why)
  }

  async accepted(...texts: readonly string[]): Promise<void> {
    await until(`${texts.at(-1)} is accepted`, () =>
      texts.every((text) => this.listener.isAccepted(text)),
    )
  }

  async heard(...texts: readonly string[]): Promise<void> {
    await until(`${texts.at(-1)} is heard`, () => {
      const heard = new Set(this.listener.texts)
      return texts.every((text) => heard.has(text))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bus.close()
  }
}

export interface RedisNodeOptions {
  readonly prefix?: string
  readonly historyBytes?: number
  readonly limits?: Partial<BusLimits>
  readonly redisLimits?: Partial<RedisLimits>
  readonly nodeLimits?: Partial<NodeLimits>
  readonly name?: string
  readonly clock?: Clock
  readonly origin?: string
  /** Reads the sets of who follows whom; by default from the same address. */
  readonly load?: LoadFollows
}

/** What a node knows of others, in the order in which it was told. */
export class MemberRecorder implements MemberListener {
  /** `name joined`, `name stopped`, `name died`. */
  readonly told: string[] = []
  onChange: () => void = () => undefined

  onJoin({ name }: Member): void {
    this.told.push(`${name} joined`)
    this.onChange()
  }

  onLeave({ name }: Member, isDead: boolean): void {
    this.told.push(`${name} ${isDead ? 'died' : 'stopped'}`)
    this.onChange()
  }
}

export class RedisNode extends TestNode {
  readonly redis: RedisBus
  readonly origin: string
  readonly recorder: MemberRecorder
  readonly graph: FollowGraph
  /** Reads the sets of who follows whom. */
  readonly load: LoadFollows

  private constructor(
    redis: RedisBus,
    listener: Listener,
    parts: Pick<RedisNode, 'origin' | 'recorder' | 'graph' | 'load'>,
  ) {
    super(redis, listener)
    this.redis = redis
    this.origin = parts.origin
    this.recorder = parts.recorder
    this.graph = parts.graph
    this.load = parts.load
  }

  /** Pairs are `<user> <subject>`, of numbers. */
  async follow(pairs: readonly string[], follows = true, perUserMax: number | null = null) {
    return await this.redis.changeFollows(pairs.map(pairOf), follows, perUserMax)
  }

  static open(url: string, options: RedisNodeOptions = {}): RedisNode {
    const { prefix = 'comet:', origin = randomOrigin() } = options
    const { load = () => followsIn(url, prefix) } = options
    const graph = new FollowGraph(load)
    const listener = new Listener((change) => graph.onChange(change))
    const recorder = new MemberRecorder()
    const name = options.name ?? origin
    const bus = new RedisBus({
      address: addressOf(url),
      prefix,
      onFollowsLost: () => graph.onLost(),
      historyBytes: options.historyBytes ?? 1024 * 1024,
      listener,
      intern: () => null,
      nameOf: String,
      clock: options.clock ?? systemClock,
      random: Math.random,
      origin,
      node: { name, address: '127.0.0.1:8001', version: '0.0.0', startedMs: Date.now() },
      memberListener: recorder,
      limits: { ...busLimits, readBlockMs: 100, ...options.limits },
      redisLimits: { ...SHORT_LIMITS, ...options.redisLimits },
      nodeLimits: { ...nodeLimits, ...options.nodeLimits },
    })
    graph.readUpTo = () => bus.readUpTo
    return new RedisNode(bus, listener, { origin, recorder, graph, load })
  }

  /** One that can be published to, and resumed at; it has joined. */
  static async start(url: string, options: RedisNodeOptions = {}): Promise<RedisNode> {
    const node = RedisNode.open(url, options)
    await node.isReady()
    return node
  }

  async isReady(): Promise<void> {
    await until('the node is ready', () => this.redis.figures.isReady)
    await until('it has joined', () => this.redis.members.get(this.origin) !== null)
  }

  /** Names of the nodes that are there as far as this one knows, sorted. */
  get members(): string[] {
    return this.redis.members.all.map(({ name }) => name).toSorted()
  }

  async isAway(): Promise<void> {
    await until('Redis is away', () => !this.redis.figures.link.isConnected)
  }
}

function pairOf(pair: string): FollowPair {
  const [user = 0, subject = 0] = pair.split(' ').map(Number)
  return { user: { id: user, name: null }, subject: { id: subject, name: null } }
}

export function randomOrigin(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16)
}
