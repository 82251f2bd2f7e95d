// The streams of the public port. Each is one connection, and the bytes that the connection has not
// taken yet.

import type { Exchange, Socket, SocketHolder } from '../http/exchange.ts'
import { CHUNKED, LAST_CHUNK, responseHead, UNTIL_CLOSE } from '../http/response.ts'
import type { Frame } from '../hub/frame.ts'
import type { CloseReason } from '../hub/refusals.ts'
import { Stream, type StreamRegistry, type WriteResult } from '../hub/stream.ts'
import type { Lease } from './admission.ts'
import type { DescriptorWire } from './descriptor-wire.ts'
import type { Transport } from './transport.ts'
import { SocketWire, UNHELD, type Wire } from './wire.ts'

export interface StreamOptions {
  readonly registry: StreamRegistry
  /** Null if streams stay on sockets of Bun. */
  readonly descriptors: DescriptorWire | null
  /** A stream has ended, and its socket is open until the client has taken the rest. */
  readonly onEnding: (socket: Socket) => void
}

/** Opens the stream of a user on the connection of a request. */
export type OpenStream = (user: number, exchange: Exchange, lease: Lease | null) => void

/** How the streams of a transport are opened. */
export function streamOpener(options: StreamOptions, transport: Transport): OpenStream {
  const { registry, descriptors } = options
  const sockets = new SocketWire(options.onEnding)
  const onSockets = kindsOf({ wire: sockets, registry, transport })
  const onDescriptors =
    descriptors === null ? null : kindsOf({ wire: descriptors, registry, transport })
  return (user, exchange, lease) => {
    const { minor } = exchange.head
    const socket = exchange.takeOver(UNHELD)
    const handle = descriptors?.adopt(socket) ?? null
    if (handle === null || onDescriptors === null) start(onSockets[minor], socket, user, lease)
    else start(onDescriptors[minor], handle, user, lease)
  }
}

/** What many streams have in common. */
interface Kind<Handle> {
  readonly wire: Wire<Handle>
  readonly registry: StreamRegistry
  readonly transport: Transport
  /** HTTP/1.0 has no chunks: the end of the connection is that of the stream. */
  readonly isChunked: boolean
}

/** By the minor version of HTTP. */
function kindsOf<Handle>(
  common: Omit<Kind<Handle>, 'isChunked'>,
): readonly [Kind<Handle>, Kind<Handle>] {
  return [
    { ...common, isChunked: false },
    { ...common, isChunked: true },
  ]
}

function start<Handle>(
  kind: Kind<Handle>,
  handle: Handle,
  user: number,
  lease: Lease | null,
): void {
  const stream = new ClientStream(kind, handle, lease)
  kind.wire.attach(handle, stream)
  stream.user = user
  kind.registry.register(user, stream)
}

/**
 * One object is what owns the connection, what the store writes to, and what it keeps; its methods
 * are shared by all streams. It holds no request.
 */
class ClientStream<Handle> extends Stream implements SocketHolder {
  readonly #kind: Kind<Handle>
  /** Null once the connection is closed. */
  #handle: Handle | null
  /** Null if the stream does not count towards a limit, or no longer does. */
  #lease: Lease | null
  /** What the connection has not taken yet, the first in part; null as long as it takes it all. */
  #unsent: Uint8Array[] | null = null

  constructor(kind: Kind<Handle>, handle: Handle, lease: Lease | null) {
    super()
    this.#kind = kind
    this.#handle = handle
    this.#lease = lease
  }

  /** Has the stream ended, and only its rest is still to be sent? */
  get #isEnding(): boolean {
    return this.state === 'drained'
  }

  welcome(): void {
    const { transport, isChunked } = this.#kind
    const { headers } = transport
    const context = { isHead: false, keepAlive: isChunked, minor: 1 } as const
    const head = responseHead({ status: 200, headers }, isChunked ? CHUNKED : UNTIL_CLOSE, context)
    const greeting = transport.greeting(this.user, isChunked)
    this.#write(Buffer.concat([Buffer.from(head, 'latin1'), greeting]))
  }

  /** Hot path: one system call. */
  write(frame: Frame): WriteResult {
    const { transport, isChunked } = this.#kind
    return this.#write(transport.encode(frame, isChunked))
  }

  #write(bytes: Uint8Array): WriteResult {
    if (this.#handle === null) return 'gone'
    if (this.#unsent !== null) {
      this.#unsent.push(bytes)
      return 'queued'
    }
    const taken = this.#kind.wire.write(this.#handle, bytes)
    if (taken === bytes.length) return 'sent'
    if (taken < 0) return 'gone'
    this.#unsent = [bytes.subarray(taken)]
    return 'queued'
  }

  onDrain(): void {
    const unsent = this.#unsent
    const handle = this.#handle
    if (unsent === null || handle === null) return
    const { wire, registry } = this.#kind
    let sent = 0
    for (const bytes of unsent) {
      const taken = wire.write(handle, bytes)
      if (taken < bytes.length) {
        if (taken > 0) unsent[sent] = bytes.subarray(taken)
        break
      }
      sent++
    }
    unsent.splice(0, sent)
    if (unsent.length > 0) return
    this.#unsent = null
    if (this.#isEnding) wire.end(handle)
    else registry.onFlushed(this)
  }

  close(reason: CloseReason): void {
    const { wire, isChunked } = this.#kind
    const handle = this.#handle
    this.#release()
    if (handle === null) return
    // The bytes that wait for a slow client are freed with its connection.
    if (reason === 'slow') {
      this.#handle = null
      this.#unsent = null
      wire.cut(handle)
      return
    }
    if (isChunked) this.#write(LAST_CHUNK)
    if (this.#unsent === null) wire.end(handle)
    else wire.onEnding(handle)
  }

  onData(bytes: Uint8Array): void {
    if (this.#handle !== null) this.#kind.wire.onDropped(this.#handle, bytes.length)
  }

  /** The client has closed its half, as it does when it leaves. */
  onEnd(): void {
    if (!this.#isEnding && this.#handle !== null) this.#kind.wire.end(this.#handle)
  }

  /** The client has gone, or the stream has ended. */
  onClose(): void {
    if (this.#handle === null) return
    this.#handle = null
    this.#unsent = null
    if (!this.#isEnding) this.#kind.registry.onClose(this)
    this.#release()
  }

  #release(): void {
    this.#lease?.release()
    this.#lease = null
  }
}
