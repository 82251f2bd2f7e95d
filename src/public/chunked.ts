// The chunked transport: `GET /test/{id}`, the address of 2008, answered with a response that
// never ends and carries one chunk a message. The only place that touches Bun's stream controller.

import { Elysia } from 'elysia'
import { userIdOf } from '../core/user.ts'
import type { Frame } from '../hub/frame.ts'
import type { StreamRegistry } from '../hub/registry.ts'
import type { CloseReason, WriteResult } from '../hub/sink.ts'
import { Stream } from '../hub/stream.ts'
import type { Admission, Gate, Lease } from './admission.ts'

export interface ChunkedOptions {
  readonly streams: StreamRegistry
  readonly admission: Gate
  /** Highest user id that may open a stream. */
  readonly userIdMax: number
  /** Lifts the idle timeout from the connection of this request: a stream may be silent for days. */
  readonly keepOpen: (request: Request) => void
}

/** What bodies say is other people's: a browser that is shown a stream runs none of it, loads nothing for
 * it, puts it into no other page, and takes it for no page of this server. */
const HARMLESS = {
  'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
}

/** The head that keeps caches and proxies from holding the stream back. */
const HEADERS = {
  ...HARMLESS,
  'content-type': 'text/html; charset=utf-8',
  // RFC 9111: not to be stored, and not to be recompressed, which would buffer it.
  'cache-control': 'no-store, no-transform',
  // nginx's own switch for its response buffer.
  'x-accel-buffering': 'no',
}

const PATH = '/test/:id'

/**
 * The route. One handler for all methods: given a GET route, Elysia 1.4.30 answers HEAD by reading
 * the response to its end, which for an endless stream never comes.
 */
export function chunkedTransport(options: ChunkedOptions) {
  return new Elysia({ name: 'comet.chunked' }).all(
    PATH,
    ({ params: { id }, request }) => answer(options, id, request),
    {
      parse: 'none',
      detail: {
        summary: 'Open a stream',
        description: 'A chunked response that never ends: a welcome, then one chunk a message.',
      },
    },
  )
}

function answer(
  options: ChunkedOptions,
  id: string,
  request: Request,
): Response | Promise<Response> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return methodNotAllowed()
  // As numbers are written: each stream keeps the text, and welcomes with it.
  const user = userIdOf(id)
  if (user === 0) return userNotFound()
  if (user > options.userIdMax) return refusal(`Max uid allowed is ${options.userIdMax}\n`, {})
  if (request.method === 'HEAD')
    return new Response(new ReadableStream(NOTHING), { headers: HEADERS })
  const admission = options.admission.admit(request)
  // While it is handled: later, Bun may not know any more which of its servers has the request.
  if (admission instanceof Promise || admission.admitted) options.keepOpen(request)
  return admission instanceof Promise
    ? admission.then((of) => open(options, id, of))
    : open(options, id, admission)
}

function open(options: ChunkedOptions, id: string, admission: Admission): Response {
  if (!admission.admitted) {
    const { text, status } = REFUSALS[admission.reason]
    const retryAfter = String(admission.retryAfterSeconds)
    // Closed, so that the refused do not hold on to the connections that others need.
    return refusal(text, { 'retry-after': retryAfter, connection: 'close' }, status)
  }
  const source = new ChunkedStream(options.streams, id, admission.lease)
  return new Response(new ReadableStream(source), { headers: HEADERS })
}

/** 429 is what the client itself could do otherwise (RFC 6585 section 4). */
const REFUSALS = {
  full: { status: 503, text: 'All streams are taken\n' },
  draining: { status: 503, text: 'The server is stopping\n' },
  busy: { status: 503, text: 'The server is busy\n' },
  rate: { status: 503, text: 'Too many streams are being opened\n' },
  address: { status: 429, text: 'Too many streams from this address\n' },
} as const

/** Answers what no route of the public port takes. */
export function userNotFound(): Response {
  return refusal('User id not found, try /test/123 instead\n', {}, 404)
}

function methodNotAllowed(): Response {
  return refusal('A stream is opened with GET\n', { allow: 'GET, HEAD' }, 405)
}

/** An answer of the public port that is no stream. */
export function refusal(text: string, headers: Record<string, string>, status = 503): Response {
  return new Response(text, { status, headers: { ...HARMLESS, ...headers } })
}

/** A stream's head without its body: Bun sends the head for HEAD and cancels the stream unread. */
const NOTHING: Bun.DirectUnderlyingSource = { type: 'direct', pull: () => undefined }

const encoder = new TextEncoder()

/**
 * One object is what Bun pulls from, what the store writes to, and what it keeps; its methods are
 * shared by all streams. It holds no request.
 */
class ChunkedStream extends Stream implements Bun.DirectUnderlyingSource<Uint8Array> {
  readonly #streams: StreamRegistry
  /** Whose stream this will be, as the request wrote it. */
  readonly #id: string
  #controller: ReadableStreamDirectController | null = null
  /** Null if it does not count, or does no longer. */
  #lease: Lease | null

  constructor(streams: StreamRegistry, id: string, lease: Lease | null) {
    super()
    this.#streams = streams
    this.#id = id
    this.#lease = lease
  }

  /** Tells Bun what kind of source this is; a getter, so that no stream has to carry it. */
  get type(): 'direct' {
    return 'direct'
  }

  /** Bun is ready for the body. It answers no promise, which is what keeps the response open. */
  pull(controller: ReadableStreamDirectController): void {
    // Bun may pull again; a stream enters once.
    if (this.#controller !== null || this.state !== 'opening') return
    this.#controller = controller
    this.#streams.enter(Number(this.#id), this)
  }

  welcome(): void {
    const text = `Welcome, Url: '/test/${this.#id}' Id: ${Number(this.#id)}\n`
    this.#controller?.write(encoder.encode(text))
    this.#controller?.flush()
  }

  /** The client has gone; it may have done so before anything was pulled. */
  cancel(): void {
    this.#controller = null
    this.#streams.left(this)
    this.#leave()
  }

  /** Hot path: one write and one flush are one chunk and one system call. */
  write(frame: Frame): WriteResult {
    const controller = this.#controller
    if (controller === null) return 'gone'
    const written: number | Promise<number> = controller.write(frame.bytes)
    // Without the flush, two messages in one turn of the loop would become one chunk.
    controller.flush()
    if (typeof written === 'number') return written === 0 ? 'gone' : 'sent'
    // A promise: the socket is full, and Bun keeps a copy until there is room.
    const flushed = () => this.#streams.flushed(this)
    written.then(flushed, flushed)
    return 'queued'
  }

  close(reason: CloseReason): void {
    const controller = this.#controller
    this.#controller = null
    // With a reason, Bun resets the connection and frees what is queued for it; `end` sends what
    // is queued and then the final zero chunk, however long the client takes.
    if (reason === 'slow') controller?.close(SLOW)
    else controller?.end()
    this.#leave()
  }

  #leave(): void {
    this.#lease?.left()
    this.#lease = null
  }
}

const SLOW = new Error('slow consumer')
