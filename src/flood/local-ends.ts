// The local addresses and ports of a flood's connections, and how ranges of addresses are written.

import { ipv4Number, ipv4Text, parseIp } from '../core/address.ts'
import { floodLimits } from '../core/tool-limits.ts'

/** Local ends one after another, the addresses in turn, each port once a round. */
export class LocalEnds {
  readonly #addresses: readonly string[]
  #offset: number
  #step = 0

  /**
   * @param offset where in the port range to begin; another one each run avoids the ports that the
   * kernel still keeps from the last run
   */
  constructor(addresses: readonly string[], offset: number) {
    this.#addresses = addresses
    this.#offset = offset
  }

  /** The local end of the next connection. */
  next(): { readonly address: string; readonly port: number } {
    const { portFirst, portLast } = floodLimits
    const count = this.#addresses.length
    const place = this.#offset + Math.floor(this.#step / count)
    const address = this.#addresses[this.#step % count] as string
    this.#step++
    return { address, port: portFirst + (place % (portLast - portFirst + 1)) }
  }

  /** Goes on further away: the last port was busy, and so are its neighbours, most likely. */
  jumpAhead(): void {
    this.#offset += floodLimits.portStride
  }
}

/**
 * The addresses to use when none are given. On loopback every address of 127.0.0.0/8 is this
 * machine, so as many are used as the connections need; elsewhere the kernel chooses.
 */
export function defaultSources(serverAddress: string, connections: number): string[] {
  if (!serverAddress.startsWith('127.')) return []
  const first = ipv4Number('127.0.1.1') as number
  const count = Math.max(1, Math.ceil(connections / floodLimits.connectionsPerAddress))
  return Array.from({ length: count }, (_, step) => ipv4Text(first + step))
}

/**
 * The addresses of a range like `10.0.0.1-10.0.0.17` or `fd00::1-fd00::11`, or of a single address;
 * undefined if the text is neither. An IPv6 range lies within one network of 96 bits.
 */
export function parseSources(text: string): string[] | undefined {
  const ends = text.includes('-') ? text.split('-') : [text, text]
  const [from, to, ...rest] = ends.map((end) => parseAddress(end.trim()))
  if (from === undefined || to === undefined || rest.length > 0) return undefined
  const { network, number: first } = from
  const count = to.number - first + 1
  if (to.network !== network || count < 1 || count > 65_536) return undefined
  return Array.from({ length: count }, (_, step) => addressText({ network, number: first + step }))
}

interface Address {
  /** The groups of an IPv6 address before its last 32 bits; empty for IPv4. */
  readonly network: string
  /** The last 32 bits. */
  readonly number: number
}

function parseAddress(text: string): Address | undefined {
  // Zones are not supported: the same address of two zones is two addresses.
  const ip = text.includes('%') ? undefined : parseIp(text)
  if (ip === undefined) return undefined
  const number = ipv4Number(ip)
  if (number !== undefined) return { network: '', number }
  const groups = ip.split(':')
  const [high = 0, low = 0] = groups.slice(-2).map((group) => Number.parseInt(group, 16))
  return { network: groups.slice(0, -2).join(':'), number: high * 65_536 + low }
}

function addressText({ network, number }: Address): string {
  if (network === '') return ipv4Text(number)
  return [network, (number >>> 16).toString(16), (number & 0xffff).toString(16)].join(':')
}
