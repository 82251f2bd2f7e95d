// Streams that remember what they got, in place of those that have a connection, so that tests of
// everything above them have the real store and router.

import { FakeClock } from '../core/time.fixture.ts'
import { type Frame, newFrame } from './frame.ts'
import { CLOSES, zeroCounts } from './refusals.ts'
import { settingsOf } from './settings.fixture.ts'
import { StreamStore, type StreamStoreOptions } from './store.ts'
import {
  type StreamInput,
  type StreamKind,
  type StreamTerms,
  UNLIMITED,
  type Wire,
} from './stream.ts'

/** No stream has ended. */
export const NONE_CLOSED = zeroCounts(CLOSES)

/** What a connection does with bytes: takes them all, or none until it drains; or it has gone. */
export type WriteAnswer = 'takes' | 'full' | 'gone'

/** What its stream begins with; those here have nothing behind the messages. */
const OPENING = new Uint8Array([0x3e])

/** A stream, and the end of its connection. */
export class RecordingStream {
  readonly slot: number
  readonly store: StreamStore
  readonly user: number
  /** Each write that was taken, without the opening. */
  readonly writes: Uint8Array[] = []
  openings = 0
  /** Of the write of what the stream begins with. */
  openingAnswer: Extract<WriteAnswer, 'takes' | 'full'> = 'takes'
  ending: 'open' | 'halfClosed' | 'proper' | 'cut' = 'open'
  /** Bytes that the socket has room for. */
  room = Number.POSITIVE_INFINITY
  /** What the next writes answer. */
  answer: WriteAnswer = 'takes'

  constructor(store: StreamStore, slot: number, user: number) {
    this.store = store
    this.slot = slot
    this.user = user
  }

  write(bytes: Uint8Array): number {
    if (this.openings === 0) {
      if (this.openingAnswer === 'full') return 0
      this.openings++
      if (bytes.length === OPENING.length) return bytes.length
    }
    if (this.answer === 'gone') return -1
    if (this.answer === 'full') return 0
    const taken = Math.min(this.room, bytes.length)
    this.room -= taken
    if (taken > 0) this.writes.push(bytes.subarray(0, taken))
    return taken
  }

  /** The connection has room again. */
  drain(): void {
    this.answer = 'takes'
    this.store.onDrain(this.slot)
  }

  /** The client leaves. */
  leave(): void {
    this.store.onClose(this.slot)
  }

  /** What it got, as the text of each write; one has all messages of a turn. */
  get texts(): string[] {
    return this.writes.map((bytes) => new TextDecoder().decode(bytes))
  }

  /** All that it got, as text. */
  get text(): string {
    return new TextDecoder().decode(Buffer.concat(this.writes))
  }
}

/** The connections of one store; closed as the store says, in the same moment. */
class RecordingWire implements Wire {
  readonly streams = new Map<number, RecordingStream>()

  #of(slot: number): RecordingStream {
    const stream = this.streams.get(slot)
    if (stream === undefined) throw new Error(`slot ${slot} has no connection`)
    return stream
  }

  write(slot: number, bytes: Uint8Array, length: number): number {
    return this.#of(slot).write(bytes.slice(0, length))
  }

  end(slot: number): void {
    this.#close(slot, 'proper')
  }

  halfClose(slot: number): void {
    this.#of(slot).ending = 'halfClosed'
  }

  cut(slot: number): void {
    this.#close(slot, 'cut')
  }

  #close(slot: number, ending: 'proper' | 'cut'): void {
    const stream = this.#of(slot)
    stream.ending = ending
    stream.store.onClose(slot)
  }

  descriptorOf(slot: number): number {
    return slot
  }

  onEnding(): void {
    // The test drains it.
  }
}

/** What a stream is told of a gap. */
const GAP = Buffer.from('gap')

const wires = new WeakMap<
  StreamStore,
  { readonly wire: RecordingWire; readonly kind: StreamKind }
>()

function wireOf(store: StreamStore) {
  let held = wires.get(store)
  if (held === undefined) {
    const wire = new RecordingWire()
    const ending = () => new Uint8Array(0)
    const opening = () => OPENING
    const encode = ({ bytes, gapAfter }: Frame) => (gapAfter === null ? bytes : GAP)
    const heartbeat = new Uint8Array(0)
    const hasCursor = true
    const terms = { wire, input: null, hasCursor, tellsGaps: true }
    held = { wire, kind: { ...terms, opening, encode, heartbeat, ending } }
    wires.set(store, held)
  }
  return held
}

/** How a stream of a test is connected. */
export interface TestTerms extends StreamTerms {
  /** Reads what its client sends. */
  readonly input: StreamInput | null
  readonly hasCursor: boolean
  readonly tellsGaps: boolean
}

/** A stream that has its connection, and is not registered. */
export function connectStream(
  store: StreamStore,
  user: number,
  { input = null, hasCursor = true, tellsGaps = true, ...terms }: Partial<TestTerms> = {},
): RecordingStream {
  const { wire, kind } = wireOf(store)
  const slot = store.reserve(user, { ...UNLIMITED, ...terms })
  const stream = new RecordingStream(store, slot, user)
  wire.streams.set(slot, stream)
  const isPlain = input === null && hasCursor && tellsGaps
  store.connect(slot, isPlain ? kind : { ...kind, input, hasCursor, tellsGaps })
  return stream
}

/** An open stream. */
export function openStream(
  store: StreamStore,
  user: number,
  answer: WriteAnswer = 'takes',
  terms: Partial<TestTerms> = {},
): RecordingStream {
  const stream = connectStream(store, user, terms)
  store.register(stream.slot)
  stream.answer = answer
  return stream
}

/** Sends a frame to all streams of a user at once; answers how many took it. */
export function deliverNow(store: StreamStore, user: number, frame: Frame): number {
  const taken: number[] = []
  store.begin(frame, { settle: (delivered) => taken.push(delivered), late: () => undefined })
  store.deliver(user)
  store.flush()
  return taken.reduce((sum, count) => sum + count, 0)
}

/** A store with bounds fit for tests, on a clock that stands still unless told otherwise. */
export function storeFor(options: Partial<StreamStoreOptions> = {}): StreamStore {
  const settings = settingsOf({ outboxBytes: 100 })
  return new StreamStore({ settings, clock: new FakeClock(), ...options })
}

/** A frame of so many bytes. */
export function frameOf(bytes: number): Frame {
  return textFrame('x'.repeat(bytes))
}

/** A frame of this text, to one user. */
export function textFrame(text: string, user = 7): Frame {
  return newFrame(new TextEncoder().encode(text), false, user)
}
