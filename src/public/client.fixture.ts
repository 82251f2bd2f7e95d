// An HTTP client for tests of transports, on a raw socket: it reads chunk by chunk as RFC 9112 has
// them, can stop reading, and knows how its connection ended. It shares no code with comet.

import type { Socket } from 'bun'
import { until } from '../core/time.fixture.ts'

/** `open`; ended by the `final` chunk; `cut` by a FIN before it; or `reset`. */
export type Ending = 'open' | 'final' | 'cut' | 'reset'

export class RawClient implements Disposable {
  /** The status line and the header fields, once they have come. */
  head: string | null = null
  readonly chunks: Buffer[] = []
  ending: Ending = 'open'
  #rest: Buffer = Buffer.alloc(0)
  #socket: Socket | null = null

  /** Connects to a port of this machine; settles when the connection is there. */
  static async connect(port: number, hostname = '127.0.0.1'): Promise<RawClient> {
    const client = new RawClient()
    client.#socket = await Bun.connect({
      hostname,
      port,
      socket: {
        data: (_, bytes) => client.#read(bytes),
        close: (_, error) => client.#end(error === undefined ? 'cut' : 'reset'),
      },
    })
    return client
  }

  /** Connects and sends a request with exactly these header lines. */
  static async request(port: number, line: string, headers = ['Host: test']): Promise<RawClient> {
    const client = await RawClient.connect(port)
    client.send(`${[line, ...headers].join('\r\n')}\r\n\r\n`)
    return client
  }

  send(text: string): void {
    this.#socket?.write(text)
  }

  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  /** Ends the connection without waiting for anything. */
  hangUp(): void {
    this.#socket?.terminate()
  }

  [Symbol.dispose](): void {
    this.hangUp()
  }

  /** Settles when the head has come. */
  async headed(): Promise<{ status: number; fields: Map<string, string> }> {
    await until('a head has come', () => this.head !== null)
    const [statusLine = '', ...lines] = (this.head ?? '').split('\r\n')
    const fields = lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
    return { status: Number(statusLine.split(' ')[1]), fields: new Map(fields) }
  }

  /** What has come behind the head and is no whole chunk. */
  get rest(): string {
    return this.#rest.toString()
  }

  #end(ending: Ending): void {
    if (this.ending === 'open') this.ending = ending
  }

  #read(bytes: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, bytes])
    if (this.head === null) {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end < 0) return
      this.head = this.#rest.toString('latin1', 0, end)
      this.#rest = this.#rest.subarray(end + 4)
    }
    if (/^transfer-encoding: chunked$/im.test(this.head)) this.#readChunks()
  }

  #readChunks(): void {
    for (;;) {
      const line = this.#rest.indexOf('\r\n')
      if (line < 0) return
      const size = Number.parseInt(this.#rest.toString('latin1', 0, line), 16)
      const end = line + 2 + size
      if (this.#rest.length < end + 2) return
      if (size === 0) this.#end('final')
      else this.chunks.push(Buffer.from(this.#rest.subarray(line + 2, end)))
      this.#rest = this.#rest.subarray(end + 2)
    }
  }
}
