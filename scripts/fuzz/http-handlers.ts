// What the handlers of a fuzzed port do, each in its own way, and what a client must get of them:
// from the requests as the naive reader sees them.

import { viewOf } from '../../src/core/bytes.ts'
import { httpLimits } from '../../src/core/http-limits.ts'
import type { Exchange, SocketHolder } from '../../src/http/exchange.ts'
import { answerByApp } from '../../src/http/web.ts'
import type { Seen, SeenRequest } from './http-naive.ts'

/** One answer. */
export interface Wanted {
  readonly status: number
  /** In Latin-1; null for any. */
  readonly body: string | null
  /** Does the answer say that the connection ends? Null if it may. */
  readonly closes: boolean | null
  /** May what follows be there or not, as it depends on when bytes come? */
  readonly mayEnd?: boolean
  /** Another answer that may be there instead; the connection ends behind it. */
  readonly or?: Wanted
  /** It is cut before its end. */
  readonly isCut?: boolean
}

type Handle = (exchange: Exchange) => void | Promise<void>

/** What handlers do; most do what keeps the connection, so it is here more often. */
const KINDS = [
  ...(['whole', 'read', 'part', 'web', 'unread', 'late', 'twice'] as const),
  ...(['whole', 'read', 'web', 'late', 'large', 'streamed', 'streamed'] as const),
  ...(['throws', 'splits', 'takes'] as const),
]

type Kind = (typeof KINDS)[number]

const HANDLERS: Record<Kind, Handle> = {
  whole(exchange) {
    const body = exchange.wholeBody(65_536)
    if (body === null) return HANDLERS.read(exchange)
    exchange.reply({ status: 200, body: echoOf(exchange.method, viewOf(body)) })
  },
  async read(exchange) {
    const parts: Uint8Array[] = []
    try {
      for (let part = await exchange.readBody(); part !== null; part = await exchange.readBody()) {
        parts.push(part)
      }
    } catch (error) {
      if (!isAborted(error)) throw error
      exchange.reply(ABORTED)
      return
    }
    exchange.reply({ status: 200, body: echoOf(exchange.method, Buffer.concat(parts)) })
  },
  async part(exchange) {
    try {
      await exchange.readBody()
    } catch (error) {
      if (!isAborted(error)) throw error
      exchange.reply(ABORTED)
      return
    }
    exchange.reply({ status: 200, body: 'part' })
  },
  web(exchange) {
    const fetch = async (request: Request) => {
      try {
        return new Response(echoOf(exchange.method, await request.bytes()))
      } catch (error) {
        if (!isAborted(error)) throw error
        return new Response('aborted', { status: 400, headers: { connection: 'close' } })
      }
    }
    return answerByApp(exchange, fetch)
  },
  unread(exchange) {
    exchange.reply({ status: 200, body: 'unread' })
  },
  async late(exchange) {
    for (let turns = 0; turns < 4; turns++) await new Promise(setImmediate)
    exchange.reply({ status: 200, body: 'late' })
  },
  async large(exchange) {
    await new Promise(setImmediate)
    exchange.reply({ status: 200, body: LARGE })
  },
  twice(exchange) {
    exchange.reply({ status: 200, body: 'once' })
    exchange.reply({ status: 200, body: 'twice' })
    setImmediate(() => exchange.reply({ status: 200, body: 'three times' }))
  },
  async streamed(exchange) {
    await exchange.stream({ status: 200 }, partsOf(exchange))
  },
  throws() {
    throw new Error('meant')
  },
  splits(exchange) {
    exchange.reply({ status: 200, headers: { meant: 'a\r\nb: c' }, body: 'split' })
  },
  async takes(exchange) {
    await new Promise(setImmediate)
    if (exchange.isGone) return
    const socket = exchange.takeOver(new Owner(() => socket.end()))
    const body = exchange.method === 'HEAD' ? '' : 'taken'
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n${body}`)
  },
}

const LARGE = 'large '.repeat(50_000)
const ABORTED = { status: 400, headers: { connection: 'close' }, body: 'aborted' }

/** What owns a socket until its client closes its half. */
class Owner implements SocketHolder {
  readonly onEnd: () => void

  constructor(onEnd: () => void) {
    this.onEnd = onEnd
  }

  onData(): void {
    // What comes on a stream has no meaning.
  }

  onDrain(): void {
    // All of it fits.
  }

  onClose(): void {
    // Nothing is held.
  }
}

/** The body of a request, to be streamed as it comes. */
function partsOf(exchange: Exchange): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      start: (controller) => controller.enqueue(Buffer.from(`${exchange.method} `)),
      async pull(controller) {
        const part = await exchange.readBody()
        if (part === null) controller.close()
        else controller.enqueue(part)
      },
    },
    { highWaterMark: 0 },
  )
}

function echoOf(method: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  return Buffer.concat([Buffer.from(`${method} `), body])
}

export function isAborted(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

/** The same for a request and for what the naive reader saw of it. */
function kindOf(method: string, target: string, fields: number): Kind {
  const hash = Number(Bun.hash.crc32(`${method} ${target} ${fields}`))
  return KINDS[hash % KINDS.length] as Kind
}

/** Answers a request in the way that its head chooses. */
export function handle(exchange: Exchange): void | Promise<void> {
  const { method, target, fields } = exchange.head
  const handler: Handle = HANDLERS[kindOf(method, target, fields.length / 2)]
  return handler(exchange)
}

/** The answers that a client must get, in order. */
export function wantedOf({ requests, end }: Seen): Wanted[] {
  const wanted: Wanted[] = []
  for (const request of requests) {
    const answer = answerTo(request, end)
    wanted.push(answer)
    // Behind a body that is no HTTP, or has not come whole, there is no other request.
    if (answer.closes === true || answer.isCut === true || !request.isWhole) return wanted
  }
  if (end !== 'more') wanted.push({ status: end, body: null, closes: true })
  return wanted
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']

function answerTo(request: SeenRequest, end: Seen['end']): Wanted {
  const { method, target, fields, framing, body } = request
  const kind = kindOf(method, target, fields.length)
  switch (kind) {
    case 'whole':
    case 'read':
      return read(request, end)
    case 'web':
      if (!METHODS.includes(method)) return { status: 501, body: null, closes: true }
      if (target === '*') return unread(request, '', 204)
      return method === 'GET' || method === 'HEAD'
        ? unread(request, framing === 'none' ? `${method} ${body}` : `${method} `)
        : read(request, end)
    case 'part':
      return part(request, end)
    case 'streamed':
      return streamed(request)
    case 'takes':
      return { status: 200, body: 'taken', closes: true }
    case 'throws':
    case 'splits':
      return { status: 500, body: 'Internal error\n', closes: true }
    case 'large':
      return unread(request, LARGE)
    default:
      return unread(request, kind === 'twice' ? 'once' : kind)
  }
}

function read(request: SeenRequest, end: Seen['end']): Wanted {
  const { method, body, keepAlive, isWhole } = request
  if (isWhole) return { status: 200, body: `${method} ${body}`, closes: !keepAlive }
  return aborted(end)
}

function aborted(end: Seen['end']): Wanted {
  if (end === 'more') return { status: 400, body: 'aborted', closes: true }
  return { status: end, body: null, closes: true }
}

/** The answer to a request whose body is skipped, if it is one that can be. */
function unread(request: SeenRequest, body: string, status = 200): Wanted {
  const { framing, keepAlive, expectsContinue } = request
  const isLong = typeof framing === 'number' && framing > httpLimits.skippedBytesMax
  const closes = !keepAlive || isLong || expectsContinue
  return { status, body, closes, mayEnd: mayBeTooLong(request) }
}

/** Its chunks are skipped, or end the connection, by when they come. */
function mayBeTooLong({ framing, body }: SeenRequest): boolean {
  return framing === 'chunked' && body.length > httpLimits.skippedBytesMax / 2
}

function part(request: SeenRequest, end: Seen['end']): Wanted {
  // Short enough, or come whole with its head, it is read to its end.
  const { keepAlive, framing } = request
  const isShort = typeof framing !== 'number' || framing <= httpLimits.skippedBytesMax
  const closes = keepAlive && !isShort ? null : !keepAlive
  const answer = {
    status: 200,
    body: 'part',
    closes,
    mayEnd: closes === null || mayBeTooLong(request),
  }
  return request.isWhole ? answer : { ...answer, or: aborted(end) }
}

function streamed(request: SeenRequest): Wanted {
  const { method, body, keepAlive, isWhole, framing, minor } = request
  const closes = !keepAlive || minor === 0 || framing !== 'none'
  const isCut = !isWhole && method !== 'HEAD'
  return { status: 200, body: `${method} ${body}`, closes, isCut }
}
