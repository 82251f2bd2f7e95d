// Turns a connection into a blackhole: the kernel drops every segment that arrives for it, so that
// it acknowledges nothing, like a device that lost its network. For tools that test a server.

import { ptr } from 'bun:ffi'
import { openCLibrary } from './libc.ts'

const SYMBOLS = {
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
} as const

// <asm-generic/socket.h> and <linux/filter.h> of Linux.
const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
/** Returns a constant: how many bytes of the packet to keep. */
const BPF_RET_K = 0x06
const INSTRUCTION_BYTES = 8
const PROGRAM_BYTES = 16
const PROGRAM_POINTER = 8

/**
 * Drops all that arrives for the connection with a descriptor; returns whether the kernel does it.
 */
export type Blackhole = (descriptor: number) => boolean

/**
 * The filter of socket(7), `SO_ATTACH_FILTER`, needs no privilege; one that keeps no byte of a
 * packet has TCP drop the packet before it is processed.
 *
 * @returns null where the C library is not available
 */
export function openBlackhole(): Blackhole | null {
  const library = openCLibrary(SYMBOLS)
  if (library === null) return null
  const instruction = new Uint8Array(INSTRUCTION_BYTES)
  instruction[0] = BPF_RET_K
  const program = new DataView(new ArrayBuffer(PROGRAM_BYTES))
  program.setUint16(0, 1, true)
  program.setBigUint64(PROGRAM_POINTER, BigInt(ptr(instruction)), true)
  const { setsockopt } = library.symbols
  // The instruction is used here, so that it is not collected while its address is.
  return (descriptor) =>
    instruction.length > 0 &&
    setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, ptr(program), PROGRAM_BYTES) === 0
}
