// One request that follows the feed of connections. It takes its events from the window as fast as
// its client reads, so that nothing but one page waits for it.

import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { feedLimits } from '../core/feed-limits.ts'
import { httpLimits } from '../core/http-limits.ts'
import type { Settings } from '../hub/settings.ts'
import type {
  FeedFrom,
  FeedPage,
  FeedSource,
  PresentConnections,
  PresentPlace,
} from '../log/feed-source.ts'
import type { FeedReaders } from './feed-figures.ts'
import { completeLine, endLine, eventLine, gapLine, placeLine, presentLine } from './feed-lines.ts'

export interface FeedReaderOptions {
  readonly feed: FeedSource
  readonly present: PresentConnections
  readonly readers: FeedReaders
  readonly settings: Settings<'heartbeatMs'>
  readonly clock: Clock
}

export class FeedReader {
  readonly #options: FeedReaderOptions
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

  constructor(options: FeedReaderOptions, from: FeedFrom, tellsPresent: boolean) {
    this.#options = options
    this.#from = from
    this.#tellsPresent = tellsPresent
    options.readers.open++
    this.#stopListening = options.feed.listen(() => {
      this.#hasMore = true
      this.#wake?.(true)
    })
  }

  /** Finds out where it begins. Answers whether anybody knows. */
  async begin(): Promise<boolean> {
    const begun = await this.#options.feed.begin(this.#from)
    if (begun === null) return false
    if (typeof this.#from === 'string') this.#beginPresent()
    const lines = await this.#take(begun)
    this.#greeting = lines + placeLine(this.#cursor)
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
    const told = (connected?.connections ?? []).map(presentLine).join('')
    const lines = told + (await this.#take(await feed.read(this.#cursor, eventsPerPage)))
    if (connected === null) return { lines, isPresentDue: false }
    // It begins again after a gap.
    if (this.#place !== null) return { lines, isPresentDue: true }
    return { lines: lines + completeLine(this.#cursor), isPresentDue: false }
  }

  /** The server stops: that is the last line. */
  #end(): string | null {
    if (this.#isEnded) return null
    this.#isEnded = true
    return endLine()
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
    const lines = events.map(eventLine).join('')
    if (gap === null) return lines
    this.#options.readers.gaps[gap.reason]++
    if (this.#tellsPresent) {
      // Who is connected by now follows, so that nothing from before is needed.
      const live = await this.#options.feed.begin('live')
      this.#cursor = live?.cursor ?? cursor
    }
    this.#beginPresent()
    return gapLine(gap, this.#cursor) + lines
  }
}
