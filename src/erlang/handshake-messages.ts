// The messages of the handshake as bytes, without the two bytes of length before each: those of
// version 6, from Erlang/OTP 23 on ("Distribution Handshake", ERTS User's Guide). Who sends which
// when is in handshake.ts.

import { createHash, timingSafeEqual } from 'node:crypto'

/** The same on both sides; `send_name` without a challenge, `send_challenge` with one. */
export interface Greeting {
  readonly name: string
  readonly flags: bigint
  /** Tells this life of a node from its earlier ones. */
  readonly creation: number
}

export interface Challenge extends Greeting {
  readonly challenge: number
}

const LETTER = { n: 0x6e, N: 0x4e, s: 0x73, r: 0x72, a: 0x61 } as const

const DIGEST_BYTES = 16

const ascii = new TextDecoder('latin1')

export function encodeName(greeting: Greeting): Uint8Array {
  return encode(greeting, [greeting.creation])
}

/** Undefined for other bytes; `'old'` for the greeting of a node before Erlang/OTP 23. */
export function decodeName(bytes: Uint8Array): Greeting | 'old' | undefined {
  const decoded = decode(bytes, 1)
  if (decoded === 'old' || decoded === undefined) return decoded
  const { name, flags, numbers } = decoded
  const [creation = 0] = numbers
  return { name, flags, creation }
}

export function encodeChallenge(greeting: Challenge): Uint8Array {
  return encode(greeting, [greeting.challenge, greeting.creation])
}

export function decodeChallenge(bytes: Uint8Array): Challenge | 'old' | undefined {
  const decoded = decode(bytes, 2)
  if (decoded === 'old' || decoded === undefined) return decoded
  const { name, flags, numbers } = decoded
  const [challenge = 0, creation = 0] = numbers
  return { name, flags, challenge, creation }
}

/** Behind the letter and the flags; then come the numbers, the length of the name, and the name. */
const NUMBERS_AT = 9

function encode({ name, flags }: Greeting, numbers: readonly number[]): Uint8Array {
  const lengthAt = NUMBERS_AT + 4 * numbers.length
  const bytes = Buffer.alloc(lengthAt + 2 + name.length)
  bytes.writeUInt8(LETTER.N, 0)
  bytes.writeBigUInt64BE(flags, 1)
  for (const [at, number] of numbers.entries()) bytes.writeUInt32BE(number, NUMBERS_AT + 4 * at)
  bytes.writeUInt16BE(name.length, lengthAt)
  bytes.write(name, lengthAt + 2, 'latin1')
  return bytes
}

function decode(bytes: Uint8Array, count: number) {
  if (bytes[0] === LETTER.n) return 'old'
  const lengthAt = NUMBERS_AT + 4 * count
  if (bytes[0] !== LETTER.N || bytes.length < lengthAt + 2) return undefined
  const view = viewOf(bytes)
  const name = nameAt(bytes, view.getUint16(lengthAt), lengthAt + 2)
  if (name === undefined) return undefined
  const numbers = Array.from({ length: count }, (_, at) => view.getUint32(NUMBERS_AT + 4 * at))
  return { name, flags: view.getBigUint64(1), numbers }
}

/** More may follow the name: OTP says that a reader is to ignore it. */
function nameAt(bytes: Uint8Array, length: number, at: number): string | undefined {
  if (at + length > bytes.length) return undefined
  return ascii.decode(bytes.subarray(at, at + length))
}

export function encodeStatus(status: string): Uint8Array {
  return Buffer.from(`s${status}`, 'latin1')
}

export function decodeStatus(bytes: Uint8Array): string | undefined {
  return bytes[0] === LETTER.s ? ascii.decode(bytes.subarray(1)) : undefined
}

/** The answer to a challenge, with one of one's own. */
export function encodeReply(challenge: number, digest: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(5 + DIGEST_BYTES)
  bytes.writeUInt8(LETTER.r, 0)
  bytes.writeUInt32BE(challenge, 1)
  bytes.set(digest, 5)
  return bytes
}

export function decodeReply(
  bytes: Uint8Array,
): { readonly challenge: number; readonly digest: Uint8Array } | undefined {
  if (bytes[0] !== LETTER.r || bytes.length !== 5 + DIGEST_BYTES) return undefined
  return { challenge: viewOf(bytes).getUint32(1), digest: bytes.subarray(5) }
}

export function encodeAck(digest: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(LETTER.a), digest])
}

/** The digest in it. */
export function decodeAck(bytes: Uint8Array): Uint8Array | undefined {
  return bytes[0] === LETTER.a && bytes.length === 1 + DIGEST_BYTES ? bytes.subarray(1) : undefined
}

/** Shows that one knows the cookie: the MD5 of it and the other's challenge in decimal digits. */
export function digestOf(cookie: string, challenge: number): Uint8Array {
  return createHash('md5').update(`${cookie}${challenge}`, 'latin1').digest()
}

/** Compared in constant time, so that nothing is learnt of a digest from how long it takes. */
export function isDigest(given: Uint8Array, cookie: string, challenge: number): boolean {
  return timingSafeEqual(given, digestOf(cookie, challenge))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
