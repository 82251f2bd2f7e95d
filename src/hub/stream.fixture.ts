// A stream that remembers what it got, in place of one that has a connection, so that tests of
// everything above it have the real store and router.

import { FakeClock } from '../core/time.fixture.ts'
import type { Frame } from './frame.ts'
import type { CloseReason } from './refusals.ts'
import { settingsOf } from './settings.fixture.ts'
import { StreamStore, type StreamStoreOptions } from './store.ts'
import { Stream, type WriteResult } from './stream.ts'

export class RecordingStream extends Stream {
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
  const settings = settingsOf({ outboxBytes: 100 })
  return new StreamStore({ settings, clock: new FakeClock(), ...options })
}

/** A frame of so many bytes. */
export function frameOf(bytes: number): Frame {
  return { bytes: new Uint8Array(bytes).fill(0x78) }
}
