// What the kernel knows of this process's TCP connections, and can do for them, that Bun does not
// offer: silence, keepalive probes, and bytes without an acknowledgement. By system calls through
// the C library, with constants of Linux that are the same for every architecture Bun has.

import { ptr } from 'bun:ffi'
import { type Address, ipv4Number } from '../core/address.ts'
import { type CLibrary, openCLibrary } from './libc.ts'

const SOCKET_SYMBOLS = {
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  shutdown: { args: ['i32', 'i32'], returns: 'i32' },
} as const

// <netinet/tcp.h> and <sys/socket.h>
const IPPROTO_TCP = 6
const TCP_INFO = 11
const TCP_KEEPIDLE = 4
const TCP_KEEPINTVL = 5
const TCP_KEEPCNT = 6
const SOL_SOCKET = 1
const SO_KEEPALIVE = 9
const SHUT_RDWR = 2
/** The kernel's bounds (<net/tcp.h>): so many probes, so many seconds apart. */
const KEEPCNT_MAX = 127
const KEEPINTVL_MAX = 32_767
const ESTABLISHED = 1

/** Places in `struct tcp_info` of <linux/tcp.h>, which is only ever added to at its end. */
const STATE = 0
const PROBES = 3
const UNACKED = 24
const LAST_DATA_RECEIVED_MS = 52
const LAST_ACK_RECEIVED_MS = 56
const TCP_INFO_BYTES = 60

/** Places in sockaddr_in and, but for the address, in sockaddr_in6; in network order. */
const SOCKADDR_FAMILY = 0
const SOCKADDR_PORT = 2
const SOCKADDR_IPV4 = 4
const AF_INET = 2
const SOCKADDR_BYTES = 28

export interface TcpSockets {
  /**
   * How long nothing was received over an established connection.
   *
   * @returns null for any other descriptor, and while sent bytes are not acknowledged: the kernel
   *   sends those again, and gives up, by itself
   */
  silence(descriptor: number): Silence | null

  /** Was the connection accepted at one of these addresses? */
  isAt(descriptor: number, ends: ListenEndpoints): boolean

  /**
   * Sends one keepalive probe (RFC 9293 section 3.8.4) within a few milliseconds, if nothing was
   * received for a second. The kernel sends no other for hours, and never closes the connection.
   */
  probe(descriptor: number): boolean

  /** Shuts a connection down; the server sees it as if the client had left. */
  cut(descriptor: number): boolean
}

/** A connection over which nothing is received. */
export interface Silence {
  /** Milliseconds since anything was received, an answer to a probe included. */
  readonly ms: number
  /** Probes sent since then. */
  readonly probes: number
}

/**
 * Addresses as the kernel writes them, so that comparing one with a connection allocates nothing.
 */
export type ListenEndpoints = readonly {
  readonly port: number
  /** Undefined for an IPv6 address, for a name, and for all addresses of the machine. */
  readonly ipv4: number | undefined
}[]

export function listenEndpoints(addresses: readonly Address[]): ListenEndpoints {
  return addresses.map(({ hostname, port }) => ({ port, ipv4: ipv4Number(hostname) || undefined }))
}

/** Null where the C library is not available. */
export function tcpSockets(): TcpSockets | null {
  const library = openCLibrary(SOCKET_SYMBOLS)
  return library === null ? null : socketsWith(library)
}

function socketsWith({ symbols }: CLibrary<typeof SOCKET_SYMBOLS>): TcpSockets {
  const { getsockopt, setsockopt, getsockname, shutdown } = symbols
  const info = new DataView(new ArrayBuffer(TCP_INFO_BYTES))
  const name = new DataView(new ArrayBuffer(SOCKADDR_BYTES))
  const length = new Uint32Array(1)

  const isAt = (descriptor: number, ends: ListenEndpoints): boolean => {
    length[0] = SOCKADDR_BYTES
    if (getsockname(descriptor, ptr(name), ptr(length)) !== 0) return false
    const local = name.getUint16(SOCKADDR_PORT)
    const isIpv4 = name.getUint16(SOCKADDR_FAMILY, true) === AF_INET
    // Another listener may have the same port number at another address.
    return ends.some(
      ({ port, ipv4 }) =>
        port === local && (ipv4 === undefined || !isIpv4 || name.getUint32(SOCKADDR_IPV4) === ipv4),
    )
  }
  const value = new Int32Array(1)
  const set = (descriptor: number, level: number, option: number, to: number): boolean => {
    value[0] = to
    return setsockopt(descriptor, level, option, ptr(value), value.byteLength) === 0
  }
  return {
    isAt,
    silence(descriptor) {
      length[0] = TCP_INFO_BYTES
      if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, ptr(info), ptr(length)) !== 0) return null
      if (info.getUint8(STATE) !== ESTABLISHED || info.getUint32(UNACKED, true) > 0) return null
      const dataMs = info.getUint32(LAST_DATA_RECEIVED_MS, true)
      const ackMs = info.getUint32(LAST_ACK_RECEIVED_MS, true)
      return { ms: Math.min(dataMs, ackMs), probes: info.getUint8(PROBES) }
    },
    // The option that starts the timer is set before the one that makes it expire at once.
    probe: (descriptor) =>
      set(descriptor, IPPROTO_TCP, TCP_KEEPCNT, KEEPCNT_MAX) &&
      set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, KEEPINTVL_MAX) &&
      set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1) &&
      set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 1),
    cut: (descriptor) => shutdown(descriptor, SHUT_RDWR) === 0,
  }
}

const QUEUE_SYMBOLS = {
  ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
} as const

/** <linux/sockios.h> */
const SIOCOUTQ = 0x5411

/** Bytes that the kernel has for connections of this process and that are not acknowledged. */
export interface SendQueues {
  /** Whether sent or not; null if the descriptor is no socket. */
  bytes(descriptor: number): number | null
}

/** Null where the C library is not available. */
export function sendQueues(): SendQueues | null {
  const library = openCLibrary(QUEUE_SYMBOLS)
  if (library === null) return null
  const { ioctl } = library.symbols
  const queued = new Int32Array(1)
  return {
    bytes: (descriptor) =>
      ioctl(descriptor, SIOCOUTQ, ptr(queued)) === 0 ? (queued[0] ?? 0) : null,
  }
}
