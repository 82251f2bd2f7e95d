// The streams of the public port over Bun: one of the two files that know Bun's requests and
// responses, and the only one that touches its stream controller.

import type { Frame } from '../hub/frame.ts'
import type { CloseReason } from '../hub/refusals.ts'
import { Stream, type StreamRegistry, type WriteResult } from '../hub/stream.ts'
import type { Lease } from './admission.ts'
import type { Transport } from './transport.ts'

/** A response that is the stream of a user. */
export function streamResponse(
  registry: StreamRegistry,
  transport: Transport,
  user: number,
  lease: Lease | null,
): Response {
  const source = new BunStream(registry, transport, user, lease)
  return new Response(new ReadableStream(source), { headers: transport.headers })
}

/**
 * The head of a stream without its body: for HEAD, Bun sends the head and cancels the stream
 * unread.
 */
export function headResponse({ headers }: Transport): Response {
  return new Response(new ReadableStream(NOTHING), { headers })
}

const NOTHING: Bun.DirectUnderlyingSource = { type: 'direct', pull: () => undefined }

/**
 * One object is what Bun pulls from, what the store writes to, and what it keeps; its methods are
 * shared by all streams. It holds no request.
 */
class BunStream extends Stream implements Bun.DirectUnderlyingSource<Uint8Array> {
  readonly #registry: StreamRegistry
  readonly #transport: Transport
  #controller: ReadableStreamDirectController | null = null
  /** Null if the stream does not count towards a limit, or no longer does. */
  #lease: Lease | null

  constructor(registry: StreamRegistry, transport: Transport, user: number, lease: Lease | null) {
    super()
    this.user = user
    this.#registry = registry
    this.#transport = transport
    this.#lease = lease
  }

  /** Tells Bun what kind of source this is; a getter, so that no stream has to carry it. */
  get type(): 'direct' {
    return 'direct'
  }

  /** Bun is ready for the body. It returns no promise, which is what keeps the response open. */
  pull(controller: ReadableStreamDirectController): void {
    // Bun may pull again; a stream is registered once.
    if (this.#controller !== null || this.state !== 'opening') return
    this.#controller = controller
    this.#registry.register(this.user, this)
  }

  welcome(): void {
    this.#controller?.write(this.#transport.greeting(this.user))
    this.#controller?.flush()
  }

  /** The client has gone; it may have done so before anything was pulled. */
  cancel(): void {
    this.#controller = null
    this.#registry.onClose(this)
    this.#release()
  }

  /** Hot path: one write and one flush are one chunk and one system call. */
  write(frame: Frame): WriteResult {
    const controller = this.#controller
    if (controller === null) return 'gone'
    const written: number | Promise<number> = controller.write(this.#transport.encode(frame))
    // Without the flush, two messages in one turn of the loop would become one chunk.
    controller.flush()
    if (typeof written === 'number') return written === 0 ? 'gone' : 'sent'
    // A promise: the socket is full, and Bun keeps a copy until there is room.
    const flushed = () => this.#registry.onFlushed(this)
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
    this.#release()
  }

  #release(): void {
    this.#lease?.release()
    this.#lease = null
  }
}

const SLOW = new Error('slow consumer')
