// Erlang terms as bytes: recorded ones, those that a test builds, and random ones of every tag,
// intact or damaged, the same for the same seed. Written from the format's description, without
// comet's own writer.

import { erlangLimits } from '../core/limits.ts'
import type { RandomBelow } from '../core/random.ts'
import { TERMS } from './recorded.terms.fixture.ts'
import { TermReader } from './term-reader.ts'
import { TAG, TermScanner } from './term-scanner.ts'

/** The recorded terms by name, without their version byte. */
export const RECORDED: readonly (readonly [name: string, term: Uint8Array])[] = Object.entries(
  TERMS,
).map(([name, { hex }]) => [name, bytesOf(Buffer.from(hex, 'hex').subarray(1))])

export function recorded(name: keyof typeof TERMS): Uint8Array {
  return bytesOf(Buffer.from(TERMS[name].hex, 'hex').subarray(1))
}

/** Concatenates; texts are UTF-8. Not a Buffer, whose `slice` does not copy. */
export function bytesOf(
  ...parts: readonly (number | string | Uint8Array)[]
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    Buffer.concat(
      parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : Buffer.from(part))),
    ),
  )
}

export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value)
}

export function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >> 24, value >> 16, value >> 8, value)
}

export const NIL = Uint8Array.of(TAG.nil)

export function integerOf(value: number): Uint8Array {
  if (value >= 0 && value < 256) return bytesOf(TAG.smallInteger, value)
  return value === (value | 0) ? bytesOf(TAG.integer, uint32(value)) : bigOf(BigInt(value))
}

/** @param zeros leading ones to add */
export function bigOf(value: bigint, isLarge = false, zeros = 0): Uint8Array {
  const digits: number[] = []
  for (let rest = value < 0n ? -value : value; rest > 0n; rest /= 256n) {
    digits.push(Number(rest % 256n))
  }
  digits.push(...Array.from({ length: zeros }, () => 0))
  const head = isLarge
    ? bytesOf(TAG.largeBig, uint32(digits.length))
    : [TAG.smallBig, digits.length]
  return bytesOf(Uint8Array.from(head), value < 0n ? 1 : 0, Uint8Array.from(digits))
}

export const ATOM_TAGS = [TAG.atom, TAG.smallAtom, TAG.atomUtf8, TAG.smallAtomUtf8] as const

export function atomOf(name: string | Uint8Array, tag: number = TAG.smallAtomUtf8): Uint8Array {
  const isLatin = tag === TAG.atom || tag === TAG.smallAtom
  const text = typeof name === 'string' ? Buffer.from(name, isLatin ? 'latin1' : 'utf8') : name
  const isLong = tag === TAG.atom || tag === TAG.atomUtf8
  return bytesOf(tag, isLong ? uint16(text.length) : text.length, text)
}

export function binaryOf(content: string | Uint8Array): Uint8Array {
  return bytesOf(TAG.binary, uint32(Buffer.byteLength(content)), content)
}

/** A list of at most 65,535 bytes, as Erlang encodes it; a text is Latin-1. */
export function stringOf(content: string | Uint8Array): Uint8Array {
  return bytesOf(TAG.string, uint16(content.length), Buffer.from(content as string, 'latin1'))
}

/** A list of the characters of a text as integers. */
export function charactersOf(text: string): Uint8Array {
  return listOf([...text].map((character) => integerOf(character.codePointAt(0) ?? 0)))
}

export function listOf(terms: readonly Uint8Array[], tail: Uint8Array = NIL): Uint8Array {
  return bytesOf(TAG.list, uint32(terms.length), ...terms, tail)
}

export function tupleOf(...terms: readonly Uint8Array[]): Uint8Array {
  return bytesOf(TAG.smallTuple, terms.length, ...terms)
}

export function largeTupleOf(...terms: readonly Uint8Array[]): Uint8Array {
  return bytesOf(TAG.largeTuple, uint32(terms.length), ...terms)
}

/** @param terms keys and values in turn */
export function mapOf(...terms: readonly Uint8Array[]): Uint8Array {
  return bytesOf(TAG.map, uint32(terms.length / 2), ...terms)
}

/** An empty list nested in so many terms, each with these bytes before and after the next one. */
export function deepOf(depth: number, before: Uint8Array, behind: Uint8Array): Uint8Array {
  const times = (part: Uint8Array) => bytesOf(...Array.from({ length: depth }, () => part))
  return bytesOf(times(before), NIL, times(behind))
}

/**
 * A term in the middle of a buffer, as in that of a connection.
 *
 * @param behind number of bytes after its end that the view includes
 */
export function placed(term: Uint8Array, behind = 0) {
  const buffer = bytesOf('before', term, new Uint8Array(8).fill(TAG.smallTuple))
  const bytes = buffer.subarray(3, 6 + term.length + behind)
  return { bytes, at: 3, end: 3 + term.length }
}

/** Scans a term. Returns its size, or why it is invalid. */
export function extentOf(term: Uint8Array, scanner = new TermScanner()): number | string {
  const { bytes, at, end } = placed(term, 4)
  const found = scanner.scan(bytes, at, end)
  return found < 0 ? `${scanner.failure}` : found - at
}

/** A reader before a scanned term, which is at the end of the bytes. */
export function readerOf(term: Uint8Array): { reader: TermReader; end: number } {
  const { bytes, at, end } = placed(term)
  const scanner = new TermScanner()
  if (scanner.scan(bytes, at, end) !== end) throw new Error(`invalid term: ${scanner.failure}`)
  return { reader: new TermReader(scanner, bytes, at), end }
}

function oneOf<T>(random: RandomBelow, choices: readonly T[]): T {
  return choices[random(choices.length)] as T
}

function many<T>(random: RandomBelow, most: number, make: () => T): T[] {
  return Array.from({ length: random(most + 1) }, make)
}

function noise(random: RandomBelow, bytes: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: bytes }, () => random(256))
}

/** A random term of any tag; a third of them are nearly valid bodies. */
export function termOf(random: RandomBelow, depth = 4): Uint8Array {
  if (random(24) === 0) return oneOf(random, RECORDED)[1]
  if (random(3) === 0) return bodyTermOf(random, depth)
  const inside = () => termOf(random, depth - 1)
  const shallow: (() => Uint8Array)[] = [
    () => numberOf(random),
    () => randomAtom(random),
    () => identifierOf(random),
    () => binaryOf(noise(random, random(12))),
    () => bitsOf(random),
    () => exportOf(random),
  ]
  const deep: (() => Uint8Array)[] = [
    () => tupleOf(...many(random, 4, inside)),
    () => largeTupleOf(...many(random, 3, inside)),
    () => listOf(many(random, 4, inside), random(4) === 0 ? inside() : NIL),
    () => mapOf(...many(random, 3, () => [inside(), inside()]).flat()),
    () => funOf(random, many(random, 2, inside)),
    () => nestOf(random),
  ]
  return oneOf(random, depth > 0 ? [...shallow, ...deep, ...deep] : shallow)()
}

/** A random term that is a valid body, or nearly. */
function bodyTermOf(random: RandomBelow, depth: number): Uint8Array {
  const letter = () => oneOf(random, ['a', 'ü', 'ÿ', '日', '😀', '\n', '\0'])
  const text = many(random, 5, letter).join('')
  const inside = () => bodyTermOf(random, depth - 1)
  const shallow: (() => Uint8Array)[] = [
    () => binaryOf(text),
    () => stringOf(Buffer.from(text)),
    () => stringOf(text),
    () => charactersOf(text),
    () => integerOf(oneOf(random, [random(128), random(256), random(0x11_0000), 0xd800, -1])),
    () => NIL,
    () => binaryOf(noise(random, random(3))),
  ]
  const tail = () => (random(3) === 0 ? inside() : NIL)
  const deep = () => listOf(many(random, 4, inside), tail())
  return depth > 0 && random(2) === 0 ? deep() : oneOf(random, shallow)()
}

function numberOf(random: RandomBelow): Uint8Array {
  const float = new DataView(new ArrayBuffer(8))
  float.setFloat64(0, oneOf(random, [0, -0, 1.5, -1e300, 2 ** 53, 1, Number.NaN, random(9)]))
  const text = oneOf(random, ['1.50000000000000000000e+00', '-0.25', '1,0', '15', ''])
  const big = BigInt(random(2 ** 32)) << BigInt(random(90))
  return oneOf<() => Uint8Array>(random, [
    () => integerOf(random(4) - 1),
    () => integerOf(random(2 ** 32) - 2 ** 31),
    () => bigOf(random(2) === 0 ? big : -big, random(4) === 0, random(3)),
    () => bytesOf(TAG.newFloat, new Uint8Array(float.buffer)),
    () => bytesOf(TAG.float, text, new Uint8Array(31 - text.length)),
  ])()
}

/** Of few names, since Erlang keeps every atom. */
function randomAtom(random: RandomBelow): Uint8Array {
  const name = oneOf(random, ['', 'a', 'ok', 'é', '\x80', 'b@localhost', 'x'.repeat(255)])
  if (random(4) > 0) return atomOf(name, oneOf(random, ATOM_TAGS))
  return atomOf(oneOf(random, ['日本', '\ufeffa', '😀'.repeat(255)]), TAG.atomUtf8)
}

function nodeOf(random: RandomBelow): Uint8Array {
  return atomOf(oneOf(random, ['a@localhost', 'b@localhost', 'é@host']), oneOf(random, ATOM_TAGS))
}

function identifierOf(random: RandomBelow): Uint8Array {
  const node = nodeOf(random)
  const number = uint32(random(3))
  const old = random(5)
  const words = random(7)
  const reference = new Uint8Array(4 * words).fill(random(2))
  return oneOf<() => Uint8Array>(random, [
    () => bytesOf(TAG.newPid, node, number, uint32(random(2)), uint32(old)),
    () => bytesOf(TAG.pid, node, number, uint32(random(2)), old),
    () => bytesOf(TAG.v4Port, node, noise(random, 8), uint32(old)),
    () => bytesOf(TAG.newPort, node, number, uint32(old)),
    () => bytesOf(TAG.port, node, number, old),
    () => bytesOf(TAG.reference, node, number, old),
    () => bytesOf(TAG.newerReference, uint16(words), node, uint32(old), reference),
    () => bytesOf(TAG.newReference, uint16(words), node, old, reference),
  ])()
}

function bitsOf(random: RandomBelow): Uint8Array {
  const bytes = noise(random, random(4))
  return bytesOf(TAG.bitBinary, uint32(bytes.length), random(9), bytes)
}

function exportOf(random: RandomBelow): Uint8Array {
  const arity = random(8) === 0 ? randomAtom(random) : integerOf(random(4))
  return bytesOf(TAG.export, randomAtom(random), randomAtom(random), arity)
}

function funOf(random: RandomBelow, free: readonly Uint8Array[]): Uint8Array {
  const pid = bytesOf(TAG.newPid, nodeOf(random), uint32(1), uint32(0), uint32(7))
  const of = bytesOf(randomAtom(random), integerOf(random(3)), integerOf(random(2 ** 24)), pid)
  const head = bytesOf(random(3), noise(random, 16), uint32(random(3)), uint32(free.length))
  const content = bytesOf(head, of, ...free)
  return bytesOf(TAG.newFun, uint32(4 + content.length), content)
}

/** Nested about as deep as the limit, mostly. */
function nestOf(random: RandomBelow): Uint8Array {
  const depth = erlangLimits.termDepthMax - 3 + random(6)
  const wraps = [
    [listOf([], bytesOf()), bytesOf()],
    [bytesOf(TAG.list, uint32(1)), NIL],
    [bytesOf(TAG.smallTuple, 1), bytesOf()],
    [bytesOf(TAG.map, uint32(1), NIL), bytesOf()],
  ] as const
  const [before, behind] = oneOf(random, wraps)
  return deepOf(random(3) === 0 ? random(40) : depth, before, behind)
}

/** A damaged copy; parts of `other` may be spliced in. */
export function damaged(random: RandomBelow, term: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes = term
  for (let times = 1 + random(3); times > 0; times--) {
    const at = random(bytes.length + 1)
    const to = Math.min(bytes.length, at + 1 + random(12))
    const before = bytes.subarray(0, at)
    const cut = random(other.length + 1)
    bytes = oneOf<() => Uint8Array>(random, [
      () => changed(random, bytes, (byte) => byte ^ (1 << random(8))),
      () => changed(random, bytes, (byte) => byte + random(3) - 1),
      () => changed(random, bytes, () => oneOf(random, Object.values(TAG))),
      () => bytesOf(before, oneOf(random, [uint32(random(9)), uint32(-1)]), bytes.subarray(at + 4)),
      () => bytesOf(before, noise(random, random(5)), bytes.subarray(at)),
      () => bytesOf(before, bytes.subarray(to)),
      () => bytesOf(bytes.subarray(0, to), bytes.subarray(at)),
      () => before,
      () => bytesOf(before, other.subarray(cut)),
      () => bytesOf(before, other, bytes.subarray(at)),
    ])()
  }
  return bytes
}

function changed(
  random: RandomBelow,
  bytes: Uint8Array,
  change: (byte: number) => number,
): Uint8Array {
  const copy = bytesOf(bytes)
  const at = random(copy.length)
  if (copy.length > 0) copy[at] = change(copy[at] as number)
  return copy
}
