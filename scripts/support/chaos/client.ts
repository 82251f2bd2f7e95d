// Clients for chaos: each keeps a stream open in one format, drops it in every way there is, and
// comes back with its cursor. What they were told is kept, to be judged.

import type { Socket } from 'bun'
import type { Told } from '../log-stream.ts'
import type { Name } from './model.ts'

export type ChaosFormat = 'json' | 'json 1.0' | 'sse' | 'envelope' | 'websocket' | 'poll'

export const CHAOS_FORMATS: readonly ChaosFormat[] = [
  'json',
  'json 1.0',
  'sse',
  'envelope',
  'websocket',
  'poll',
]

const QUERIES: Readonly<Record<ChaosFormat, string>> = {
  json: 'format=json',
  'json 1.0': 'format=json',
  sse: 'format=sse',
  envelope: 'format=sse&envelope=json',
  websocket: 'format=websocket',
  poll: 'format=poll',
}

/** Reads what a server sends as it comes. */
class Reader {
  readonly #format: ChaosFormat
  readonly #tell: (told: Told) => void
  #rest = Buffer.alloc(0)
  #content = Buffer.alloc(0)
  #isHeadRead = false
  #isChunked = false
  isOver = false
  status = 0

  constructor(format: ChaosFormat, tell: (told: Told) => void) {
    this.#format = format
    this.#tell = tell
  }

  push(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes])
    if (!this.#isHeadRead) {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = this.#rest.toString('latin1', 0, end)
      this.status = Number(head.split(' ')[1])
      this.#isHeadRead = true
      this.#isChunked = /transfer-encoding: chunked/i.test(head)
      this.#rest = this.#rest.subarray(end + 4)
    }
    if (this.status !== 200 && this.status !== 101) return
    if (this.#format === 'websocket') this.#readFrames()
    else {
      if (this.#isChunked) this.#readChunks()
      else {
        this.#content = Buffer.concat([this.#content, this.#rest])
        this.#rest = Buffer.alloc(0)
      }
      this.#readContent()
    }
  }

  #readChunks(): void {
    for (;;) {
      const lineEnd = this.#rest.indexOf('\r\n')
      if (lineEnd < 0) return
      const size = Number.parseInt(this.#rest.toString('latin1', 0, lineEnd), 16)
      const end = lineEnd + 2 + size
      if (this.#rest.length < end + 2) return
      if (size === 0) this.isOver = true
      this.#content = Buffer.concat([this.#content, this.#rest.subarray(lineEnd + 2, end)])
      this.#rest = this.#rest.subarray(end + 2)
    }
  }

  #readFrames(): void {
    for (;;) {
      const bytes = this.#rest
      if (bytes.length < 2) return
      let length = (bytes[1] as number) & 0x7f
      let start = 2
      if (length === 126) {
        if (bytes.length < 4) return
        length = bytes.readUInt16BE(2)
        start = 4
      } else if (length === 127) {
        if (bytes.length < 10) return
        length = Number(bytes.readBigUInt64BE(2))
        start = 10
      }
      if (bytes.length < start + length) return
      const payload = bytes.subarray(start, start + length)
      const opcode = (bytes[0] as number) & 0x0f
      if (opcode === 1) this.#tell(JSON.parse(payload.toString()) as Told)
      else if (opcode === 8) this.isOver = true
      this.#rest = bytes.subarray(start + length)
    }
  }

  #readContent(): void {
    const isEvents = this.#format === 'sse' || this.#format === 'envelope'
    const separator = isEvents ? '\n\n' : '\n'
    for (;;) {
      const end = this.#content.indexOf(separator)
      if (end < 0) return
      const text = this.#content.toString('utf8', 0, end)
      this.#content = this.#content.subarray(end + separator.length)
      if (isEvents) this.#readEvent(text)
      else if (text !== '') this.#tell(JSON.parse(text) as Told)
    }
  }

  #readEvent(text: string): void {
    const fields = { id: [] as string[], event: [] as string[], data: [] as string[] }
    for (const line of text.split('\n')) {
      const [, name, value] = /^(id|event|data): (.*)$/.exec(line) ?? []
      if (name !== undefined) fields[name as keyof typeof fields].push(value ?? '')
    }
    const data = fields.data.join('\n')
    const [event] = fields.event
    const [id] = fields.id
    if (event === 'gap') this.#tell({ gap: JSON.parse(data) })
    else if (event === 'end' || event === 'start') this.#tell(JSON.parse(data) as Told)
    else if (fields.data.length === 0) {
      if (id !== undefined) this.#tell({ id })
    } else if (this.#format === 'envelope') this.#tell(JSON.parse(data) as Told)
    else this.#tell({ ...(id && { id }), body: data })
  }
}

export interface ChaosClientOptions {
  /** Of the next connection: of any of several servers that share a log. */
  readonly port: () => number
  readonly user: Name
  readonly subjects: readonly Name[]
  readonly format: ChaosFormat
  readonly random: () => number
}

export class ChaosClient {
  readonly user: Name
  readonly subjects: readonly Name[]
  readonly format: ChaosFormat
  readonly told: Told[] = []
  /** Where it is in the log; empty before it knows. */
  cursor = ''
  connections = 0
  isSteady = false
  readonly #options: ChaosClientOptions
  #isStopped = false

  constructor(options: ChaosClientOptions) {
    this.#options = options
    this.user = options.user
    this.subjects = options.subjects
    this.format = options.format
  }

  stop(): void {
    this.#isStopped = true
  }

  async run(): Promise<void> {
    const { random } = this.#options
    while (!this.#isStopped) {
      const came = this.format === 'poll' ? await this.#poll() : await this.#stream()
      if (!came || random() < 0.3) await Bun.sleep(10 + random() * 200)
    }
  }

  #tell(told: Told): void {
    this.told.push(told)
    if (told.gap !== undefined) this.cursor = told.gap.resume
    else if (told.id !== undefined) this.cursor = told.id
  }

  #path(place: string): string {
    const subjects = this.subjects.length === 0 ? '' : `&subjects=${this.subjects.join(',')}`
    return `/stream/${this.user}?${QUERIES[this.format]}${subjects}${place}`
  }

  #request(): string {
    const isEvents = this.format === 'sse'
    const place = this.cursor === '' || isEvents ? '' : `&after=${this.cursor}`
    const version = this.format === 'json 1.0' ? '1.0' : '1.1'
    const lines = [`GET ${this.#path(place)} HTTP/${version}`, 'Host: localhost']
    if (isEvents && this.cursor !== '') lines.push(`Last-Event-ID: ${this.cursor}`)
    if (this.format === 'websocket') {
      lines.push('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13')
      lines.push('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')
    }
    return `${lines.join('\r\n')}\r\n\r\n`
  }

  /** One connection. Answers whether it was a stream. */
  async #stream(): Promise<boolean> {
    const { port, random } = this.#options
    const ended = Promise.withResolvers<void>()
    const reader = new Reader(this.format, (told) => this.#tell(told))
    let socket: Socket<undefined>
    try {
      socket = await Bun.connect<undefined>({
        hostname: '127.0.0.1',
        port: port(),
        socket: {
          data: (_, bytes) => reader.push(Buffer.from(bytes)),
          close: () => ended.resolve(),
          error: () => ended.resolve(),
          connectError: () => ended.resolve(),
        },
      })
    } catch {
      return false
    }
    this.connections++
    socket.write(this.#request())
    const isOver = () =>
      reader.isOver || (reader.status !== 0 && reader.status !== 200 && reader.status !== 101)
    const watch = setInterval(() => isOver() && ended.resolve(), 20)
    const limit = () => Bun.sleep(this.isSteady ? 3_600_000 : 20 + random() ** 3 * 6_000)
    await Promise.race([ended.promise, limit(), this.#stopped()])
    if (!this.isSteady && random() < 0.2) {
      // It stops reading, and perhaps goes on, if it was not cut.
      socket.pause()
      await Promise.race([ended.promise, Bun.sleep(random() * 4_000)])
      if (random() < 0.5) {
        socket.resume()
        await Promise.race([ended.promise, Bun.sleep(random() * 1_000)])
      }
    }
    clearInterval(watch)
    if (random() < 0.5) socket.terminate()
    else socket.end()
    return reader.status === 200 || reader.status === 101
  }

  async #stopped(): Promise<void> {
    while (!this.#isStopped) await Bun.sleep(50)
  }

  async #poll(): Promise<boolean> {
    const { port, random } = this.#options
    const place = this.cursor === '' ? 'now' : `${this.cursor}&live=long-poll&timeout=2`
    const path = this.#path(`&offset=${place}`)
    const aborter = new AbortController()
    const timer = random() < 0.3 ? setTimeout(() => aborter.abort(), random() * 500) : null
    try {
      const response = await fetch(`http://127.0.0.1:${port()}${path}`, { signal: aborter.signal })
      const text = await response.text()
      const next = response.headers.get('stream-next-offset')
      this.connections++
      if (response.status === 410) {
        this.#tell(JSON.parse(text) as Told)
        return true
      }
      if (response.status !== 200 && response.status !== 204) return false
      if (this.cursor === '' && next !== null) this.#tell({ id: next })
      const messages = text === '' ? [] : (JSON.parse(text) as Told[])
      for (const message of messages) this.#tell(message)
      // Behind entries that are not for it.
      if (next !== null && next > this.cursor) this.cursor = next
      else if (next !== null && next < this.cursor) this.told.push({ id: next })
      return true
    } catch {
      return false
    } finally {
      if (timer !== null) clearTimeout(timer)
    }
  }
}
