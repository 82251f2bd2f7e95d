// Streams over TLS, opened by this process: comet flood speaks HTTP in the clear only.

import { waitFor } from '../scripts/support/child-process.ts'
import { codeOf } from '../src/core/system-error.ts'
import { Connector } from './harness/connector.ts'

/**
 * Connections under way at once. Bun 1.4.5 goes on with five handshakes in a turn of its loop, the
 * newest first: of 128, some waited until `--head-timeout` had passed.
 */
const PENDING_MAX = 4
/** Milliseconds for all streams to open: 15,000 handshakes take half a minute of CPU time. */
const OPEN_MS_MAX = 180_000

interface TlsStream {
  readonly user: number
  /** Head and welcome, until they have come whole. */
  received: string
  isOpen: boolean
}

/** Opens streams for the users from 1 on; an error if one ends, or gets more than its welcome. */
export class TlsStreams implements Disposable {
  readonly #count: number
  readonly #connector: Connector<TlsStream>
  readonly #sockets: Bun.Socket<TlsStream>[] = []
  #begun = 0
  #opened = 0
  #extraBytes = 0
  #fault: string | null = null
  #isClosing = false

  constructor(publicUrl: string, count: number) {
    const { hostname, port } = new URL(publicUrl)
    this.#count = count
    const shared = {
      ...{ hostname, port: Number(port), tls: { rejectUnauthorized: false } },
      socket: this.#handlers,
    }
    this.#connector = new Connector(shared, ({ user }, error) => this.#fail(user, error))
    this.#connectMore()
  }

  /** Returns once all have their welcome. */
  async opened(): Promise<void> {
    const isOpen = () => {
      this.check()
      return this.#opened === this.#count
    }
    await waitFor(`${this.#count} streams over TLS`, isOpen, OPEN_MS_MAX, { everyMs: 50 })
  }

  check(): void {
    if (this.#fault !== null) throw new Error(this.#fault)
    if (this.#extraBytes > 0) throw new Error(`${this.#extraBytes} bytes followed the welcomes`)
  }

  [Symbol.dispose](): void {
    this.#isClosing = true
    for (const socket of this.#sockets) socket.terminate()
  }

  readonly #handlers: Bun.SocketHandler<TlsStream> = {
    handshake: (socket, _, error) => {
      const { user } = socket.data
      // No authority has signed the certificate of the bench.
      const isSigned = error === null || codeOf(error) === 'DEPTH_ZERO_SELF_SIGNED_CERT'
      if (!isSigned) this.#fail(user, error)
      this.#sockets.push(socket)
      socket.write(`GET /test/${user} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    },
    data: ({ data }, bytes) => this.#take(data, bytes),
    close: ({ data }, error) => this.#fail(data.user, error ?? 'the server ended the connection'),
  }

  #take(stream: TlsStream, bytes: Buffer): void {
    if (stream.isOpen) {
      this.#extraBytes += bytes.length
      return
    }
    stream.received += bytes.toString('latin1')
    if (!stream.received.endsWith(` Id: ${stream.user}\n\r\n`)) return
    if (!stream.received.startsWith('HTTP/1.1 200 ')) this.#fail(stream.user, stream.received)
    stream.isOpen = true
    stream.received = ''
    this.#opened++
    this.#connectMore()
  }

  #connectMore(): void {
    while (this.#begun < this.#count && this.#begun - this.#opened < PENDING_MAX) {
      this.#connector.connect({ user: ++this.#begun, received: '', isOpen: false })
    }
  }

  #fail(user: number, why: unknown): void {
    if (!this.#isClosing) this.#fault ??= `the stream of user ${user} over TLS: ${why}`
  }
}
