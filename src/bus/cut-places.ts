// Up to which id the stream in Redis may be trimmed to keep about a given number of bytes. Redis
// can limit entries only; every node reads all of them, so each one can count their bytes.

import type { Cursor } from '../core/cursor.ts'
import { Queue } from '../core/queue.ts'
import { idText } from './stream-entry.ts'

interface Place {
  readonly id: string
  /** Bytes before it. */
  readonly bytes: number
}

export class CutPlaces {
  readonly #keptBytes: number
  readonly #everyBytes: number
  #places = new Queue<Place>()
  #bytes = 0
  #lastBytes = Number.NEGATIVE_INFINITY

  constructor(keptBytes: number, everyBytes: number) {
    this.#keptBytes = keptBytes
    this.#everyBytes = Math.max(1, Math.min(everyBytes, keptBytes / 8))
  }

  /** Entries before this id may be removed. */
  get minId(): string {
    return this.#places.at(0)?.id ?? '0-0'
  }

  /** An entry was read. Hot path: once a batch. */
  add(at: Cursor, byteCount: number): void {
    if (this.#bytes - this.#lastBytes >= this.#everyBytes) {
      this.#places.push({ id: idText(at), bytes: this.#bytes })
      this.#lastBytes = this.#bytes
    }
    this.#bytes += byteCount
    const surplus = this.#bytes - this.#keptBytes
    for (let next = this.#places.at(1); next !== undefined; next = this.#places.at(1)) {
      if (next.bytes > surplus) return
      this.#places.shift()
    }
  }
}
