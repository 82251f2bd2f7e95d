// Tells the service manager of this machine, systemd, what state this process is in, over the socket
// that it names (sd_notify(3)). What is told when is its caller's business.

import { ptr } from 'bun:ffi'
import { openCLibrary } from './libc.ts'

const SYMBOLS = {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  sendto: { args: ['i32', 'ptr', 'u64', 'i32', 'ptr', 'u32'], returns: 'i64' },
} as const

// <bits/socket.h> of Linux.
const AF_UNIX = 1
const SOCK_DGRAM = 2
/** Not for the processes that this one starts. */
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000

/** In unix(7): the family, then a path of at most so many bytes. */
const FAMILY_BYTES = 2
const PATH_BYTES_MAX = 107

/** Tells variables, a line each; answers whether the service manager was told. */
export type Notify = (variables: Readonly<Record<string, string | number>>) => boolean

/**
 * Bun has no datagrams of the Unix kind, so this goes by the C library.
 *
 * @param path of the socket; one that begins with `@` has no file (unix(7), abstract)
 * @returns null where there is no such socket to be had
 */
export function notifier(path: string): Notify | null {
  const name = Buffer.from(path)
  if (name.length === 0 || name.length > PATH_BYTES_MAX) return null
  const library = openCLibrary(SYMBOLS)
  if (library === null) return null
  const { socket, sendto } = library.symbols
  const descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (descriptor < 0) return null
  const address = new Uint8Array(FAMILY_BYTES + name.length)
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX
  address.set(name, FAMILY_BYTES)
  if (path.startsWith('@')) address[FAMILY_BYTES] = 0
  return (variables) => {
    const lines = Object.entries(variables).map(([variable, value]) => `${variable}=${value}`)
    const bytes = Buffer.from(lines.join('\n'))
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL
    const sent = sendto(descriptor, ptr(bytes), bytes.length, flags, ptr(address), address.length)
    return Number(sent) === bytes.length
  }
}
