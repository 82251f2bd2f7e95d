// The host that a request is for, as its Host header names it (RFC 9110 section 7.2). Which hosts a
// port answers for is not its business.

import { isIPv4 } from 'node:net'
import { parseIp } from './ip.ts'

/** A name of DNS has at most 253 characters (RFC 1035 section 3.1), and may have its last dot written. */
const HOST = /^(?:\[([\da-f:.]{1,45})\]|([\w.-]{1,254}))(?::(\d{0,5}))?$/i
const PORT_MAX = 65_535

/**
 * The one form of a host, without its port: a name in lower case without a dot at its end, an address
 * as {@link parseIp} writes it. Undefined if the text is no host, as when it is two of them.
 */
export function parseHost(text: string): string | undefined {
  const [, ipv6, name = '', port = ''] = HOST.exec(text) ?? []
  if (Number(port) > PORT_MAX) return undefined
  if (ipv6 !== undefined) return ipv6.includes(':') ? parseIp(ipv6) : undefined
  return name.toLowerCase().replace(/\.$/, '') || undefined
}

/** Is it an address rather than a name? No name server can have it mean another machine. */
export function isIpHost(host: string): boolean {
  return isIPv4(host) || host.includes(':')
}

/** Does the host, as {@link parseHost} writes it, always mean the machine that asks? */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === IPV6_LOOPBACK || (isIPv4(host) && /^127\./.test(host))
}

const IPV6_LOOPBACK = parseIp('::1')

/** Reads the origin of pages (RFC 6454), in the form in which browsers send it. */
export function parseOrigin(text: string): string | undefined {
  const [, host] = /^https?:\/\/([^/?#\s@]+)$/i.exec(text) ?? []
  if (host === undefined || parseHost(host) === undefined) return undefined
  return URL.parse(text)?.origin
}
