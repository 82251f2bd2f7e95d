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
import type { Member } from './member-entry.ts'
import type { MemberListener } from './members.ts'
import { addressOf, SHORT_LIMITS } from './redis.fixture.ts'
import { RedisBus } from './redis-bus.ts'

/** What a stream that follows everything gets. */
export type Heard = { readonly text: string; readonly cursor: Cursor } | { readonly gap: BusGap }

/** What became of a message, by its text. */
export type Outcome = Cursor | PublishRefusal

export class Listener implements BusListener {
  readonly heard: Heard[] = []
  readonly outcomes = new Map<string, Outcome>()

  onItem(item: LogItem, cursor: Cursor): void {
    this.heard.push({ text: textOf(item), cursor })
  }

  onGap(gap: BusGap): void {
    this.heard.push({ gap })
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
    return { ...NOT_DELIVERED, onAccepted: tell, onRepeated: tell, onRefused: tell }
  }

  isAccepted(text: string): boolean {
    return typeof this.outcomes.get(text) === 'object'
  }
}

function textOf(item: LogItem): string {
  if (item === 'barrier') return 'barrier'
  if ('bytes' in item) return Buffer.from(item.bytes).toString()
  return `${item.user.id} ${item.follows ? 'follows' : 'leaves'} ${item.subject.id}`
}

/** Of a publication whose streams nobody asks for. */
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
}

/** What a node knows of others, in the order in which it was told. */
export class MemberRecorder implements MemberListener {
  /** `name joined`, `name stopped`, `name died`. */
  readonly told: string[] = []

  onJoin({ name }: Member): void {
    this.told.push(`${name} joined`)
  }

  onLeave({ name }: Member, isDead: boolean): void {
    this.told.push(`${name} ${isDead ? 'died' : 'stopped'}`)
  }
}

export class RedisNode extends TestNode {
  readonly redis: RedisBus
  readonly origin: string
  readonly recorder: MemberRecorder

  private constructor(
    redis: RedisBus,
    listener: Listener,
    { origin, recorder }: { readonly origin: string; readonly recorder: MemberRecorder },
  ) {
    super(redis, listener)
    this.redis = redis
    this.origin = origin
    this.recorder = recorder
  }

  static open(url: string, options: RedisNodeOptions = {}): RedisNode {
    const listener = new Listener()
    const recorder = new MemberRecorder()
    const origin = options.origin ?? randomOrigin()
    const name = options.name ?? origin
    const bus = new RedisBus({
      address: addressOf(url),
      prefix: options.prefix ?? 'comet:',
      historyBytes: options.historyBytes ?? 1024 * 1024,
      listener,
      intern: () => null,
      clock: options.clock ?? systemClock,
      random: Math.random,
      origin,
      node: { name, address: '127.0.0.1:8001', version: '0.0.0', startedMs: Date.now() },
      memberListener: recorder,
      limits: { ...busLimits, readBlockMs: 100, ...options.limits },
      redisLimits: { ...SHORT_LIMITS, ...options.redisLimits },
      nodeLimits: { ...nodeLimits, ...options.nodeLimits },
    })
    return new RedisNode(bus, listener, { origin, recorder })
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

export function randomOrigin(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16)
}
