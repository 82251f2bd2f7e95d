// Reads the streams of one process: decides whether each is a stream, and finds its messages.
// Opening and closing streams is the client's.

import type { Clock } from '../core/clock.ts'
import { FormatReader } from './format-reader.ts'
import type { Framing } from './framing.ts'
import type { StreamBehaviour } from './plan.ts'
import type { Positions } from './positions.ts'
import type { ProcessStats } from './process-stats.ts'
import { ReceivedMessages } from './received-messages.ts'
import { type ReadResult, type ResponseListener, ResponseReader } from './response.ts'
import type { ResponseHead } from './response-head.ts'
import { ResumeCheck } from './resume-check.ts'
import { Arrivals } from './sequences.ts'
import { STREAM, type Streams } from './streams.ts'

/** Called while the bytes of a stream are read. */
export interface StreamListener {
  /** Its head says that it is one. */
  onStream(index: number): void
  /** The response is no stream; `kind` says why. */
  onNoStream(index: number, kind: string): void
  /** A ping of a WebSocket. */
  onPing(index: number, payload: Uint8Array): void
  /** A close frame of a WebSocket. */
  onClose(index: number, payload: Uint8Array): void
  /** A response is over, and the stream goes on with the next one over the same connection. */
  onAnswer(index: number): void
}

export interface StreamReaderOptions {
  readonly streams: Streams
  /** Null for streams that are of no format. */
  readonly positions: Positions | null
  readonly behaviour: StreamBehaviour
  readonly firstId: number
  readonly clock: Clock
  readonly stats: ProcessStats
  /** What a WebSocket's server must answer to the key. */
  readonly accept: string
}

export class StreamReader implements ResponseListener {
  /** Which messages came; null unless the run is compared. */
  readonly arrivals: Arrivals | null
  readonly #streams: Streams
  readonly #behaviour: StreamBehaviour
  readonly #clock: Clock
  readonly #listener: StreamListener
  /** Reads one stream after another. */
  readonly #reader: ResponseReader
  /** Null for streams that are of no format. */
  readonly #format: FormatReader | null
  readonly #received: ReceivedMessages
  /** The stream whose bytes are being read, and when they came. */
  #index = 0
  #atMicros = 0
  /** What is not of the format in these bytes; then nothing behind it is read. */
  #fault: string | null = null

  constructor(options: StreamReaderOptions, listener: StreamListener) {
    const { streams, positions, behaviour, firstId, clock, stats, accept } = options
    this.#streams = streams
    this.#behaviour = behaviour
    this.#clock = clock
    this.#listener = listener
    this.arrivals = behaviour.recordArrivals ? new Arrivals() : null
    const { format, resume } = behaviour
    const check = resume
      ? new ResumeCheck(streams.count, firstId, stats, Math.floor(clock.nowMs()))
      : null
    this.#received = new ReceivedMessages(firstId, stats, this.arrivals, check)
    const received = this.#received
    this.#format =
      format === 'test' || positions === null
        ? null
        : new FormatReader({ format, positions, received, stats, resume: check, accept })
    this.#reader = new ResponseReader(format === 'websocket')
  }

  /** Hot path: once a read, which is about once a message. */
  read(index: number, bytes: Uint8Array, end: number): ReadResult | string {
    const { responses } = this.#streams
    this.#reader.load(responses, index)
    this.#index = index
    this.#atMicros = this.#clock.nowMs() * 1000
    this.#fault = null
    const result = this.#reader.read(bytes, this, end)
    // One that is over keeps nothing.
    if (this.#streams.stateOf(index) !== STREAM.over) this.#reader.save(responses, index)
    if (this.#fault !== null || result !== 'ended' || this.#format?.isPolled !== true) {
      return this.#fault ?? result
    }
    if (this.#streams.stateOf(index) !== STREAM.open) return 'more'
    responses.reset(index)
    this.#listener.onAnswer(index)
    return 'more'
  }

  /** The server has ended a stream. */
  end(index: number): void {
    // A line of a format without its end was cut off.
    if (this.#format !== null) return
    this.#reader.load(this.#streams.responses, index)
    this.#index = index
    this.#atMicros = this.#clock.nowMs() * 1000
    this.#reader.end(this)
  }

  /** The kind of a stream's end, which may have been told. */
  endKind(index: number, kind: string): string {
    return this.#format?.endKind(index, kind) ?? kind
  }

  onHead(head: ResponseHead): Framing | 'text' {
    const index = this.#index
    if (this.#format !== null) return this.#onFormatHead(this.#format, index, head)
    const wanted = this.#behaviour.target.protocol === 'ws' ? 101 : 200
    if (head.status !== wanted) this.#listener.onNoStream(index, `status_${head.status}`)
    // A response of known length is a page, not a stream: most likely a wrong URL.
    else if (wanted === 200 && head.transfer === 'length') {
      this.#listener.onNoStream(index, 'not_a_stream')
    } else this.#listener.onStream(index)
    return wanted === 101 ? 'websocket' : (this.#behaviour.framing ?? framingOf(head))
  }

  #onFormatHead(format: FormatReader, index: number, head: ResponseHead): Framing {
    // A response of known length is a page, not a stream: most likely a wrong URL.
    const isPage = head.status === 200 && head.transfer === 'length' && !format.isPolled
    const kind = format.allows(head.status)
      ? isPage
        ? 'not_a_stream'
        : format.headFault(index, head)
      : `status_${head.status}`
    if (kind !== null) this.#listener.onNoStream(index, kind)
    else if (this.#streams.stateOf(index) === STREAM.connecting) this.#listener.onStream(index)
    return format.framing
  }

  /** Hot path: once a message. */
  onMessage(bytes: Uint8Array, start: number, end: number): void {
    const index = this.#index
    if (this.#streams.stateOf(index) !== STREAM.open) return
    if (this.#format === null) this.#received.record(index, bytes, start, end, this.#atMicros)
    else if (this.#fault === null) {
      this.#fault = this.#format.onMessage(index, bytes, start, end, this.#atMicros)
    }
  }

  /** Of events of a format: a cursor alone, or a comment. */
  onDataless(bytes: Uint8Array, start: number, end: number): void {
    if (this.#format !== null) this.onMessage(bytes, start, end)
  }

  onPing(payload: Uint8Array): void {
    this.#listener.onPing(this.#index, payload)
  }

  onClose(payload: Uint8Array): void {
    this.#fault ??= this.#format?.closeFault(this.#index, payload) ?? null
    this.#listener.onClose(this.#index, payload)
  }
}

const LINE_TYPES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/x-jsonlines',
  'application/stream+json',
])

/** The framing that the response implies. */
function framingOf({ mediaType, transfer }: ResponseHead): Framing | 'text' {
  if (mediaType === 'text/event-stream') return 'sse'
  if (LINE_TYPES.has(mediaType)) return 'line'
  return transfer === 'chunked' ? 'chunk' : 'text'
}
