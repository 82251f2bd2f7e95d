// A server for tests of the client library: it speaks what the public port does (json, sse,
// websocket, poll), from a log in memory, and has faults to order.

import type { Server, ServerWebSocket } from 'bun'
import type { CometGap } from './api.ts'
import { type BuiltModule, builtModule } from './module.ts'

type Fields = Readonly<Record<string, unknown>>

export interface Publication {
  readonly subject?: string
  readonly to?: string
  readonly event?: string
  readonly body?: string
  readonly data?: unknown
}

interface Entry {
  readonly number: number
  readonly message: Publication
}

/** A request of a stream, as the server had it. */
export interface AskedStream {
  readonly url: string
  readonly user: string
  readonly format: string
  readonly query: URLSearchParams
  readonly authorization: string | null
  readonly atMs: number
}

/**
 * What happens to a request: no answer; a head and no body, as behind a proxy that holds it back; a
 * stream that is never more than its head and first record; this answer.
 */
export type Fault = 'hang' | 'buffer' | 'silence' | (() => Response)

interface OpenStream {
  readonly user: string
  readonly subjects: Set<string>
  isSilent: boolean
  send(record: Fields): void
  heartbeat(): void
  /** As a server ends it, or as a connection is cut. */
  end(code: number): void
  cut(): void
}

interface SocketData {
  readonly asked: AskedStream
  readonly start: Start
  readonly isSilent: boolean
  stream: OpenStream | null
}

interface Start {
  readonly gap: CometGap | null
  readonly after: number
  readonly replay: readonly Entry[]
}

export interface StreamServerOptions {
  readonly heartbeatMs?: number
  /** Milliseconds that a poll waits. */
  readonly pollMs?: number
}

const REPLAY_MAX = 1_000
const CLOSE_CODES: Readonly<Record<string, number>> = { drained: 1001, expired: 4001, ended: 4002 }

export class StreamServer implements Disposable {
  readonly asked: AskedStream[] = []
  readonly open = new Set<OpenStream>()
  /** Decides what happens to each request; null for what should. */
  fault: (asked: AskedStream) => Fault | null = () => null
  /** Subjects that may not be followed. */
  readonly forbidden = new Set<string>()
  #epoch = Date.now()
  #entries: Entry[] = []
  #number = 0
  /** Entries up to here are no longer kept. */
  #evicted = 0
  #server: Server<SocketData> | null = null
  readonly #options: StreamServerOptions
  readonly #timer: ReturnType<typeof setInterval>
  /** Polls that wait; told whether to look again, or that they are cut. */
  readonly #waiting = new Set<(isCut: boolean) => void>()
  #port = 0
  #module: BuiltModule | null = null

  constructor(options: StreamServerOptions = {}) {
    this.#options = options
    this.start()
    this.#timer = setInterval(() => {
      for (const stream of this.open) if (!stream.isSilent) stream.heartbeat()
    }, options.heartbeatMs ?? 25_000)
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Streams and polls that wait. */
  get held(): number {
    return this.open.size + this.#waiting.size
  }

  start(): void {
    this.#server = Bun.serve<SocketData>({
      hostname: '127.0.0.1',
      port: this.#port,
      idleTimeout: 0,
      fetch: (request, server) => this.#answer(request, server),
      websocket: {
        open: (socket) => this.#openSocket(socket),
        message: (socket, text) => this.#onFrame(socket, String(text)),
        close: ({ data }) => {
          if (data.stream !== null) this.open.delete(data.stream)
        },
      },
    })
    this.#port = this.#server.port ?? 0
  }

  /** Cuts all connections, and refuses new ones until it is started again. */
  stop(): void {
    this.#server?.stop(true)
    this.cut()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.stop()
  }

  /** @returns the cursor of the message */
  publish(message: Publication): string {
    const entry = { number: ++this.#number, message }
    this.#entries.push(entry)
    for (const stream of this.open) {
      if (!stream.isSilent && isFor(entry, stream)) stream.send(this.#record(entry))
    }
    for (const wake of [...this.#waiting]) wake(false)
    return this.#cursor(entry.number)
  }

  /** Forgets all messages that there are. */
  evict(): void {
    this.#evicted = this.#number
  }

  /** Begins another log. */
  forget(): void {
    this.#epoch++
    this.#entries = []
    this.#number = this.#evicted = 0
  }

  cut(): void {
    for (const stream of [...this.open]) stream.cut()
    for (const wake of [...this.#waiting]) wake(true)
    this.open.clear()
  }

  end(reason: 'expired' | 'drained' | 'ended', note?: string): void {
    for (const stream of [...this.open]) {
      stream.send({ end: reason, ...(note !== undefined && { note }) })
      stream.end(CLOSE_CODES[reason] ?? 1000)
    }
    this.open.clear()
  }

  /** From now on nothing comes on the streams that are open, and nothing is answered. */
  silence(): void {
    for (const stream of this.open) stream.isSilent = true
  }

  #cursor(number: number): string {
    return `${hex(this.#epoch)}-${hex(number)}`
  }

  #record({ number, message }: Entry): Fields {
    return { id: this.#cursor(number), ...message }
  }

  #answer(request: Request, server: Server<SocketData>): Response | Promise<Response> | undefined {
    const url = new URL(request.url)
    const [, user] = /^\/stream\/(\w+)$/.exec(url.pathname) ?? []
    if (user === undefined) return this.#page(url)
    const query = url.searchParams
    const isSocket = request.headers.get('upgrade') === 'websocket'
    const format = query.has('offset') ? 'poll' : (query.get('format') ?? 'json')
    const authorization = request.headers.get('authorization')
    const asked = { url: request.url, user, format, query, authorization, atMs: Date.now() }
    this.asked.push(asked)
    const fault = this.fault(asked)
    if (typeof fault === 'function') return fault()
    if (fault === 'hang') return new Promise(() => undefined)
    const refused = subjectsOf(query).find((subject) => this.forbidden.has(subject))
    if (refused !== undefined) {
      return new Response(`subject: ${refused} is not allowed\n`, { status: 403 })
    }
    if (format === 'poll') return this.#poll(asked)
    if (query.has('envelope') !== (format === 'sse')) {
      return new Response('envelope: it is for sse alone\n', { status: 400 })
    }
    const start = this.#startOf(asked)
    if (start === null) return new Response('after: no cursor\n', { status: 400 })
    if (!isSocket) return this.#lines(asked, start, fault)
    const data = { asked, start, isSilent: fault === 'silence', stream: null }
    return server.upgrade(request, { data }) ? undefined : new Response('', { status: 400 })
  }

  #page({ pathname }: URL): Response {
    if (pathname === '/comet.js') {
      this.#module ??= builtModule()
      return new Response(this.#module.text, { headers: { 'content-type': 'text/javascript' } })
    }
    if (pathname !== '/') return new Response('nothing here', { status: 404 })
    const html = '<!doctype html><link rel="icon" href="data:,"><title>test</title>'
    return new Response(html, { headers: { 'content-type': 'text/html' } })
  }

  /** Null for a cursor that is none. */
  #startOf({ query, user }: AskedStream, after = query.get('after')): Start | null {
    const subjects = new Set(subjectsOf(query))
    const mine = this.#entries.filter((entry) => isFor(entry, { user, subjects }))
    const kept = mine.filter(({ number }) => number > this.#evicted)
    const top = this.#number
    if (after === null) {
      const last = Number(query.get('last') ?? 0)
      const replay = last > 0 ? kept.slice(-last) : []
      return { gap: null, after: (replay[0]?.number ?? top + 1) - 1, replay }
    }
    if (after === 'oldest') return { gap: null, after: this.#evicted, replay: kept }
    const [, epoch, digits] = /^([0-9a-f]{12})-([0-9a-f]{12})$/.exec(after) ?? []
    if (epoch === undefined) return null
    const number = Number.parseInt(digits ?? '', 16)
    const gap = (reason: CometGap['reason']): Start => {
      return { gap: { after, resume: this.#cursor(top), reason }, after: top, replay: [] }
    }
    if (epoch !== hex(this.#epoch) || number > top) return gap('unknown')
    const missed = mine.filter((entry) => entry.number > number)
    if (missed.some((entry) => entry.number <= this.#evicted)) return gap('lost')
    if (missed.length > REPLAY_MAX) return gap('too_many')
    return { gap: null, after: number, replay: missed }
  }

  #begin(stream: OpenStream, { gap, after, replay }: Start): void {
    if (gap !== null) stream.send({ gap })
    stream.send({ id: this.#cursor(after) })
    for (const entry of replay) stream.send(this.#record(entry))
    this.open.add(stream)
  }

  #lines(asked: AskedStream, start: Start, fault: Fault | null): Response {
    const isEvents = asked.format === 'sse'
    const encoder = new TextEncoder()
    let stream: OpenStream | null = null
    const body = new ReadableStream({
      start: (controller) => {
        if (fault === 'buffer') return
        const write = (text: string) => controller.enqueue(encoder.encode(text))
        stream = {
          ...{ user: asked.user, subjects: new Set(subjectsOf(asked.query)) },
          isSilent: fault === 'silence',
          send: (record) => write(isEvents ? eventOf(record) : `${JSON.stringify(record)}\n`),
          heartbeat: () => write(isEvents ? ':\n\n' : '\n'),
          end: () => controller.close(),
          cut: () => controller.error(),
        }
        this.#begin(stream, start)
      },
      cancel: () => {
        if (stream !== null) this.open.delete(stream)
      },
    })
    const type = isEvents ? 'text/event-stream' : 'application/x-ndjson'
    return new Response(body, { headers: { 'content-type': type, 'cache-control': 'no-store' } })
  }

  #openSocket(socket: ServerWebSocket<SocketData>): void {
    const { asked, start, isSilent } = socket.data
    const stream: OpenStream = {
      ...{ user: asked.user, subjects: new Set(subjectsOf(asked.query)), isSilent },
      send: (record) => socket.send(JSON.stringify(record)),
      heartbeat: () => socket.ping(),
      end: (code) => socket.close(code),
      cut: () => socket.terminate(),
    }
    socket.data.stream = stream
    this.#begin(stream, start)
  }

  #onFrame({ data: { stream } }: ServerWebSocket<SocketData>, text: string): void {
    if (stream === null || stream.isSilent) return
    const { subscribe, unsubscribe } = JSON.parse(text) as Record<string, string[] | undefined>
    const refused = subscribe?.find((subject) => this.forbidden.has(subject))
    const id = this.#cursor(this.#number)
    if (subscribe?.length === 0) {
      stream.send({ error: { code: 'invalid_message', message: 'There is no subject' } })
    } else if (refused !== undefined) {
      stream.send({ error: { code: 'subject', message: `${refused} is not allowed` } })
    } else if (subscribe !== undefined) {
      for (const subject of subscribe) stream.subjects.add(subject)
      stream.send({ subscribed: subscribe, id })
    } else if (unsubscribe !== undefined) {
      for (const subject of unsubscribe) stream.subjects.delete(subject)
      stream.send({ unsubscribed: unsubscribe, id })
    }
  }

  async #poll(asked: AskedStream): Promise<Response> {
    const offset = asked.query.get('offset') ?? ''
    if (asked.query.has('after') || asked.query.has('last')) {
      return new Response('polls have offset\n', { status: 400 })
    }
    const cursor = `${Number(asked.query.get('cursor') ?? 0) + 1}`
    const at = offset === '-1' ? 'oldest' : offset === 'now' ? null : offset
    const from = this.#startOf(asked, at)
    if (from === null) return new Response('offset: no cursor\n', { status: 400 })
    const headers = (next: string) => ({
      ...{ 'stream-next-offset': next, 'stream-cursor': cursor, 'cache-control': 'no-store' },
      'stream-up-to-date': 'true',
    })
    if (from.gap !== null) {
      const error = { code: 'gap', message: 'Some is not kept' }
      const body = { error, gap: from.gap }
      return Response.json(body, { status: 410, headers: headers(from.gap.resume) })
    }
    let { replay } = from
    const isLive = asked.query.get('live') === 'long-poll'
    if (isLive && replay.length === 0) {
      const place = this.#cursor(from.after)
      const isCut = await this.#isCut(() => this.#startOf(asked, place)?.replay.length !== 0)
      if (isCut) return new Response(new ReadableStream({ pull: (body) => body.error() }))
      replay = this.#startOf(asked, place)?.replay ?? []
    }
    const next = headers(this.#cursor(this.#number))
    if (isLive && replay.length === 0) return new Response(null, { status: 204, headers: next })
    return Response.json(
      replay.map((entry) => this.#record(entry)),
      { headers: next },
    )
  }

  /** Settles when it is done, or the time of a poll is over; with true if it is cut. */
  #isCut(isDone: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (isCut: boolean) => {
        if (!isCut && !isDone()) return
        end(isCut)
      }
      const end = (isCut: boolean) => {
        this.#waiting.delete(look)
        clearTimeout(timer)
        resolve(isCut)
      }
      const timer = setTimeout(end, this.#options.pollMs ?? 2_000, false)
      this.#waiting.add(look)
    })
  }
}

/** As the sse format has it, with `?envelope=json`. */
function eventOf(record: Fields): string {
  if ('gap' in record) return `event: gap\ndata: ${JSON.stringify(record['gap'])}\n\n`
  if ('end' in record) return `event: end\ndata: ${JSON.stringify(record)}\n\n`
  if (!('subject' in record || 'to' in record)) {
    return `id: ${record['id']}\nevent: start\ndata: ${JSON.stringify(record)}\n\n`
  }
  const event = 'event' in record ? `event: ${record['event']}\n` : ''
  return `id: ${record['id']}\n${event}data: ${JSON.stringify(record)}\n\n`
}

function subjectsOf(query: URLSearchParams): string[] {
  return (query.get('subjects') ?? '').split(',').filter((subject) => subject !== '')
}

function isFor(
  { message: { subject, to } }: Entry,
  { user, subjects }: Pick<OpenStream, 'user' | 'subjects'>,
): boolean {
  if (to !== undefined) return to === user || to === '*'
  return subject !== undefined && (subject === user || subjects.has(subject))
}

function hex(value: number): string {
  return value.toString(16).padStart(12, '0')
}
