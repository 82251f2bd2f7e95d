// One request of a connection and its answer. What a handler holds: the head, the body as it
// comes, and the ways to answer: a reply, a streamed reply, or to take over the connection.

import { type ByteRange, rangeOf } from '../core/bytes.ts'
import { httpLimits } from '../core/http-limits.ts'
import { BodyReader, type BodyResult } from './request-body.ts'
import { type RejectedRequest, type RequestErrorCode, rejected } from './request-errors.ts'
import type { RequestHead } from './request-head.ts'
import { type Reply, type ReplyContext, replyContext } from './response.ts'

/** The head of a request, as transports, admission and authorization read it. */
export interface Head {
  readonly method: string
  /**
   * The path without its query and without a `/` at its end; percent-encoded characters are
   * decoded, except `/`.
   */
  readonly path: string
  /** What is behind the first `?`, as it was sent; empty without one. */
  readonly query: string
  /** The host that the request is for, valid; null if a request of HTTP/1.0 names none. */
  readonly host: string | null
  /** Of HTTP/1.0 or HTTP/1.1. */
  readonly minor: 0 | 1
  /** A field's value, by its name in lower case; null if it is not there. */
  header(name: string): string | null
  /** The address of the other end of the connection; null if it has none, as on a Unix socket. */
  readonly peer: string | null
}

/** What owns a socket: its connection, or the stream that took it over. */
export interface SocketHolder {
  /** @param bytes may be used again by the socket once this returns */
  onData(bytes: Uint8Array): void
  /** There is room to write again. */
  onDrain(): void
  /** The client sends no more. */
  onEnd(): void
  onClose(): void
}

export type Socket = Bun.Socket<SocketHolder>

/** What an exchange needs of its connection. */
export interface ExchangeConnection {
  readonly socket: Socket
  readonly isGone: boolean
  /** Will nothing more arrive? */
  readonly isInputOver: boolean
  /** Bytes of answers that the socket has not taken. */
  readonly unsentBytes: number
  /** Has more arrived than was read? */
  readonly hasMoreInput: boolean
  /** Lets the reader have the bytes that have arrived; null if there are none. */
  feed(reader: BodyReader): BodyResult | null
  /** All of the next `length` bytes, valid now; null if not all have arrived. */
  takeWhole(length: number): ByteRange | null
  sendContinue(): void
  sendReply(exchange: Exchange, reply: Reply): void
  sendHead(exchange: Exchange, reply: Reply): void
  sendStream(exchange: Exchange, reply: Reply, body: ReadableStream<Uint8Array>): Promise<void>
  reject(exchange: Exchange, error: RejectedRequest): void
  handOver(exchange: Exchange, owner: SocketHolder): void
}

/** The connection ended before the body did; the name is that of an aborted request of the web. */
export class BodyAborted extends Error {
  override readonly name = 'AbortError'
}

type State =
  /** Not answered yet. */
  | 'open'
  /** The head of the answer is sent, and its body as it comes; the request's may still be read. */
  | 'streaming'
  | 'answered'
  /** The socket has another owner. */
  | 'taken'

const EMPTY = rangeOf(new Uint8Array(0))

export class Exchange implements Head {
  readonly head: RequestHead
  readonly #connection: ExchangeConnection
  #state: State = 'open'
  /** Null before the first part is read. */
  #reader: BodyReader | null = null
  #isBodyRead: boolean
  /** Is the rest of the body not HTTP? */
  #isBodyInvalid = false
  #parts: Uint8Array[] | null = null
  #onInput: (() => void) | null = null
  /** Called when bytes arrive, and when the client has sent all that it will, or has gone. */
  onWake: (() => void) | null = null

  constructor(connection: ExchangeConnection, head: RequestHead) {
    this.#connection = connection
    this.head = head
    this.#isBodyRead = head.framing.kind === 'none'
  }

  get method(): string {
    return this.head.method
  }

  get path(): string {
    return decodePath(this.head.path)
  }

  get query(): string {
    return this.head.query
  }

  get host(): string | null {
    return this.head.host
  }

  get minor(): 0 | 1 {
    return this.head.minor
  }

  /** Has the client sent more than the request, as one may that does not wait for the answer? */
  get isFollowed(): boolean {
    return !this.#isBodyRead || this.#connection.hasMoreInput
  }

  get peer(): string | null {
    return this.#connection.socket.remoteAddress || null
  }

  header(name: string): string | null {
    return this.head.header(name)
  }

  get state(): State {
    return this.#state
  }

  /** Has the client gone? Then nothing that it asked for later should be done. */
  get isGone(): boolean {
    return this.#connection.isGone
  }

  /** Will the client send nothing more? So it does when it leaves. */
  get isInputOver(): boolean {
    return this.#connection.isInputOver
  }

  /** Bytes of the answer, and of those before it, that wait for the client to read them. */
  get unsentBytes(): number {
    return this.#connection.unsentBytes
  }

  /** Has all of the body been read? */
  get isBodyRead(): boolean {
    return this.#isBodyRead
  }

  /**
   * The whole body, if all of it has arrived with a length of its own; null otherwise. Valid now:
   * the memory is the socket's, which uses it again. Hot path: once a request.
   *
   * @param bytesMax longer bodies are read in parts
   */
  wholeBody(bytesMax: number): ByteRange | null {
    if (this.#isBodyRead) return EMPTY
    const { framing } = this.head
    if (this.#state !== 'open') return null
    if (framing.kind !== 'length' || framing.length > bytesMax || this.#reader !== null) return null
    const body = this.#connection.takeWhole(framing.length)
    if (body !== null) this.#isBodyRead = true
    return body
  }

  /**
   * The next part of the body; null at its end.
   *
   * @throws BodyAborted when the connection ends before the body does, when the body is not HTTP,
   * or when the request has been answered
   */
  async readBody(): Promise<Uint8Array | null> {
    while (true) {
      const part = this.#nextPart()
      if (part !== null) return part
      if (this.#isBodyRead) return null
      if (this.#connection.isInputOver || !this.#isReadable) {
        throw new BodyAborted('the request ended before its body did')
      }
      if (this.head.expectsContinue && this.#state === 'open') this.#connection.sendContinue()
      await new Promise<void>((resolve) => {
        this.#onInput = resolve
      })
    }
  }

  /** A streamed answer may begin before the end of the body. */
  get #isReadable(): boolean {
    return (this.#state === 'open' || this.#state === 'streaming') && !this.#isBodyInvalid
  }

  /** Reads what has arrived; null if that is nothing. */
  #nextPart(): Uint8Array | null {
    if (this.#isBodyRead || !this.#isReadable) return null
    const reader = this.#bodyReader()
    const result = this.#connection.feed(reader)
    if (result === null) return null
    if (result.kind === 'complete') this.#isBodyRead = true
    else if (result.kind === 'rejected') {
      this.#isBodyInvalid = true
      this.#connection.reject(this, result)
    }
    const parts = this.#parts
    this.#parts = null
    if (parts === null) return null
    return parts.length > 1 ? Buffer.concat(parts) : (parts[0] ?? null)
  }

  #bodyReader(): BodyReader {
    this.#reader ??= new BodyReader(this.head.framing, (data) => {
      if (!this.#isReadable) return
      this.#parts ??= []
      this.#parts.push(new Uint8Array(data))
    })
    return this.#reader
  }

  /** Bytes have arrived, or the connection has ended. */
  wake(): void {
    const onInput = this.#onInput
    this.#onInput = null
    onInput?.()
    this.onWake?.()
  }

  /**
   * What drops the rest of a body that was not read; null if there is too much of it, or the client
   * has not been told to send it.
   */
  skipper(): BodyReader | null {
    const { framing, expectsContinue } = this.head
    if (this.#reader === null) {
      if (expectsContinue) return null
      if (framing.kind === 'length' && framing.length > httpLimits.skippedBytesMax) return null
      return new BodyReader(framing, () => undefined)
    }
    const reader = this.#reader
    return framing.kind === 'length' && framing.length > httpLimits.skippedBytesMax ? null : reader
  }

  /** Answers the request; of several answers the first one counts. */
  reply(reply: Reply): void {
    if (this.#state !== 'open') return
    this.#end()
    this.#connection.sendReply(this, reply)
  }

  /** Answers a HEAD with the head of a body whose length is not known. */
  replyHead(reply: Reply): void {
    if (this.#state !== 'open') return
    this.#end()
    this.#connection.sendHead(this, reply)
  }

  /** Nothing more is read of the body; who waits for the rest learns it. */
  #end(): void {
    this.#state = 'answered'
    this.wake()
  }

  /** Answers what is no valid request, or not one that any handler takes. */
  reject(code: RequestErrorCode): void {
    this.#connection.reject(this, rejected(code))
  }

  /**
   * Answers with a body whose length is not known, during which that of the request may be read.
   * Settles when it has been written.
   */
  async stream(reply: Reply, body: ReadableStream<Uint8Array>): Promise<void> {
    if (this.#state !== 'open') {
      await body.cancel()
      return
    }
    this.#state = 'streaming'
    await this.#connection.sendStream(this, reply, body)
  }

  /** The whole body of the answer has been written. */
  onStreamed(): void {
    this.#end()
  }

  /** Gives the socket to another owner. Not to be called when the client has gone. */
  takeOver(owner: SocketHolder): Socket {
    if (this.#state !== 'open') throw new Error('the request has been answered')
    this.#state = 'taken'
    this.#connection.handOver(this, owner)
    return this.#connection.socket
  }

  /** What the answer to this request depends on. */
  contextOf(keepAlive: boolean): ReplyContext {
    const { method, minor } = this.head
    return replyContext(method === 'HEAD', keepAlive, minor)
  }
}

/** Decodes each segment of a path; one that is malformed, or holds a `/`, stays as it is. */
export function decodePath(raw: string): string {
  // Elysia routes a path with a `/` at its end like the one without.
  const path = raw.length > 1 && raw.endsWith('/') ? raw.slice(0, -1) : raw
  if (!path.includes('%')) return path
  const decode = (segment: string) => {
    try {
      const decoded = decodeURIComponent(segment)
      return decoded.includes('/') ? segment : decoded
    } catch (error) {
      if (error instanceof URIError) return segment
      throw error
    }
  }
  return path.split('/').map(decode).join('/')
}
