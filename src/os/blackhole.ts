// Makes a connection deaf: the kernel drops every segment that comes for it, so that it acknowledges
// nothing and answers nothing, as a device does that lost its network. For tools that test a server.

import { ptr } from 'bun:ffi'
import { openCLibrary } from './libc.ts'

const SYMBOLS = {
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
} as const

// <asm-generic/socket.h> and <linux/filter.h> of Linux.
const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
/** Return a constant: of the packet, so many bytes are to be kept. */
const BPF_RET_K = 0x06
const INSTRUCTION_BYTES = 8
const PROGRAM_BYTES = 16
const PROGRAM_POINTER = 8

/** Makes the connection with a descriptor deaf; answers whether the kernel did it. */
export type Deafen = (descriptor: number) => boolean

/**
 * The filter of socket(7), `SO_ATTACH_FILTER`, needs no privilege; one that keeps no byte of any
 * packet has TCP drop it before it is looked at.
 *
 * @returns null where the C library is not to be had
 */
export function deafener(): Deafen | null {
  const library = openCLibrary(SYMBOLS)
  if (library === null) return null
  const instruction = new Uint8Array(INSTRUCTION_BYTES)
  instruction[0] = BPF_RET_K
  const program = new DataView(new ArrayBuffer(PROGRAM_BYTES))
  program.setUint16(0, 1, true)
  program.setBigUint64(PROGRAM_POINTER, BigInt(ptr(instruction)), true)
  const { setsockopt } = library.symbols
  // The instruction is named here, so that it lives for as long as its address is passed on.
  return (descriptor) =>
    instruction.length > 0 &&
    setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, ptr(program), PROGRAM_BYTES) === 0
}
