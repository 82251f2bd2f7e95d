// A raw TCP client for tests: sends exactly the bytes it is told, keeps what arrives, and can stop
// reading. What a browser or fetch would hide, it shows.

import type { Socket } from 'bun'
import { withTimeout } from '../../src/core/deadline.ts'
import { waitFor } from './comet.ts'

/** Milliseconds for a connection, which a server that is full of others may keep waiting. */
const CONNECT_MS_MAX = 20_000

/** The types of Bun lack the local address. */
type ConnectOptions = Bun.TCPSocketConnectOptions<RawClient> & { readonly localAddress: string }

export class RawClient implements AsyncDisposable {
  /** Everything received so far, as Latin-1, so that each byte is one character. */
  text = ''
  bytes = 0
  /** How the connection ended; null while it is open. */
  end: 'closed' | 'reset' | null = null
  #socket: Socket<RawClient> | null = null

  /** Connects, from an address of this machine, and sends `text`, if there is any. */
  static async open(
    port: number,
    text = '',
    from = '127.0.0.1',
    to = '127.0.0.1',
  ): Promise<RawClient> {
    const client = new RawClient()
    const options: ConnectOptions = {
      hostname: to,
      port,
      localAddress: from,
      data: client,
      socket: HANDLERS,
    }
    const connected = Bun.connect(options)
    client.#socket = await withTimeout(`a connection to ${to}:${port}`, connected, CONNECT_MS_MAX)
    if (text !== '') client.send(text)
    return client
  }

  /** The same on a Unix socket. */
  static async openUnix(unix: string, text: string): Promise<RawClient> {
    const client = new RawClient()
    client.#socket = await Bun.connect({ unix, data: client, socket: HANDLERS })
    if (text !== '') client.send(text)
    return client
  }

  /** Opens a stream for a user and waits for its welcome. */
  static async stream(port: number, user: number): Promise<RawClient> {
    const client = await RawClient.open(port, get(`/test/${user}`))
    await client.received(`Id: ${user}\n`)
    return client
  }

  send(bytes: string | Uint8Array): void {
    this.#socket?.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Stops reading; what the server sends stays in the kernel. */
  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  /** Waits until this text has arrived; answers everything received. */
  async received(text: string): Promise<string> {
    await waitFor(`${JSON.stringify(text)} to arrive, got ${JSON.stringify(this.text)}`, () => {
      if (this.text.includes(text)) return true
      if (this.end !== null) throw new Error(`${this.end} after ${JSON.stringify(this.text)}`)
      return false
    })
    return this.text
  }

  /** Waits for the end of the connection; answers everything received. */
  async ended(ms?: number): Promise<string> {
    await waitFor('the connection to end', () => this.end !== null, ms)
    return this.text
  }

  /** Sends no more, but goes on reading. */
  closeSendingHalf(): void {
    this.#socket?.shutdown()
  }

  close(): void {
    this.#socket?.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.terminate()
  }

  take(bytes: Buffer): void {
    this.text += bytes.toString('latin1')
    this.bytes += bytes.length
  }
}

const HANDLERS: Bun.SocketHandler<RawClient> = {
  data: ({ data }, bytes) => data.take(bytes),
  close: ({ data }, error) => {
    data.end = error === undefined ? 'closed' : 'reset'
  },
  error: ({ data }) => {
    data.end = 'reset'
  },
}

/** A GET request, whole. */
export function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
}

/** A body as one chunk of a chunked response. */
export function chunk(body: string): string {
  return `${Buffer.byteLength(body).toString(16)}\r\n${Buffer.from(body).toString('latin1')}\r\n`
}

/** The chunk that ends a response. */
export const FINAL_CHUNK = '0\r\n\r\n'
