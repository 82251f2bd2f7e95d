// A small server for tests of the flood client: it responds to each request as the test says, and
// can send, cut and count. It shares no code with comet.

import type { Socket } from 'bun'

/** A stream of lines until it is closed. */
export const LINES = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n'

interface Client {
  /** All that it sent, as latin1. */
  received: string
  /** Not yet accepted by the kernel. */
  pending: Buffer
}

export class SmallServer implements Disposable {
  /** The response to each request; empty for none yet. */
  answer: string
  accepted = 0
  readonly clients = new Set<Socket<Client>>()
  readonly #listener: Bun.TCPSocketListener<Client>

  constructor(answer: string = LINES, hostname = '127.0.0.1') {
    this.answer = answer
    this.#listener = Bun.listen<Client>({
      hostname,
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { received: '', pending: Buffer.alloc(0) }
          this.accepted++
          this.clients.add(socket)
        },
        data: (socket, bytes) => {
          const isFirst = socket.data.received === ''
          socket.data.received += bytes.toString('latin1')
          if (isFirst) socket.write(this.answer)
        },
        drain: flush,
        close: (socket) => {
          this.clients.delete(socket)
        },
        error: () => undefined,
      },
    })
  }

  get port(): number {
    return this.#listener.port
  }

  /** Sends to all, as fast as they read. */
  send(bytes: Buffer): void {
    for (const client of this.clients) {
      client.data.pending = Buffer.concat([client.data.pending, bytes])
      flush(client)
    }
  }

  /** Connections over which a request came. */
  get asked(): number {
    return [...this.clients].filter(({ data }) => data.received !== '').length
  }

  /** Connections that have not read all that was sent. */
  get behind(): number {
    return [...this.clients].filter(({ data }) => data.pending.length > 0).length
  }

  /** Ends all connections with FIN. */
  cut(): void {
    for (const client of this.clients) client.end()
  }

  /** Ends all connections with RST. */
  reset(): void {
    for (const client of this.clients) client.terminate()
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true)
  }
}

function flush(socket: Socket<Client>): void {
  const { data } = socket
  if (data.pending.length === 0) return
  const written = socket.write(data.pending)
  data.pending = data.pending.subarray(Math.max(0, written))
}
