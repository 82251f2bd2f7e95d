// One connection of a port: reads its requests, hands them over one at a time, and writes their
// answers in that order (RFC 9112 section 9.3). Ends when its client does, or when a stream takes
// the socket over.

import type { ByteRange } from '../core/bytes.ts'
import { httpLimits } from '../core/http-limits.ts'
import { Exchange, type ExchangeConnection, type Socket, type SocketHolder } from './exchange.ts'
import type { KeptHeads } from './kept-heads.ts'
import type { BodyReader, BodyResult } from './request-body.ts'
import type { RejectedRequest } from './request-errors.ts'
import type { RequestHead } from './request-head.ts'
import {
  CHUNKED,
  CONTINUE,
  closingReply,
  encodeHead,
  encodeReply,
  type Reply,
  type ReplyContext,
  replyContext,
  UNTIL_CLOSE,
} from './response.ts'
import { SocketInput } from './socket-input.ts'
import { SocketOutput } from './socket-output.ts'
import { type BodyTarget, StreamedBody } from './streamed-body.ts'

/** What a connection needs of its port. */
export interface ConnectionPort {
  /** Answers a request, now or later. What it throws, or rejects with, is a bug. */
  handle(exchange: Exchange): void | Promise<void>
  /** The answer to bytes that are no valid request. */
  rejection(error: RejectedRequest): Reply
  /** The answer to a request that met a bug. */
  readonly internalError: Reply
  /** Are connections to be closed after their next answer? */
  readonly isClosing: boolean
  /** The heads of requests on connections that are kept. */
  readonly heads: KeptHeads
  /** Milliseconds that a client may take for the head of a request, and between two requests. */
  readonly headMs: number
  readonly idleMs: number
  /** The connection has ended, or its socket has another owner. */
  onEnded(connection: ClientConnection): void
  onBug(error: unknown): void
  nowMs(): number
}

type State =
  /** Waits for a request, or for the rest of its head. */
  | 'head'
  /** A request is being answered. */
  | 'exchange'
  /** The rest of a body that was not read is dropped. */
  | 'skipping'
  /** The last answer is written; what still comes is dropped, until the client has read it all. */
  | 'lingering'
  | 'ended'

export class ClientConnection implements SocketHolder, ExchangeConnection, BodyTarget {
  readonly socket: Socket
  readonly #port: ConnectionPort
  #state: State = 'head'
  /** When the state began, or the last unsent bytes went out. */
  #sinceMs: number
  readonly #input: SocketInput
  readonly #output: SocketOutput
  #exchange: Exchange | null = null
  #skipper: BodyReader | null = null
  /** Bytes that were dropped: of a body, or after the last answer. */
  #dropped = 0
  /** Of an answer of unknown length. */
  #source: StreamedBody | null = null
  /** Is the whole answer written, but for what is unsent? */
  #isAnswered = false
  /** Is it the last of this connection? */
  #isLast = false
  #isContinued = false
  /** Has a request been answered before? */
  #isKept = false
  /** Requests that were begun since all others had a turn. */
  #begun = 0
  /** Are requests being read further up the stack? */
  #isReading = false
  /** Has the client sent all that it will? */
  #isHalfClosed = false

  constructor(socket: Socket, port: ConnectionPort) {
    this.socket = socket
    this.#port = port
    this.#input = new SocketInput(socket)
    this.#output = new SocketOutput(socket)
    this.#sinceMs = port.nowMs()
  }

  get isGone(): boolean {
    return this.#state === 'ended'
  }

  get isInputOver(): boolean {
    return this.#isHalfClosed || this.#state === 'ended'
  }

  get unsentBytes(): number {
    return this.#output.unsentBytes
  }

  get hasMoreInput(): boolean {
    return this.#input.length > 0
  }

  /** Hot path: once a read of the socket. */
  onData(bytes: Uint8Array): void {
    if (this.#state === 'lingering') {
      this.#dropped += bytes.length
      // The client has to read its answer now. Cut, it might lose it.
      if (this.#dropped > httpLimits.lingerBytesMax) this.#input.pause()
      return
    }
    if (this.#state === 'ended') return
    this.#input.add(bytes)
    if (this.#exchange === null) this.#read()
    else this.#exchange.wake()
    this.#input.keep()
  }

  /** Reads requests as long as there are some that can be answered. */
  #read(): void {
    if (this.#isReading) return
    this.#isReading = true
    while (this.#input.length > 0 && this.#output.isSent) {
      if (this.#state === 'skipping') {
        if (!this.#skip()) break
      } else if (this.#state !== 'head' || this.#isYielding || !this.#readHead()) break
    }
    this.#isReading = false
    this.#input.resume()
    if (this.#isHalfClosed) this.#finishIfOver()
  }

  /** The client has sent all: if nothing of it is to be answered any more, that was the end. */
  #finishIfOver(): void {
    const isWaiting = this.#state !== 'exchange' && !this.#isYielding
    if (isWaiting && this.#output.isSent) this.close()
  }

  /** Do all others have their turn before the next request is read? */
  get #isYielding(): boolean {
    return this.#begun === httpLimits.requestsPerTurn
  }

  #countRequest(): void {
    this.#begun++
    if (!this.#isYielding) return
    setImmediate(() => {
      this.#begun = 0
      this.#read()
      this.#input.keep()
    })
  }

  /** Answers whether there may be more to read. */
  #readHead(): boolean {
    const isNew = this.#isKept && !this.#input.hasHeadBegun
    // The first request of a connection is often its only one.
    const result = this.#input.readHead(this.#isKept ? this.#port.heads : null)
    if (result.kind === 'incomplete') {
      if (isNew) this.#sinceMs = this.#port.nowMs()
      return false
    }
    if (result.kind === 'rejected') {
      this.#rejectWith(result)
      return false
    }
    this.#begin(result.head)
    return true
  }

  #begin(head: RequestHead): void {
    const exchange = new Exchange(this, head)
    this.#exchange = exchange
    this.#state = 'exchange'
    this.#isContinued = false
    this.#countRequest()
    try {
      const handling = this.#port.handle(exchange)
      if (handling instanceof Promise) handling.catch((error) => this.#onThrown(exchange, error))
    } catch (error) {
      this.#onThrown(exchange, error)
    }
  }

  #onThrown(exchange: Exchange, error: unknown): void {
    this.#port.onBug(error)
    exchange.reply(this.#port.internalError)
  }

  /** Answers whether all of the body has been dropped. */
  #skip(): boolean {
    const skipper = this.#skipper
    if (skipper === null) throw new Error('there is no body to skip')
    const before = this.#input.length
    const kind = this.#input.feed(skipper)?.kind
    this.#dropped += before - this.#input.length
    if (kind === 'complete') {
      this.#skipper = null
      this.#to('head')
      return true
    }
    const isTooLong = this.#dropped > httpLimits.skippedBytesMax
    // The answer to this request has been sent, so nothing can be said any more.
    if (isTooLong || kind === 'rejected') this.#linger()
    return false
  }

  feed(reader: BodyReader): BodyResult | null {
    return this.#input.feed(reader)
  }

  takeWhole(length: number): ByteRange | null {
    return this.#input.take(length)
  }

  sendContinue(): void {
    if (this.#isContinued || this.#state !== 'exchange') return
    this.#isContinued = true
    this.#write(CONTINUE)
  }

  sendReply(exchange: Exchange, reply: Reply): void {
    if (this.#state !== 'exchange') return
    this.#isLast = !this.#keepsAlive(exchange, reply)
    try {
      this.#writeReply(reply, exchange.contextOf(!this.#isLast))
    } catch (error) {
      this.#fail(exchange, error)
    }
    this.#answered()
  }

  sendHead(exchange: Exchange, reply: Reply): void {
    if (this.#state !== 'exchange') return
    this.#isLast = !this.#keepsAlive(exchange, reply)
    this.#writeHead(exchange, reply)
    this.#answered()
  }

  /** Answers whether the reply had a valid head. */
  #writeHead(exchange: Exchange, reply: Reply): boolean {
    const framing = exchange.head.minor === 1 ? CHUNKED : UNTIL_CLOSE
    try {
      this.#write(encodeHead(reply, framing, exchange.contextOf(!this.#isLast)))
      return true
    } catch (error) {
      this.#fail(exchange, error)
      return false
    }
  }

  /** A reply that cannot be written is a bug of its handler; nothing of it has been sent. */
  #fail(exchange: Exchange, error: unknown): void {
    this.#port.onBug(error)
    this.#isLast = true
    this.#writeReply(this.#port.internalError, exchange.contextOf(false))
  }

  async sendStream(
    exchange: Exchange,
    reply: Reply,
    body: ReadableStream<Uint8Array>,
  ): Promise<void> {
    if (this.#state !== 'exchange') {
      await body.cancel()
      return
    }
    const { minor, method } = exchange.head
    // The request's body may be read while it is answered, so where it will end is unknown.
    const hasEnd = minor === 1 && exchange.isBodyRead
    this.#isLast = !hasEnd || !this.#keepsAlive(exchange, reply)
    const source = new StreamedBody(body, this)
    this.#source = source
    try {
      if (!this.#writeHead(exchange, reply) || method === 'HEAD') await source.cancel()
      else await source.writeAll(minor === 1)
    } catch (error) {
      this.#port.onBug(error)
      this.#isLast = true
      this.#source = null
      // Without a last chunk the client does not take what it got for the whole. In HTTP/1.0 only a
      // reset tells it, by which it may lose the answers before.
      if (minor === 0) this.cut()
    }
    this.#source = null
    exchange.onStreamed()
    this.#answered()
  }

  writeBody(data: Uint8Array): Promise<void> {
    this.#write(data)
    return this.#output.sent()
  }

  reject(exchange: Exchange, error: RejectedRequest): void {
    exchange.reply(closingReply(this.#port.rejection(error)))
  }

  /** Answers what is no request: its connection cannot go on. */
  #rejectWith(error: RejectedRequest): void {
    this.#isLast = true
    this.#writeReply(closingReply(this.#port.rejection(error)), replyContext(false, false, 1))
    this.#answered()
  }

  handOver(exchange: Exchange, owner: SocketHolder): void {
    if (this.#exchange !== exchange) throw new Error('the request is over')
    this.#end()
    this.socket.data = owner
    // Once who holds the socket from now on is ready, which may be another by then.
    if (this.#isHalfClosed) queueMicrotask(() => this.socket.data.onEnd())
  }

  /** May the client send another request after this answer? */
  #keepsAlive(exchange: Exchange, { headers }: Reply): boolean {
    if (!exchange.head.keepAlive || headers?.['connection'] === 'close') return false
    if (this.#port.isClosing) return false
    if (exchange.isBodyRead) return true
    this.#skipper = exchange.skipper()
    return this.#skipper !== null
  }

  /** The answer is written; it may still wait for the socket. */
  #answered(): void {
    this.#isAnswered = true
    if (!this.#output.isSent || this.#state === 'ended') return
    this.#isAnswered = false
    const wasRead = this.#exchange?.isBodyRead ?? false
    this.#exchange = null
    if (this.#isLast) {
      this.#linger()
      return
    }
    this.#dropped = 0
    this.#isKept = true
    this.#to(wasRead ? 'head' : 'skipping')
    this.#read()
    // The port began to close after the client was told that it may send another request.
    if (this.isIdle && this.#port.isClosing) this.close()
  }

  #to(state: State): void {
    this.#state = state
    this.#sinceMs = this.#port.nowMs()
  }

  /**
   * Ends in two steps (RFC 9112 section 9.6): a socket that is closed while bytes come resets the
   * connection, and the client may lose the answer.
   */
  #linger(): void {
    if (this.#isHalfClosed) {
      this.close()
      return
    }
    this.#dropped = 0
    this.#to('lingering')
    this.socket.shutdown()
    this.#input.clear()
  }

  #writeReply(reply: Reply, context: ReplyContext): void {
    const { bytes, length } = encodeReply(reply, context)
    this.#write(bytes, length)
  }

  #write(bytes: Uint8Array, length = bytes.length): void {
    this.#output.write(bytes, length)
    if (!this.#output.isSent) this.#sinceMs = this.#port.nowMs()
  }

  onDrain(): void {
    if (this.#output.isSent || !this.#output.drain()) return
    this.#sinceMs = this.#port.nowMs()
    if (this.#output.isSent && this.#isAnswered) this.#answered()
  }

  /** A client may send its requests and then close its half: it still gets its answers. */
  onEnd(): void {
    this.#isHalfClosed = true
    if (this.#state === 'exchange') this.#exchange?.wake()
    else this.#finishIfOver()
  }

  onClose(): void {
    this.#end()
  }

  /** Closes at once; the kernel still sends what it has taken. */
  close(): void {
    if (this.#state === 'ended') return
    this.#end()
    this.socket.end()
  }

  /** Resets the connection. */
  cut(): void {
    if (this.#state === 'ended') return
    this.#end()
    this.socket.terminate()
  }

  #end(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#input.clear()
    this.#output.end()
    this.#port.onEnded(this)
    const exchange = this.#exchange
    const source = this.#source
    this.#exchange = null
    this.#source = null
    source?.cancel().catch((error: unknown) => this.#port.onBug(error))
    exchange?.wake()
  }

  /** Has the connection no request that is being answered? Then it may be closed at any time. */
  get isIdle(): boolean {
    return this.#state === 'head' && this.#input.length === 0 && this.#output.isSent
  }

  /** Does the connection wait for another request, of which nothing has come? */
  get #isIdling(): boolean {
    return this.#isKept && !this.#input.hasHeadBegun
  }

  /** Which time limit the connection has exceeded; null if none. */
  overdue(nowMs: number): 'head' | 'write' | 'linger' | null {
    const ms = nowMs - this.#sinceMs
    if (!this.#output.isSent) return ms > httpLimits.writeMsMax ? 'write' : null
    switch (this.#state) {
      case 'head':
        return ms > (this.#isIdling ? this.#port.idleMs : this.#port.headMs) ? 'head' : null
      case 'skipping':
        return ms > this.#port.headMs ? 'head' : null
      case 'lingering':
        return ms > httpLimits.lingerMsMax ? 'linger' : null
      default:
        return null
    }
  }
}
