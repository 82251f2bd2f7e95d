// IP addresses as text: read in whatever form they come, and written in one, so that two texts of the
// same address are equal. Who may do what from where is not its business.

import { isIPv4, isIPv6 } from 'node:net'

/** Groups of 16 bits in an IPv6 address. */
const GROUPS = 8
/** Of these, as many as tell networks of customers apart. */
const NETWORK_GROUPS = 4

/**
 * The one form of an address: IPv4 as it is, and also where it is written within IPv6 (`::ffff:…`,
 * RFC 4291 section 2.5.5.2); IPv6 in lower case without zone and without leading zeros, each group
 * written. Undefined if the text is no address.
 */
export function parseIp(text: string): string | undefined {
  if (isIPv4(text)) return text
  const [address = ''] = text.split('%')
  if (!isIPv6(address)) return undefined
  const groups = groupsOf(address)
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  return isMapped ? ipv4Of(groups.slice(6)) : groups.map(hex).join(':')
}

/**
 * What counts as one client: an IPv4 address as it is, and the first 64 bits of an IPv6 address, since a
 * single customer has at least as many addresses as the rest (RFC 6177).
 *
 * @param ip as {@link parseIp} writes it
 */
export function clientNetwork(ip: string): string {
  if (!ip.includes(':')) return ip
  return `${ip.split(':').slice(0, NETWORK_GROUPS).join(':')}::/64`
}

/** An address, or all that begin with the same bits. */
export interface Network {
  readonly ip: string
  readonly bits: number
}

/** Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', bits, ...others] = text.trim().split('/')
  const ip = parseIp(address)
  // The kernel tells no zone of those who connect, so one would mean nothing.
  if (ip === undefined || others.length > 0 || address.includes('%')) return undefined
  const bitsMax = ip.includes(':') ? 128 : 32
  if (bits === undefined) return { ip, bits: bitsMax }
  // A network of IPv4 that is written within IPv6 would count its bits from elsewhere.
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > bitsMax || (bitsMax === 32 && !isIPv4(address))) {
    return undefined
  }
  return { ip, bits: Number(bits) }
}

function groupsOf(address: string): number[] {
  const [front = [], back] = address.split('::').map((part) => part.split(':').flatMap(groupOf))
  if (back === undefined) return front
  return [...front, ...new Array(GROUPS - front.length - back.length).fill(0), ...back]
}

/** One group, or the two that an IPv4 address at the end stands for; none for an empty text. */
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
