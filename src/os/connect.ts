// TCP connections that this process opens as descriptors, past Bun: the system calls that begin
// one and read from it. What waits for them is in epoll.ts. No call allocates.

import { ptr, read } from 'bun:ffi'
import { parseIp } from '../core/address.ts'
import { type CLibrary, openCLibrary } from './libc.ts'

const SYMBOLS = {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  connect: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  // Counts of bytes fit into 32 bits here, and a number is cheaper than a BigInt.
  send: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i32' },
  recv: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i32' },
  __errno_location: { args: [], returns: 'ptr' },
} as const

// <sys/socket.h> and <fcntl.h>
const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_ERROR = 4
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000

/** <asm-generic/errno.h>: those that opening a connection fails with; see also `ERRNO`. */
export const CONNECT_ERRNO = {
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ECONNREFUSED: 111,
  EINPROGRESS: 115,
} as const

/** An address as the kernel takes it, `sockaddr_in` or `sockaddr_in6`; its port can be changed. */
export class SocketAddress {
  readonly family: number
  readonly bytes: Uint8Array

  private constructor(family: number, bytes: Uint8Array) {
    this.family = family
    this.bytes = bytes
  }

  /** Null if the text is no IP address. */
  static of(text: string, port = 0): SocketAddress | null {
    const ip = parseIp(text)
    if (ip === undefined) return null
    const isIpv6 = ip.includes(':')
    const family = isIpv6 ? AF_INET6 : AF_INET
    const bytes = new Uint8Array(isIpv6 ? 28 : 16)
    const view = new DataView(bytes.buffer)
    view.setUint16(0, family, true)
    if (isIpv6) {
      for (const [at, group] of ip.split(':').entries()) {
        view.setUint16(8 + 2 * at, Number.parseInt(group, 16))
      }
    } else {
      for (const [at, part] of ip.split('.').entries()) bytes[4 + at] = Number(part)
    }
    const address = new SocketAddress(family, bytes)
    address.setPort(port)
    return address
  }

  setPort(port: number): void {
    this.bytes[2] = port >> 8
    this.bytes[3] = port & 0xff
  }
}

/** Each call answers as the kernel does: with a negative number of `errno`. */
export interface ConnectCalls {
  /** A new socket of TCP that never waits; its descriptor. */
  open(family: number): number
  /** Also to a port that an earlier connection has left a minute ago. */
  bind(descriptor: number, address: SocketAddress): number
  /** Mostly `EINPROGRESS`: its end is an event, and for one on this machine is there already. */
  connect(descriptor: number, address: SocketAddress): number
  /** The error that a connection has failed with, which is then forgotten; 0 if there is none. */
  failure(descriptor: number): number
  /** How many of the first `count` bytes the kernel took. Never waits, and raises no signal. */
  send(descriptor: number, bytes: Uint8Array, count: number): number
  /**
   * How many bytes there are in {@link received} now, until the next call; 0 when the other end
   * sends no more.
   */
  receive(descriptor: number): number
  readonly received: Uint8Array
}

/**
 * @param receiveBytes of one {@link ConnectCalls.receive}
 * @returns null where the C library is not available
 */
export function connectCalls(receiveBytes: number): ConnectCalls | null {
  const library = openCLibrary(SYMBOLS)
  return library === null ? null : callsWith(library, receiveBytes)
}

function callsWith({ symbols }: CLibrary<typeof SYMBOLS>, receiveBytes: number): ConnectCalls {
  const { socket, bind, connect, getsockopt, setsockopt, send, recv, __errno_location } = symbols
  // Of this thread, as long as it lives.
  const errnoAt = __errno_location()
  if (errnoAt === null) throw new Error('the C library has no errno')
  const answer = (result: number): number => (result >= 0 ? result : -read.i32(errnoAt, 0))
  const received = new Uint8Array(new ArrayBuffer(receiveBytes))
  // Once: it takes longer than all else around the call. The memory stays where it is.
  const receivedAt = ptr(received)
  const on = new Int32Array([1])
  const failure = new Int32Array(1)
  const length = new Uint32Array(1)
  return {
    open: (family) => answer(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
    bind(descriptor, { bytes }) {
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, ptr(on), on.byteLength)
      return answer(bind(descriptor, ptr(bytes), bytes.length))
    },
    connect: (descriptor, { bytes }) => answer(connect(descriptor, ptr(bytes), bytes.length)),
    failure(descriptor) {
      length[0] = failure.byteLength
      const result = getsockopt(descriptor, SOL_SOCKET, SO_ERROR, ptr(failure), ptr(length))
      return result < 0 ? answer(result) : 0 - (failure[0] ?? 0)
    },
    send: (descriptor, bytes, count) =>
      answer(send(descriptor, ptr(bytes), count, MSG_DONTWAIT | MSG_NOSIGNAL)),
    receive: (descriptor) => answer(recv(descriptor, receivedAt, receiveBytes, MSG_DONTWAIT)),
    received,
  }
}
