// Cuts what another node sends into packets: each has four bytes of length before it, and one without
// bytes is a tick. What a packet says it does not know.

import { ByteBuffer } from '../core/bytes.ts'
import { erlangLimits } from '../core/limits.ts'
import { uint32At } from './numbers.ts'

const LENGTH_BYTES = 4

export class Packets {
  /** Where the packet that {@link next} found lies: in `bytes`, from `at` to `end`. */
  bytes: Uint8Array
  at = 0
  end = 0
  /** Why no packet can be found any more; null as long as one may. */
  failure: string | null = null

  /** What has come and was not passed, when it is not all in one part. */
  readonly #held = new ByteBuffer()

  /** @param bytes that came already */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Takes what came; a packet that was found is gone then. */
  push(part: Uint8Array): void {
    if (this.end === this.bytes.length) {
      if (this.#held.length > 0) this.#held.clear()
      this.#lookAt(part)
      return
    }
    this.#holdRest()
    this.#held.append(part)
    this.#lookAt(this.#held.view())
  }

  /** Finds the next packet that is there whole; ticks are passed over. Hot path: once a message. */
  next(): boolean {
    for (;;) {
      const begin = this.end
      const came = this.bytes.length - begin
      if (came < LENGTH_BYTES) return false
      const length = uint32At(this.bytes, begin)
      if (length > erlangLimits.packetBytesMax) {
        this.failure = `a message has ${length} bytes, and ${erlangLimits.packetBytesMax} are the most`
        return false
      }
      if (came < LENGTH_BYTES + length) return false
      this.at = begin + LENGTH_BYTES
      this.end = this.at + length
      if (length > 0) return true
    }
  }

  /** Keeps what was not passed, as the beginning of what is to come. */
  #holdRest(): void {
    // It is what is held already: a long packet that comes in many parts is copied a few times only.
    if (this.#held.length > 0 && this.end === 0) return
    const rest = this.bytes.slice(this.end)
    this.#held.clear()
    this.#held.append(rest)
  }

  #lookAt(bytes: Uint8Array): void {
    this.bytes = bytes
    this.at = 0
    this.end = 0
  }
}
