// Reads a scanned Erlang term piece by piece and decodes only what is asked for. It trusts every
// length.

import { latin1Of } from '../core/bytes.ts'
import { int32At, TAG, type TermScanner, uint16At, uint32At } from './term-scanner.ts'

/** The kinds of term that comet tells apart. */
export type TermKind = 'integer' | 'atom' | 'tuple' | 'nil' | 'string' | 'list' | 'binary' | 'other'

/** The kind by tag, an array so that a look-up is one step. */
const KIND_OF: TermKind[] = Array.from({ length: 256 }, () => 'other')
KIND_OF[TAG.smallInteger] = 'integer'
KIND_OF[TAG.integer] = 'integer'
KIND_OF[TAG.smallBig] = 'integer'
KIND_OF[TAG.largeBig] = 'integer'
KIND_OF[TAG.atom] = 'atom'
KIND_OF[TAG.smallAtom] = 'atom'
KIND_OF[TAG.atomUtf8] = 'atom'
KIND_OF[TAG.smallAtomUtf8] = 'atom'
KIND_OF[TAG.smallTuple] = 'tuple'
KIND_OF[TAG.largeTuple] = 'tuple'
KIND_OF[TAG.nil] = 'nil'
KIND_OF[TAG.string] = 'string'
KIND_OF[TAG.list] = 'list'
KIND_OF[TAG.binary] = 'binary'

export class TermReader {
  /** Offset of the next term. */
  at: number
  readonly bytes: Uint8Array
  readonly #scanner: TermScanner

  constructor(scanner: TermScanner, bytes: Uint8Array, at: number) {
    this.#scanner = scanner
    this.bytes = bytes
    this.at = at
  }

  get tag(): number {
    return this.bytes[this.at] as number
  }

  get kind(): TermKind {
    return KIND_OF[this.tag] as TermKind
  }

  /** Steps into a tuple and returns its arity; returns -1 and stays if the term is not a tuple. */
  tuple(): number {
    const { tag, at } = this
    if (tag === TAG.smallTuple) {
      this.at += 2
      return this.bytes[at + 1] as number
    }
    return tag === TAG.largeTuple ? this.#longLength() : -1
  }

  /** Steps into a list and returns the number of elements before the tail; -1 if it is not a
   * list. */
  list(): number {
    return this.tag === TAG.list ? this.#longLength() : -1
  }

  #longLength(): number {
    this.at += 5
    return uint32At(this.bytes, this.at - 4)
  }

  /** Skips a term and returns its value; NaN unless it is an integer that a number holds
   * exactly. */
  integer(): number {
    const { tag, at } = this
    this.skipTerm()
    if (tag === TAG.smallInteger) return this.bytes[at + 1] as number
    if (tag === TAG.integer) return int32At(this.bytes, at + 1)
    if (tag !== TAG.smallBig && tag !== TAG.largeBig) return Number.NaN
    let value = 0
    // After size and sign, least significant byte first.
    const lowest = at + (tag === TAG.smallBig ? 3 : 6)
    for (let byte = this.at - 1; byte >= lowest; byte--) {
      value = value * 256 + (this.bytes[byte] as number)
      if (!Number.isSafeInteger(value)) return Number.NaN
    }
    return this.bytes[lowest - 1] === 0 ? value : -value
  }

  /** Skips the atom if it has this ASCII name. Compares bytes, without making a string. */
  isAtom(name: string): boolean {
    const bytes = this.#name()
    if (bytes === null || bytes.length !== name.length) return false
    for (let at = 0; at < name.length; at++) {
      if (bytes[at] !== name.charCodeAt(at)) return false
    }
    this.skipTerm()
    return true
  }

  #name(): Uint8Array | null {
    if (this.kind !== 'atom') return null
    const isShort = this.tag === TAG.smallAtom || this.tag === TAG.smallAtomUtf8
    const begin = this.at + (isShort ? 2 : 3)
    const length = isShort ? (this.bytes[begin - 1] as number) : uint16At(this.bytes, begin - 2)
    return this.bytes.subarray(begin, begin + length)
  }

  /** Skips an atom or a binary of at most so many bytes, and returns them as Latin-1; null and
   * stays otherwise. */
  latin1(bytesMax: number): string | null {
    const found = this.tag === TAG.binary ? this.#binary() : this.#name()
    if (found === null || found.length > bytesMax) return null
    this.skipTerm()
    return latin1Of(found, 0, found.length)
  }

  #binary(): Uint8Array {
    const begin = this.at + 5
    return this.bytes.subarray(begin, begin + uint32At(this.bytes, begin - 4))
  }

  /** Skips a binary or a string of bytes and returns its bytes, not copied; null and stays
   * otherwise. */
  byteString(): Uint8Array | null {
    const { tag, at } = this
    if (tag !== TAG.binary && tag !== TAG.string) return null
    this.skipTerm()
    return this.bytes.subarray(at + (tag === TAG.binary ? 5 : 3), this.at)
  }

  /** Skips a term and returns its encoding, not copied. */
  raw(): Uint8Array {
    const { at } = this
    this.skipTerm()
    return this.bytes.subarray(at, this.at)
  }

  /** Skips a term with everything inside it. */
  skipTerm(): void {
    this.at = this.#scanner.scan(this.bytes, this.at, this.bytes.length)
    if (this.at < 0) throw new Error(`a scanned term is invalid: ${this.#scanner.failure}`)
  }
}
