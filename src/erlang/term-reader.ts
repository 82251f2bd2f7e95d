// Reads an Erlang term piece by piece, and makes nothing of it that is not asked for. Only for terms
// that the scanner has passed over: it trusts every length.

import { int32At, uint16At, uint32At } from './numbers.ts'
import { TAG } from './tags.ts'
import type { Scanner } from './term-scanner.ts'

/** What comes next, as far as anybody here tells terms apart. */
export type Kind = 'integer' | 'atom' | 'tuple' | 'nil' | 'string' | 'list' | 'binary' | 'other'

const KINDS: ReadonlyMap<number, Kind> = new Map<number, Kind>([
  [TAG.smallInteger, 'integer'],
  [TAG.integer, 'integer'],
  [TAG.smallBig, 'integer'],
  [TAG.largeBig, 'integer'],
  [TAG.atom, 'atom'],
  [TAG.smallAtom, 'atom'],
  [TAG.atomUtf8, 'atom'],
  [TAG.smallAtomUtf8, 'atom'],
  [TAG.smallTuple, 'tuple'],
  [TAG.largeTuple, 'tuple'],
  [TAG.nil, 'nil'],
  [TAG.string, 'string'],
  [TAG.list, 'list'],
  [TAG.binary, 'binary'],
])

/** The same by tag, so that a look is one step. */
const KIND_OF: readonly Kind[] = Array.from({ length: 256 }, (_, tag) => KINDS.get(tag) ?? 'other')

/** A byte order mark is a character of a name like the others. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

export class TermReader {
  /** Where the next term begins. */
  at: number
  readonly bytes: Uint8Array
  readonly #scanner: Scanner

  constructor(scanner: Scanner, bytes: Uint8Array, at: number) {
    this.#scanner = scanner
    this.bytes = bytes
    this.at = at
  }

  get tag(): number {
    return this.bytes[this.at] as number
  }

  get kind(): Kind {
    return KIND_OF[this.tag] as Kind
  }

  /** Steps into a tuple, and answers how many terms follow; -1, and stays, if none comes. */
  tuple(): number {
    const { tag, at } = this
    if (tag === TAG.smallTuple) {
      this.at += 2
      return this.bytes[at + 1] as number
    }
    return tag === TAG.largeTuple ? this.#long() : -1
  }

  /** Steps into a list, and answers how many terms follow besides the tail; -1 if none comes. */
  list(): number {
    return this.tag === TAG.list ? this.#long() : -1
  }

  #long(): number {
    this.at += 5
    return uint32At(this.bytes, this.at - 4)
  }

  /** Passes a term; answers NaN for an integer that a number cannot hold, and for what is none. */
  integer(): number {
    const { tag, at } = this
    this.pass()
    if (tag === TAG.smallInteger) return this.bytes[at + 1] as number
    if (tag === TAG.integer) return int32At(this.bytes, at + 1)
    if (tag !== TAG.smallBig && tag !== TAG.largeBig) return Number.NaN
    let value = 0
    // Behind count and sign, the lowest byte first.
    const lowest = at + (tag === TAG.smallBig ? 3 : 6)
    for (let byte = this.at - 1; byte >= lowest; byte--) {
      value = value * 256 + (this.bytes[byte] as number)
      if (!Number.isSafeInteger(value)) return Number.NaN
    }
    return this.bytes[lowest - 1] === 0 ? value : -value
  }

  /** Passes an atom and answers its name; null, and stays, if none comes. */
  atom(): string | null {
    const name = this.#name()
    if (name === null) return null
    const isLatin = this.tag === TAG.smallAtom || this.tag === TAG.atom
    this.pass()
    // What a TextDecoder calls Latin-1 is the code page 1252 of Windows.
    return isLatin ? Buffer.from(name).toString('latin1') : utf8.decode(name)
  }

  /** Passes the atom of this name, which is ASCII, and says whether it came. Makes no text of it. */
  isAtom(name: string): boolean {
    const bytes = this.#name()
    if (bytes === null || bytes.length !== name.length) return false
    for (let at = 0; at < name.length; at++) {
      if (bytes[at] !== name.charCodeAt(at)) return false
    }
    this.pass()
    return true
  }

  #name(): Uint8Array | null {
    if (this.kind !== 'atom') return null
    const isShort = this.tag === TAG.smallAtom || this.tag === TAG.smallAtomUtf8
    const begin = this.at + (isShort ? 2 : 3)
    const length = isShort ? (this.bytes[begin - 1] as number) : uint16At(this.bytes, begin - 2)
    return this.bytes.subarray(begin, begin + length)
  }

  /** Passes a binary, or a string of bytes, and answers its bytes, no copy; null if none comes. */
  chunk(): Uint8Array | null {
    const { tag, at } = this
    if (tag !== TAG.binary && tag !== TAG.string) return null
    this.pass()
    return this.bytes.subarray(at + (tag === TAG.binary ? 5 : 3), this.at)
  }

  /** Passes a term, and answers all of its bytes, no copy. */
  raw(): Uint8Array {
    const { at } = this
    this.pass()
    return this.bytes.subarray(at, this.at)
  }

  /** Passes a term, with all that it holds. */
  pass(): void {
    this.at = this.#scanner.scan(this.bytes, this.at, this.bytes.length)
    if (this.at < 0) throw new Error(`a term that was checked is none: ${this.#scanner.failure}`)
  }
}
