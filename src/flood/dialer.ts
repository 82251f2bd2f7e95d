// Connects streams from explicit local addresses and ports. One address has too few ports for a
// million connections to one server, and only bound ports let each address use all of its own.

import { ipv4Number, ipv4Text, parseIp } from '../core/address.ts'
import { floodLimits } from '../core/tool-limits.ts'
import type { Target } from './plan.ts'
import type { FloodStream } from './stream-reader.ts'

/** The local end is missing in the types of Bun, whose `Bun.connect` has taken it since 1.2. */
type ConnectOptions = Bun.TCPSocketConnectOptions<FloodStream> & {
  localAddress?: string
  localPort?: number
}

export class Dialer {
  readonly #target: Target
  readonly #sources: LocalEnds | null
  readonly #handlers: Bun.SocketHandler<FloodStream>
  readonly #onFailure: (stream: FloodStream, kind: string) => void

  /**
   * @param portOffset where to begin in the range of local ports
   * @param handlers shared by all sockets; the stream is their data
   * @param onFailure called with the reason why a stream has no connection
   */
  constructor(
    target: Target,
    sources: readonly string[],
    portOffset: number,
    handlers: Bun.SocketHandler<FloodStream>,
    onFailure: (stream: FloodStream, kind: string) => void,
  ) {
    this.#target = target
    this.#sources = sources.length > 0 ? new LocalEnds(sources, portOffset) : null
    this.#handlers = handlers
    this.#onFailure = onFailure
  }

  /** @param tries how many local ports have been tried for the stream, this one included */
  dial(stream: FloodStream, tries = 1): void {
    const options: ConnectOptions = {
      hostname: this.#target.address,
      port: this.#target.port,
      data: stream,
      socket: this.#handlers,
    }
    const source = this.#sources?.next()
    if (source !== undefined) {
      options.localAddress = source.address
      options.localPort = source.port
    }
    Bun.connect(options).catch((error: Error & { code?: string }) => {
      if (stream.state !== 'connecting') return
      const isBusy = source !== undefined && BUSY_CODES.has(error.code)
      if (isBusy && tries < floodLimits.portTriesMax) {
        this.#sources?.skip()
        this.dial(stream, tries + 1)
      } else this.#onFailure(stream, CONNECT_KINDS[error.code ?? ''] ?? 'connect_failed')
    })
  }
}

/** Errors of Bun for a local end in use; the second also for an address of another machine. */
const BUSY_CODES = new Set<string | undefined>(['EADDRINUSE', 'EADDRNOTAVAIL'])

const CONNECT_KINDS: Record<string, string> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  ETIMEDOUT: 'connect_timeout',
  EADDRNOTAVAIL: 'local_address_not_available',
  EADDRINUSE: 'local_ports_in_use',
  EMFILE: 'too_many_open_files',
  ENETUNREACH: 'unreachable',
  EHOSTUNREACH: 'unreachable',
}

/** The local end of a connection. */
export interface LocalEnd {
  readonly address: string
  readonly port: number
}

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

  next(): LocalEnd {
    const { portFirst, portLast } = floodLimits
    const count = this.#addresses.length
    const place = this.#offset + Math.floor(this.#step / count)
    const address = this.#addresses[this.#step % count] as string
    this.#step++
    return { address, port: portFirst + (place % (portLast - portFirst + 1)) }
  }

  /** Goes on further away: the last port was busy, and so are its neighbours, most likely. */
  skip(): void {
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
