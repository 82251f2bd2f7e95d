// A client of a stream that knows where it is in the log, in any of the formats: what it was told,
// as JSON objects. For end-to-end tests; it shares no code with comet's own clients.

import { waitFor } from './child-process.ts'
import type { CometServer } from './comet.ts'
import { RawClient } from './raw-client.ts'

export type LogFormat = 'json' | 'sse' | 'envelope'

/** One thing that a stream says: a message, where the client is, a gap, or the end. */
export interface Told {
  readonly id?: string
  readonly body?: string
  readonly data?: unknown
  readonly event?: string
  readonly gap?: { readonly after: string; readonly resume: string; readonly reason: string }
  readonly end?: string
}

export const LOG_FORMATS: readonly LogFormat[] = ['json', 'sse', 'envelope']

const QUERIES = {
  json: 'format=json',
  sse: 'format=sse',
  envelope: 'format=sse&envelope=json',
} as const satisfies Record<LogFormat, string>

export class LogStream implements Disposable {
  readonly client: RawClient
  readonly #format: LogFormat

  private constructor(client: RawClient, format: LogFormat) {
    this.client = client
    this.#format = format
  }

  /**
   * Opens a stream and waits until it knows where it is.
   *
   * @param query like `after=oldest`
   */
  static async open(
    server: Pick<CometServer, 'publicPort'>,
    user: number | string,
    format: LogFormat,
    query = '',
    fields = '',
  ): Promise<LogStream> {
    const path = `/stream/${user}?${QUERIES[format]}${query === '' ? '' : `&${query}`}`
    const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`
    const stream = new LogStream(await RawClient.open(server.publicPort, request), format)
    await waitFor('its place in the log', () => stream.cursor !== '' || stream.client.end !== null)
    return stream
  }

  get body(): string {
    return Buffer.concat(this.client.chunks).toString('utf8')
  }

  /** All that it was told, in order. */
  get told(): Told[] {
    return this.#format === 'json' ? linesOf(this.body) : eventsOf(this.body, this.#format)
  }

  /** The bodies of its messages. */
  get messages(): string[] {
    return this.told.flatMap(({ body }) => body ?? [])
  }

  /** The last id that it was told; empty before the first one. */
  get cursor(): string {
    return this.told.findLast(({ id }) => id !== undefined)?.id ?? ''
  }

  get gap(): Told['gap'] {
    return this.told.find(({ gap }) => gap !== undefined)?.gap
  }

  /** Waits until its last message has this body. */
  async has(body: string): Promise<void> {
    await waitFor(`the message ${body} after ${this.messages.at(-1)}`, () => {
      return this.messages.at(-1) === body
    })
  }

  [Symbol.dispose](): void {
    this.client.terminate()
  }
}

function linesOf(text: string): Told[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  return whole.split('\n').flatMap((line) => (line === '' ? [] : (JSON.parse(line) as Told)))
}

/** As WHATWG HTML section 9.2.6 reads them, of streams that use line feeds alone. */
function eventsOf(text: string, format: LogFormat): Told[] {
  const told: Told[] = []
  for (const block of text.split('\n\n').slice(0, -1)) {
    const fields = block.split('\n').filter((line) => !line.startsWith(':'))
    const valuesOf = (name: string) =>
      fields.flatMap((line) => (line.startsWith(`${name}: `) ? line.slice(name.length + 2) : []))
    const [id, event, data] = [valuesOf('id')[0], valuesOf('event')[0], valuesOf('data')]
    if (event === 'gap') told.push({ gap: JSON.parse(data.join('\n')) })
    else if (event === 'end' || event === 'start') told.push(JSON.parse(data.join('\n')) as Told)
    else if (data.length === 0) told.push({})
    else if (format === 'envelope') told.push(JSON.parse(data.join('\n')) as Told)
    else told.push({ ...(id && { id }), ...(event && { event }), body: data.join('\n') })
  }
  return told
}
