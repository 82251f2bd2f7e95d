// Where each stream is in the log, as it was told last: numbers by index in typed arrays, thirteen
// bytes a stream. Only formats that have cursors take them.

import { CURSOR_LENGTH, writeCursor } from '../core/cursor.ts'
import type { Place } from './envelope.ts'

/** What a connection has done so far, as bits; those above are an index of `END_REASONS`. */
export const DONE = {
  /** It asked to go on behind a cursor. */
  resuming: 1,
  /** It was told a gap. */
  gapped: 2,
  /** It was told where it is, so that messages may follow. */
  placed: 4,
} as const

const END_SHIFT = 3
const BELOW = 2 ** 32

export class Positions {
  /** What a server told last to be said again with each poll, so that proxies may collapse them. */
  pollCursor = ''
  /** 48 bits each, of which these are the lower 32. */
  readonly #epochs: Uint32Array
  readonly #numbers: Uint32Array
  readonly #upper: Uint16Array
  readonly #done: Uint8Array
  readonly #resumes: boolean

  /** @param resumes do streams that come back go on where they were? */
  constructor(count: number, resumes: boolean) {
    this.#epochs = new Uint32Array(count)
    this.#numbers = new Uint32Array(count)
    this.#upper = new Uint16Array(2 * count)
    this.#done = new Uint8Array(count)
    this.#resumes = resumes
  }

  /** A new connection of a stream. */
  begin(index: number): void {
    const hasPlace = this.#resumes && this.epochOf(index) !== 0
    this.#done[index] = hasPlace ? DONE.resuming : 0
  }

  has(index: number, done: number): boolean {
    return ((this.#done[index] as number) & done) !== 0
  }

  add(index: number, done: number): void {
    this.#done[index] = (this.#done[index] as number) | done
  }

  /** The index of the reason for which the stream was told to end; 0 before. */
  endOf(index: number): number {
    return (this.#done[index] as number) >> END_SHIFT
  }

  setEnd(index: number, reason: number): void {
    this.add(index, reason << END_SHIFT)
  }

  /** Hot path: once a message. */
  epochOf(index: number): number {
    return (this.#upper[2 * index] as number) * BELOW + (this.#epochs[index] as number)
  }

  /** Hot path: once a message. */
  numberOf(index: number): number {
    return (this.#upper[2 * index + 1] as number) * BELOW + (this.#numbers[index] as number)
  }

  /** Hot path: once a message. */
  set(index: number, { epoch, number }: Place): void {
    this.#epochs[index] = epoch
    this.#numbers[index] = number
    this.#upper[2 * index] = epoch / BELOW
    this.#upper[2 * index + 1] = number / BELOW
  }

  is(index: number, { epoch, number }: Place): boolean {
    return this.epochOf(index) === epoch && this.numberOf(index) === number
  }

  /** Writes a stream's cursor. Answers where its text ends. */
  write(index: number, into: Uint8Array, at: number): number {
    writeCursor(into, at, { epoch: this.epochOf(index), number: this.numberOf(index) })
    return at + CURSOR_LENGTH
  }
}
