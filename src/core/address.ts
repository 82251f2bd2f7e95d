// Addresses as text: those to listen on or connect to (`127.0.0.1:8001`, `[::1]:8001`, `:8001`,
// `8001`), IP addresses and networks, and the hosts and origins of HTTP requests.

import { codeOf } from './system-error.ts'

/** Where a server is that was started without options, to the commands beside it. */
export const PUBLIC_URL = 'http://127.0.0.1:8000'
export const CONTROL_URL = 'http://127.0.0.1:8001'

export interface Address {
  readonly hostname: string
  /** 0 for a free one that the system chooses. */
  readonly port: number
  /** The file of a Unix socket, instead of host and port; its clients are on this machine. */
  readonly socketPath?: string
}

/**
 * Reads `unix:/path`, or what {@link parseAddress} reads, except that a port alone is that of
 * loopback: the only address where a control port needs no token.
 */
export function parseControlAddress(text: string): Address | undefined {
  const socketPath = socketPathOf(text)
  if (socketPath !== undefined) return { hostname: 'localhost', port: 0, socketPath }
  return parseAddress(/^\s*\d+\s*$/.test(text) ? `127.0.0.1:${text.trim()}` : text)
}

/** The path in `unix:/path`, of at most the kernel's 107 bytes; undefined for any other text. */
export function socketPathOf(text: string): string | undefined {
  const path = /^unix:(?:\/\/(?=\/))?(\/.*[^/])$/.exec(text.trim())?.[1]
  return path !== undefined && Buffer.byteLength(path) <= 107 ? path : undefined
}

export const PORT_MAX = 65_535

/** Reads `host:port`; a port alone is that of every IPv4 address. Undefined for any other text. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:(?:\[([0-9a-f:.]+)\]|([^:[\]\s]*)):)?(\d{1,5})$/i.exec(text.trim())
  if (match === null) return undefined
  const port = Number(match[3])
  if (port > PORT_MAX) return undefined
  return { hostname: match[1] ?? (match[2] || '0.0.0.0'), port }
}

/** Is the address reachable from this machine only? */
export function isLoopback({ hostname }: Address): boolean {
  return hostname === 'localhost' || hostname === '::1' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

/** The URL of an address, with brackets around IPv6; or `unix:/path`. */
export function httpUrl(address: Address, scheme: 'http' | 'https' = 'http'): string {
  const { hostname, port, socketPath } = address
  if (socketPath !== undefined) return `unix:${socketPath}`
  return `${scheme}://${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`
}

/** The address to connect to: not every system connects to one that stands for all of them. */
export function reachable(address: Address): Address {
  const { hostname, port, socketPath } = address
  if (socketPath !== undefined) return address
  if (hostname === '0.0.0.0') return { hostname: '127.0.0.1', port }
  return hostname === '::' ? { hostname: '::1', port } : { hostname, port }
}

/**
 * The URL that `127.0.0.1:8000`, `:8000` or `8000` stands for, with or without a path; any other
 * text is returned as it is.
 *
 * @param path for a text that has none
 */
export function urlOf(text: string, path = ''): string {
  const [, where = '', given = path] = /^([^/]*)(\/.*)?$/s.exec(text) ?? []
  const address = parseAddress(where)
  return address === undefined ? text : httpUrl(reachable(address)) + given
}

/** Is it the URL of a control port, `http:` or `unix:/path`? */
export function isControlUrl(url: string): boolean {
  return socketPathOf(url) !== undefined || URL.parse(url)?.protocol === 'http:'
}

/** Where `fetch` sends requests. */
export interface FetchTarget {
  /** What the path of a request follows. */
  readonly base: string
  /** The file of a Unix socket, as an option of `fetch`. */
  readonly unix?: string
}

/** For requests to the control port at a URL, which may have a path of its own behind a proxy. */
export function fetchTarget(controlUrl: string): FetchTarget {
  const unix = socketPathOf(controlUrl)
  // The server answers to the names of its machine only.
  if (unix !== undefined) return { base: 'http://localhost', unix }
  return { base: controlUrl.replace(/\/+$/, '') }
}

/** Bun's codes for a port without a listener, and for a socket file that does not exist. */
const ABSENT: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ConnectionRefused', 'ENOENT'])

/** Did a connection fail because nothing listens at its address? */
export function nothingListens(error: unknown): boolean {
  return ABSENT.has(codeOf(error))
}

/** Groups of 16 bits in an IPv6 address. */
const GROUPS = 8
/** Those that name the network of a customer. */
const NETWORK_GROUPS = 4

/**
 * The one form of an IP address, so that two texts of the same address are equal: IPv4 as it is,
 * also if it is mapped into IPv6 (`::ffff:…`, RFC 4291 section 2.5.5.2); IPv6 in lower case without
 * zone and without leading zeros, every group written. Undefined if the text is no address.
 */
export function parseIp(text: string): string | undefined {
  if (isIPv4(text)) return text
  const [address = ''] = text.split('%')
  const groups = groupsOf(address)
  if (groups === undefined) return undefined
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  return isMapped ? ipv4Of(groups.slice(6)) : groups.map(hex).join(':')
}

/**
 * What counts as one client: an IPv4 address, or the first 64 bits of an IPv6 address, since every
 * customer has at least a network of that size (RFC 6177).
 *
 * @param ip as {@link parseIp} writes it
 */
export function clientNetwork(ip: string): string {
  if (!ip.includes(':')) return ip
  return `${ip.split(':').slice(0, NETWORK_GROUPS).join(':')}::/64`
}

/** An address, or all addresses that begin with the same bits. */
export interface Network {
  readonly ip: string
  readonly bits: number
}

/** Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', bits, ...others] = text.trim().split('/')
  const ip = parseIp(address)
  // The addresses of clients have no zone, so one would match nothing.
  if (ip === undefined || others.length > 0 || address.includes('%')) return undefined
  const bitsMax = ip.includes(':') ? 128 : 32
  if (bits === undefined) return { ip, bits: bitsMax }
  // A network of mapped IPv4 would count its bits from the start of the IPv6 address.
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > bitsMax || (bitsMax === 32 && !isIPv4(address))) {
    return undefined
  }
  return { ip, bits: Number(bits) }
}

/** Is an address, as {@link parseIp} writes it, one of a network? */
export function isWithin(ip: string, network: Network): boolean {
  if (ip.includes(':') !== network.ip.includes(':')) return false
  const groups = groupsIn(ip)
  return groupsIn(network.ip).every((group, at) => {
    const shift = Math.min(16, Math.max(0, 16 * (at + 1) - network.bits))
    return group >> shift === (groups[at] ?? -1) >> shift
  })
}

// Text is checked here, since `node:net`, which can do so too, costs every worker 2 MB in Bun
// 1.4.5.

const IPV4_PART = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = new RegExp(`^(?:${IPV4_PART}\\.){3}${IPV4_PART}$`)
const IPV6_GROUP = /^[\da-f]{1,4}$/i

/** Is it an IPv4 address, of four numbers without leading zeros? */
export function isIPv4(text: string): boolean {
  return IPV4.test(text)
}

/** The groups of an IPv6 address without a zone (RFC 4291 section 2.2); undefined if it is none. */
function groupsOf(address: string): number[] | undefined {
  const [front = '', back, more] = address.split('::')
  const texts = [front, back].flatMap((half = '') => (half === '' ? [] : half.split(':')))
  const last = texts.length - 1
  const isValid = texts.every((text, at) => {
    // IPv4 is at the end of the whole address.
    const mayBeIPv4 = at === last && address.endsWith(text)
    return IPV6_GROUP.test(text) || (mayBeIPv4 && isIPv4(text))
  })
  if (!isValid || more !== undefined) return undefined
  const [before, after] = [groupsIn(front), groupsIn(back ?? '')]
  const missing = GROUPS - before.length - after.length
  // `::` stands for one group at least.
  if (back === undefined ? missing !== 0 : missing < 1) return undefined
  return [...before, ...new Array(missing).fill(0), ...after]
}

function groupsIn(text: string): number[] {
  return text.split(':').flatMap(groupOf)
}

/** One group, or the two that an IPv4 address stands for; none for an empty text. */
function groupOf(text: string): number[] {
  if (text === '') return []
  if (!text.includes('.')) return [Number.parseInt(text, 16)]
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number)
  return [a * 256 + b, c * 256 + d]
}

function ipv4Of([high = 0, low = 0]: readonly number[]): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

function hex(group: number): string {
  return group.toString(16)
}

/** An IPv4 address as a number, the first part highest; undefined for any other text. */
export function ipv4Number(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

/** The inverse of {@link ipv4Number}. */
export function ipv4Text(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}

/** A DNS name has at most 253 characters (RFC 1035 section 3.1), and may end in a dot. */
const HOST = /^(?:\[([\da-f:.]{1,45})\]|([\w.-]{1,254}))(?::(\d{0,5}))?$/i

/**
 * The host in a Host header (RFC 9110 section 7.2) in one form, without its port: a name in lower
 * case without a dot at its end, or an address as {@link parseIp} writes it. Undefined if the text
 * is no host, or more than one.
 */
export function parseHost(text: string): string | undefined {
  const [, ipv6, name = '', port = ''] = HOST.exec(text) ?? []
  if (Number(port) > PORT_MAX) return undefined
  if (ipv6 !== undefined) return ipv6.includes(':') ? parseIp(ipv6) : undefined
  return name.toLowerCase().replace(/\.$/, '') || undefined
}

/** Is the host an address, which no name server can point at another machine? */
export function isIpHost(host: string): boolean {
  return isIPv4(host) || host.includes(':')
}

/** Does the host, as {@link parseHost} writes it, always mean the client's own machine? */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === IPV6_LOOPBACK || (isIPv4(host) && /^127\./.test(host))
}

const IPV6_LOOPBACK = parseIp('::1')

/** Reads an origin (RFC 6454) in the form that browsers send. */
export function parseOrigin(text: string): string | undefined {
  const [, host] = /^https?:\/\/([^/?#\s@]+)$/i.exec(text) ?? []
  if (host === undefined || parseHost(host) === undefined) return undefined
  return URL.parse(text)?.origin
}
