// A naive reader of terms and bodies, as a reference for the real ones: it recurses, makes a value
// of everything, and is as simple as possible. Written from "External Term Format" of the ERTS
// User's Guide and comet's own limits. It also notes where Erlang may differ.

import { isUtf8 } from 'node:buffer'
import type { ErrorCode } from '../core/errors.ts'
import { erlangLimits, messageLimits } from '../core/limits.ts'

/** A term, in as much detail as comet reads. */
export type Value =
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'atom'; readonly name: string }
  | { readonly kind: 'tuple'; readonly terms: readonly Value[] }
  | { readonly kind: 'nil' }
  | { readonly kind: 'string'; readonly bytes: Buffer }
  | { readonly kind: 'list'; readonly terms: readonly Value[]; readonly tail: Value }
  | { readonly kind: 'binary'; readonly bytes: Buffer }
  /** What comet does not read. Equal texts are equal terms to Erlang. */
  | { readonly kind: 'other'; readonly text: string }

/** Where Erlang may differ. */
export type Difference =
  // Erlang may reject what comet accepts.
  | 'map'
  | 'float'
  | 'bits'
  | 'creation'
  | 'arity'
  | 'atom'
  | 'reference'
  // Erlang may accept what comet rejects.
  | 'depth'
  | 'tag'
  // Either, since they find the end in different ways.
  | 'fun'

export interface Naive {
  /** Null if the term is invalid. */
  readonly value: Value | null
  /** Its size in bytes; 0 if it is invalid. */
  readonly extent: number
  readonly differences: ReadonlySet<Difference>
}

class NoTerm extends Error {}

/** Reads the term at the beginning of the bytes. */
export function readTermNaively(bytes: Uint8Array): Naive {
  const reading = new Reading(Buffer.from(bytes))
  const { differences } = reading
  try {
    const value = reading.term(0)
    return { value, extent: reading.at, differences }
  } catch (error) {
    if (!(error instanceof NoTerm)) throw error
    return { value: null, extent: 0, differences }
  }
}

class Reading {
  at = 0
  readonly differences = new Set<Difference>()
  readonly #all: Buffer

  constructor(all: Buffer) {
    this.#all = all
  }

  /** @param depth the number of enclosing terms */
  term(depth: number): Value {
    const tag = this.number(1)
    const inside = this.#container(tag)
    if (inside === null) return this.#flat(tag, depth)
    // Each term takes at least one byte, which bounds the size of the array.
    if (inside > this.#all.length - this.at) throw new NoTerm('too many')
    if (inside > 0 && depth === erlangLimits.termDepthMax) this.#refuse('depth')
    const terms = Array.from({ length: inside }, () => this.term(depth + 1))
    if (tag === 116) return this.#map(terms)
    if (tag === 104 || tag === 105) return { kind: 'tuple', terms }
    return { kind: 'list', terms: terms.slice(0, -1), tail: terms.at(-1) ?? { kind: 'nil' } }
  }

  /** The number of terms in a tuple, a list with its tail, or a map. */
  #container(tag: number): number | null {
    if (tag === 104) return this.number(1)
    if (tag === 105) return this.number(4)
    if (tag === 108) return this.number(4) + 1
    return tag === 116 ? this.number(4) * 2 : null
  }

  #flat(tag: number, depth: number): Value {
    switch (tag) {
      case 97:
        return { kind: 'integer', value: BigInt(this.number(1)) }
      case 98:
        return { kind: 'integer', value: BigInt(this.number(4) | 0) }
      case 110:
        return this.#big(this.number(1))
      case 111:
        return this.#big(this.number(4))
      case 106:
        return { kind: 'nil' }
      case 107:
        return { kind: 'string', bytes: this.take(this.number(2)) }
      case 109:
        return { kind: 'binary', bytes: this.take(this.number(4)) }
      case 100:
      case 115:
      case 118:
      case 119:
        return { kind: 'atom', name: this.#name(tag) }
      case 70:
      case 99:
        return other('float', this.#float(tag))
      case 77:
        return this.#bits()
      case 112:
        return this.#fun(depth)
      case 113:
        return this.#export(depth)
      default:
        return this.#identifier(tag)
    }
  }

  take(bytes: number): Buffer {
    this.at += bytes
    if (this.at > this.#all.length) throw new NoTerm('cut off')
    return this.#all.subarray(this.at - bytes, this.at)
  }

  number(bytes: 1 | 2 | 4): number {
    return this.take(bytes).readUIntBE(0, bytes)
  }

  /** Notes that Erlang may accept it. */
  #refuse(difference: Difference): never {
    this.differences.add(difference)
    throw new NoTerm(difference)
  }

  /** Compressed terms and two internal kinds of atoms are valid for Erlang. */
  #refuseTag(tag: number): never {
    this.#noteUnless(![80, 73, 75].includes(tag), 'tag')
    throw new NoTerm(`tag ${tag}`)
  }

  #noteUnless(isFine: boolean, difference: Difference): void {
    if (!isFine) this.differences.add(difference)
  }

  #big(bytes: number): Value {
    const isNegative = this.number(1) !== 0
    const hex = Buffer.from(this.take(bytes)).reverse().toString('hex')
    const value = BigInt(`0x0${hex}`)
    return { kind: 'integer', value: isNegative ? -value : value }
  }

  #atom(): string {
    return this.#name(this.number(1))
  }

  #name(tag: number): string {
    if (![100, 115, 118, 119].includes(tag)) this.#refuseTag(tag)
    const bytes = this.take(this.number(tag === 100 || tag === 118 ? 2 : 1))
    if (bytes.length > erlangLimits.atomBytesMax) throw new NoTerm('too long')
    const isLatin = tag === 100 || tag === 115
    if (!isLatin && !isUtf8(bytes)) throw new NoTerm('not UTF-8')
    const name = bytes.toString(isLatin ? 'latin1' : 'utf8')
    this.#noteUnless([...name].length <= 255, 'atom')
    return name
  }

  #float(tag: number): number {
    if (tag === 70) {
      const value = this.take(8).readDoubleBE(0)
      this.#noteUnless(Number.isFinite(value), 'float')
      return value
    }
    const [text = ''] = this.take(31).toString('latin1').split('\0')
    const isUsual = text.length < 31 && /^[+-]?\d+\.\d+(e[+-]?\d+)?$/.test(text)
    this.#noteUnless(isUsual && Number.isFinite(Number(text)), 'float')
    return Number(text)
  }

  #bits(): Value {
    const length = this.number(4)
    const used = this.number(1)
    const bytes = this.take(length)
    this.#noteUnless(length === 0 ? used === 0 : used > 0 && used <= 8, 'bits')
    const digits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
    return other('bits', digits.slice(0, digits.length - 8 + used))
  }

  #map(terms: readonly Value[]): Value {
    const keys = terms.filter((_, at) => at % 2 === 0).map(keyOf)
    this.#noteUnless(new Set(keys).size === keys.length, 'map')
    const pairs = keys.map((key, at) => `${key}=${keyOf(terms[at * 2 + 1] ?? { kind: 'nil' })}`)
    return other('map', pairs.sort().join())
  }

  /** The size counts itself. Erlang ignores it and reads the contents. */
  #fun(depth: number): Value {
    const begin = this.at
    const size = this.number(4)
    if (size < 4) this.#refuse('fun')
    const end = begin + size
    try {
      this.take(17)
      this.number(4)
      const free = this.number(4)
      const origin = [this.#atom(), this.term(depth), this.term(depth), this.term(depth)] as const
      const terms = Array.from({ length: Math.min(free, 256) }, () => this.term(depth))
      const [, index, unique, process] = origin
      const isUsual = isSmall(index) && isSmall(unique) && terms.length === free
      const isPid = process.kind === 'other' && process.text.startsWith('pid')
      this.#noteUnless(isUsual && isPid && this.at === end, 'fun')
    } catch (error) {
      if (!(error instanceof NoTerm)) throw error
      this.differences.add('fun')
    }
    this.at = begin
    this.take(size)
    // Funs of different bytes may be equal.
    return other('fun', '')
  }

  #export(depth: number): Value {
    const name = `${JSON.stringify(this.#atom())}:${JSON.stringify(this.#atom())}`
    if (depth === erlangLimits.termDepthMax) this.#refuse('depth')
    const arity = this.term(depth + 1)
    this.#noteUnless(isSmall(arity), 'arity')
    return other('export', `${name}/${keyOf(arity)}`)
  }

  /** Processes, ports and references: the node's name, numbers, and its creation. */
  #identifier(tag: number): Value {
    const [kind, ...widths] = IDENTIFIERS[tag] ?? this.#refuseTag(tag)
    const words = kind === 'reference' && tag !== 101 ? this.number(2) : 0
    const node = this.#atom()
    const numbers = widths.map((width) => BigInt(`0x${this.take(width).toString('hex')}`))
    const more = this.take(4 * words).toString('hex')
    if (kind === 'reference' && tag !== 101) this.#noteUnless(words > 0 && words <= 5, 'reference')
    if (widths.at(-1) === 1) {
      const first = tag === 114 ? BigInt(`0x0${more.slice(0, 8)}`) : (numbers[0] ?? 0n)
      const isOld = (numbers.at(-1) ?? 0n) < 4n && (kind !== 'reference' || first < 2n ** 18n)
      this.#noteUnless(isOld, 'creation')
    }
    // Erlang ignores zeros at the end of a reference.
    const text = `${JSON.stringify(node)} ${numbers.join(' ')} ${more.replace(/(0{8})+$/, '')}`
    return other(kind, text)
  }
}

/** By tag, with the sizes of the numbers after the node's name. */
const IDENTIFIERS: Readonly<Record<number, readonly [kind: string, ...widths: number[]]>> = {
  88: ['pid', 4, 4, 4],
  103: ['pid', 4, 4, 1],
  120: ['port', 8, 4],
  89: ['port', 4, 4],
  102: ['port', 4, 1],
  101: ['reference', 4, 1],
  90: ['reference', 4],
  114: ['reference', 1],
}

function other(kind: string, content: unknown): Value {
  return { kind: 'other', text: `${kind} ${content}` }
}

/** Whether it is an integer from 0 that fits into a small one. */
function isSmall(value: Value): boolean {
  return value.kind === 'integer' && value.value >= 0n && value.value < 2n ** 59n
}

/** Equal for terms that are equal to Erlang. */
function keyOf(value: Value): string {
  switch (value.kind) {
    case 'integer':
      return `${value.value}`
    case 'atom':
      return JSON.stringify(value.name)
    case 'tuple':
      return `{${value.terms.map(keyOf)}}`
    case 'nil':
      return '[]'
    case 'string':
      return `${[...value.bytes].map((byte) => `(${byte})|`).join('')}[]`
    case 'list':
      return `${value.terms.map((term) => `(${keyOf(term)})|`).join('')}${keyOf(value.tail)}`
    case 'binary':
      return `bits ${[...value.bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')}`
    case 'other':
      return value.text
  }
}

/** The body by the rule of the real reader: its bytes, or the error code. */
export function bodyNaively(value: Value): Buffer | ErrorCode {
  if (value.kind === 'integer') return 'invalid_message'
  const asBytes = piecesOf(value, (byte) => (byte < 256 ? Buffer.of(byte) : null))
  const asCharacters = piecesOf(value, (character) => {
    if (character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff)) return null
    return Buffer.from(String.fromCodePoint(character))
  })
  const tooLong = (body: Buffer | null) => body !== null && body.length > messageLimits.bodyBytesMax
  if (asBytes?.length === 0) return 'message_empty'
  if (value.kind === 'binary' && asBytes !== null && !isUtf8(asBytes)) {
    return tooLong(asBytes) ? 'message_too_large' : 'invalid_utf8'
  }
  const body = asBytes !== null && (isUtf8(asBytes) || tooLong(asBytes)) ? asBytes : asCharacters
  if (body === null) return 'invalid_message'
  if (tooLong(body)) return 'message_too_large'
  return isUtf8(body) ? body : 'invalid_utf8'
}

/** The bytes of a body; null if any part cannot be in a body. */
function piecesOf(value: Value, pieceOf: (integer: number) => Buffer | null): Buffer | null {
  switch (value.kind) {
    case 'integer':
      return value.value < 0n ? null : pieceOf(Number(value.value))
    case 'nil':
      return Buffer.alloc(0)
    case 'binary':
      return value.bytes
    case 'string':
      return joined([...value.bytes].map(pieceOf))
    case 'list': {
      // The tail of an improper list must not be an integer.
      const tail = value.tail.kind === 'integer' ? null : piecesOf(value.tail, pieceOf)
      return joined([...value.terms.map((term) => piecesOf(term, pieceOf)), tail])
    }
    default:
      return null
  }
}

function joined(pieces: readonly (Buffer | null)[]): Buffer | null {
  const whole = pieces.filter((piece) => piece !== null)
  return whole.length < pieces.length ? null : Buffer.concat(whole)
}
