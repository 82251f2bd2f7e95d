// A stream as its user has it: its place, what waits for the iterator, its subjects, its events, and
// which part of it another tab has.

import {
  type CometEnd,
  CometError,
  type CometFormat,
  type CometGapItem,
  type CometMessage,
  type CometState,
  type CometStream,
  type ConnectOptions,
} from './api.ts'
import type { StreamRecord } from './connection.ts'
import { Connections } from './connections.ts'
import { HEARTBEAT_MS, QUEUE_MAX } from './limits.ts'
import { page } from './page.ts'
import { Tabs } from './tabs.ts'

type Item = CometMessage | CometGapItem
type Subjects = number | string | readonly (number | string)[]

/** What tabs that share a connection tell each other. */
interface Said {
  /** Of the one with the connection: what came, and the place before it. */
  readonly record?: StreamRecord | undefined
  readonly from?: string | undefined
  /** Of the same: its connection is lost. */
  readonly wait?: readonly [waitMs: number, reason: string]
  /** Of the same: all that is followed. */
  readonly subjects?: readonly string[]
  /** Of any: what is to be followed, or no longer. */
  readonly change?: readonly [subjects: readonly string[], isFollowed: boolean]
}

type Settle = (error?: CometError) => void

/** The events of the stream itself; a message with one of these names has no event of its own. */
const OWN_EVENTS = /^(message|gap|open|reconnect|end|error|close)$/

/** That the iterator is to look again. */
const MORE = ''

export class Stream extends EventTarget implements CometStream {
  state: CometState = 'connecting'
  readonly #options: ConnectOptions
  readonly #connections: Connections
  readonly #tabs: Tabs<Said> | undefined
  readonly #closing = new AbortController()
  #subjects: Set<string>
  /** The changes of subjects that the server has not answered, in their order. */
  readonly #changes: Settle[] = []
  /** The place of the last record; and of the last one that the tab with the connection told of
   * while this one has a connection of its own. */
  #position: string | undefined
  #told = ''
  readonly #queue: Item[] = []
  /** The place before the first item of the queue. */
  #before: string | undefined
  /** Is there an iterator; does a listener want messages? */
  #isIterated = false
  #isListened = false
  #error: CometError | undefined

  constructor(url: string, options: ConnectOptions) {
    super()
    const { subjects = [], after, last, shared, signal, heartbeatMs = HEARTBEAT_MS } = options
    const { href } = new URL(url, page.location?.href)
    this.#options = options
    this.#subjects = new Set(subjects.map(String))
    this.#connections = new Connections(href, options, {
      query: () => {
        const subjects = [...this.#subjects].join()
        return this.#position ? { subjects, after: this.#position } : { subjects, after, last }
      },
      onRecord: (record) => this.#take(record),
      onWait: (...wait) => {
        if (this.#tabs?.isLeading) this.#tabs.say({ wait })
        this.#wait(...wait)
      },
      onRefused: (error) => this.#refuse(error),
      onSilence: () => this.#send([], true, () => undefined),
    })
    if (shared && page.navigator?.locks) {
      const name = ['comet', shared, href, ...[...this.#subjects].sort()].join()
      this.#tabs = new Tabs(name, {
        silenceMs: 2 * heartbeatMs,
        onLead: () => this.#connections.start(),
        onFollow: () => this.#connections.stop(),
        onSaid: (said) => this.#hear(said),
        greeting: () => ({
          from: this.#position,
          ...(this.state === 'open' && this.#position && { record: { id: this.#position } }),
          subjects: [...this.#subjects],
        }),
      })
    }
    const until = { signal: this.#closing.signal }
    page.addEventListener?.('online', () => this.#connections.onOnline(), until)
    page.document?.addEventListener('visibilitychange', () => this.#look(), until)
    signal?.addEventListener('abort', () => this.close(), until)
    if (signal?.aborted) this.close()
    else this.#join()
  }

  get format(): CometFormat | undefined {
    return this.#connections.format
  }

  get cursor(): string | undefined {
    return this.#queue.length ? this.#before : this.#position
  }

  subscribe(subjects: Subjects): Promise<void> {
    return this.#change(subjects, true)
  }

  unsubscribe(subjects: Subjects): Promise<void> {
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
    if (!this.#tabs || this.#position || after || last) this.#connections.start()
  }

  /** A record of this tab's connection, or of another's. */
  #take(record: StreamRecord): void {
    const { id, gap, end, note, error, subscribed, unsubscribed } = record
    const from = this.#position
    if (this.#tabs?.isLeading) this.#tabs.say({ record, from })
    if (end === 'ended') this.#close(undefined, { end, ...(note && { note }) })
    if (end) {
      this.#connections.end(Error(end))
      return
    }
    if (error) this.#changes.shift()?.(new CometError(`${error.code}: ${error.message}`))
    if (subscribed ?? unsubscribed) this.#changes.shift()?.()
    const isNew = gap || !id || !from || id > from
    if (isNew) this.#position = gap?.resume ?? id ?? from
    if (this.state !== 'open') {
      this.state = 'open'
      // The connection was asked for all that is followed now.
      for (const settle of this.#changes.splice(0)) settle()
      this.#emit('open', { format: this.format })
    }
    if (gap) {
      this.#emit('gap', gap)
      if (this.#options.gaps) this.#give({ gap }, from)
    } else if (isNew && (record.subject ?? record.to)) {
      this.#give(record as CometMessage, from)
    }
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
    this.#connections.stop()
  }

  #dispatch(item: Item): void {
    if ('gap' in item) return
    this.#emit('message', item)
    if (item.event && !OWN_EVENTS.test(item.event)) this.#emit(item.event, item)
  }

  #emit(type: string, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }

  #wait(waitMs: number, reason: string): void {
    this.state = 'connecting'
    this.#emit('reconnect', { waitMs, reason })
  }

  /** @returns whether the refusal may be for subjects that were to be followed */
  #refuse(error: CometError): boolean {
    const changes = this.#changes.splice(0)
    for (const settle of changes) settle(error)
    if (!changes.length) this.#close(error)
    return changes.length > 0
  }

  #change(subjects: Subjects, isFollowed: boolean, isTold = false): Promise<void> {
    const changed = [subjects]
      .flat()
      .map(String)
      .filter((subject) => this.#subjects.has(subject) !== isFollowed)
    const apply = (isAdded: boolean, isSaid: boolean) => {
      for (const subject of changed) this.#subjects[isAdded ? 'add' : 'delete'](subject)
      if (isSaid) this.#tabs?.say({ change: [changed, isAdded] })
    }
    const settled = new Promise<void>((resolve, reject) => {
      if (!changed.length) return resolve()
      apply(isFollowed, !isTold)
      if (!this.#connections.isRunning) return resolve()
      this.#send(changed, isFollowed, (error) => {
        if (!error) return resolve()
        apply(!isFollowed, true)
        reject(error)
      })
    })
    // Who does not wait for it need not handle that it fails.
    settled.catch(() => undefined)
    return settled
  }

  /** Tells the server, which answers in order; or has it asked by the next connection. */
  #send(subjects: readonly string[], isFollowed: boolean, settle: Settle): void {
    this.#changes.push(settle)
    this.#connections.send({ [isFollowed ? 'subscribe' : 'unsubscribe']: subjects })
  }

  /** What another tab says. */
  #hear({ record, from, wait, subjects, change }: Said): void {
    if (subjects) this.#subjects = new Set(subjects)
    if (change) this.#change(...change, true)
    if (this.#tabs?.isLeading) return
    if (this.#connections.isRunning) {
      this.#told = record?.gap?.resume ?? record?.id ?? this.#told
      this.#compare()
    } else if (wait) {
      this.#wait(...wait)
    } else if (record && from && this.#position && from > this.#position) {
      // Something passed this tab by.
      this.#told = from
      this.#connections.start()
    } else if (record) this.#take(record)
  }

  /** From here on, this tab needs no connection of its own. */
  #compare(): void {
    if (this.#tabs && !this.#tabs.isLeading && this.#told && (this.#position ?? '') >= this.#told) {
      this.#connections.stop()
    }
  }

  #look(): void {
    if (page.document?.hidden) return
    this.#connections.onVisible()
    if (!this.#connections.isRunning) this.#tabs?.hello()
  }

  #close(error?: CometError, end?: CometEnd): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#error = error
    this.#closing.abort()
    this.#connections.stop()
    this.#tabs?.close()
    for (const settle of this.#changes.splice(0)) settle(error ?? new CometError('closed'))
    if (error) this.#emit('error', error)
    if (end) this.#emit('end', end)
    this.#emit('close')
    this.#emit(MORE)
  }
}
