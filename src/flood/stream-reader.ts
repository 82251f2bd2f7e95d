// Reads the streams of one process: decides whether each is a stream, and finds its messages.
// Opening and closing streams is the client's.

import type { Clock } from '../core/clock.ts'
import type { Framing } from './framing.ts'
import type { StreamBehaviour } from './plan.ts'
import type { ProcessStats } from './process-stats.ts'
import { ReceivedMessages } from './received-messages.ts'
import {
  type ReadResult,
  type ResponseHead,
  type ResponseListener,
  ResponseReader,
} from './response.ts'
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
}

export class StreamReader implements ResponseListener {
  /** Which messages came; null unless the run is compared. */
  readonly arrivals: Arrivals | null
  readonly #streams: Streams
  readonly #behaviour: StreamBehaviour
  readonly #clock: Clock
  readonly #listener: StreamListener
  /** Reads one stream after another. */
  readonly #reader = new ResponseReader()
  readonly #received: ReceivedMessages
  /** The stream whose bytes are being read, and when they came. */
  #index = 0
  #atMicros = 0

  constructor(
    streams: Streams,
    behaviour: StreamBehaviour,
    firstId: number,
    clock: Clock,
    stats: ProcessStats,
    listener: StreamListener,
  ) {
    this.#streams = streams
    this.#behaviour = behaviour
    this.#clock = clock
    this.#listener = listener
    this.arrivals = behaviour.recordArrivals ? new Arrivals() : null
    this.#received = new ReceivedMessages(firstId, stats, this.arrivals)
  }

  /** Hot path: once a read, which is about once a message. */
  read(index: number, bytes: Uint8Array, end: number): ReadResult {
    const { responses } = this.#streams
    this.#reader.load(responses, index)
    this.#index = index
    this.#atMicros = this.#clock.nowMs() * 1000
    const result = this.#reader.read(bytes, this, end)
    // One that is over keeps nothing.
    if (this.#streams.stateOf(index) !== STREAM.over) this.#reader.save(responses, index)
    return result
  }

  /** The server has ended a stream. */
  end(index: number): void {
    this.#reader.load(this.#streams.responses, index)
    this.#index = index
    this.#atMicros = this.#clock.nowMs() * 1000
    this.#reader.end(this)
  }

  onHead(head: ResponseHead): Framing | 'text' {
    const index = this.#index
    const wanted = this.#behaviour.target.protocol === 'ws' ? 101 : 200
    if (head.status !== wanted) this.#listener.onNoStream(index, `status_${head.status}`)
    // A response of known length is a page, not a stream: most likely a wrong URL.
    else if (wanted === 200 && head.transfer === 'length') {
      this.#listener.onNoStream(index, 'not_a_stream')
    } else this.#listener.onStream(index)
    return wanted === 101 ? 'websocket' : (this.#behaviour.framing ?? framingOf(head))
  }

  /** Hot path: once a message. */
  onMessage(bytes: Uint8Array, start: number, end: number): void {
    const index = this.#index
    if (this.#streams.stateOf(index) !== STREAM.open) return
    this.#received.record(index, bytes, start, end, this.#atMicros)
  }

  onPing(payload: Uint8Array): void {
    this.#listener.onPing(this.#index, payload)
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
