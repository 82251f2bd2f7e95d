// The external term format of Erlang (ERTS User's Guide, "External Term Format"): its tags, and the
// scanner that checks bytes before they are read. In a term that it has passed, every length is
// true, nothing is truncated and nothing is nested too deep.
//
// By code of our own, since no library was good enough. `erlang_js` 2.0.7, the maintained one,
// accepts a list with a wrong length as a shorter one, loses the last digits of 64-bit integers,
// inflates compressed terms without a limit, has no limit of depth, and does not return where a
// term ends, of which each packet has two; `erlpack` is a native add-on, which one executable
// cannot have.

import { isUtf8 } from 'node:buffer'
import { erlangLimits } from '../core/limits.ts'

/** The first byte of every term that stands alone. */
export const TERM_VERSION = 131

export const TAG = {
  newFloat: 70,
  bitBinary: 77,
  newPid: 88,
  newPort: 89,
  newerReference: 90,
  smallInteger: 97,
  integer: 98,
  float: 99,
  atom: 100,
  reference: 101,
  port: 102,
  pid: 103,
  smallTuple: 104,
  largeTuple: 105,
  nil: 106,
  string: 107,
  list: 108,
  binary: 109,
  smallBig: 110,
  largeBig: 111,
  newFun: 112,
  export: 113,
  newReference: 114,
  smallAtom: 115,
  map: 116,
  atomUtf8: 118,
  smallAtomUtf8: 119,
  v4Port: 120,
} as const

// Big-endian numbers. Not by a DataView: making one for each part that arrives costs more than
// reading it.

/** Hot path: several times per message. */
export function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

/** Hot path: several times per message. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return int32At(bytes, at) >>> 0
}

export function int32At(bytes: Uint8Array, at: number): number {
  return (uint16At(bytes, at) << 16) | uint16At(bytes, at + 2)
}

/** Bytes after the tag, for terms of a fixed size. */
const FIXED_BYTES = tableOf([
  [TAG.smallInteger, 1],
  [TAG.integer, 4],
  [TAG.newFloat, 8],
  [TAG.float, 31],
  [TAG.nil, 0],
])

/** Bytes after the node's name in the identifier of a process or a port. */
const IDENTIFIER_BYTES = tableOf([
  [TAG.newPid, 12],
  [TAG.pid, 9],
  [TAG.v4Port, 12],
  [TAG.newPort, 8],
  [TAG.port, 5],
  [TAG.reference, 5],
])

/** Size of the length field in front of an atom's name. */
const ATOM_LENGTH_BYTES = tableOf([
  [TAG.smallAtomUtf8, 1],
  [TAG.atomUtf8, 2],
  [TAG.smallAtom, 1],
  [TAG.atom, 2],
])

/** A table by tag; -1 for all other tags. */
function tableOf(rows: readonly (readonly [tag: number, bytes: number])[]): Int8Array {
  const table = new Int8Array(256).fill(-1)
  for (const [tag, bytes] of rows) table[tag] = bytes
  return table
}

/** Terms left to scan in each enclosing term. */
const remaining = new Int32Array(erlangLimits.termDepthMax)

const NOTHING = new Uint8Array(0)

const TRUNCATED = 'a term is truncated or has a wrong length'

/** Checks the terms of one connection. */
export class TermScanner {
  /** Why the last scan failed; null if it succeeded. */
  failure: string | null = null
  /** Hashes of the atoms received so far. */
  readonly #atomHashes = new Set<number>()
  #bytes: Uint8Array = NOTHING
  #at = 0
  #end = 0

  /**
   * Scans one term, without its version byte. Hot path: twice per message.
   *
   * @returns the offset after it, or -1 on failure; then {@link failure} holds the reason
   */
  scan(bytes: Uint8Array, at: number, end: number): number {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
    this.failure = null
    let depth = 0
    // Each round consumes at least one byte, so the bytes bound the rounds whatever the lengths
    // claim.
    for (;;) {
      const inside = this.#next()
      if (inside < 0) return -1
      if (inside > 0) {
        if (depth === erlangLimits.termDepthMax) {
          return this.#fail(`a term is nested more than ${erlangLimits.termDepthMax} deep`)
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

  /** Scans a tag and its own bytes. Returns the number of terms that follow inside it, or -1. */
  #next(): number {
    if (this.#at >= this.#end) return this.#fail(TRUNCATED)
    const tag = this.#bytes[this.#at++] as number
    const fixed = FIXED_BYTES[tag] as number
    if (fixed >= 0) return this.#skip(fixed)
    if ((ATOM_LENGTH_BYTES[tag] as number) >= 0) return this.#atomName(tag)
    const identifier = IDENTIFIER_BYTES[tag] as number
    if (identifier >= 0) return this.#atom() < 0 ? -1 : this.#skip(identifier)
    switch (tag) {
      case TAG.smallTuple:
        return this.#contains(this.#length(1), 0)
      case TAG.largeTuple:
        return this.#contains(this.#length(4), 0)
      case TAG.list:
        // The last term is the tail.
        return this.#contains(this.#length(4), 1)
      case TAG.map:
        return this.#contains(this.#length(4) * 2, 0)
      case TAG.binary:
        return this.#skip(this.#length(4))
      case TAG.string:
        return this.#skip(this.#length(2))
      case TAG.smallBig:
        return this.#skip(this.#length(1) + 1)
      case TAG.largeBig:
        return this.#skip(this.#length(4) + 1)
      default:
        return this.#rareTerm(tag)
    }
  }

  /** Terms that occur at most inside the tag of a call. */
  #rareTerm(tag: number): number {
    switch (tag) {
      case TAG.bitBinary:
        return this.#skip(this.#length(4) + 1)
      case TAG.newerReference:
        return this.#reference(4)
      case TAG.newReference:
        return this.#reference(1)
      case TAG.newFun:
        // The size counts itself. The contents of a fun are never read.
        return this.#fun(this.#length(4) - 4)
      case TAG.export:
        return this.#atom() < 0 || this.#atom() < 0 ? -1 : 1
      default:
        return this.#fail(`a term has the unsupported tag ${tag}`)
    }
  }

  #fun(bytes: number): number {
    return bytes < 0 ? this.#fail(TRUNCATED) : this.#skip(bytes)
  }

  #reference(creationBytes: number): number {
    const words = this.#length(2)
    return this.#atom() < 0 ? -1 : this.#skip(creationBytes + 4 * words)
  }

  /** Infinity if the length itself is truncated, so that what it announces never fits. */
  #length(bytes: 1 | 2 | 4): number {
    const at = this.#at
    this.#at += bytes
    if (this.#at > this.#end) return Number.POSITIVE_INFINITY
    if (bytes === 1) return this.#bytes[at] as number
    return bytes === 2 ? uint16At(this.#bytes, at) : uint32At(this.#bytes, at)
  }

  #contains(terms: number, tail: 0 | 1): number {
    // Each term takes at least one byte.
    return terms + tail > this.#end - this.#at ? this.#fail(TRUNCATED) : terms + tail
  }

  #skip(bytes: number): number {
    if (bytes > this.#end - this.#at) return this.#fail(TRUNCATED)
    this.#at += bytes
    return 0
  }

  #atom(): number {
    if (this.#at >= this.#end) return this.#fail(TRUNCATED)
    const tag = this.#bytes[this.#at++] as number
    if ((ATOM_LENGTH_BYTES[tag] as number) >= 0) return this.#atomName(tag)
    return this.#fail(`an identifier has the tag ${tag} instead of a node name`)
  }

  #atomName(tag: number): number {
    const length = this.#length(ATOM_LENGTH_BYTES[tag] as 1 | 2)
    const begin = this.#at
    if (this.#skip(length) < 0) return -1
    if (length > erlangLimits.atomBytesMax)
      return this.#fail('an atom is longer than 255 characters')
    // FNV-1a (Fowler, Noll, Vo), since a flood of atoms has names that differ in a few letters
    // only.
    let hash = 0x811c9dc5
    let isAscii = true
    for (let at = begin; at < this.#at; at++) {
      const byte = this.#bytes[at] as number
      if (byte > 127) isAscii = false
      hash = Math.imul(hash ^ byte, 0x01000193)
    }
    const isLatin = tag === TAG.atom || tag === TAG.smallAtom
    if (!isAscii && !isLatin && !isUtf8(this.#bytes.subarray(begin, this.#at))) {
      return this.#fail('an atom is not UTF-8')
    }
    if (this.#atomHashes.has(hash)) return 0
    if (this.#atomHashes.size === erlangLimits.atomsMax) {
      return this.#fail(`more than ${erlangLimits.atomsMax} different atoms received`)
    }
    this.#atomHashes.add(hash)
    return 0
  }

  #fail(why: string): -1 {
    this.failure = why
    return -1
  }
}
