// Reads the shared feed from Redis: the stream of events, and the open connections of all nodes.
// Its own connections to Redis are open only while it has readers.

import type { RedisLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { settledWithin } from '../core/deadline.ts'
import type { SharedFeedLimits } from '../core/feed-limits.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import type {
  ConnectionEvent,
  FeedFrom,
  FeedPage,
  FeedSource,
  OpenConnection,
  PresentPage,
  PresentPlace,
} from '../log/feed-source.ts'
import type { BusKeys } from './bus-keys.ts'
import { type FeedEntry, openConnectionOf, parseFeed, parseNode } from './feed-entry.ts'
import { originsIn } from './feed-remover.ts'
import { FeedScripts } from './feed-scripts.ts'
import { FeedTail } from './feed-tail.ts'
import { RedisLink, type RedisSession } from './redis-link.ts'
import { compareCursors, idText } from './stream-entry.ts'

export interface SharedFeedOptions {
  readonly address: RedisAddress
  readonly keys: BusKeys
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly redisLimits: RedisLimits
  readonly limits: SharedFeedLimits
}

/** One pair of connections for reading. */
interface ReadingSession {
  readonly connections: RedisSession
  readonly scripts: FeedScripts
}

export class SharedFeed implements FeedSource {
  isClosed = false
  readonly #options: SharedFeedOptions
  readonly #listeners = new Set<() => void>()
  readonly #tail: FeedTail
  #link: RedisLink | null = null
  #session: ReadingSession | null = null
  /** Settles when there is a session. */
  #arrival = Promise.withResolvers<void>()
  #isUsed = false
  #idle: Timer | null = null
  #isStopped = false

  constructor(options: SharedFeedOptions) {
    this.#options = options
    this.#tail = new FeedTail(options.limits.tailEventsMax)
  }

  listen(onMore: () => void): () => void {
    this.#use()
    this.#listeners.add(onMore)
    return () => this.#listeners.delete(onMore)
  }

  async begin(from: FeedFrom): Promise<FeedPage | null> {
    const session = await this.#arrived()
    if (session === null) return null
    const top = await session.scripts.top()
    if (!top.ok || top.value === null) return null
    if (from === 'live') return nothingFrom(top.value)
    if (from !== 'oldest') return await this.#gapOrNothing(session, from.after, top.value)
    const [oldest] = (await this.#entries(session, { epoch: 0, number: 0 }, 1)) ?? []
    return nothingFrom(oldest === undefined ? top.value : placeBefore(oldest))
  }

  async #gapOrNothing(
    session: ReadingSession,
    after: Cursor,
    top: Cursor,
  ): Promise<FeedPage | null> {
    const isHere = compareCursors(after, top) === 0 || this.#tail.read(after, 1) !== null
    if (isHere) return nothingFrom(after)
    const page = await this.#readFrom(session, after, 1)
    return page?.gap == null ? nothingFrom(after) : page
  }

  /** Hot path: once in some milliseconds for each reader. */
  read(after: Cursor, eventsMax: number): FeedPage | Promise<FeedPage> {
    this.#use()
    const session = this.#session
    if (session === null) return nothingFrom(after)
    return this.#tail.read(after, eventsMax) ?? this.#readOrNothing(session, after, eventsMax)
  }

  async #readOrNothing(
    session: ReadingSession,
    after: Cursor,
    eventsMax: number,
  ): Promise<FeedPage> {
    return (await this.#readFrom(session, after, eventsMax)) ?? nothingFrom(after)
  }

  /** Events that the tail does not have; null if Redis does not answer. */
  async #readFrom(
    session: ReadingSession,
    after: Cursor,
    eventsMax: number,
  ): Promise<FeedPage | null> {
    // In this order: entries above the top are of a later epoch, or another program wrote them.
    const [top, entries] = await Promise.all([
      session.scripts.top(),
      this.#entries(session, after, this.#options.limits.entriesPerRead),
    ])
    if (!top.ok || top.value === null || entries === null) return null
    const { epoch, number } = top.value
    const isUnknown = after.epoch !== epoch || after.number > number
    if (isUnknown) return await this.#unknown(session, after, top.value)
    const known = entries.filter(({ at }) => at.epoch === epoch && at.number <= number)
    const [first] = known
    const isLost = first === undefined ? number > after.number : isBehindHole(first, after)
    if (isLost) return { gap: { after, reason: 'lost' }, events: [], cursor: top.value }
    const events = eventsBehind(after, known).slice(0, eventsMax)
    return { gap: null, events, cursor: events.at(-1)?.cursor ?? after }
  }

  /** Continues with all events since the feed began again, if they are still there. */
  async #unknown(session: ReadingSession, after: Cursor, top: Cursor): Promise<FeedPage> {
    const start = { epoch: top.epoch, number: 0 }
    const [first] = (await this.#entries(session, start, 1)) ?? []
    const isWhole = first === undefined ? top.number === 0 : !isBehindHole(first, start)
    return {
      ...{ gap: { after, reason: 'unknown' }, events: [] },
      cursor: isWhole ? start : top,
    }
  }

  async #entries(
    { connections }: ReadingSession,
    after: Cursor,
    count: number,
  ): Promise<FeedEntry[] | null> {
    const { feed } = this.#options.keys
    const args = ['COUNT', String(count), 'STREAMS', feed, idText(after)]
    const answer = await connections.writer.send('XREAD', args)
    return answer.ok ? parseFeed(answer.value, feed) : null
  }

  /** The open connections of all nodes, node by node in the order of their origins. */
  async present(place: PresentPlace, count: number): Promise<PresentPage | null> {
    this.#use()
    const session = this.#session
    if (session === null) return null
    const [origin = '', cursor = ''] = String(place).split(' ')
    if (cursor === '') return await this.#nodeBehind(session, '', [])
    const { feedNodes, connectedOf } = this.#options.keys
    const { writer } = session.connections
    const [info, page] = await Promise.all([
      writer.send('HGET', [feedNodes, origin]),
      writer.send('HSCAN', [connectedOf(origin), cursor, 'COUNT', String(count)]),
    ])
    if (!info.ok || !page.ok) return null
    const [next, fields] = Array.isArray(page.value) ? page.value : ['0', []]
    const connections = connectionsIn(Array.isArray(fields) ? fields : [], info.value)
    if (next !== '0') return { connections, next: `${origin} ${next}` }
    return await this.#nodeBehind(session, origin, connections)
  }

  /** @param connections the last page of the node before */
  async #nodeBehind(
    { connections: { writer } }: ReadingSession,
    origin: string,
    connections: readonly OpenConnection[],
  ): Promise<PresentPage | null> {
    const nodes = await writer.send('HGETALL', [this.#options.keys.feedNodes])
    if (!nodes.ok) return null
    const [next] = originsIn(nodes.value)
      .filter((one) => one > origin)
      .toSorted()
    return { connections, next: next === undefined ? null : `${next} 0` }
  }

  /**
   * Ends the readers once they can have all events up to a place, or at a time limit.
   */
  async close(upTo: Cursor): Promise<void> {
    const { clock, limits } = this.#options
    const untilMs = clock.elapsedMs() + limits.closeMsMax
    const isThere = () => compareCursors(this.#tail.top, upTo) >= 0
    while (this.#session !== null && !isThere() && clock.elapsedMs() < untilMs) {
      const more = Promise.withResolvers<void>()
      const stop = this.listen(more.resolve)
      await settledWithin(more.promise, Math.max(0, untilMs - clock.elapsedMs()))
      stop()
    }
    this.isClosed = true
    this.#tell()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    if (this.#idle !== null) clearInterval(this.#idle)
    this.#arrival.resolve()
    await this.#link?.stop()
  }

  #tell(): void {
    for (const onMore of this.#listeners) onMore()
  }

  /** Called for each use: connects if there is no connection yet. */
  #use(): void {
    this.#isUsed = true
    if (this.#link !== null || this.#isStopped) return
    const { address, clock, random, redisLimits: limits } = this.#options
    const use = (connections: RedisSession) => this.#run(connections)
    this.#link = new RedisLink({ address, clock, random, limits, use })
    this.#idle ??= setInterval(() => this.#endIfIdle(), this.#options.limits.idleMs)
  }

  #endIfIdle(): void {
    const isUsed = this.#isUsed || this.#listeners.size > 0
    this.#isUsed = false
    if (isUsed) return
    void this.#link?.stop()
    this.#link = null
  }

  async #arrived(): Promise<ReadingSession | null> {
    this.#use()
    if (this.#session === null) {
      await settledWithin(this.#arrival.promise, this.#options.limits.beginMsMax)
    }
    return this.#session
  }

  /** Reads on one pair of connections until it is lost. */
  async #run(connections: RedisSession): Promise<void> {
    const { keys, limits } = this.#options
    const redis = connections.writer
    const session = {
      connections,
      // It adds no events.
      scripts: new FeedScripts({ redis, keys, eventsMax: 0, limits }),
    }
    const top = await session.scripts.hello(this.#tail.top)
    if (!top.ok) {
      connections.end(top.why.text)
      return
    }
    const { epoch, number } = this.#tail.top
    const isNear = top.value.number - number < limits.tailEventsMax
    if (epoch !== top.value.epoch || !isNear) this.#tail.begin(top.value)
    this.#session = session
    this.#arrival.resolve()
    this.#tell()
    while (!connections.reader.isClosed) await this.#readTail(session)
    if (this.#session !== session) return
    this.#session = null
    this.#arrival = Promise.withResolvers()
  }

  async #readTail({ connections, scripts }: ReadingSession): Promise<void> {
    const { keys, limits } = this.#options
    const { readBlockMs, entriesPerRead } = limits
    const places = ['STREAMS', keys.feed, idText(this.#tail.top)]
    const args = ['COUNT', String(entriesPerRead), 'BLOCK', String(readBlockMs), ...places]
    const answer = await connections.reader.send('XREAD', args, readBlockMs)
    const entries = answer.ok ? parseFeed(answer.value, keys.feed) : null
    if (entries === null) {
      connections.end(answer.ok ? 'Redis gave an unexpected answer to XREAD.' : answer.why.text)
      return
    }
    this.#tail.add(entries)
    if (entries.length > 0) this.#tell()
    else await this.#onSilence(scripts, connections)
  }

  /** Checks the feed: XREAD waits for ever, without an error, after an entry that was lost. */
  async #onSilence(scripts: FeedScripts, connections: RedisSession): Promise<void> {
    const top = await scripts.top()
    const known = this.#tail.top
    if (top.ok && top.value !== null && compareCursors(top.value, known) >= 0) return
    const hello = top.ok ? await scripts.hello(known) : top
    if (!hello.ok) connections.end(hello.why.text)
  }
}

function nothingFrom(cursor: Cursor): FeedPage {
  return { gap: null, events: [], cursor }
}

function placeBefore({ at: { epoch, number }, events }: FeedEntry): Cursor {
  return { epoch, number: number - events.length }
}

/** Are events missing between a place and an entry? */
function isBehindHole(entry: FeedEntry, { epoch, number }: Cursor): boolean {
  const before = placeBefore(entry)
  return before.epoch !== epoch || before.number > number
}

/** The events after a place, up to the first that is missing. */
function eventsBehind(after: Cursor, entries: readonly FeedEntry[]): ConnectionEvent[] {
  const found: ConnectionEvent[] = []
  let place = after
  for (const entry of entries) {
    if (isBehindHole(entry, place)) break
    found.push(...entry.events.slice(place.number - placeBefore(entry).number))
    place = entry.at
  }
  return found
}

function connectionsIn(fields: readonly unknown[], info: unknown): OpenConnection[] {
  const node = parseNode(info)
  if (node === null) return []
  const found: OpenConnection[] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [, user = ''] = String(fields[at + 1]).split(' ')
    const one = openConnectionOf(node, String(fields[at]), user)
    if (one !== null) found.push(one)
  }
  return found
}
