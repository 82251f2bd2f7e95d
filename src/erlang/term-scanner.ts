// Checks that bytes are one whole Erlang term within its bounds, before anybody reads it: after that,
// no length in it lies, nothing is cut off, and nothing is deeper than a stack may be. It knows no
// meaning of terms, and keeps nothing of them but a mark of each atom.

import { isUtf8 } from 'node:buffer'
import { erlangLimits } from '../core/limits.ts'
import { uint16At, uint32At } from './numbers.ts'
import { TAG } from './tags.ts'

/** Bytes behind the tag of terms that always have as many. */
const FIXED_BYTES = tableOf([
  [TAG.smallInteger, 1],
  [TAG.integer, 4],
  [TAG.newFloat, 8],
  [TAG.float, 31],
  [TAG.nil, 0],
])

/** Bytes behind the node's name in what stands for a process or a port. */
const IDENTIFIER_BYTES = tableOf([
  [TAG.newPid, 12],
  [TAG.pid, 9],
  [TAG.v4Port, 12],
  [TAG.newPort, 8],
  [TAG.port, 5],
  [TAG.reference, 5],
])

/** Bytes of the length before an atom's name. */
const ATOM_LENGTH_BYTES = tableOf([
  [TAG.smallAtomUtf8, 1],
  [TAG.atomUtf8, 2],
  [TAG.smallAtom, 1],
  [TAG.atom, 2],
])

/** A table by tag; -1 for the tags that it has not. */
function tableOf(rows: readonly (readonly [tag: number, bytes: number])[]): Int8Array {
  const table = new Int8Array(256).fill(-1)
  for (const [tag, bytes] of rows) table[tag] = bytes
  return table
}

/** Terms that remain in each of the terms around the one that is looked at. */
const remaining = new Int32Array(erlangLimits.termDepthMax)

const NOTHING = new Uint8Array(0)

const CUT_OFF = 'a term is cut off, or a length in it is not true'

/** Checks the terms of one connection. */
export class Scanner {
  /** Why the bytes are no term within the bounds; null if the last ones were. */
  failure: string | null = null
  /** Marks of the atoms that came. */
  readonly #atoms = new Set<number>()
  #bytes: Uint8Array = NOTHING
  #at = 0
  #end = 0

  /**
   * Passes over one term, without its version byte. Hot path: twice a message.
   *
   * @returns where it ends, or -1 if it is none; then {@link failure} says why
   */
  scan(bytes: Uint8Array, at: number, end: number): number {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
    this.failure = null
    let depth = 0
    // Each turn takes at least a byte, so there are no more turns than bytes, whatever lengths say.
    for (;;) {
      const inside = this.#next()
      if (inside < 0) return -1
      if (inside > 0) {
        if (depth === erlangLimits.termDepthMax) {
          return this.#fail(`a term is more than ${erlangLimits.termDepthMax} deep`)
        }
        remaining[depth++] = inside
        continue
      }
      while (depth > 0) {
        const left = (remaining[depth - 1] as number) - 1
        remaining[depth - 1] = left
        if (left > 0) break
        depth--
      }
      if (depth === 0) return this.#at
    }
  }

  /** Passes over a tag and what is its own; answers how many terms follow inside it, or -1. */
  #next(): number {
    if (this.#at >= this.#end) return this.#fail(CUT_OFF)
    const tag = this.#bytes[this.#at++] as number
    const fixed = FIXED_BYTES[tag] as number
    if (fixed >= 0) return this.#pass(fixed)
    if ((ATOM_LENGTH_BYTES[tag] as number) >= 0) return this.#atomBehind(tag)
    const identifier = IDENTIFIER_BYTES[tag] as number
    if (identifier >= 0) return this.#atom() < 0 ? -1 : this.#pass(identifier)
    switch (tag) {
      case TAG.smallTuple:
        return this.#holds(this.#length(1), 0)
      case TAG.largeTuple:
        return this.#holds(this.#length(4), 0)
      case TAG.list:
        // The last one is the tail.
        return this.#holds(this.#length(4), 1)
      case TAG.map:
        return this.#holds(this.#length(4) * 2, 0)
      case TAG.binary:
        return this.#pass(this.#length(4))
      case TAG.string:
        return this.#pass(this.#length(2))
      case TAG.smallBig:
        return this.#pass(this.#length(1) + 1)
      case TAG.largeBig:
        return this.#pass(this.#length(4) + 1)
      default:
        return this.#seldom(tag)
    }
  }

  /** What a message to comet has at most inside the caller's mark. */
  #seldom(tag: number): number {
    switch (tag) {
      case TAG.bitBinary:
        return this.#pass(this.#length(4) + 1)
      case TAG.newerReference:
        return this.#reference(4)
      case TAG.newReference:
        return this.#reference(1)
      case TAG.newFun:
        // The size counts itself; what the fun holds is nobody's to read here.
        return this.#fun(this.#length(4) - 4)
      case TAG.export:
        return this.#atom() < 0 || this.#atom() < 0 ? -1 : 1
      default:
        return this.#fail(`a term has the tag ${tag}, which was not offered`)
    }
  }

  #fun(bytes: number): number {
    return bytes < 0 ? this.#fail(CUT_OFF) : this.#pass(bytes)
  }

  #reference(creationBytes: number): number {
    const words = this.#length(2)
    return this.#atom() < 0 ? -1 : this.#pass(creationBytes + 4 * words)
  }

  /** Whatever a length says that is cut off itself, too much follows then. */
  #length(bytes: 1 | 2 | 4): number {
    const at = this.#at
    this.#at += bytes
    if (this.#at > this.#end) return Number.POSITIVE_INFINITY
    if (bytes === 1) return this.#bytes[at] as number
    return bytes === 2 ? uint16At(this.#bytes, at) : uint32At(this.#bytes, at)
  }

  #holds(terms: number, tail: 0 | 1): number {
    // Each term takes a byte at least.
    return terms + tail > this.#end - this.#at ? this.#fail(CUT_OFF) : terms + tail
  }

  #pass(bytes: number): number {
    if (bytes > this.#end - this.#at) return this.#fail(CUT_OFF)
    this.#at += bytes
    return 0
  }

  #atom(): number {
    if (this.#at >= this.#end) return this.#fail(CUT_OFF)
    const tag = this.#bytes[this.#at++] as number
    if ((ATOM_LENGTH_BYTES[tag] as number) >= 0) return this.#atomBehind(tag)
    return this.#fail(`an identifier has the tag ${tag} where its node is named`)
  }

  #atomBehind(tag: number): number {
    const length = this.#length(ATOM_LENGTH_BYTES[tag] as 1 | 2)
    const begin = this.#at
    if (this.#pass(length) < 0) return -1
    if (length > erlangLimits.atomBytesMax)
      return this.#fail('an atom is longer than 255 characters')
    // FNV-1a (Fowler, Noll, Vo): names differ in a few letters, and may be millions.
    let mark = 0x811c9dc5
    let isAscii = true
    for (let at = begin; at < this.#at; at++) {
      const byte = this.#bytes[at] as number
      if (byte > 127) isAscii = false
      mark = Math.imul(mark ^ byte, 0x01000193)
    }
    const isLatin = tag === TAG.atom || tag === TAG.smallAtom
    if (!isAscii && !isLatin && !isUtf8(this.#bytes.subarray(begin, this.#at))) {
      return this.#fail('an atom is not UTF-8')
    }
    if (this.#atoms.has(mark)) return 0
    if (this.#atoms.size === erlangLimits.atomsMax) {
      return this.#fail(`more than ${erlangLimits.atomsMax} different atoms came`)
    }
    this.#atoms.add(mark)
    return 0
  }

  #fail(why: string): -1 {
    this.failure = why
    return -1
  }
}
