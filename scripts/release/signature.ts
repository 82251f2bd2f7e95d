// The signature that macOS wants of an executable: that every page has the digest which stands at
// its end, without a signer ("ad hoc"). Bun 1.4.5 writes one for arm64 and leaves that of its own
// for x64, which is wrong by then, and programs with a wrong one are killed. Not for identities or
// notaries.

import { createHash } from 'node:crypto'

/** Load commands. */
const LC = { segment: 0x19, signature: 0x1d } as const

/** Magic numbers of the parts of a signature, which are all big-endian. */
const MAGIC = { all: 0xfade0cc0, directory: 0xfade0c02 } as const

const PAGE = 4_096
const DIGEST = 32

/** Sizes of the headers: of all parts, with the place of the one, and of the directory of pages. */
const HEADER = { all: 24, directory: 88 } as const

/** Ad hoc, and signed by what linked it, so that `codesign` may replace it. */
const FLAGS = 0x20002

interface Segment {
  /** Of its load command. */
  readonly at: number
  readonly name: string
  readonly offset: number
  readonly size: number
}

interface Layout {
  readonly segments: readonly Segment[]
  /** Where the load command of the signature is, and where the signature. */
  readonly command: number
  readonly signature: number
}

/** Does the signature have the digests of all that is before it? */
export function isSigned(bytes: Uint8Array): boolean {
  const { signature } = layoutOf(bytes)
  const view = viewOf(bytes)
  if (signature + 20 > bytes.length || view.getUint32(signature) !== MAGIC.all) return false
  const directory = signature + view.getUint32(signature + 16)
  if (view.getUint32(directory) !== MAGIC.directory) return false
  const digests = directory + view.getUint32(directory + 16)
  const slots = view.getUint32(directory + 28)
  if (view.getUint32(directory + 32) !== signature || slots !== Math.ceil(signature / PAGE)) {
    return false
  }
  return pageDigests(bytes.subarray(0, signature)).every((digest, at) => {
    const start = digests + at * DIGEST
    return digest.equals(bytes.subarray(start, start + DIGEST))
  })
}

/** The same executable with a signature that is right. */
export function signed(executable: Uint8Array, identifier: string): Uint8Array {
  const { segments, command, signature } = layoutOf(executable)
  const [text, link] = ['__TEXT', '__LINKEDIT'].map((name) => {
    return segments.find((segment) => segment.name === name)
  })
  if (text === undefined || link === undefined) throw new Error('it has no text or no links')
  const slots = Math.ceil(signature / PAGE)
  const headers = roundedUp(HEADER.all + HEADER.directory + identifier.length + 1, 16)
  const size = headers + slots * DIGEST
  const result = new Uint8Array(signature + size)
  result.set(executable.subarray(0, signature))
  const view = viewOf(result)
  view.setUint32(command + 12, size, true)
  const linkSize = signature + size - link.offset
  view.setBigUint64(link.at + 32, BigInt(roundedUp(linkSize, 4 * PAGE)), true)
  view.setBigUint64(link.at + 48, BigInt(linkSize), true)
  // All parts, of which there is one: the directory, kind 0.
  putNumbers(view, signature, [MAGIC.all, size, 1, 0, HEADER.all])
  const directory = signature + HEADER.all
  const digests = headers - HEADER.all
  const version = 0x20400
  putNumbers(view, directory, [
    ...[MAGIC.directory, size - HEADER.all, version, FLAGS, digests, HEADER.directory],
    ...[0, slots, signature],
    // Digests of 32 bytes, SHA-256, no platform, pages of 2^12 bytes.
    0x20_02_00_0c,
  ])
  view.setBigUint64(directory + 64, BigInt(text.offset))
  view.setBigUint64(directory + 72, BigInt(text.size))
  // The main binary of a process.
  view.setBigUint64(directory + 80, 1n)
  result.set(new TextEncoder().encode(identifier), directory + HEADER.directory)
  // Last, since what was changed above is in the first page.
  const pages = pageDigests(result.subarray(0, signature))
  for (const [at, digest] of pages.entries()) result.set(digest, directory + digests + at * DIGEST)
  return result
}

function layoutOf(bytes: Uint8Array): Layout {
  const view = viewOf(bytes)
  const segments: Segment[] = []
  let command = 0
  let at = 32
  for (let left = view.getUint32(16, true); left > 0; left--) {
    const kind = view.getUint32(at, true)
    if (kind === LC.signature) command = at
    if (kind === LC.segment) {
      segments.push({
        at,
        name: Buffer.from(bytes.subarray(at + 8, at + 24))
          .toString('latin1')
          .replace(/\0.*$/, ''),
        offset: Number(view.getBigUint64(at + 40, true)),
        size: Number(view.getBigUint64(at + 48, true)),
      })
    }
    at += view.getUint32(at + 4, true)
  }
  if (command === 0) throw new Error('it has no room for a signature')
  return { segments, command, signature: view.getUint32(command + 8, true) }
}

function pageDigests(bytes: Uint8Array): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / PAGE) }, (_, at) => {
    const page = bytes.subarray(at * PAGE, (at + 1) * PAGE)
    return createHash('sha256').update(page).digest()
  })
}

function putNumbers(view: DataView, at: number, numbers: readonly number[]): void {
  for (const [index, number] of numbers.entries()) view.setUint32(at + 4 * index, number)
}

function roundedUp(size: number, unit: number): number {
  return Math.ceil(size / unit) * unit
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
