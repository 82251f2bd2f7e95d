// Reads what comes down the streams of one process: finds each message, counts it, times it, and
// holds it against those before it. What becomes of a stream is the client's.

import type { Clock } from '../core/clock.ts'
import { findStamp, readStamp, type StampFields } from '../core/stamp.ts'
import { Arrivals } from './arrivals.ts'
import type { Framing } from './framing.ts'
import { Ledger } from './ledger.ts'
import type { Manner } from './plan.ts'
import { pongFrame } from './request.ts'
import type { ReadResult, ResponseHead, ResponseListener } from './response.ts'
import type { FloodStream } from './stream.ts'
import type { Tally } from './tally.ts'

/** Told what a stream's head says, while its bytes are read. */
export interface HeadListener {
  onStream(stream: FloodStream): void
  /** It is no stream, for the reason named. */
  onNoStream(stream: FloodStream, kind: string): void
}

export class Reading implements ResponseListener {
  readonly arrivals: Arrivals | null
  readonly #manner: Manner
  readonly #firstId: number
  readonly #clock: Clock
  readonly #tally: Tally
  readonly #heads: HeadListener
  readonly #ledger = new Ledger()
  readonly #stamp: StampFields = { generator: 0, sequence: 0, dueMicros: 0 }
  /** The stream whose bytes are being read, and when they came. */
  #stream: FloodStream | null = null
  #atMicros = 0

  constructor(manner: Manner, firstId: number, clock: Clock, tally: Tally, heads: HeadListener) {
    this.#manner = manner
    this.#firstId = firstId
    this.#clock = clock
    this.#tally = tally
    this.#heads = heads
    this.arrivals = manner.noteArrivals ? new Arrivals() : null
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
    const wanted = this.#manner.target.protocol === 'ws' ? 101 : 200
    if (stream !== null) {
      if (head.status !== wanted) this.#heads.onNoStream(stream, `status_${head.status}`)
      // An answer whose length is known is a page, not a stream: most likely a wrong URL.
      else if (wanted === 200 && head.transfer === 'length') {
        this.#heads.onNoStream(stream, 'not_a_stream')
      } else this.#heads.onStream(stream)
    }
    return wanted === 101 ? 'websocket' : (this.#manner.framing ?? framingOf(head))
  }

  /** Hot path: once a message. */
  onMessage(bytes: Uint8Array, start: number, end: number): void {
    const stream = this.#stream
    if (stream === null || stream.state !== 'open') return
    const { counters, latency } = this.#tally
    counters.chunks++
    counters.bytes += end - start
    const stamp = this.#stamp
    // Its end is where a message that nobody put anything around has it.
    if (!readStamp(bytes, start, end, stamp) && !findStamp(bytes, start, end, stamp)) return
    counters.messages++
    latency.record(this.#atMicros - stamp.dueMicros)
    const { generator, sequence } = stamp
    const verdict = this.#ledger.note(stream.index, generator, sequence, this.#atMicros / 1000)
    this.arrivals?.note(generator, sequence)
    if (verdict === 'new') return
    if (verdict === 'untracked') counters.untracked++
    else {
      const wrong = verdict === 'duplicate' ? 'duplicated' : 'reordered'
      this.#tally.wrong({ wrong, id: this.#firstId + stream.index, generator, sequence })
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

/** What a message is, as far as the response says. */
function framingOf({ mediaType, transfer }: ResponseHead): Framing | 'text' {
  if (mediaType === 'text/event-stream') return 'sse'
  if (LINE_TYPES.has(mediaType)) return 'line'
  return transfer === 'chunked' ? 'chunk' : 'text'
}
