// A stream as its user has it: one connection after the other, each from the place of the last one;
// what waits for the iterator; subjects, events, and what of it another tab has. One class, since
// the names of private members are the only ones that the bundler shortens.

import {
  type CometEnd,
  CometError,
  type CometFormat,
  type CometGapItem,
  type CometMessage,
  type CometReconnect,
  type CometState,
  type CometStream,
  type CometSubjects,
  type ConnectOptions,
} from './api.ts'
import {
  type FetchRequest,
  got,
  type OnRecord,
  openLines,
  openPolls,
  openWebSocket,
  type StreamAddress,
  type StreamQuery,
  type StreamRecord,
  withQuery,
} from './connection.ts'
import { formatsOf, lastFormat } from './formats.ts'
import { HEARTBEAT_MS, LASTED, OPEN_MS, QUEUE_MAX, RETRY_MS } from './limits.ts'
import { page } from './page.ts'
import { AT_ONCE, type FailureReason, isFinal, waitMsAfter } from './retry.ts'
import { openTabs, type Said, type Tabs } from './tabs.ts'

type Item = CometMessage | CometGapItem
type Settle = (error?: CometError) => void

/** The events of the stream itself; a message that is called so has none of its own. */
const OWN_EVENTS = /^(message|gap|open|reconnect|end|error|close)$/

/** The event that has the iterator look again. */
const MORE = ''

export class Stream extends EventTarget implements CometStream {
  state: CometState = 'connecting'
  declare format: CometFormat | undefined
  readonly #url: URL
  readonly #options: ConnectOptions
  readonly #heartbeatMs: number
  readonly #tabs: Tabs | undefined
  readonly #closing = new AbortController()
  /** The formats to try, and the place in them of the one to begin with. */
  readonly #formats: readonly CometFormat[]
  #first = 0
  /** Another one for each time that connections are begun with; undefined while there are none. */
  #run: object | undefined
  #runs = Promise.resolve()
  /** Of the last connection. */
  #abort: AbortController | undefined
  /** The one that is open. */
  #socket: WebSocket | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  /** When something came last; was the server asked for a sign since? */
  #signMs = 0
  #isAsked = false
  /** Ends the wait before the next one. */
  #wake: (() => void) | undefined
  /** Empty if there is to be none. */
  #token: string | undefined
  /** The place of the last record, and of the last one that another tab told of meanwhile. */
  #position: string | undefined
  #told = ''
  #subjects: Set<string>
  /** The changes of subjects that the server has not answered, in their order. */
  readonly #changes: Settle[] = []
  readonly #queue: Item[] = []
  /** The place before the first item of the queue. */
  #before: string | undefined
  /** Is there an iterator; does a listener want messages? */
  #isIterated = false
  #isListened = false
  #error: CometError | undefined

  constructor(url: string, options: ConnectOptions) {
    super()
    const { shared, signal } = options
    this.#url = new URL(url, page.location?.href)
    this.#options = options
    this.#heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS
    this.#subjects = new Set(options.subjects?.map(String))
    this.#formats = formatsOf(options)
    this.#first = Math.max(0, this.#formats.indexOf(lastFormat() as CometFormat))
    if (shared) {
      const name = ['comet', shared, this.#url, [...this.#subjects].sort()].join()
      this.#tabs = openTabs(name, 2 * this.#heartbeatMs, {
        onLead: () => this.#start(),
        onFollow: () => this.#stop(),
        onSaid: (said) => this.#hear(said),
        greeting: () => ({
          from: this.#position,
          ...(this.state === 'open' && this.#position && { record: { id: this.#position } }),
          subjects: [...this.#subjects],
        }),
      })
    }
    const until = { signal: this.#closing.signal }
    // The network may be another one.
    page.addEventListener?.('online', () => this.#onOnline(), until)
    page.document?.addEventListener('visibilitychange', () => this.#onVisible(), until)
    signal?.addEventListener('abort', () => this.close(), until)
    if (signal?.aborted) this.close()
    else this.#join()
  }

  get cursor(): string | undefined {
    return this.#queue.length ? this.#before : this.#position
  }

  subscribe(subjects: CometSubjects): Promise<void> {
    return this.#change(subjects, true)
  }

  unsubscribe(subjects: CometSubjects): Promise<void> {
    return this.#change(subjects, false)
  }

  close(): void {
    this.#close()
  }

  override addEventListener(type: string, ...rest: [never, never]): void {
    super.addEventListener(type, ...rest)
    if (type === 'message' || !OWN_EVENTS.test(type)) this.#isListened = true
    // What came before anyone listened, once all that is set up now listens.
    queueMicrotask(() => {
      if (!this.#isListened || this.#isIterated) return
      for (const item of this.#queue.splice(0)) this.#dispatch(item)
      if (this.state === 'paused') this.#join()
    })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CometMessage> {
    this.#isIterated = true
    try {
      for (;;) {
        const item = this.#queue.shift()
        if (item) {
          this.#before = 'gap' in item ? item.gap.resume : item.id
          yield item as CometMessage
        } else if (this.state === 'paused') this.#join()
        else if (this.#error) throw this.#error
        else if (this.state === 'closed') return
        else await new Promise((resolve) => super.addEventListener(MORE, resolve, { once: true }))
      }
    } finally {
      this.close()
    }
  }

  /** With a place to go on from, by a connection of its own until it has all that others have. */
  #join(): void {
    const { after, last } = this.#options
    this.state = 'connecting'
    this.#told = ''
    this.#tabs?.join()
    if (!this.#tabs || this.#position || after || last) this.#start()
  }

  #start(): void {
    if (this.#run) return
    const run = {}
    this.#run = run
    // Behind the end of the one before, so that there is never a second connection.
    this.#runs = this.#runs.then(() => this.#connections(run))
  }

  #stop(): void {
    this.#run = this.format = undefined
    this.#again()
  }

  #again(): void {
    this.#end()
    this.#wake?.()
  }

  /** Ends the connection; by default the next one begins now. */
  #end(reason: Error = AT_ONCE): void {
    this.#abort?.abort(reason)
  }

  async #connections(run: object): Promise<void> {
    for (let tries = 0; run === this.#run; tries++) {
      const startedMs = Date.now()
      const reason = await this.#round()
      if (run !== this.#run) return
      const { retryMs = RETRY_MS } = this.#options
      if (this.format && Date.now() - startedMs > LASTED * retryMs) tries = 0
      this.format = undefined
      const waitMs = this.#waitMsAfter(reason, tries)
      if (run !== this.#run) return
      const wait = { waitMs, reason: reason.message }
      this.#tell({ wait })
      this.#wait(wait)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** Milliseconds until the next connection, if there is to be one. */
  #waitMsAfter(reason: FailureReason, tries: number): number {
    const { token, ticket } = this.#options
    const isRenewable = ticket ?? (this.#token && typeof token === 'function')
    const waitMs = waitMsAfter(reason, this.#options, tries)
    if (reason === AT_ONCE) return 0
    if (reason.message === 'expired' || (reason.status === 401 && isRenewable)) {
      this.#token = undefined
      return tries && waitMs
    }
    if (!isFinal(reason)) return waitMs
    // Of subjects that were to be followed, if there are any.
    const changes = this.#changes.splice(0)
    for (const settle of changes) settle(reason as CometError)
    if (!changes.length) this.#close(reason as CometError)
    return 0
  }

  /** Tries one format after the other until one works, or none would; why it is over. */
  async #round(): Promise<Error> {
    for (let at = this.#first; ; at++) {
      const reason = await this.#connect(at).catch((error: Error) => error)
      // A server that refuses, or is away, is so in each format. A WebSocket does not tell.
      if (this.format || reason instanceof CometError || !this.#formats[at + 1]) return reason
    }
  }

  async #connect(at: number): Promise<never> {
    const format = this.#formats[at] as CometFormat
    const abort = new AbortController()
    const { signal } = abort
    this.#abort = abort
    const take: OnRecord = (record) => {
      this.#signMs = Date.now()
      this.#isAsked = false
      if (!record || signal.aborted) return
      if (!this.format) {
        this.format = format
        this.#first = at
        if (!this.#options.format) lastFormat(format)
      }
      this.#take(record)
    }
    try {
      const { token, ticket, credentials } = this.#options
      const headers: Record<string, string> = {}
      const byToken = token && format !== 'websocket'
      if (byToken) {
        this.#token ??= (await got(typeof token === 'function' ? token : () => token)) ?? ''
        if (!this.#token) throw new CometError('token_missing: there is none', 401)
        headers['authorization'] = `Bearer ${this.#token}`
      }
      const url: StreamAddress = async (query) => {
        const once = ticket && !byToken && (await got(ticket))
        return withQuery(this.#url, { ...this.#query(), ...query, ticket: once || null })
      }
      const request = { headers, signal, credentials } as FetchRequest
      take()
      this.#watch()
      if (format === 'poll') return await openPolls(url, request, take, () => this.#query().after)
      if (format !== 'websocket') return await openLines(url, request, take, format)
      return await openWebSocket(url, request, take, (socket) => {
        this.#socket = socket
      })
    } catch (error) {
      throw signal.reason ?? error
    } finally {
      clearTimeout(this.#timer)
      this.#socket = undefined
      abort.abort()
    }
  }

  /** Where a connection begins, and what it follows. */
  #query(): StreamQuery & { readonly after?: string | undefined } {
    const { after, last } = this.#options
    const place = this.#position ? { after: this.#position } : { after, last }
    return { ...place, subjects: [...this.#subjects].join() }
  }

  /** Ends a connection that is silent for too long; one timer, however much comes. */
  #watch(): void {
    const { openMs = OPEN_MS } = this.#options
    const limitMs = this.format ? this.#heartbeatMs * (this.#socket ? 1 : 2) : openMs
    const restMs = this.#signMs + limitMs - Date.now()
    if (restMs > 0) {
      this.#timer = setTimeout(() => this.#watch(), restMs)
    } else if (this.#socket && !this.#isAsked) {
      // No page sees the pings of a WebSocket: it asks for something that is answered.
      this.#send([], true, () => undefined)
      this.#signMs = Date.now()
      this.#isAsked = true
      this.#watch()
    } else this.#end(Error('silent'))
  }

  /** The network may be another one. */
  #onOnline(): void {
    this.#first = 0
    this.#again()
  }

  /** The timers of hidden tabs are late, and those of machines that sleep are later. */
  #onVisible(): void {
    if (page.document?.hidden) return
    this.#wake?.()
    if (this.format && Date.now() - this.#signMs > 2 * this.#heartbeatMs) this.#end()
    if (!this.#run) this.#tabs?.hello()
  }

  /** A record of this tab's connection, or of another's. */
  #take(record: StreamRecord): void {
    const { id, gap, end, error, subscribed, unsubscribed } = record
    const from = this.#position
    this.#tell({ record, from })
    if (end === 'ended') this.#close(undefined, record as CometEnd)
    if (end) return void this.#end(Error(end))
    if (error) this.#changes.shift()?.(new CometError(`${error.code}: ${error.message}`))
    if (subscribed ?? unsubscribed) this.#changes.shift()?.()
    const isNew = gap || !id || !from || id > from
    if (isNew) this.#position = gap?.resume ?? id ?? from
    if (this.state !== 'open') {
      this.state = 'open'
      // The connection was asked for all that is followed now.
      for (const settle of this.#changes.splice(0)) settle()
      this.#emit('open')
    }
    if (gap) {
      this.#emit('gap', gap)
      if (this.#options.gaps) this.#give({ gap }, from)
    } else if (isNew && (record.subject ?? record.to)) this.#give(record as CometMessage, from)
    this.#compare()
  }

  /** Gives an item to whom it is for. */
  #give(item: Item, from: string | undefined): void {
    if (this.#isListened) this.#dispatch(item)
    if (this.#isListened && !this.#isIterated) return
    if (!this.#queue.length) this.#before = from
    this.#queue.push(item)
    this.#emit(MORE)
    const { queueMax = QUEUE_MAX } = this.#options
    if (this.#queue.length < queueMax) return
    // Nothing is lost: the next connection begins where this one ends.
    this.state = 'paused'
    this.#tabs?.leave()
    this.#stop()
  }

  #dispatch(item: Item): void {
    if ('gap' in item) return
    this.#emit('message', item)
    if (item.event && !OWN_EVENTS.test(item.event)) this.#emit(item.event, item)
  }

  #emit(type: string, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }

  #wait(wait: CometReconnect): void {
    this.state = 'connecting'
    this.#emit('reconnect', wait)
  }

  #change(subjects: CometSubjects, isFollowed: boolean, isTold = false): Promise<void> {
    const changed = ([] as (number | string)[])
      .concat(subjects)
      .map(String)
      .filter((subject) => this.#subjects.has(subject) !== isFollowed)
    const apply = (isAdded: boolean, isSaid: boolean) => {
      for (const subject of changed) this.#subjects[isAdded ? 'add' : 'delete'](subject)
      if (isSaid) this.#tabs?.say({ change: [changed, isAdded] })
    }
    const settled = new Promise<void>((resolve, reject) => {
      if (!changed.length) return resolve()
      apply(isFollowed, !isTold)
      if (!this.#run) return resolve()
      this.#send(changed, isFollowed, (error) => {
        if (!error) return resolve()
        apply(!isFollowed, true)
        reject(error)
      })
    })
    // Who does not wait for it need not handle its failure.
    settled.catch(() => undefined)
    return settled
  }

  /** Tells the server, which answers in order; or has it asked by the next connection. */
  #send(subjects: readonly string[], isFollowed: boolean, settle: Settle): void {
    this.#changes.push(settle)
    if (!this.#socket) this.#end()
    else this.#socket.send(JSON.stringify({ [isFollowed ? 'subscribe' : 'unsubscribe']: subjects }))
  }

  /** Tells the other tabs, if this one has the connection. */
  #tell(said: Said): void {
    if (this.#tabs?.isLeading) this.#tabs.say(said)
  }

  /** What another tab says. */
  #hear({ record, from, wait, subjects, change }: Said): void {
    if (subjects) this.#subjects = new Set(subjects)
    if (change) this.#change(...change, true)
    if (this.#tabs?.isLeading) return
    if (this.#run) {
      this.#told = record?.gap?.resume ?? record?.id ?? this.#told
      this.#compare()
    } else if (wait) this.#wait(wait)
    else if (from && this.#position && from > this.#position) {
      // Something passed this tab by.
      this.#told = from
      this.#start()
    } else if (record) this.#take(record)
  }

  /** Does this tab need no connection of its own any more? */
  #compare(): void {
    if (this.#told && (this.#position ?? '') >= this.#told && !this.#tabs?.isLeading) this.#stop()
  }

  #close(error?: CometError, end?: CometEnd): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#error = error
    this.#closing.abort()
    this.#stop()
    this.#tabs?.close()
    for (const settle of this.#changes.splice(0)) settle(error)
    if (error) this.#emit('error', error)
    if (end) this.#emit('end', end)
    this.#emit('close')
    this.#emit(MORE)
  }
}
