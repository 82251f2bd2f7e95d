// Which messages of each generator came on any stream, a bit for each: when fewer came than were
// promised, it names some that came nowhere. Kept only for a run that is compared.

import { floodLimits } from '../core/tool-limits.ts'

/** A generator's number, and the bits of its messages; the first bit is of sequence number 0. */
export type GeneratorArrivals = readonly [generator: number, bits: Uint8Array]

/** One message, by who sent it. */
export interface SentMessage {
  readonly generator: number
  readonly sequence: number
}

/** Bytes that a generator's bits begin with. */
const BYTES_AT_FIRST = 64

export class Arrivals {
  readonly #bits = new Map<number, Uint8Array>()
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number = floodLimits.arrivalsBytesMax) {
    this.#bytesMax = bytesMax
  }

  /** Hot path of a run that is compared: once a message. What has no room is not noted. */
  note(generator: number, sequence: number): void {
    const place = Math.floor(sequence / 8)
    const known = this.#bits.get(generator)
    const hasRoom = known !== undefined && place < known.length
    const bits = hasRoom ? known : this.#grow(generator, known, place)
    if (bits === null) return
    bits[place] = (bits[place] as number) | (1 << (sequence & 7))
  }

  /** Adds what another process noted. */
  add([generator, more]: GeneratorArrivals): void {
    const bits = this.#bits.get(generator)
    const room =
      bits !== undefined && bits.length >= more.length
        ? bits
        : this.#grow(generator, bits, more.length - 1)
    if (room === null) return
    for (let place = 0; place < more.length; place++) {
      room[place] = (room[place] as number) | (more[place] as number)
    }
  }

  all(): GeneratorArrivals[] {
    return [...this.#bits]
  }

  /**
   * The first messages that came nowhere though a later one of the same generator did.
   *
   * @param most how many to find
   */
  missing(most: number): SentMessage[] {
    const found: SentMessage[] = []
    for (const [generator, bits] of this.#bits) {
      const last = lastSequence(bits)
      // Generators count from 1.
      for (let sequence = 1; sequence < last && found.length < most; sequence++) {
        if (!has(bits, sequence)) found.push({ generator, sequence })
      }
    }
    return found
  }

  #grow(generator: number, bits: Uint8Array | undefined, place: number): Uint8Array | null {
    const length = Math.max(BYTES_AT_FIRST, 2 ** Math.ceil(Math.log2(place + 1)))
    const before = bits?.length ?? 0
    if (this.#bytes + length - before > this.#bytesMax) return null
    const larger = new Uint8Array(length)
    if (bits !== undefined) larger.set(bits)
    this.#bits.set(generator, larger)
    this.#bytes += length - before
    return larger
  }
}

function has(bits: Uint8Array, sequence: number): boolean {
  return ((bits[sequence >> 3] ?? 0) & (1 << (sequence & 7))) !== 0
}

function lastSequence(bits: Uint8Array): number {
  const place = bits.findLastIndex((byte) => byte !== 0)
  return place < 0 ? 0 : place * 8 + 31 - Math.clz32(bits[place] as number)
}
