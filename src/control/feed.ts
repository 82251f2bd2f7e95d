// The feed of connections on the control port, `GET /feed`: lines of JSON as users connect and
// disconnect. A reader takes its events from the window as fast as it reads, so that nothing but
// one page waits for it.

import { type Static, Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Clock } from '../core/clock.ts'
import { type Cursor, cursorText, parseCursor } from '../core/cursor.ts'
import { type Failure, failed } from '../core/errors.ts'
import { feedLimits } from '../core/feed-limits.ts'
import { httpLimits } from '../core/http-limits.ts'
import { streamLimits } from '../core/limits.ts'
import { type Result, success } from '../core/result.ts'
import { onInputOver, streamedResponse } from '../http/web.ts'
import { SubjectSchema } from '../hub/message.ts'
import type { Settings } from '../hub/settings.ts'
import type {
  ConnectionEvent,
  FeedFrom,
  FeedPage,
  FeedSource,
  OpenConnection,
  PresentConnections,
  PresentPlace,
} from '../log/feed-source.ts'
import { refusal } from './answer.ts'
import { documented, failures } from './documented.ts'
import type { FeedReaders } from './feed-readers.ts'
import type { Query } from './page.ts'

const Id = Type.String({
  description: 'Where the feed is behind it; ask again with it as `after`.',
})

const ONE = {
  user: SubjectSchema,
  connection: Type.String({ description: 'No other connection has it.' }),
  node: Type.String({ description: 'By --node-name.' }),
  online: Type.Boolean({ description: 'Has the user a connection with this node from then on?' }),
  since: Type.String({ format: 'date-time', description: 'When it was opened.' }),
}

/** One line of the feed. */
const Event = Type.Object({
  id: Id,
  event: Type.Union([Type.Literal('connected'), Type.Literal('disconnected')]),
  ...ONE,
  at: Type.String({ format: 'date-time', description: 'When this was seen.' }),
  reason: Type.Optional(
    Type.String({
      description: 'Why it ended: those of `closed` in /stats. Only of a connection that ended.',
    }),
  ),
})

const Present = Type.Object(
  { event: Type.Literal('present'), ...ONE },
  { description: 'A connection that is open; with `snapshot`.' },
)

const Place = Type.Object({ id: Id }, { description: 'Where the feed begins; its first line.' })

const Complete = Type.Object(
  { id: Id, snapshot: Type.Literal('complete') },
  { description: 'All that were open are told; with `snapshot`.' },
)

const Gap = Type.Object(
  {
    gap: Type.Object({
      after: Type.String(),
      resume: Type.String(),
      reason: Type.Union([Type.Literal('lost'), Type.Literal('unknown')]),
    }),
  },
  { description: 'Events behind `after` are missing; it goes on behind `resume`.' },
)

const End = Type.Object(
  { end: Type.Literal('drained') },
  { description: 'The server stops, and there are no more events.' },
)

const Line = Type.Union([Place, Event, Present, Complete, Gap, End])

export interface FeedRoutesOptions {
  /** Null if there is none. */
  readonly feed: FeedSource | null
  readonly present: PresentConnections
  readonly readers: FeedReaders
  readonly settings: Settings<'heartbeatMs'>
  readonly clock: Clock
}

export function feedRoutes(options: FeedRoutesOptions) {
  return new Elysia({ name: 'comet.feed' }).get(
    '/feed',
    async ({ request, query }) => {
      const followed = await follow(options, request, query)
      return followed.ok ? followed.value : refusal(followed.why, RETRIES[followed.why.code])
    },
    { detail: DETAIL },
  )
}

const HEADERS = {
  'content-type': 'application/x-ndjson',
  'cache-control': 'no-store, no-transform',
  // nginx's own switch for its response buffer.
  'x-accel-buffering': 'no',
}

/** Written out, since the response is lines. */
const DETAIL = {
  summary: 'Users who connect and disconnect, as it happens',
  description:
    'Lines of JSON, of which the first says where it begins, or is a gap. A line that is empty is a ' +
    'sign of life. Of servers that share a log with --bus each tells of all, with ids that count on ' +
    'each of them.',
  responses: {
    '200': {
      description: 'The feed, which never ends',
      content: { 'application/x-ndjson': { schema: documented(Line) } },
    },
    ...failures('invalid_query', 'not_found', 'too_many_readers', 'bus_unavailable'),
  },
}

const RETRIES: Partial<Record<Failure['code'], Record<string, string>>> = {
  too_many_readers: { 'retry-after': String(streamLimits.retryAfterSeconds) },
  bus_unavailable: { 'retry-after': String(streamLimits.retryAfterSeconds) },
}

const NO_FEED = 'There is no feed: the server was started with --feed 0.'
const NO_REDIS = 'Redis, which the servers share, is away: nobody can say where the feed is.'

async function follow(
  { feed, ...options }: FeedRoutesOptions,
  request: Request,
  query: Query,
): Promise<Result<Response, Failure>> {
  if (feed === null) return failed('not_found', NO_FEED)
  const from = fromOf(request, query)
  if (!from.ok) return from
  const snapshot = query['snapshot'] ?? 'false'
  if (snapshot !== 'true' && snapshot !== 'false') {
    return failed('invalid_query', '"snapshot" is true or false.')
  }
  const { readers } = options
  const { readersMax } = feedLimits
  if (readers.open >= readersMax) {
    readers.refused++
    return failed(
      'too_many_readers',
      `${readersMax} requests follow the feed already, the maximum.`,
    )
  }
  const reader = new FeedReader({ feed, ...options }, from.value, snapshot === 'true')
  onInputOver(request, () => reader.end())
  if (!(await reader.begin())) {
    reader.end()
    return failed('bus_unavailable', NO_REDIS)
  }
  return success(streamedResponse(reader.body(), { headers: HEADERS }))
}

/** What a client says by itself, as it comes back, counts more than its address. */
function fromOf({ headers }: Request, query: Query): Result<FeedFrom, Failure> {
  const had = headers.get('last-event-id') ?? ''
  const text = had === '' ? query['after'] : had
  if (text === undefined) return success('live')
  if (had === '' && text === 'oldest') return success('oldest')
  const after = parseCursor(text)
  if (after !== null) return success({ after })
  const name = had === '' ? '"after"' : 'Last-Event-ID'
  return failed('invalid_query', `${name} is an id that the feed has told, or "oldest".`)
}

type ReaderOptions = Omit<FeedRoutesOptions, 'feed'> & { readonly feed: FeedSource }

/** One request that follows the feed. */
class FeedReader {
  readonly #options: ReaderOptions
  readonly #from: FeedFrom
  /** Is who is connected told, whenever that does not follow from what was told before? */
  readonly #tellsPresent: boolean
  /** Where it goes on to tell who is connected; null while that is not due. */
  #place: PresentPlace | null = null
  readonly #encoder = new TextEncoder()
  #cursor: Cursor = { epoch: 0, number: 0 }
  /** What it is told first; null once it was. */
  #greeting: string | null = null
  #isOver = false
  /** Were events added since it read last? */
  #hasMore = false
  /** Was the last page full? */
  #isBehind = false
  /** Ends its wait for them. */
  #wake: ((isMore: boolean) => void) | null = null
  readonly #stopListening: () => void
  /** Has it been told that the server stops? */
  #isEnded = false
  /** Has its connection ended? */
  #isCancelled = false
  /** When bytes were handed over that are not taken yet. */
  #handedMs: number | null = null

  constructor(options: ReaderOptions, from: FeedFrom, tellsPresent: boolean) {
    this.#options = options
    this.#from = from
    this.#tellsPresent = tellsPresent
    options.readers.open++
    this.#stopListening = options.feed.listen(() => {
      this.#hasMore = true
      this.#wake?.(true)
    })
  }

  /** Finds out where it begins. Answers whether that is known. */
  async begin(): Promise<boolean> {
    const begun = await this.#options.feed.begin(this.#from)
    if (begun === null) return false
    if (typeof this.#from === 'string') this.#beginPresent()
    const lines = await this.#take(begun)
    this.#greeting = `${lines}{"id":"${cursorText(this.#cursor)}"}\n`
    return true
  }

  /** The body of the answer; nothing of it is made before what came before is taken. */
  body(): ReadableStream<Uint8Array> {
    const { readers, clock } = this.#options
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          this.#handedMs = null
          const text = await this.#next()
          if (this.#isCancelled) return
          if (text === null || this.#isOver) {
            this.end()
            controller.close()
            return
          }
          this.#handedMs = clock.elapsedMs()
          controller.enqueue(this.#encoder.encode(text))
        },
        cancel: () => {
          this.#isCancelled = true
          const waitedMs = clock.elapsedMs() - (this.#handedMs ?? clock.elapsedMs())
          if (!this.#isOver && waitedMs >= httpLimits.writeMsMax) readers.cut++
          this.end()
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** No more is read; who waits for it gets the end. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.readers.open--
    this.#stopListening()
    this.#wake?.(false)
  }

  /** The next lines; null at the end. */
  async #next(): Promise<string | null> {
    const { feed } = this.#options
    const greeting = this.#greeting
    this.#greeting = null
    if (greeting !== null) return greeting
    // A whole window of them would keep all others waiting.
    if (this.#isBehind || this.#place !== null) await new Promise(setImmediate)
    while (!this.#isOver) {
      this.#hasMore = false
      // What comes while it is read is read next, also before the end.
      const { isClosed } = feed
      const { lines, isPresentDue } = await this.#page()
      if (lines !== '') return lines
      if (isPresentDue) continue
      if (isClosed) return this.#end()
      if (!this.#hasMore && !(await this.#more())) return this.#isOver ? null : '\n'
    }
    return null
  }

  #beginPresent(): void {
    if (this.#tellsPresent) this.#place = 0
  }

  /** One page of who is connected, and what has happened meanwhile, so that all comes in time. */
  async #page(): Promise<{ lines: string; isPresentDue: boolean }> {
    const { feed, present } = this.#options
    const { eventsPerPage } = feedLimits
    const connected = this.#place === null ? null : await present(this.#place, eventsPerPage)
    if (connected !== null) this.#place = connected.next
    const told = (connected?.connections ?? []).map(presentLineOf).join('')
    const lines = told + (await this.#take(await feed.read(this.#cursor, eventsPerPage)))
    if (connected === null) return { lines, isPresentDue: false }
    // It begins anew after a gap.
    if (this.#place !== null) return { lines, isPresentDue: true }
    const complete = { id: cursorText(this.#cursor), snapshot: 'complete' }
    return { lines: `${lines}${JSON.stringify(complete)}\n`, isPresentDue: false }
  }

  /** The server stops: that is the last line. */
  #end(): string | null {
    if (this.#isEnded) return null
    this.#isEnded = true
    return `${JSON.stringify({ end: 'drained' })}\n`
  }

  /** Waits for more, as long as readers may be left without a sign of life. */
  #more(): Promise<boolean> {
    const { heartbeatMs } = this.#options.settings.current
    return new Promise((resolve) => {
      const timer = heartbeatMs > 0 ? setTimeout(() => this.#wake?.(false), heartbeatMs) : undefined
      this.#wake = (isMore) => {
        clearTimeout(timer)
        this.#wake = null
        resolve(isMore)
      }
    })
  }

  async #take({ gap, events, cursor }: FeedPage): Promise<string> {
    this.#cursor = cursor
    this.#isBehind = events.length === feedLimits.eventsPerPage
    const lines = events.map(lineOf).join('')
    if (gap === null) return lines
    this.#options.readers.gaps[gap.reason]++
    if (this.#tellsPresent) {
      // Who is connected by now follows, so nothing from before is needed.
      const live = await this.#options.feed.begin('live')
      this.#cursor = live?.cursor ?? cursor
    }
    this.#beginPresent()
    const resume = cursorText(this.#cursor)
    const told = { after: cursorText(gap.after), resume, reason: gap.reason }
    return `${JSON.stringify({ gap: told })}\n${lines}`
  }
}

/** Once a connection, and reader that wants to know. */
function presentLineOf({ user, connection, node, sinceMs }: OpenConnection): string {
  const line: Static<typeof Present> = {
    event: 'present',
    ...{ user, connection, node, online: true },
    since: new Date(sinceMs).toISOString(),
  }
  return `${JSON.stringify(line)}\n`
}

/** Once an event and reader. */
function lineOf(of: ConnectionEvent): string {
  const { cursor, user, connection, node, online, sinceMs, atMs, reason } = of
  const line: Static<typeof Event> = {
    id: cursorText(cursor),
    event: reason === null ? 'connected' : 'disconnected',
    ...{ user, connection, node, online },
    since: new Date(sinceMs).toISOString(),
    at: new Date(atMs).toISOString(),
    ...(reason !== null && { reason }),
  }
  return `${JSON.stringify(line)}\n`
}
