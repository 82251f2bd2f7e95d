// Tells the feed that nodes share of the connections of this node. Its own feed is the queue: if
// events have left that before they were sent, the node begins anew, with who is connected then.

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
  /** What Redis has as connected with this node. */
  readonly connectedKey: string
  readonly origin: string
  readonly node: FeedNode
  /** Of this node. */
  readonly feed: FeedSource & { bytesBehind(place: Cursor): number }
  readonly present: PresentConnections
  /** Has a user a connection with this node? */
  readonly isOnline: (user: Subject) => Promise<boolean>
  readonly limits: SharedFeedLimits
  readonly clock: Clock
}

/**
 * What a node does as it begins: first come those who are connected, then those are closed that
 * Redis still has from before.
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
  /** Bytes of those in its own feed that wait. */
  readonly unsentBytes: number
  /** Times that the node told of all its connections, because Redis did not have them, or its own
   * feed had lost some; without the first time. */
  readonly renewals: number
}

export class FeedSender {
  sent = 0
  entries = 0
  renewals = 0
  /** How often the node has begun. */
  #begun = 0
  readonly #options: FeedSenderOptions
  /** The last event that it knows of. */
  #top: Cursor = { epoch: 0, number: 0 }
  /** Up to where its own feed was sent. */
  #place: Cursor | null = null
  /** What was sent and has no answer: it is sent again as it was. */
  #page: FeedPage | null = null
  /** Null while it has told of all connections, and goes on. */
  #beginning: Beginning | null = { phase: 'open' }
  /** Is it to ask what is there, since the connection is a new one? */
  #isNew = true
  /** When the next entry may be added, by the clock. */
  #gatheredMs = 0
  /** Has it told of all connections once? */
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

  /** The last event of the shared feed that it knows of. */
  get top(): Cursor {
    return this.#top
  }

  /** Can it send, and has it told of all connections? */
  get isSteady(): boolean {
    return this.#options.redis.isReady && this.#beginning === null
  }

  /** Redis is there again, or has lost something. */
  onReady(): void {
    this.#isNew = true
    this.#hasMore = true
    this.#wake?.(true)
  }

  /** Its own feed is closed: sends what is left, within a time limit, and is no more. */
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
      // What comes before the end is sent before it.
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
        // What was refused is not tried again for each event that comes.
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

  /** What its own feed still has behind what was told is told, too. */
  async #firstPlace(): Promise<Cursor> {
    const from = this.#place === null ? 'live' : { after: this.#place }
    const begun = await this.#options.feed.begin(from)
    if (begun === null) throw new Error('the feed of a node is always there')
    // After a gap it is where the feed is now.
    return begun.cursor
  }

  /** What happens meanwhile is told behind all of them: its own feed has it. */
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

  /** Those that were not among the open ones have ended, and nobody was told why. */
  async #closeOld(cursor: string): Promise<'done' | 'failed'> {
    const { redis, connectedKey, limits, isOnline, clock } = this.#options
    const count = String(limits.connectionsPerPage)
    const answer = await redis.send('HSCAN', [connectedKey, cursor, 'COUNT', count])
    if (!answer.ok) return 'failed'
    const [next, fields] = Array.isArray(answer.value) ? answer.value : ['0', []]
    const old = oldOf(Array.isArray(fields) ? fields : [], this.#begun)
    // Workers are asked, all at once.
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

  /** Hot path: once some milliseconds. */
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
        // Redis may have it, though it was opened a moment ago: as one of those who were present.
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

  /** So that what comes meanwhile goes together. */
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
    // Once more, and not at once: another node may do the same.
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

  /** Whoever is idle would not notice that Redis has lost its connections. */
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
    // If it fails, another node removes what is left.
    await this.#options.scripts.leave(this.#mark(), this.#options.origin)
  }
}

/** Connections that are not of this beginning. */
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
