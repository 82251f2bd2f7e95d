// What the kernel knows of this process's TCP connections and Bun does not tell: how long one has
// been without an answer. Read with getsockopt(2) through the C library; absent where there is none.

import { ptr } from 'bun:ffi'
import { type Address, ipv4Number } from '../core/address.ts'
import { openCLibrary } from './library.ts'

const SYMBOLS = {
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  shutdown: { args: ['i32', 'i32'], returns: 'i32' },
} as const

// <netinet/tcp.h> and <sys/socket.h> of Linux, where they are the same for every architecture.
const IPPROTO_TCP = 6
const TCP_INFO = 11
const SHUT_RDWR = 2
const ESTABLISHED = 1

/** Places in `struct tcp_info` of <linux/tcp.h>, which is only ever added to at its end. */
const STATE = 0
const LAST_DATA_SENT_MS = 44
const DATA_SEGMENTS_OUT = 156
const TCP_INFO_BYTES = 160

/** Places in sockaddr_in and, but for the address, in sockaddr_in6; in network order. */
const SOCKADDR_FAMILY = 0
const SOCKADDR_PORT = 2
const SOCKADDR_IPV4 = 4
const AF_INET = 2
const SOCKADDR_BYTES = 28

export interface TcpSockets {
  /**
   * Shuts down connections to a local address that have been open for longer than `olderThanMs` and
   * were never sent a byte. The server that holds them sees their end as if the client had left.
   *
   * @param first the first and `last` the last descriptor to look at
   * @returns how many were shut down
   */
  cutUnanswered(address: Address, olderThanMs: number, first: number, last: number): number
}

/** Null where the C library or the kernel's answer is not to be had. */
export function tcpSockets(): TcpSockets | null {
  const library = openCLibrary(SYMBOLS)
  return library === null ? null : socketsWith(library)
}

type Library = NonNullable<ReturnType<typeof openCLibrary<typeof SYMBOLS>>>

function socketsWith({ symbols: { getsockopt, getsockname, shutdown } }: Library): TcpSockets {
  const info = new DataView(new ArrayBuffer(TCP_INFO_BYTES))
  const name = new DataView(new ArrayBuffer(SOCKADDR_BYTES))
  const length = new Uint32Array(1)

  const isUnanswered = (descriptor: number, olderThanMs: number): boolean => {
    length[0] = TCP_INFO_BYTES
    // Anything but a TCP socket answers with an error, and is passed over.
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, ptr(info), ptr(length)) !== 0) return false
    return (
      (length[0] ?? 0) >= TCP_INFO_BYTES &&
      info.getUint8(STATE) === ESTABLISHED &&
      info.getUint32(DATA_SEGMENTS_OUT, true) === 0 &&
      // Set when the connection is made, so before the first byte it is the connection's age.
      info.getUint32(LAST_DATA_SENT_MS, true) >= olderThanMs
    )
  }
  const isAt = (descriptor: number, address: Address): boolean => {
    length[0] = SOCKADDR_BYTES
    if (getsockname(descriptor, ptr(name), ptr(length)) !== 0) return false
    if (name.getUint16(SOCKADDR_PORT) !== address.port) return false
    // Another port of ours may have the same number on another address.
    const wanted = ipv4Number(address.hostname)
    return (
      wanted === undefined ||
      wanted === 0 ||
      name.getUint16(SOCKADDR_FAMILY, true) !== AF_INET ||
      name.getUint32(SOCKADDR_IPV4) === wanted
    )
  }
  return {
    cutUnanswered(address, olderThanMs, first, last) {
      let cut = 0
      for (let descriptor = first; descriptor <= last; descriptor++) {
        if (!isUnanswered(descriptor, olderThanMs) || !isAt(descriptor, address)) continue
        if (shutdown(descriptor, SHUT_RDWR) === 0) cut++
      }
      return cut
    },
  }
}
