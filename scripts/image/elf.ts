// What an executable or library for Linux says of itself in its ELF header and dynamic section: for
// which processor it is, by what it is loaded and what it needs. It reads bytes and no other file.

export interface Elf {
  readonly machine: Machine
  /** The loader that the kernel starts first; null for a library. */
  readonly interpreter: string | null
  /** Names of the libraries that must be there. */
  readonly needed: readonly string[]
  /** Folders that the file itself wants searched, before those of the system. */
  readonly searched: readonly string[]
}

export type Machine = 'x64' | 'arm64'

const MACHINES: ReadonlyMap<number, Machine> = new Map([
  [62, 'x64'],
  [183, 'arm64'],
])

/** Kinds of segments. */
const PT = { load: 1, dynamic: 2, interp: 3 } as const

/** Tags of the dynamic section. */
const DT = { end: 0, needed: 1, stringTable: 5, rpath: 15, runpath: 29 } as const

interface Segment {
  readonly kind: number
  readonly offset: number
  readonly address: number
  readonly size: number
}

/** Reads a 64-bit, little-endian file; undefined if the bytes are no such file. */
export function readElf(bytes: Uint8Array): Elf | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // 0x7f 'E' 'L' 'F', then the class and the order of bytes.
  if (bytes.length < 64 || view.getUint32(0) !== 0x7f454c46 || view.getUint16(4) !== 0x0201) {
    return undefined
  }
  const machine = MACHINES.get(view.getUint16(18, true))
  if (machine === undefined) return undefined
  const segments = segmentsOf(view)
  const interp = segments.find(({ kind }) => kind === PT.interp)
  const dynamic = segments.find(({ kind }) => kind === PT.dynamic)
  const tags = dynamic === undefined ? [] : tagsOf(view, dynamic)
  const table = tags.find(({ tag }) => tag === DT.stringTable)
  const start = table === undefined ? 0 : offsetOf(segments, table.value)
  const textsOf = (...wanted: number[]) =>
    tags.filter(({ tag }) => wanted.includes(tag)).map(({ value }) => textAt(bytes, start + value))
  return {
    machine,
    interpreter: interp === undefined ? null : textAt(bytes, interp.offset),
    needed: textsOf(DT.needed),
    searched: textsOf(DT.rpath, DT.runpath).flatMap((folders) => folders.split(':')),
  }
}

function segmentsOf(view: DataView): Segment[] {
  const start = Number(view.getBigUint64(32, true))
  const size = view.getUint16(54, true)
  return Array.from({ length: view.getUint16(56, true) }, (_, at) => {
    const from = start + at * size
    return {
      kind: view.getUint32(from, true),
      offset: Number(view.getBigUint64(from + 8, true)),
      address: Number(view.getBigUint64(from + 16, true)),
      size: Number(view.getBigUint64(from + 32, true)),
    }
  })
}

function tagsOf(view: DataView, { offset, size }: Segment): { tag: number; value: number }[] {
  const tags: { tag: number; value: number }[] = []
  for (let at = offset; at < offset + size; at += 16) {
    const tag = Number(view.getBigInt64(at, true))
    if (tag === DT.end) break
    tags.push({ tag, value: Number(view.getBigUint64(at + 8, true)) })
  }
  return tags
}

/** Where in the file the byte is that is at this address in memory. */
function offsetOf(segments: readonly Segment[], address: number): number {
  const segment = segments.find((one) => {
    return one.kind === PT.load && address >= one.address && address < one.address + one.size
  })
  if (segment === undefined) throw new Error(`no segment has the address ${address}`)
  return segment.offset + address - segment.address
}

function textAt(bytes: Uint8Array, start: number): string {
  const end = bytes.indexOf(0, start)
  return new TextDecoder().decode(bytes.subarray(start, end))
}
