// Where connections come from: explicit local addresses and ports. One address has too few ports
// for a million connections to one server, and only bound ports let each address use all of its own.

import { floodLimits } from '../core/limits.ts'

/** One local end of a connection. */
export interface Source {
  readonly address: string
  readonly port: number
}

/** The addresses of a range like `10.0.0.1-10.0.0.17`, or of a single address; undefined if it is none. */
export function parseSources(text: string): string[] | undefined {
  const [from, to, ...rest] = text.includes('-') ? text.split('-') : [text, text]
  const first = ipv4Number(from?.trim() ?? '')
  const last = ipv4Number(to?.trim() ?? '')
  if (first === undefined || last === undefined || rest.length > 0 || last < first) return undefined
  if (last - first >= 65_536) return undefined
  return Array.from({ length: last - first + 1 }, (_, step) => ipv4Text(first + step))
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

/**
 * Hands out local ends one after another, address by address in turn, each port once a round.
 *
 * @param offset where in the port range to begin; a fresh one each run steers clear of the ports
 * that the kernel still keeps from the last
 */
export function* sourcesFrom(addresses: readonly string[], offset: number): Generator<Source> {
  const { portFirst, portLast } = floodLimits
  const ports = portLast - portFirst + 1
  for (let step = 0; ; step++) {
    const port = portFirst + ((offset + Math.floor(step / addresses.length)) % ports)
    yield { address: addresses[step % addresses.length] as string, port }
  }
}

function ipv4Number(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

function ipv4Text(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}
