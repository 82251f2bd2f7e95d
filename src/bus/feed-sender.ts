// Sends the events of this node's connections to the shared feed. The node's own feed is the queue:
// if it drops events before they are sent, the node begins again with its open connections.

import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { settledWithin } from '../core/deadline.ts'
import type { SharedFeedLimits } from '../core/feed-limits.ts'
import type { Result } from '../core/result.ts'
import { backoffMs } from '../core/retry.ts'
import type { Subject } from '../core/user.ts'
import type { FeedPage, FeedSource, PresentConnections, PresentPlace } from '../log/feed-source.ts'
import {
  type ConnectionField,
  closedText,
  eventText,
  type FeedNode,
  fieldOf,
  nodeText,
} from './feed-entry.ts'
import type { Added, FeedScripts } from './feed-scripts.ts'
import type { RedisCommands } from './redis-commands.ts'
import type { RedisFailure } from './redis-connection.ts'

export interface FeedSenderOptions {
  readonly redis: RedisCommands & { readonly isReady: boolean }
  readonly scripts: FeedScripts
  /** The key in Redis of the open connections of this node. */
  readonly connectedKey: string
  readonly origin: string
  readonly node: FeedNode
  /** The feed of this node. */
  readonly feed: FeedSource & { bytesBehind(place: Cursor): number }
  readonly present: PresentConnections
  /** Does a user have a connection to this node? */
  readonly isOnline: (user: Subject) => Promise<boolean>
  readonly limits: SharedFeedLimits
  readonly clock: Clock
}

/**
 * The steps of a node that begins: it sends its open connections, and then closes those that Redis
 * still has from before.
 */
type Beginning =
  | { readonly phase: 'open' }
  | { readonly phase: 'present'; readonly place: PresentPlace }
  | { readonly phase: 'old'; readonly cursor: string }

/** Counts since the start. */
export interface FeedSenderFigures {
  /** Events that were added. */
  readonly sent: number
  readonly entries: number
  /** Bytes of the events in its own feed that wait. */
  readonly unsentBytes: number
  /** Times that the node sent all its connections again, because Redis did not have them, or its
   * own feed had dropped events. */
  readonly renewals: number
}

export class FeedSender {
  sent = 0
  entries = 0
  renewals = 0
  /** How often the node has begun. */
  #begun = 0
  readonly #options: FeedSenderOptions
  /** The last event of the shared feed that it knows. */
  #top: Cursor = { epoch: 0, number: 0 }
  /** The place in its own feed up to which events were sent. */
  #place: Cursor | null = null
  /** Events that were sent without an answer: they are sent again unchanged. */
  #page: FeedPage | null = null
  /** Null when all connections were sent, and events are. */
  #beginning: Beginning | null = { phase: 'open' }
  /** Does it have to ask for the state of the feed first? */
  #isNew = true
  /** The earliest time for the next entry, by the clock. */
  #gatheredMs = 0
  /** Has it sent all connections once? */
  #hasBegun = false
  #hasMore = false
  #wake: ((isUrgent: boolean) => void) | null = null
  #failures = 0
  #isStopped = false
  readonly #stopListening: () => void
  readonly #running: Promise<void>
  readonly #look: Timer

  constructor(options: FeedSenderOptions) {
    this.#options = options
    this.#stopListening = options.feed.listen(() => this.#more())
    this.#look = setInterval(() => void this.#check(), options.limits.lookEveryMs)
    this.#running = this.#run()
  }

  get figures(): FeedSenderFigures {
    const { sent, entries, renewals } = this
    const unsentBytes = this.#place === null ? 0 : this.#options.feed.bytesBehind(this.#place)
    return { sent, entries, unsentBytes, renewals }
  }

  /** The last event of the shared feed that it knows. */
  get top(): Cursor {
    return this.#top
  }

  /** Can it send, and has it sent all connections? */
  get isSteady(): boolean {
    return this.#options.redis.isReady && this.#beginning === null
  }

  /** Called when Redis is back, or has lost something. */
  onReady(): void {
    this.#isNew = true
    this.#hasMore = true
    this.#wake?.(true)
  }

  /** Called when its own feed is closed: sends the rest within a time limit, and stops. */
  async close(): Promise<void> {
    await settledWithin(this.#running, this.#options.limits.closeMsMax)
    this.stop()
  }

  stop(): void {
    this.#isStopped = true
    this.#stopListening()
    clearInterval(this.#look)
    this.#wake?.(true)
  }

  #more(): void {
    this.#hasMore = true
    this.#wake?.(false)
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#hasMore = false
      // Read before the step, so that all events before the end are sent.
      const { isClosed } = this.#options.feed
      const step = this.#options.redis.isReady ? await this.#step() : 'failed'
      if (step === 'idle' && isClosed) return await this.#leave()
      if (step === 'failed') await this.#wait(this.#delayMs())
      else this.#failures = 0
      if (step === 'idle' && !this.#hasMore) await this.#wait(null)
    }
  }

  #delayMs(): number {
    const { firstRetryMs: firstMs, maxRetryMs: maxMs } = this.#options.limits
    return backoffMs(++this.#failures, { firstMs, maxMs })
  }

  async #wait(ms: number | null): Promise<void> {
    if (this.#isStopped) return
    await new Promise<void>((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms)
      this.#wake = (isUrgent) => {
        // New events do not shorten the pause after a failure.
        if (ms !== null && !isUrgent) return
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = null
  }

  async #step(): Promise<'done' | 'idle' | 'failed'> {
    if (this.#isNew) return await this.#hello()
    if (this.#beginning !== null) return await this.#begin(this.#beginning)
    return await this.#send()
  }

  async #hello(): Promise<'done' | 'failed'> {
    this.#isNew = false
    const top = await this.#options.scripts.hello(this.#top)
    if (!top.ok) {
      this.#isNew = true
      return 'failed'
    }
    this.#top = top.value
    return 'done'
  }

  async #begin(beginning: Beginning): Promise<'done' | 'failed'> {
    const { scripts, origin } = this.#options
    if (beginning.phase === 'present') return await this.#tellPresent(beginning.place)
    if (beginning.phase === 'old') return await this.#closeOld(beginning.cursor)
    this.#place = await this.#firstPlace()
    this.#page = null
    this.#begun++
    const begun = await scripts.begin({ ...this.#said, from: this.#mark() }, origin)
    return this.#onAnswer(begun, () => {
      this.#beginning = { phase: 'present', place: 0 }
    })
  }

  /** Where to begin in its own feed, which may still have events that were not sent. */
  async #firstPlace(): Promise<Cursor> {
    const from = this.#place === null ? 'live' : { after: this.#place }
    const begun = await this.#options.feed.begin(from)
    if (begun === null) throw new Error('the feed of a node is always there')
    // After a gap this is the end of the feed.
    return begun.cursor
  }

  /** Events that happen meanwhile are sent after all of these: its own feed has them. */
  async #tellPresent(place: PresentPlace): Promise<'done' | 'failed'> {
    const { scripts, origin, present, limits, node } = this.#options
    const page = await present(place, limits.connectionsPerPage)
    if (page === null) throw new Error('a node always knows its own connections')
    const opened = page.connections.map((one) => fieldOf(one, node.run))
    const added = await scripts.present({ ...this.#said, from: this.#mark(), opened }, origin)
    return this.#onAnswer(added, () => {
      const { next } = page
      this.#beginning =
        next === null ? { phase: 'old', cursor: '0' } : { phase: 'present', place: next }
    })
  }

  /** Closes connections that Redis has and the node does not: they ended for an unknown reason. */
  async #closeOld(cursor: string): Promise<'done' | 'failed'> {
    const { redis, connectedKey, limits, isOnline, clock } = this.#options
    const count = String(limits.connectionsPerPage)
    const answer = await redis.send('HSCAN', [connectedKey, cursor, 'COUNT', count])
    if (!answer.ok) return 'failed'
    const [next, fields] = Array.isArray(answer.value) ? answer.value : ['0', []]
    const old = oldOf(Array.isArray(fields) ? fields : [], this.#begun)
    // All at once, since workers are asked.
    const online = await Promise.all(old.map(({ user }) => isOnline(user)))
    const nowMs = clock.nowMs()
    const lines = old.map((one, at) => closedText(one, online[at] === true, nowMs, 'lost'))
    const closed = old.map(({ field }) => field)
    const mark = this.#mark()
    const onAdded = () => {
      if (next === '0') this.#goOn()
      else this.#beginning = { phase: 'old', cursor: String(next) }
    }
    if (old.length > 0) return await this.#append({ to: mark, lines, opened: [], closed }, onAdded)
    onAdded()
    return 'done'
  }

  #goOn(): void {
    this.#beginning = null
    if (this.#hasBegun) this.renewals++
    this.#hasBegun = true
  }

  /** Hot path: once in some milliseconds. */
  async #send(): Promise<'done' | 'idle' | 'failed'> {
    const { feed, limits, node, clock } = this.#options
    if (this.#place === null) throw new Error('it has not begun')
    await this.#gather()
    this.#page ??= await feed.read(this.#place, limits.eventsPerEntry)
    const { gap, events, cursor } = this.#page
    if (gap !== null || events.length === 0) this.#page = null
    if (gap !== null) {
      this.#beginning = { phase: 'open' }
      return 'done'
    }
    if (events.length === 0) return 'idle'
    const opened = new Map<string, ConnectionField>()
    const closed: string[] = []
    const lines: string[] = []
    for (const event of events) {
      const one = fieldOf(event, node.run)
      lines.push(eventText(event, node.run))
      if (event.reason === null) opened.set(one.field, one)
      else {
        // Redis may already have it: as one of the open connections with which the node began.
        opened.delete(one.field)
        closed.push(one.field)
      }
    }
    const all = { to: this.#mark(cursor), lines, opened: [...opened.values()], closed }
    return await this.#append(all, () => {
      this.#place = cursor
      this.#page = null
      const isFull = events.length === limits.eventsPerEntry
      this.#gatheredMs = isFull ? 0 : clock.elapsedMs() + limits.gatherMs
    })
  }

  /** Waits a moment, so that one entry has several events. */
  async #gather(): Promise<void> {
    const leftMs = this.#gatheredMs - this.#options.clock.elapsedMs()
    if (leftMs > 0 && !this.#options.feed.isClosed) await Bun.sleep(leftMs)
  }

  async #append(
    events: Pick<Parameters<FeedScripts['append']>[0], 'to' | 'lines' | 'opened' | 'closed'>,
    onAdded: () => void,
  ): Promise<'done' | 'failed'> {
    const { scripts, origin } = this.#options
    const added = await scripts.append({ ...this.#said, from: this.#mark(), ...events }, origin)
    return this.#onAnswer(added, () => {
      this.sent += events.lines.length
      this.entries++
      onAdded()
    })
  }

  #onAnswer(added: Result<Added, RedisFailure>, onAdded: () => void): 'done' | 'failed' {
    if (!added.ok) return 'failed'
    const { answer, number } = added.value
    if (answer === 'gone') this.#isNew = true
    else if (answer === 'order') this.#beginning = { phase: 'open' }
    // It is tried again after a pause, since other nodes may do the same now.
    if (answer === 'gone' || answer === 'order') return 'failed'
    if (number !== null) this.#top = { epoch: this.#top.epoch, number }
    onAdded()
    return 'done'
  }

  get #said() {
    return { epoch: this.#top.epoch, node: nodeText(this.#options.node), begun: this.#begun }
  }

  #mark(place = this.#place): string {
    return `${this.#begun} ${place?.number ?? 0}`
  }

  /** Checks the mark: an idle node would not notice that Redis has lost its connections. */
  async #check(): Promise<void> {
    const { redis, connectedKey } = this.#options
    const isIdle = () => this.isSteady && !this.#isNew && this.#wake !== null
    if (!isIdle()) return
    const mark = this.#mark()
    const known = await redis.send('HGET', [connectedKey, '@'])
    if (!known.ok || !isIdle() || mark !== this.#mark() || known.value === mark) return
    this.#isNew = true
    this.#beginning = { phase: 'open' }
    this.#more()
  }

  async #leave(): Promise<void> {
    // If it fails, another node removes the rest.
    await this.#options.scripts.leave(this.#mark(), this.#options.origin)
  }
}

/** Connections from before this beginning. */
function oldOf(fields: readonly unknown[], begun: number): ConnectionField[] {
  const old: ConnectionField[] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const field = String(fields[at])
    const [of, user = ''] = String(fields[at + 1]).split(' ')
    if (field === '@' || Number(of) === begun) continue
    old.push({ field, user: /^\d+$/.test(user) ? Number(user) : user })
  }
  return old
}
