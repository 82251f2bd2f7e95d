// The machines that a release is built for, and how one is told from the first bytes of an
// executable, so that none is published under the name of another.

import { type Machine, readElf } from '../image/elf.ts'

export interface Target {
  /** Behind `comet-` in the file's name, and behind `bun-` in what Bun calls it. */
  readonly name: string
  readonly machine: Machine
  /** What loads it: a loader of Linux, or macOS itself. */
  readonly loader: string
}

export const TARGETS: readonly Target[] = [
  { name: 'linux-x64', machine: 'x64', loader: '/lib64/ld-linux-x86-64.so.2' },
  { name: 'linux-x64-baseline', machine: 'x64', loader: '/lib64/ld-linux-x86-64.so.2' },
  { name: 'linux-x64-musl', machine: 'x64', loader: '/lib/ld-musl-x86_64.so.1' },
  { name: 'linux-arm64', machine: 'arm64', loader: '/lib/ld-linux-aarch64.so.1' },
  { name: 'linux-arm64-musl', machine: 'arm64', loader: '/lib/ld-musl-aarch64.so.1' },
  { name: 'darwin-x64', machine: 'x64', loader: 'macOS' },
  { name: 'darwin-arm64', machine: 'arm64', loader: 'macOS' },
]

/** Why these bytes are no executable for the target; null if they are one. */
export function mistaken(bytes: Uint8Array, { machine, loader }: Target): string | null {
  const found = madeFor(bytes)
  const wanted = `${machine} by ${loader}`
  return found === wanted ? null : `it is for ${found}, not for ${wanted}`
}

function madeFor(bytes: Uint8Array): string {
  const elf = readElf(bytes)
  if (elf !== undefined) return `${elf.machine} by ${elf.interpreter}`
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isMachO = bytes.length >= 8 && view.getUint32(0, true) === 0xfeedfacf
  const machine = isMachO ? MACH_O_MACHINES.get(view.getUint32(4, true)) : undefined
  return machine === undefined ? 'nothing that is known' : `${machine} by macOS`
}

const MACH_O_MACHINES: ReadonlyMap<number, Machine> = new Map([
  [0x0100_0007, 'x64'],
  [0x0100_000c, 'arm64'],
])
