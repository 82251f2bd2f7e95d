// The messages of the distribution handshake as bytes, without the two bytes of length in front:
// version 6, for Erlang/OTP 23 and later (ERTS User's Guide, "Distribution Handshake").

import { createHash, timingSafeEqual } from 'node:crypto'

/** What both `send_name` and `send_challenge` say about their sender. */
export interface NodeIdentity {
  readonly name: string
  readonly flags: bigint
  /** Different for each start of a node. */
  readonly creation: number
}

export interface Challenge extends NodeIdentity {
  readonly challenge: number
}

/** Distribution flags: the capabilities of a node. */
const FLAGS = {
  extendedReferences: 0x4n,
  distMonitor: 0x8n,
  funTags: 0x10n,
  distMonitorName: 0x20n,
  newFunTags: 0x80n,
  extendedPidsPorts: 0x100n,
  exportPtrTag: 0x200n,
  bitBinaries: 0x400n,
  newFloats: 0x800n,
  unicodeIo: 0x1000n,
  smallAtomTags: 0x4000n,
  utf8Atoms: 0x10000n,
  mapTag: 0x20000n,
  bigCreation: 0x40000n,
  sendSender: 0x80000n,
  bigSeqtraceLabels: 0x100000n,
  handshake23: 0x1000000n,
  unlinkId: 0x2000000n,
  /** Implies all flags that Erlang/OTP 25 requires. */
  mandatory25Digest: 0x4000000n,
  v4Identifiers: 1n << 34n,
  alias: 1n << 35n,
} as const

/**
 * What comet offers. Without `PUBLISHED` it is a hidden node instead of a member of the cluster.
 * Without atom cache and fragments each message stands alone. Remote `spawn` is not supported.
 */
export const OWN_FLAGS = Object.values(FLAGS).reduce((all, flag) => all | flag, 0n)

/** Without these comet cannot read what a node sends, or cannot be answered. */
const REQUIRED =
  FLAGS.extendedReferences |
  FLAGS.extendedPidsPorts |
  FLAGS.utf8Atoms |
  FLAGS.newFloats |
  FLAGS.bigCreation |
  FLAGS.handshake23

/** Whether comet supports a node with these flags. Every Erlang/OTP since 23 has them. */
export function hasRequiredFlags(flags: bigint): boolean {
  return (flags & REQUIRED) === REQUIRED
}

/** The first byte of a message; `n` is that of nodes before Erlang/OTP 23. */
const TAG_BYTE = { n: 0x6e, N: 0x4e, s: 0x73, r: 0x72, a: 0x61 } as const

const DIGEST_BYTES = 16

const ascii = new TextDecoder('latin1')

export function encodeName(identity: NodeIdentity): Uint8Array {
  return encode(identity, [identity.creation])
}

/** Undefined if it is not a `send_name`; `'old'` for that of a node before Erlang/OTP 23. */
export function decodeName(bytes: Uint8Array): NodeIdentity | 'old' | undefined {
  const decoded = decode(bytes, 1)
  if (decoded === 'old' || decoded === undefined) return decoded
  const { name, flags, numbers } = decoded
  const [creation = 0] = numbers
  return { name, flags, creation }
}

export function encodeChallenge(sender: Challenge): Uint8Array {
  return encode(sender, [sender.challenge, sender.creation])
}

export function decodeChallenge(bytes: Uint8Array): Challenge | 'old' | undefined {
  const decoded = decode(bytes, 2)
  if (decoded === 'old' || decoded === undefined) return decoded
  const { name, flags, numbers } = decoded
  const [challenge = 0, creation = 0] = numbers
  return { name, flags, challenge, creation }
}

/** After the first byte and the flags. The numbers, the length of the name and the name follow. */
const NUMBERS_AT = 9

function encode({ name, flags }: NodeIdentity, numbers: readonly number[]): Uint8Array {
  const lengthAt = NUMBERS_AT + 4 * numbers.length
  const bytes = Buffer.alloc(lengthAt + 2 + name.length)
  bytes.writeUInt8(TAG_BYTE.N, 0)
  bytes.writeBigUInt64BE(flags, 1)
  for (const [at, number] of numbers.entries()) bytes.writeUInt32BE(number, NUMBERS_AT + 4 * at)
  bytes.writeUInt16BE(name.length, lengthAt)
  bytes.write(name, lengthAt + 2, 'latin1')
  return bytes
}

function decode(bytes: Uint8Array, count: number) {
  if (bytes[0] === TAG_BYTE.n) return 'old'
  const lengthAt = NUMBERS_AT + 4 * count
  if (bytes[0] !== TAG_BYTE.N || bytes.length < lengthAt + 2) return undefined
  const view = viewOf(bytes)
  const name = nameAt(bytes, view.getUint16(lengthAt), lengthAt + 2)
  if (name === undefined) return undefined
  const numbers = Array.from({ length: count }, (_, at) => view.getUint32(NUMBERS_AT + 4 * at))
  return { name, flags: view.getBigUint64(1), numbers }
}

/** Ignores what follows the name, as the specification requires. */
function nameAt(bytes: Uint8Array, length: number, at: number): string | undefined {
  if (at + length > bytes.length) return undefined
  return ascii.decode(bytes.subarray(at, at + length))
}

export function encodeStatus(status: string): Uint8Array {
  return Buffer.from(`s${status}`, 'latin1')
}

export function decodeStatus(bytes: Uint8Array): string | undefined {
  return bytes[0] === TAG_BYTE.s ? ascii.decode(bytes.subarray(1)) : undefined
}

/** Answers a challenge with a digest and a challenge in return. */
export function encodeReply(challenge: number, digest: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(5 + DIGEST_BYTES)
  bytes.writeUInt8(TAG_BYTE.r, 0)
  bytes.writeUInt32BE(challenge, 1)
  bytes.set(digest, 5)
  return bytes
}

export function decodeReply(
  bytes: Uint8Array,
): { readonly challenge: number; readonly digest: Uint8Array } | undefined {
  if (bytes[0] !== TAG_BYTE.r || bytes.length !== 5 + DIGEST_BYTES) return undefined
  return { challenge: viewOf(bytes).getUint32(1), digest: bytes.subarray(5) }
}

export function encodeAck(digest: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(TAG_BYTE.a), digest])
}

/** Returns the digest. */
export function decodeAck(bytes: Uint8Array): Uint8Array | undefined {
  return bytes[0] === TAG_BYTE.a && bytes.length === 1 + DIGEST_BYTES
    ? bytes.subarray(1)
    : undefined
}

/** Proves knowledge of the cookie: the MD5 of it and the other side's challenge in decimal
 * digits. */
export function digestOf(cookie: string, challenge: number): Uint8Array {
  return createHash('md5').update(`${cookie}${challenge}`, 'latin1').digest()
}

/** Compares in constant time, so that the time reveals nothing about the digest. */
export function isDigest(given: Uint8Array, cookie: string, challenge: number): boolean {
  return timingSafeEqual(given, digestOf(cookie, challenge))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
