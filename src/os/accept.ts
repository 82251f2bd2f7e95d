// TCP sockets that this process listens on as descriptors, past Bun: the system calls that open
// one, accept a connection, and read the first bytes of it. What waits for them is in epoll.ts. No
// call but `open` allocates.

import { ptr, read } from 'bun:ffi'
import type { SocketAddress } from './connect.ts'
import { type CLibrary, openCLibrary } from './libc.ts'

const SYMBOLS = {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  listen: { args: ['i32', 'i32'], returns: 'i32' },
  accept4: { args: ['i32', 'ptr', 'ptr', 'i32'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  recv: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
  __errno_location: { args: [], returns: 'ptr' },
} as const

// <sys/socket.h>, <netinet/in.h>, <netinet/tcp.h>
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_REUSEPORT = 15
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const TCP_DEFER_ACCEPT = 9
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const MSG_DONTWAIT = 0x40

export interface ListenOptions {
  readonly address: SocketAddress
  /** Does `::` not stand for the addresses of IPv4, too? */
  readonly isIpv6Only: boolean
  /** May other processes of this user listen at the same address? */
  readonly isShared: boolean
  /** Connections that wait to be accepted, at most; the kernel has a bound of its own, too. */
  readonly backlog: number
  /** Seconds that a connection waits in the kernel for its first bytes before it is accepted. */
  readonly deferSeconds: number
}

/** Each call answers as the kernel does: with a negative number of `errno`. */
export interface AcceptCalls {
  /** A socket that listens; its descriptor. */
  open(options: ListenOptions): number
  /** The port of a socket that listens. */
  portOf(descriptor: number): number
  /** The next connection, which never waits; its descriptor. */
  accept(descriptor: number): number
  /**
   * How many bytes there are in {@link received} now, until the next call; 0 when the other end
   * sends no more.
   */
  receive(descriptor: number): number
  readonly received: Uint8Array
}

/**
 * @param receiveBytes of one {@link AcceptCalls.receive}
 * @returns null where the C library is not available
 */
export function acceptCalls(receiveBytes: number): AcceptCalls | null {
  const library = openCLibrary(SYMBOLS)
  return library === null ? null : callsWith(library, receiveBytes)
}

function callsWith({ symbols }: CLibrary<typeof SYMBOLS>, receiveBytes: number): AcceptCalls {
  const { accept4, getsockname, recv, __errno_location } = symbols
  // Of this thread, as long as it lives.
  const errnoAt = __errno_location()
  if (errnoAt === null) throw new Error('the C library has no errno')
  const answer = (result: number): number => (result >= 0 ? result : -read.i32(errnoAt, 0))
  const received = new Uint8Array(new ArrayBuffer(receiveBytes))
  const name = new Uint8Array(28)
  const length = new Uint32Array(1)
  return {
    open: (options) => open(symbols, answer, options),
    portOf(descriptor) {
      length[0] = name.length
      const result = answer(getsockname(descriptor, ptr(name), ptr(length)))
      return result < 0 ? result : ((name[2] ?? 0) << 8) | (name[3] ?? 0)
    },
    accept: (descriptor) => answer(accept4(descriptor, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC)),
    receive: (descriptor) => answer(recv(descriptor, ptr(received), receiveBytes, MSG_DONTWAIT)),
    received,
  }
}

function open(
  { socket, bind, listen, setsockopt, close }: CLibrary<typeof SYMBOLS>['symbols'],
  answer: (result: number) => number,
  { address, isIpv6Only, isShared, backlog, deferSeconds }: ListenOptions,
): number {
  const { family, bytes } = address
  const descriptor = answer(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
  if (descriptor < 0) return descriptor
  const value = new Int32Array(1)
  const set = (level: number, option: number, to: number) => {
    value[0] = to
    return answer(setsockopt(descriptor, level, option, ptr(value), value.byteLength))
  }
  set(SOL_SOCKET, SO_REUSEADDR, 1)
  if (isShared) set(SOL_SOCKET, SO_REUSEPORT, 1)
  if (family === AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, Number(isIpv6Only))
  // Connections inherit it.
  set(IPPROTO_TCP, TCP_NODELAY, 1)
  set(IPPROTO_TCP, TCP_DEFER_ACCEPT, deferSeconds)
  let result = answer(bind(descriptor, ptr(bytes), bytes.length))
  if (result >= 0) result = answer(listen(descriptor, backlog))
  if (result >= 0) return descriptor
  close(descriptor)
  return result
}
