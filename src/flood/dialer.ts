// Connects streams from explicit local addresses and ports. One address has too few ports for a
// million connections to one server, and only bound ports let each address use all of its own.

import { codeOf } from '../core/system-error.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { LocalEnds } from './local-ends.ts'
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
    Bun.connect(options).catch((error: unknown) => {
      if (stream.state !== 'connecting') return
      const code = codeOf(error) ?? ''
      const isBusy = source !== undefined && BUSY_CODES.has(code)
      if (isBusy && tries < floodLimits.portTriesMax) {
        this.#sources?.jumpAhead()
        this.dial(stream, tries + 1)
      } else this.#onFailure(stream, CONNECT_KINDS[code] ?? 'connect_failed')
    })
  }
}

/** Errors of Bun for a local end in use; the second also for an address of another machine. */
const BUSY_CODES = new Set(['EADDRINUSE', 'EADDRNOTAVAIL'])

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
