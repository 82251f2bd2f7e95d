// One process's share of a flood: opens its streams, reads them, counts and times what arrives.
// It prints nothing and knows no other process.

import type { Socket } from 'bun'
import type { Clock } from '../core/clock.ts'
import { floodLimits } from '../core/limits.ts'
import { readStamp, type StampFields } from '../core/stamp.ts'
import { Ledger } from './ledger.ts'
import type { Share } from './plan.ts'
import { type ResponseListener, ResponseReader } from './response.ts'
import { Sources } from './source.ts'
import { Tally } from './tally.ts'

/** The types of Bun lack the local end, which `Bun.connect` has taken since 1.2. */
type ConnectOptions = Bun.TCPSocketConnectOptions<FloodStream> & {
  localAddress?: string
  localPort?: number
}

/** What one connection is: on its way, a stream, or over. */
type StreamState = 'connecting' | 'open' | 'over'

/** Fields only, and few: there are a million of them. What it does is the client's. */
class FloodStream {
  readonly index: number
  readonly reader = new ResponseReader()
  state: StreamState = 'connecting'
  socket: Socket<FloodStream> | null = null

  constructor(index: number) {
    this.index = index
  }
}

export class FloodClient {
  readonly tally = new Tally()
  /** Settles when every connection is over, or the run was stopped. */
  readonly finished: Promise<void>

  readonly #share: Share
  readonly #clock: Clock
  readonly #ledger = new Ledger()
  readonly #sources: Sources | null
  /** All that were begun, by index. An array, since a set costs fifty bytes more a stream. */
  readonly #streams: FloodStream[] = []
  /** Those whose first byte has not come, and when they were begun. */
  readonly #connecting = new Map<FloodStream, number>()
  #startedMs = 0
  #stopping = false
  #timer: Timer | null = null
  readonly #finish: () => void
  readonly #stamp: StampFields = { generator: 0, sequence: 0, dueMicros: 0 }
  /** The stream whose bytes are being read, and when they came. */
  #reading: FloodStream | null = null
  #readAtMicros = 0

  constructor(share: Share, clock: Clock) {
    this.#share = share
    this.#clock = clock
    this.#sources = share.sources.length > 0 ? new Sources(share.sources, share.portOffset) : null
    const { promise, resolve } = Promise.withResolvers<void>()
    this.finished = promise
    this.#finish = resolve
  }

  start(): void {
    this.#startedMs = this.#clock.elapsedMs()
    // One timer for all connections: it paces them and finds those without a first byte.
    const { ratePerSecond } = this.#share
    const { lookEveryMsMin, lookEveryMsMax } = floodLimits
    const paceMs = ratePerSecond === null ? lookEveryMsMax : 1000 / ratePerSecond
    const everyMs = Math.min(lookEveryMsMax, Math.max(lookEveryMsMin, paceMs))
    this.#timer = setInterval(() => this.#tick(), everyMs)
    this.#openMore()
  }

  /** Opens nothing more, reads until nothing comes any more, and closes every stream. */
  async stop(): Promise<void> {
    if (this.#stopping) return this.finished
    this.#stopping = true
    await this.#settle()
    for (const stream of this.#streams) {
      stream.state = 'over'
      stream.socket?.end()
    }
    this.#end()
  }

  async #settle(): Promise<void> {
    const { quietMs, settleMsMax } = floodLimits
    const deadlineMs = this.#clock.elapsedMs() + settleMsMax
    const { counters } = this.tally
    let bytes = -1
    while (bytes !== counters.bytes && this.#clock.elapsedMs() < deadlineMs) {
      bytes = counters.bytes
      await new Promise((resolve) => setTimeout(resolve, quietMs))
    }
  }

  #end(): void {
    this.#stopTimer()
    this.#finish()
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #tick(): void {
    const overdueMs = this.#clock.elapsedMs() - floodLimits.firstByteMs
    for (const [stream, startedMs] of this.#connecting) {
      // In order of their beginning, so that the first which is in time ends the search.
      if (startedMs > overdueMs) break
      this.#fail(stream, 'first_byte_timeout')
    }
    this.#openMore()
    if (!this.#allBegun || this.#connecting.size > 0) return
    // Nothing left to pace. Fifty processes' idle timers would cost a third of a core.
    this.#stopTimer()
    // What opening left behind would stay for the rest of the run, since silent streams allocate
    // nothing that would bring on a collection.
    Bun.gc(true)
  }

  get #allBegun(): boolean {
    return this.#streams.length >= this.#share.connections
  }

  #openMore(): void {
    const { connections, ratePerSecond, pendingMax } = this.#share
    const elapsedMs = this.#clock.elapsedMs() - this.#startedMs
    const due =
      ratePerSecond === null
        ? connections
        : Math.min(connections, Math.floor((elapsedMs * ratePerSecond) / 1000) + 1)
    const streams = this.#streams
    while (!this.#stopping && streams.length < due && this.#connecting.size < pendingMax) {
      const stream = new FloodStream(streams.length)
      streams.push(stream)
      this.#connecting.set(stream, this.#clock.elapsedMs())
      this.#connect(stream, 1)
    }
  }

  /** @param tries how many local ports have been tried for it, this one included */
  #connect(stream: FloodStream, tries: number): void {
    const options: ConnectOptions = {
      hostname: this.#share.target.address,
      port: this.#share.target.port,
      data: stream,
      socket: this.#handlers,
    }
    const source = this.#sources?.next()
    if (source !== undefined) {
      options.localAddress = source.address
      options.localPort = source.port
    }
    Bun.connect(options).catch((error: Error & { code?: string }) => {
      if (stream.state !== 'connecting') return
      // A busy local port: pass it over and take the next.
      const busy = source !== undefined && BUSY_CODES.has(error.code)
      if (busy && tries < floodLimits.portTriesMax) {
        this.#sources?.passOver()
        this.#connect(stream, tries + 1)
      } else this.#fail(stream, kindOf(error.code))
    })
  }

  /** Shared by all sockets; the stream is their data. */
  readonly #handlers: Bun.SocketHandler<FloodStream> = {
    open: (socket) => this.#onOpen(socket),
    data: (socket, bytes) => this.#onData(socket, bytes),
    close: (socket, error) => this.#onClose(socket.data, error),
    // The promise of `Bun.connect` tells the same.
    connectError: () => undefined,
  }

  #onOpen(socket: Socket<FloodStream>): void {
    const stream = socket.data
    if (stream.state === 'over') {
      socket.terminate()
      return
    }
    stream.socket = socket
    const { pathTemplate, host } = this.#share.target
    const path = pathTemplate.replaceAll('{id}', String(this.#share.firstId + stream.index))
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: comet-flood\r\n\r\n`)
  }

  /** Hot path: once a read, which is about once a message. */
  #onData(socket: Socket<FloodStream>, bytes: Uint8Array): void {
    const stream = socket.data
    if (stream.state === 'over') return
    this.#reading = stream
    this.#readAtMicros = this.#clock.nowMs() * 1000
    const result = stream.reader.read(bytes, this.#listener)
    this.#reading = null
    if (result !== 'more') this.#fault(stream, result)
  }

  readonly #listener: ResponseListener = {
    onHead: (status, framing) => {
      const stream = this.#reading
      if (stream === null) return
      if (status !== 200) this.#fail(stream, `status_${status}`)
      // An answer whose length is known is a page, not a stream: most likely a wrong URL.
      else if (framing === 'length') this.#fail(stream, 'not_a_stream')
      else this.#opened(stream)
    },
    onChunk: (bytes, start, end) => this.#onChunk(bytes, start, end),
  }

  #opened(stream: FloodStream): void {
    const nowMs = this.#clock.elapsedMs()
    const begunMs = this.#connecting.get(stream) ?? nowMs
    stream.state = 'open'
    this.#connecting.delete(stream)
    this.tally.counters.opened++
    this.tally.openingMs = nowMs - this.#startedMs
    this.tally.connect.record((nowMs - begunMs) * 1000)
    if (this.#share.ratePerSecond === null) this.#openMore()
  }

  #onChunk(bytes: Uint8Array, start: number, end: number): void {
    const stream = this.#reading
    if (stream === null || stream.state !== 'open') return
    const { counters, latency } = this.tally
    counters.chunks++
    counters.bytes += end - start
    const stamp = this.#stamp
    if (!readStamp(bytes, start, end, stamp)) return
    counters.messages++
    latency.record(this.#readAtMicros - stamp.dueMicros)
    const verdict = this.#ledger.note(
      stream.index,
      stamp.generator,
      stamp.sequence,
      this.#readAtMicros / 1000,
    )
    if (verdict === 'duplicate') counters.duplicated++
    else if (verdict === 'reordered') counters.reordered++
    else if (verdict === 'untracked') counters.untracked++
  }

  #onClose(stream: FloodStream, error: Error | undefined): void {
    // A close without an error is the server's FIN before the final chunk.
    this.#fault(stream, error === undefined ? 'cut_short' : 'reset')
  }

  /** The connection ended, whatever it was. */
  #fault(stream: FloodStream, kind: string): void {
    if (stream.state === 'connecting') this.#fail(stream, kind)
    else if (stream.state === 'open') this.#lose(stream, kind)
  }

  /** It never became a stream. */
  #fail(stream: FloodStream, kind: string): void {
    this.tally.counters.failed++
    this.#over(stream, kind)
  }

  /** It was a stream, and ended before the run. */
  #lose(stream: FloodStream, kind: string): void {
    this.tally.counters.closed++
    this.#over(stream, kind)
  }

  #over(stream: FloodStream, kind: string): void {
    this.tally.errors[kind] = (this.tally.errors[kind] ?? 0) + 1
    stream.state = 'over'
    this.#connecting.delete(stream)
    stream.socket?.end()
    stream.socket = null
    const { failed, closed } = this.tally.counters
    if (failed + closed >= this.#share.connections) this.#end()
    // In a later turn, or a server that refuses at once would be asked without end in this one.
    else if (this.#share.ratePerSecond === null) setImmediate(() => this.#openMore())
  }
}

/** How Bun tells of a local end that is in use; the second also of an address that is not ours. */
const BUSY_CODES = new Set<string | undefined>(['EADDRINUSE', 'EADDRNOTAVAIL'])

const CONNECT_KINDS: Record<string, string> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  ETIMEDOUT: 'connect_timeout',
  EADDRNOTAVAIL: 'local_address_not_available',
  EADDRINUSE: 'local_ports_in_use',
  EMFILE: 'too_many_open_files',
  ENETUNREACH: 'unreachable',
  EHOSTUNREACH: 'unreachable',
}

function kindOf(code: string | undefined): string {
  return CONNECT_KINDS[code ?? ''] ?? 'connect_failed'
}
