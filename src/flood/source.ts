// Where connections come from: explicit local addresses and ports. One address has too few ports
// for a million connections to one server, and only bound ports let each address use all of its own.

import { ipv4Number, ipv4Text } from '../core/address.ts'
import { parseIp } from '../core/ip.ts'
import { floodLimits } from '../core/tool-limits.ts'

/** One local end of a connection. */
export interface Source {
  readonly address: string
  readonly port: number
}

/**
 * The addresses of a range like `10.0.0.1-10.0.0.17` or `fd00::1-fd00::11`, or of a single address;
 * undefined if it is none. An IPv6 range lies within one network of 96 bits.
 */
export function parseSources(text: string): string[] | undefined {
  const ends = text.includes('-') ? text.split('-') : [text, text]
  const [from, to, ...rest] = ends.map((end) => partsOf(end.trim()))
  if (from === undefined || to === undefined || rest.length > 0) return undefined
  const { network, number: first } = from
  const count = to.number - first + 1
  if (to.network !== network || count < 1 || count > 65_536) return undefined
  return Array.from({ length: count }, (_, step) => textOf({ network, number: first + step }))
}

/** An address in two parts, of which the second is the last 32 bits. */
interface Parts {
  /** The groups before them; empty for IPv4. */
  readonly network: string
  readonly number: number
}

function partsOf(text: string): Parts | undefined {
  // With a zone the address would have to be told from the same one of another zone.
  const ip = text.includes('%') ? undefined : parseIp(text)
  if (ip === undefined) return undefined
  const number = ipv4Number(ip)
  if (number !== undefined) return { network: '', number }
  const groups = ip.split(':')
  const [high = 0, low = 0] = groups.slice(-2).map((group) => Number.parseInt(group, 16))
  return { network: groups.slice(0, -2).join(':'), number: high * 65_536 + low }
}

function textOf({ network, number }: Parts): string {
  if (network === '') return ipv4Text(number)
  return [network, (number >>> 16).toString(16), (number & 0xffff).toString(16)].join(':')
}

/**
 * The addresses to use when none are given. On loopback every address of 127.0.0.0/8 is this
 * machine, so as many are taken as the connections need; elsewhere the kernel chooses.
 */
export function defaultSources(serverAddress: string, connections: number): string[] {
  if (!serverAddress.startsWith('127.')) return []
  const first = ipv4Number('127.0.1.1') as number
  const count = Math.max(1, Math.ceil(connections / floodLimits.connectionsPerAddress))
  return Array.from({ length: count }, (_, step) => ipv4Text(first + step))
}

/** Hands out local ends one after another, address by address in turn, each port once a round. */
export class Sources {
  readonly #addresses: readonly string[]
  #offset: number
  #step = 0

  /**
   * @param offset where in the port range to begin; a fresh one each run steers clear of the ports
   * that the kernel still keeps from the last
   */
  constructor(addresses: readonly string[], offset: number) {
    this.#addresses = addresses
    this.#offset = offset
  }

  next(): Source {
    const { portFirst, portLast } = floodLimits
    const count = this.#addresses.length
    const place = this.#offset + Math.floor(this.#step / count)
    const address = this.#addresses[this.#step % count] as string
    this.#step++
    return { address, port: portFirst + (place % (portLast - portFirst + 1)) }
  }

  /** The last one was busy, and so are its neighbours, most likely: go on elsewhere. */
  passOver(): void {
    this.#offset += floodLimits.portStride
  }
}
