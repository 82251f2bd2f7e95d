// A small server for tests of streams with cursors: it keeps a log, and speaks the formats of
// /stream as they are meant, or with the faults that a test orders. It shares no code with comet.

import type { Socket } from 'bun'

export type LogFormat = 'json' | 'sse' | 'websocket' | 'raw' | 'poll'

export interface LogMessage {
  readonly epoch: number
  readonly number: number
  readonly user: string
  readonly body: string
}

export interface Told {
  readonly after: string
  readonly resume: string
  readonly reason: string
}

/** What the server does wrong; nothing at first. */
export interface Faults {
  /** What is sent instead of a message. */
  deliver: (message: LogMessage, isReplay: boolean) => readonly LogMessage[]
  /** What is told instead of a gap that is true, or of none. */
  gap: (honest: Told | null, after: string) => Told | null
  /** The first id of a stream instead of the true one. */
  place: (honest: string) => string
  /** The bytes of anything, in the format. */
  bytes: (honest: Buffer) => Buffer
  head: (honest: string) => string
  /** The code of a close frame. */
  closeCode: (honest: number) => number
  /** Is the last chunk left out, and a close frame? */
  isCutShort: boolean
}

interface Client {
  received: string
  user: string
  format: LogFormat | null
  /** The number behind which a poll waits for messages; -1 if none does. */
  waitsBehind: number
}

const CODES: Record<string, number> = { drained: 1001, expired: 4001, ended: 4002 }

function hex(value: number): string {
  return value.toString(16).padStart(12, '0')
}

export class LogServer implements Disposable {
  epoch = 0x019ad3f0c2a1
  readonly messages: LogMessage[] = []
  /** Messages up to this number are not replayed. */
  forgotten = 0
  /** The last request of each user. */
  readonly requests = new Map<string, string>()
  /** Does it answer? */
  isUp = true
  readonly faults: Faults = {
    deliver: (message) => [message],
    gap: (honest) => honest,
    place: (honest) => honest,
    bytes: (honest) => honest,
    head: (honest) => honest,
    closeCode: (honest) => honest,
    isCutShort: false,
  }
  accepted = 0
  #top = 0
  readonly #clients = new Set<Socket<Client>>()
  readonly #listener: Bun.TCPSocketListener<Client>

  constructor(tls?: Bun.TLSOptions) {
    this.#listener = Bun.listen<Client>({
      hostname: '127.0.0.1',
      port: 0,
      ...(tls === undefined ? {} : { tls }),
      socket: {
        open: (socket) => {
          socket.data = { received: '', user: '', format: null, waitsBehind: -1 }
          this.accepted++
        },
        data: (socket, bytes) => {
          const { data } = socket
          data.received += bytes.toString('latin1')
          const isNew = data.format === null || data.format === 'poll'
          if (isNew && data.received.includes('\r\n\r\n')) this.#answer(socket)
        },
        close: (socket) => {
          this.#clients.delete(socket)
        },
        error: () => undefined,
      },
    })
  }

  get port(): number {
    return this.#listener.port
  }

  get open(): number {
    return this.#clients.size
  }

  /** All that the client of a user sent, as latin1. */
  receivedFrom(user: string): string {
    return [...this.#clients].find(({ data }) => data.user === user)?.data.received ?? ''
  }

  cursorOf({ epoch, number }: Pick<LogMessage, 'epoch' | 'number'>): string {
    return `${hex(epoch)}-${hex(number)}`
  }

  /** Appends a message for a user, and sends it to all of its streams. */
  publish(user: string | number, body: string): LogMessage {
    const message = { epoch: this.epoch, number: ++this.#top, user: String(user), body }
    this.messages.push(message)
    for (const client of this.#clients) {
      if (client.data.user !== message.user) continue
      if (client.data.format === 'poll') this.#answerWaiting(client)
      else for (const one of this.faults.deliver(message, false)) this.#send(client, one)
    }
    return message
  }

  /** Begins a log anew. */
  restart(): void {
    this.epoch += 1_000
    this.#top = 0
    this.messages.length = 0
    this.forgotten = 0
  }

  /** Forgets all messages so far. */
  forget(): void {
    this.forgotten = this.#top
  }

  /** Ends all connections with FIN, as they are. */
  cut(): void {
    for (const client of this.#clients) client.end()
  }

  /** Ends all streams as the format says. */
  end(reason: string | null, note?: string): void {
    for (const client of this.#clients) {
      const object = { end: reason, ...(note === undefined ? {} : { note }) }
      if (reason !== null) this.#write(client, 'end', JSON.stringify(object))
      if (!this.faults.isCutShort) client.write(this.#lastBytes(client, reason))
      client.end()
    }
  }

  /** Sends bytes as they are to all. */
  sendAll(bytes: string): void {
    for (const client of this.#clients) client.write(Buffer.from(bytes, 'latin1'))
  }

  /** A heartbeat of each format. */
  beat(): void {
    for (const client of this.#clients) {
      if (client.data.format === 'poll') this.#answerPoll(client, [])
      const beats = {
        json: '1\r\n\n\r\n',
        sse: '3\r\n:\n\n\r\n',
        websocket: '\x89\0',
        raw: '',
        poll: '',
      }
      client.write(Buffer.from(beats[client.data.format ?? 'raw'], 'latin1'))
    }
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true)
  }

  #answer(socket: Socket<Client>): void {
    const { data } = socket
    const [, path = ''] = data.received.split(' ')
    const url = new URL(path, 'http://x')
    data.user = url.pathname.split('/').at(-1) ?? ''
    const isPoll = url.searchParams.has('offset')
    data.format = isPoll ? 'poll' : ((url.searchParams.get('format') ?? 'json') as LogFormat)
    this.requests.set(data.user, data.received)
    if (!this.isUp) {
      socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n')
      return
    }
    this.#clients.add(socket)
    if (isPoll) {
      data.received = ''
      this.#poll(socket, url.searchParams)
      return
    }
    const after = url.searchParams.get('after')
    const top = this.cursorOf({ epoch: this.epoch, number: this.#top })
    const gap = after === null ? null : this.faults.gap(this.#gapOf(after, data.user, top), after)
    const place = this.faults.place(gap?.resume ?? after ?? top)
    socket.write(this.faults.head(this.#head(data, place, gap)))
    if (data.format === 'raw') return
    if (gap !== null) this.#write(socket, 'gap', JSON.stringify(gap))
    this.#write(socket, 'place', place)
    if (gap !== null || after === null) return
    const from = Number.parseInt(after.slice(13), 16)
    for (const message of this.messages) {
      if (message.number <= from || message.number <= this.forgotten) continue
      if (message.user !== data.user) continue
      for (const one of this.faults.deliver(message, true)) this.#send(socket, one)
    }
  }

  /** By the Durable Streams protocol. */
  #poll(socket: Socket<Client>, query: URLSearchParams): void {
    const offset = query.get('offset') ?? ''
    const isLive = query.get('live') === 'long-poll'
    const top = this.cursorOf({ epoch: this.epoch, number: this.#top })
    const gap =
      offset === 'now' ? null : this.faults.gap(this.#gapOf(offset, socket.data.user, top), offset)
    socket.data.waitsBehind = offset === 'now' ? this.#top : Number.parseInt(offset.slice(13), 16)
    if (gap !== null) {
      const head = `Stream-Next-Offset: ${gap.resume}\r\nComet-Gap: ${gap.reason}\r\n`
      socket.write(`HTTP/1.1 410 Gone\r\n${head}Content-Length: 4\r\n\r\ngone`)
    } else if (!this.#answerWaiting(socket, !isLive) && !isLive) this.#answerPoll(socket, [], true)
  }

  /** Answers with what is there, if anything is. */
  #answerWaiting(socket: Socket<Client>, isReplay = false): boolean {
    const { user, waitsBehind } = socket.data
    if (waitsBehind < 0) return false
    const messages = this.messages.filter((one) => one.user === user && one.number > waitsBehind)
    if (messages.length === 0) return false
    const sent = messages.flatMap((one) => this.faults.deliver(one, isReplay))
    this.#answerPoll(socket, sent)
    return true
  }

  /** Without messages, 204 unless it did not wait. */
  #answerPoll(socket: Socket<Client>, sent: readonly LogMessage[], isFirst = false): void {
    socket.data.waitsBehind = -1
    const next = this.faults.place(this.cursorOf({ epoch: this.epoch, number: this.#top }))
    const fields = `Stream-Next-Offset: ${next}\r\nStream-Up-To-Date: true\r\nStream-Cursor: 77\r\n`
    if (sent.length === 0 && !isFirst) {
      socket.write(this.faults.head(`HTTP/1.1 204 No Content\r\n${fields}\r\n`))
      return
    }
    const body = Buffer.from(
      `[${sent.map((one) => this.#object('message', JSON.stringify(one))).join(',')}]`,
    )
    const type = 'Content-Type: application/json\r\n'
    const length = `Content-Length: ${body.length}\r\n`
    socket.write(this.faults.head(`HTTP/1.1 200 OK\r\n${type}${fields}${length}\r\n`))
    socket.write(this.faults.bytes(body))
  }

  #gapOf(after: string, user: string, resume: string): Told | null {
    const [epoch = 0, number = 0] = after.split('-').map((part) => Number.parseInt(part, 16))
    if (epoch !== this.epoch || number > this.#top) return { after, resume, reason: 'unknown' }
    const isLost = this.messages.some(
      (message) =>
        message.user === user && message.number > number && message.number <= this.forgotten,
    )
    return isLost ? { after, resume, reason: 'lost' } : null
  }

  #head({ received, format }: Client, place: string, gap: Told | null): string {
    if (format === 'websocket') {
      const key = /sec-websocket-key: (.*)\r/i.exec(received)?.[1] ?? ''
      const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
      const accept = new Bun.CryptoHasher('sha1').update(key + guid).digest('base64')
      return (
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`
      )
    }
    const types = { json: 'application/x-ndjson', sse: 'text/event-stream', raw: 'text/plain' }
    const gapLine = gap === null ? '' : `Comet-Gap: ${gap.reason}\r\n`
    const more = format === 'raw' ? `Comet-Cursor: ${place}\r\n${gapLine}` : ''
    return (
      `HTTP/1.1 200 OK\r\nContent-Type: ${types[format === 'sse' || format === 'raw' ? format : 'json']}; charset=utf-8\r\n${more}` +
      'Transfer-Encoding: chunked\r\n\r\n'
    )
  }

  #send(client: Socket<Client>, message: LogMessage): void {
    if (client.data.format === 'raw') this.#write(client, 'raw', message.body)
    else this.#write(client, 'message', JSON.stringify(message))
  }

  #write(client: Socket<Client>, what: string, json: string): void {
    const { format } = client.data
    const text = format === 'sse' ? this.#event(what, json) : this.#object(what, json)
    const body = Buffer.from(format === 'json' ? `${text}\n` : text)
    client.write(this.faults.bytes(format === 'websocket' ? frame(body) : chunk(body)))
  }

  #object(what: string, json: string): string {
    if (what === 'place') return `{"id":"${json}"}`
    if (what === 'gap') return `{"gap":${json}}`
    if (what !== 'message') return json
    const message = JSON.parse(json) as LogMessage
    const { user, body } = message
    return JSON.stringify({ id: this.cursorOf(message), to: user, event: 'e', body })
  }

  #event(what: string, json: string): string {
    if (what === 'place') return `id: ${json}\nevent: start\ndata: {"id":"${json}"}\n\n`
    if (what !== 'message') return `event: ${what}\ndata: ${json}\n\n`
    const message = JSON.parse(json) as LogMessage
    const data = message.body.split('\n').map((line) => `data: ${line}\n`)
    return `id: ${this.cursorOf(message)}\nevent: e\n${data.join('')}\n`
  }

  #lastBytes({ data }: Socket<Client>, reason: string | null): Buffer {
    if (data.format !== 'websocket') return Buffer.from('0\r\n\r\n')
    const code = this.faults.closeCode(CODES[reason ?? ''] ?? 1000)
    return Buffer.of(0x88, 2, code >> 8, code & 0xff)
  }
}

function chunk(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')])
}

/** A text frame (RFC 6455 section 5.2). */
export function frame(body: Buffer, first = 0x81): Buffer {
  const { length } = body
  if (length < 126) return Buffer.concat([Buffer.of(first, length), body])
  return Buffer.concat([Buffer.of(first, 126, length >> 8, length & 0xff), body])
}
