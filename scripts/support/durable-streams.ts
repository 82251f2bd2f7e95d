// A server of the whole Durable Streams protocol in front of comet, for its conformance suite: what
// writes is published on comet's control port, and what reads is passed to comet's public port, of
// whose answers only the messages are unwrapped. It lacks whatever comet does not read: forks,
// expiry, closed streams.

import { rawItems } from '../../src/core/json.ts'
import type { CometServer } from './comet.ts'

/** A stream of the suite, which is a user of comet. */
interface WrittenStream {
  readonly user: string
  readonly contentType: string
}

const ANY: WrittenStream = { user: 'any', contentType: 'text/plain' }

/** A message of comet as its format `poll` has it. */
interface PolledMessage {
  readonly body?: string
  readonly data?: unknown
}

/** Bytes of a part of what is appended: as base64 less than a message of comet may have. */
const PART_BYTES = 45_000
const APPENDED_BYTES_MAX = 1024 * 1024
/** Of waiting: the suite does not wait for longer than 5 s. */
const SECONDS = '1'

export class DurableStreamsAdapter implements AsyncDisposable {
  readonly #comet: CometServer
  readonly #server: Bun.Server<undefined>
  readonly #streams = new Map<string, WrittenStream>()

  constructor(comet: CometServer) {
    this.#comet = comet
    this.#server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      idleTimeout: 0,
      maxRequestBodySize: 2 ** 30,
      fetch: (request) => this.#answer(request),
    })
  }

  get url(): string {
    return this.#server.url.origin
  }

  #answer(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname
    if (request.method === 'PUT') return this.#create(path, request)
    if (request.method === 'OPTIONS') return this.#read(ANY, request)
    const stream = this.#streams.get(path)
    if (stream === undefined) return Promise.resolve(answer(404))
    return request.method === 'POST' ? this.#append(stream, request) : this.#read(stream, request)
  }

  async #create(path: string, request: Request): Promise<Response> {
    const contentType = request.headers.get('content-type') ?? 'application/octet-stream'
    const existing = this.#streams.get(path)
    if (existing !== undefined) {
      const isSame = typeOf(existing.contentType) === typeOf(contentType)
      return answer(isSame ? 200 : 409, { 'content-type': existing.contentType })
    }
    const stream = { user: `stream-${this.#streams.size + 1}`, contentType }
    this.#streams.set(path, stream)
    const bytes = await request.bytes()
    if (bytes.length > 0) await this.#publish(stream, bytes)
    const next = { 'stream-next-offset': await this.#tail(stream) }
    return answer(201, { 'content-type': contentType, location: request.url, ...next })
  }

  async #append(stream: WrittenStream, request: Request): Promise<Response> {
    const bytes = await request.bytes()
    const contentType = request.headers.get('content-type')
    if (bytes.length === 0 || contentType === null) return answer(400)
    if (bytes.length > APPENDED_BYTES_MAX) return answer(413)
    if (typeOf(contentType) !== typeOf(stream.contentType)) return answer(409)
    const next = await this.#publish(stream, bytes)
    return next === null ? answer(400) : answer(204, { 'stream-next-offset': next })
  }

  /** Answers where the last message is; null for what is no JSON, or none. */
  async #publish(stream: WrittenStream, bytes: Uint8Array): Promise<string | null> {
    const contents = contentsOf(stream, bytes)
    let last: string | null = null
    for (const content of contents) {
      const body = `{"to":${JSON.stringify(stream.user)},${content}}`
      const headers = { 'content-type': 'application/json' }
      const response = await this.#comet.ask('/messages', { method: 'POST', headers, body })
      if (!response.ok) throw new Error(`comet did not take ${body}: ${await response.text()}`)
      last = ((await response.json()) as { id: string }).id
    }
    return last
  }

  async #tail({ user }: WrittenStream): Promise<string> {
    const response = await fetch(`${this.#comet.publicUrl}/stream/${user}?format=poll`, {
      method: 'HEAD',
    })
    return response.headers.get('stream-next-offset') ?? ''
  }

  async #read(stream: WrittenStream, request: Request): Promise<Response> {
    const { search, searchParams } = new URL(request.url)
    const options = searchParams.get('live') === 'long-poll' ? `&timeout=${SECONDS}` : ''
    const query = `${search === '' ? '?' : `${search}&`}format=poll${options}`
    const { method, signal } = request
    const headers = new Headers(request.headers)
    for (const name of ['host', 'connection', 'accept-encoding']) headers.delete(name)
    const url = `${this.#comet.publicUrl}/stream/${stream.user}${query}`
    const response = await fetch(url, { method, headers, signal })
    const isStream = response.headers.get('content-type') === 'text/event-stream'
    if (isStream) return new Response(unwrapEvents(stream, response), response)
    if (!response.ok || response.status === 204) return new Response(response.body, response)
    const fields = new Headers(response.headers)
    fields.set('content-type', stream.contentType)
    fields.delete('content-length')
    const body = method === 'HEAD' ? null : unwrap(stream, await response.text())
    return new Response(body, { status: response.status, headers: fields })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true)
  }
}

function answer(status: number, headers: Record<string, string> = {}): Response {
  return new Response(null, {
    status,
    headers: { 'x-content-type-options': 'nosniff', ...headers },
  })
}

function typeOf(contentType: string): string {
  return contentType.toLowerCase().split(';')[0]?.trim() ?? ''
}

function isJson({ contentType }: WrittenStream): boolean {
  return typeOf(contentType) === 'application/json'
}

function isText({ contentType }: WrittenStream): boolean {
  return typeOf(contentType).startsWith('text/')
}

/** The messages of what is appended, as the fields of comet's. */
function contentsOf(stream: WrittenStream, bytes: Uint8Array): string[] {
  if (isJson(stream)) return itemsOf(Buffer.from(bytes).toString()).map((item) => `"data":${item}`)
  if (isText(stream)) return [`"body":${JSON.stringify(Buffer.from(bytes).toString())}`]
  const parts: string[] = []
  for (let at = 0; at < bytes.length; at += PART_BYTES) {
    parts.push(`"body":"${Buffer.from(bytes.subarray(at, at + PART_BYTES)).toString('base64')}"`)
  }
  return parts
}

/** One level of arrays is many messages (section 9.1.2); none of what is no JSON. */
function itemsOf(text: string): string[] {
  try {
    return Array.isArray(JSON.parse(text)) ? rawItems(text) : [text]
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
}

/** What was appended, of an array of comet's messages. */
function unwrap(stream: WrittenStream, array: string): string | Uint8Array<ArrayBuffer> {
  const messages = JSON.parse(array) as PolledMessage[]
  if (isJson(stream)) return JSON.stringify(messages.map(({ data }) => data))
  const bodies = messages.map(({ body }) => body ?? '')
  if (isText(stream)) return bodies.join('')
  return new Uint8Array(Buffer.concat(bodies.map((body) => Buffer.from(body, 'base64'))))
}

const DATA = 'event: data\ndata:'

/** Of each event with messages, what was appended; all others as they are. */
function unwrapEvents(
  stream: WrittenStream,
  response: Response,
): ReadableStream<Uint8Array<ArrayBuffer>> | null {
  const decoder = new TextDecoder()
  let rest = ''
  const unwrapping = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(bytes, controller) {
      const blocks = `${rest}${decoder.decode(bytes, { stream: true })}`.split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const event = block.startsWith(DATA) ? dataOf(stream, block.slice(DATA.length)) : block
        controller.enqueue(new TextEncoder().encode(`${event}\n\n`))
      }
    },
  })
  return response.body?.pipeThrough(unwrapping) ?? null
}

function dataOf(stream: WrittenStream, array: string): string {
  const lines = String(unwrap(stream, array)).split(/\r\n|\r|\n/)
  return `event: data\n${lines.map((line) => `data:${line}`).join('\n')}`
}
