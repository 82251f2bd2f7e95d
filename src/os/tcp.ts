// TCP sockets that this process opens as descriptors, past Bun: the system calls that connect,
// listen, accept and read. What sends on them, waits for them and closes them is in epoll.ts. No
// call allocates.

import { ptr } from 'bun:ffi'
import { parseIp } from '../core/address.ts'
import { openSystemCalls, type SystemCalls } from './libc.ts'

const SYMBOLS = {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  connect: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  listen: { args: ['i32', 'i32'], returns: 'i32' },
  accept4: { args: ['i32', 'ptr', 'ptr', 'i32'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  // Counts of bytes fit into 32 bits here, and a number is cheaper than a BigInt.
  recv: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
} as const

// <sys/socket.h>, <fcntl.h>, <netinet/in.h>, <netinet/tcp.h>
const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_ERROR = 4
const SO_REUSEPORT = 15
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const TCP_DEFER_ACCEPT = 9
const TCP_NOTSENT_LOWAT = 25
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const MSG_DONTWAIT = 0x40

/** Bytes of `sockaddr_in` and of `sockaddr_in6`. */
const IPV4_BYTES = 16
const IPV6_BYTES = 28

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
    const bytes = new Uint8Array(isIpv6 ? IPV6_BYTES : IPV4_BYTES)
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
  /** See {@link TcpCalls.limitUnsent}. */
  readonly unsentBytesMax: number
}

/** The system calls. Each answers as the kernel does: with a negative number of `ERRNO`. */
export interface TcpCalls {
  /** A new socket, which never waits; its descriptor. */
  open(family: number): number
  /** Also to a port that an earlier connection has left a minute ago. */
  bind(descriptor: number, address: SocketAddress): number
  /** Mostly `EINPROGRESS`: its end is an event, and for one on this machine is there already. */
  connect(descriptor: number, address: SocketAddress): number
  /** The error that a connection has failed with, which is then forgotten; 0 if there is none. */
  failure(descriptor: number): number
  /** A new socket that listens; its descriptor. */
  listen(options: ListenOptions): number
  /**
   * The kernel takes so many bytes that it cannot send yet, and a few more: without a limit several
   * megabytes of a connection whose client reads nothing, which are lost when it is cut. Of one
   * that listens, its connections inherit it. What is under way does not count, so nothing is
   * slower.
   */
  limitUnsent(descriptor: number, bytes: number): void
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
 * @param receiveBytes of one {@link TcpCalls.receive}
 * @returns null where the C library is not available
 */
export function tcpCalls(receiveBytes: number): TcpCalls | null {
  const calls = openSystemCalls(SYMBOLS)
  return calls === null ? null : callsWith(calls, receiveBytes)
}

function callsWith(
  { symbols, answer }: SystemCalls<typeof SYMBOLS>,
  receiveBytes: number,
): TcpCalls {
  const { socket, bind, connect, listen, accept4, getsockname, recv, close } = symbols
  const { getsockopt, setsockopt } = symbols
  const received = new Uint8Array(new ArrayBuffer(receiveBytes))
  // Once: it takes longer than all else around the call. The memory stays where it is.
  const receivedAt = ptr(received)
  const value = new Int32Array(1)
  const name = new Uint8Array(IPV6_BYTES)
  const length = new Uint32Array(1)

  const set = (descriptor: number, level: number, option: number, to: number): void => {
    value[0] = to
    setsockopt(descriptor, level, option, ptr(value), value.byteLength)
  }
  const open = (family: number): number =>
    answer(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
  const bindTo = (descriptor: number, { bytes }: SocketAddress): number => {
    set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
    return answer(bind(descriptor, ptr(bytes), bytes.length))
  }
  return {
    open,
    bind: bindTo,
    connect: (descriptor, { bytes }) => answer(connect(descriptor, ptr(bytes), bytes.length)),
    failure(descriptor) {
      length[0] = value.byteLength
      const result = getsockopt(descriptor, SOL_SOCKET, SO_ERROR, ptr(value), ptr(length))
      return result < 0 ? answer(result) : 0 - (value[0] ?? 0)
    },
    limitUnsent(descriptor, bytes) {
      set(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes)
    },
    listen({ address, isIpv6Only, isShared, backlog, deferSeconds, unsentBytesMax }) {
      const descriptor = open(address.family)
      if (descriptor < 0) return descriptor
      if (isShared) set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)
      if (address.family === AF_INET6) {
        set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, Number(isIpv6Only))
      }
      // Connections inherit it.
      set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1)
      set(descriptor, IPPROTO_TCP, TCP_DEFER_ACCEPT, deferSeconds)
      set(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsentBytesMax)
      let result = bindTo(descriptor, address)
      if (result >= 0) result = answer(listen(descriptor, backlog))
      if (result >= 0) return descriptor
      close(descriptor)
      return result
    },
    portOf(descriptor) {
      length[0] = name.length
      const result = answer(getsockname(descriptor, ptr(name), ptr(length)))
      return result < 0 ? result : ((name[2] ?? 0) << 8) | (name[3] ?? 0)
    },
    accept: (descriptor) => answer(accept4(descriptor, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC)),
    receive: (descriptor) => answer(recv(descriptor, receivedAt, receiveBytes, MSG_DONTWAIT)),
    received,
  }
}
