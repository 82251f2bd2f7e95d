// A sink that remembers what it got, for tests of everything above the store: it stands where a
// transport would, so that router and store are the real ones.

import { FakeClock } from '../core/time.fixture.ts'
import type { Frame } from './frame.ts'
import type { CloseReason, WriteResult } from './sink.ts'
import { StreamStore, type StreamStoreOptions } from './store.ts'
import { Stream } from './stream.ts'

export class RecordingSink extends Stream {
  readonly frames: Frame[] = []
  welcomes = 0
  readonly closedWith: CloseReason[] = []
  /** What the next writes answer. */
  answer: WriteResult
  /** Runs within each write, as another connection's end might. */
  onWrite: () => void = () => undefined

  constructor(answer: WriteResult = 'sent') {
    super()
    this.answer = answer
  }

  welcome(): void {
    this.welcomes++
  }

  write(frame: Frame): WriteResult {
    if (this.answer !== 'gone') this.frames.push(frame)
    this.onWrite()
    return this.answer
  }

  close(reason: CloseReason): void {
    this.closedWith.push(reason)
  }

  /** The bodies it got, as text. */
  get texts(): string[] {
    return this.frames.map(({ bytes }) => new TextDecoder().decode(bytes))
  }
}

/** A store with bounds fit for tests, on a clock that stands still unless told otherwise. */
export function storeFor(options: Partial<StreamStoreOptions> = {}): StreamStore {
  return new StreamStore({ outboxBytes: 100, clock: new FakeClock(), ...options })
}

/** A frame of so many bytes. */
export function frameOf(bytes: number): Frame {
  return { bytes: new Uint8Array(bytes).fill(0x78) }
}
