// A raw HTTP client for tests, on a socket: sends exactly the bytes it is given, keeps what
// arrives, can stop reading, and knows how its connection ended. It shares no code with comet.

import type { Socket } from 'bun'
import { withTimeout } from '../../src/core/deadline.ts'
import { waitFor } from './child-process.ts'

/** Milliseconds for a connection, which a server that is full of others may keep waiting. */
const CONNECT_MS_MAX = 20_000

/** `open`; ended by the `final` chunk; `cut` by a FIN before it; or `reset`. */
export type Ending = 'open' | 'final' | 'cut' | 'reset'

export interface ConnectOptions {
  /** The address to connect to; 127.0.0.1 by default. */
  readonly to?: string
  /** The address of this machine to connect from. */
  readonly from?: string
}

type ConnectTo = Bun.TCPSocketConnectOptions<RawClient>

export class RawClient implements Disposable {
  /** Everything received so far, as Latin-1, so that each byte is one character. */
  text = ''
  /** The status line and the header fields, once all have come. Set it to null for another one. */
  head: string | null = null
  /** The chunks of a chunked body that have come whole, but for the final one. */
  readonly chunks: Buffer[] = []
  /** How the connection ended; null while it is open. */
  end: 'closed' | 'reset' | null = null
  #socket: Socket<RawClient> | null = null
  #rest = Buffer.alloc(0)
  #unsent: Uint8Array = Buffer.alloc(0)
  #hasFinalChunk = false

  /** Connects to a port of this machine, and sends `text` if there is any. */
  static open(port: number, text = '', { to, from }: ConnectOptions = {}): Promise<RawClient> {
    const hostname = to ?? '127.0.0.1'
    // The types of Bun lack the local address.
    const address = from === undefined ? {} : { localAddress: from }
    return RawClient.#connect({ hostname, port, ...address }, text)
  }

  /** The same on a Unix socket. */
  static openUnix(unix: string, text = ''): Promise<RawClient> {
    return RawClient.#connect({ unix }, text)
  }

  /** Connects and sends a request with exactly these header lines. */
  static request(port: number, line: string, headers = ['Host: localhost']): Promise<RawClient> {
    return RawClient.open(port, `${[line, ...headers].join('\r\n')}\r\n\r\n`)
  }

  /** Opens a stream for a user and waits for its greeting. */
  static async stream(port: number, user: number): Promise<RawClient> {
    const client = await RawClient.open(port, get(`/test/${user}`))
    await client.received(`Id: ${user}\n`)
    return client
  }

  static async #connect(
    place: { hostname: string; port: number } | { unix: string },
    text: string,
  ): Promise<RawClient> {
    const client = new RawClient()
    const connected = Bun.connect({ ...place, data: client, socket: HANDLERS } as ConnectTo)
    const what = `a connection to ${JSON.stringify(place)}`
    client.#socket = await withTimeout(what, connected, CONNECT_MS_MAX)
    if (text !== '') client.send(text)
    return client
  }

  /** Bytes received so far. */
  get bytes(): number {
    return this.text.length
  }

  /** What has come behind the head and is in no whole chunk. */
  get rest(): string {
    return this.#rest.toString()
  }

  get ending(): Ending {
    if (this.#hasFinalChunk) return 'final'
    if (this.end === null) return 'open'
    return this.end === 'closed' ? 'cut' : 'reset'
  }

  /** Sends all of it, in parts where the kernel does not take it at once. */
  send(bytes: string | Uint8Array): void {
    const all = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    this.#unsent = this.#unsent.length === 0 ? all : Buffer.concat([this.#unsent, all])
    this.flush()
  }

  /** Has the kernel taken all that was to be sent? */
  get hasSent(): boolean {
    return this.#unsent.length === 0
  }

  flush(): void {
    if (this.#unsent.length === 0) return
    // -1 once the connection is closed.
    const sent = this.#socket?.write(this.#unsent) ?? 0
    this.#unsent = this.#unsent.subarray(Math.max(0, sent))
  }

  /** Stops reading; what the server sends stays in the kernel. */
  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  /** Waits until the head has come. */
  async headed(): Promise<{ status: number; fields: Map<string, string> }> {
    const head = await waitFor('a head', () => this.head ?? this.#unlessEnded())
    const [statusLine = '', ...lines] = head.split('\r\n')
    const fields = lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
    return { status: Number(statusLine.split(' ')[1]), fields: new Map(fields) }
  }

  /** Waits until this text has arrived; everything received. */
  async received(text: string): Promise<string> {
    const what = `${JSON.stringify(text)} after ${JSON.stringify(this.text.slice(-1_000))}`
    await waitFor(what, () => this.text.includes(text) || this.#unlessEnded())
    return this.text
  }

  /** Waits for the end of the connection; everything received. */
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

  /** Closes the connection at once, though bytes may be under way. */
  terminate(): void {
    this.#socket?.terminate()
  }

  [Symbol.dispose](): void {
    this.terminate()
  }

  take(bytes: Buffer): void {
    this.text += bytes.toString('latin1')
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes])
    if (this.head === null) {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end < 0) return
      this.head = this.#rest.toString('latin1', 0, end)
      this.#rest = this.#rest.subarray(end + 4)
    }
    if (/^transfer-encoding: chunked$/im.test(this.head)) this.#readChunks()
  }

  #unlessEnded(): false {
    if (this.end === null) return false
    throw new Error(`${this.end} after ${JSON.stringify(this.text.slice(-1_000))}`)
  }

  /** As RFC 9112 has them. */
  #readChunks(): void {
    while (!this.#hasFinalChunk) {
      const lineEnd = this.#rest.indexOf('\r\n')
      if (lineEnd < 0) return
      const size = Number.parseInt(this.#rest.toString('latin1', 0, lineEnd), 16)
      // The head of the next answer, behind one to HEAD.
      if (Number.isNaN(size)) return
      const end = lineEnd + 2 + size
      if (this.#rest.length < end + 2) return
      if (size === 0) this.#hasFinalChunk = true
      else this.chunks.push(this.#rest.subarray(lineEnd + 2, end))
      this.#rest = this.#rest.subarray(end + 2)
    }
  }
}

const HANDLERS: Bun.SocketHandler<RawClient> = {
  data: ({ data }, bytes) => data.take(bytes),
  drain: ({ data }) => data.flush(),
  close: ({ data }, error) => {
    data.end ??= error === undefined ? 'closed' : 'reset'
  },
  error: ({ data }) => {
    data.end = 'reset'
  },
}

/** A GET request, whole. */
export function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
}

/** A body as one chunk of a chunked response. */
export function chunk(body: string): string {
  return `${Buffer.byteLength(body).toString(16)}\r\n${Buffer.from(body).toString('latin1')}\r\n`
}

/** The chunk that ends a response. */
export const FINAL_CHUNK = '0\r\n\r\n'
