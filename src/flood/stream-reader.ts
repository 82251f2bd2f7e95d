// Reads the streams of one process: finds each message, counts and times it, and checks its order.
// Opening and closing streams is the client's.

import type { Socket } from 'bun'
import type { Clock } from '../core/clock.ts'
import { findStamp, readStamp, type StampFields } from '../core/stamp.ts'
import type { Framing } from './framing.ts'
import type { StreamBehaviour } from './plan.ts'
import type { ProcessStats } from './process-stats.ts'
import { pongFrame } from './request.ts'
import {
  type ReadResult,
  type ResponseHead,
  type ResponseListener,
  ResponseReader,
} from './response.ts'
import { Arrivals, SequenceTracker } from './sequences.ts'

/**
 * `connecting` until the first byte of the response; then `open`, or `slow` if it has stopped
 * reading, or `vanished` if it was dropped without FIN or RST. `over` in the end.
 */
export type StreamState = 'connecting' | 'open' | 'slow' | 'vanished' | 'over'

/** One stream. Fields only, and few: there are a million of them. */
export class FloodStream extends ResponseReader {
  readonly index: number
  /** It was open, or an earlier one of the same index was. */
  wasOpen: boolean
  state: StreamState = 'connecting'
  socket: Socket<FloodStream> | null = null

  constructor(index: number, wasOpen: boolean) {
    super()
    this.index = index
    this.wasOpen = wasOpen
  }
}

/** Called with what the head of a stream's response says, while its bytes are read. */
export interface HeadListener {
  onStream(stream: FloodStream): void
  /** The response is no stream; `kind` says why. */
  onNoStream(stream: FloodStream, kind: string): void
}

export class StreamReader implements ResponseListener {
  /** Which messages came; null unless the run is compared. */
  readonly arrivals: Arrivals | null
  readonly #behaviour: StreamBehaviour
  readonly #firstId: number
  readonly #clock: Clock
  readonly #stats: ProcessStats
  readonly #heads: HeadListener
  readonly #tracker = new SequenceTracker()
  readonly #stamp: StampFields = { generator: 0, sequence: 0, dueMicros: 0 }
  /** The stream whose bytes are being read, and when they came. */
  #stream: FloodStream | null = null
  #atMicros = 0

  constructor(
    behaviour: StreamBehaviour,
    firstId: number,
    clock: Clock,
    stats: ProcessStats,
    heads: HeadListener,
  ) {
    this.#behaviour = behaviour
    this.#firstId = firstId
    this.#clock = clock
    this.#stats = stats
    this.#heads = heads
    this.arrivals = behaviour.recordArrivals ? new Arrivals() : null
  }

  /** Hot path: once a read, which is about once a message. */
  read(stream: FloodStream, bytes: Uint8Array): ReadResult {
    this.#stream = stream
    this.#atMicros = this.#clock.nowMs() * 1000
    const result = stream.read(bytes, this)
    this.#stream = null
    return result
  }

  /** The server has ended a stream. */
  end(stream: FloodStream): void {
    this.#stream = stream
    this.#atMicros = this.#clock.nowMs() * 1000
    stream.end(this)
    this.#stream = null
  }

  onHead(head: ResponseHead): Framing | 'text' {
    const stream = this.#stream
    const wanted = this.#behaviour.target.protocol === 'ws' ? 101 : 200
    if (stream !== null) {
      if (head.status !== wanted) this.#heads.onNoStream(stream, `status_${head.status}`)
      // A response of known length is a page, not a stream: most likely a wrong URL.
      else if (wanted === 200 && head.transfer === 'length') {
        this.#heads.onNoStream(stream, 'not_a_stream')
      } else this.#heads.onStream(stream)
    }
    return wanted === 101 ? 'websocket' : (this.#behaviour.framing ?? framingOf(head))
  }

  /** Hot path: once a message. */
  onMessage(bytes: Uint8Array, start: number, end: number): void {
    const stream = this.#stream
    if (stream === null || stream.state !== 'open') return
    const { counters, latency } = this.#stats
    counters.chunks++
    counters.bytes += end - start
    const stamp = this.#stamp
    // The stamp ends the message, unless an envelope surrounds it.
    if (!readStamp(bytes, start, end, stamp) && !findStamp(bytes, start, end, stamp)) return
    counters.messages++
    latency.record(this.#atMicros - stamp.dueMicros)
    const { generator, sequence } = stamp
    const verdict = this.#tracker.record(stream.index, generator, sequence, this.#atMicros / 1000)
    this.arrivals?.record(generator, sequence)
    if (verdict === 'new') return
    if (verdict === 'untracked') counters.untracked++
    else {
      const wrong = verdict === 'duplicate' ? 'duplicated' : 'reordered'
      this.#stats.countWrong({ wrong, id: this.#firstId + stream.index, generator, sequence })
    }
  }

  onPing(payload: Uint8Array): void {
    this.#stream?.socket?.write(pongFrame(payload))
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
