// Streams in each format that pass a proxy, for end-to-end tests: what came of each, and whether it
// goes on. Without TLS.

import { waitFor } from './child-process.ts'
import { RawClient } from './raw-client.ts'

/** `poll` is a long poll, which is over with its answer; `events` are the events of polls. */
export const PROXIED_FORMATS = ['json', 'sse', 'websocket', 'raw', 'poll', 'events'] as const
export type ProxiedFormat = (typeof PROXIED_FORMATS)[number]

const QUERIES: Readonly<Record<ProxiedFormat, string>> = {
  json: 'format=json',
  sse: 'format=sse',
  websocket: 'format=websocket',
  raw: 'format=raw',
  poll: 'offset=now&live=long-poll',
  events: 'offset=now&live=sse',
}

export interface StreamOptions {
  /** The address of this machine to connect from. */
  readonly from?: string
  readonly headers?: Readonly<Record<string, string>>
}

export class ProxiedStream implements Disposable {
  readonly format: ProxiedFormat
  readonly #client: RawClient | null
  readonly #socket: WebSocket | null
  #text = ''
  #isOver = false

  static async open(
    { port }: { readonly port: number },
    format: ProxiedFormat,
    { from, headers = {} }: StreamOptions = {},
  ): Promise<ProxiedStream> {
    const path = `/stream/alice?${QUERIES[format]}`
    if (format === 'websocket') {
      // Bun's own, which answers pings. Its types lack the headers.
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers } as never)
      return new ProxiedStream(format, null, socket)
    }
    const fields = Object.entries({ host: `localhost:${port}`, ...headers })
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const request = `GET ${path} HTTP/1.1\r\n${lines}\r\n`
    const client = await RawClient.open(port, request, from === undefined ? {} : { from })
    return new ProxiedStream(format, client, null)
  }

  private constructor(format: ProxiedFormat, client: RawClient | null, socket: WebSocket | null) {
    this.format = format
    this.#client = client
    this.#socket = socket
    socket?.addEventListener('message', ({ data }) => {
      this.#text += String(data)
    })
    socket?.addEventListener('close', () => {
      this.#isOver = true
    })
  }

  /** All that came. */
  get text(): string {
    return this.#client?.text ?? this.#text
  }

  /** Has it ended, in whatever way? */
  get isOver(): boolean {
    if (this.#client === null) return this.#isOver
    return this.#client.end !== null || this.#client.ending !== 'open'
  }

  /** Properly, by a last chunk? */
  get hasFinalChunk(): boolean {
    return this.#client?.ending === 'final'
  }

  /** Of the answer; 0 for a WebSocket. */
  async status(): Promise<number> {
    return this.#client === null ? 0 : (await this.#client.headed()).status
  }

  async got(text: string, ms?: number): Promise<void> {
    const what = `${this.format} to get ${text}`
    await waitFor(what, () => this.text.includes(text), ms).catch((error: unknown) => {
      throw new Error(`${error}\n${this.text}`)
    })
  }

  async over(ms?: number): Promise<void> {
    await waitFor(`${this.format} to end`, () => this.isOver, ms)
  }

  leave(): void {
    this.#socket?.close()
    this.#client?.close()
  }

  [Symbol.dispose](): void {
    this.#socket?.close()
    this.#client?.terminate()
  }
}
