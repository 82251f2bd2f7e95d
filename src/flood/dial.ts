// Connects streams from local ends that are chosen for them. What a connection is for, and what
// becomes of it, it does not know.

import { floodLimits } from '../core/tool-limits.ts'
import type { Target } from './plan.ts'
import { Sources } from './source.ts'
import type { FloodStream } from './stream.ts'

/** The types of Bun lack the local end, which `Bun.connect` has taken since 1.2. */
type ConnectOptions = Bun.TCPSocketConnectOptions<FloodStream> & {
  localAddress?: string
  localPort?: number
}

export class Dialer {
  readonly #target: Target
  readonly #sources: Sources | null
  readonly #handlers: Bun.SocketHandler<FloodStream>
  readonly #onFailure: (stream: FloodStream, kind: string) => void

  /**
   * @param portOffset where to begin in the range of local ports
   * @param handlers shared by all sockets; the stream is their data
   * @param onFailure is told why there is no connection
   */
  constructor(
    target: Target,
    sources: readonly string[],
    portOffset: number,
    handlers: Bun.SocketHandler<FloodStream>,
    onFailure: (stream: FloodStream, kind: string) => void,
  ) {
    this.#target = target
    this.#sources = sources.length > 0 ? new Sources(sources, portOffset) : null
    this.#handlers = handlers
    this.#onFailure = onFailure
  }

  /** @param tries how many local ports are tried for it, this one included */
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
      // A busy local port: pass it over and take the next.
      const busy = source !== undefined && BUSY_CODES.has(error.code)
      if (busy && tries < floodLimits.portTriesMax) {
        this.#sources?.passOver()
        this.dial(stream, tries + 1)
      } else this.#onFailure(stream, kindOf(error.code))
    })
  }
}

/** How Bun tells of a local end that is in use; the second also of an address that is not ours. */
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

function kindOf(code: string | undefined): string {
  return CONNECT_KINDS[code ?? ''] ?? 'connect_failed'
}
