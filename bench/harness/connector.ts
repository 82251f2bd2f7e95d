// Connects from a loopback address of its own and from ports that it binds: the kernel passes over
// the ports that other programs have bound, on all addresses, and so finds too few beside a flood.

import { codeOf } from '../../src/core/system-error.ts'
import { floodLimits } from '../../src/core/tool-limits.ts'
import { BUSY_CODES } from '../../src/flood/connections.ts'
import { LocalEnds } from '../../src/flood/local-ends.ts'

/** Used by no flood, whose addresses begin at 127.0.1.1. */
const SOURCE = '127.0.3.1'

/** The local end is missing in the types of Bun, whose `Bun.connect` has taken it since 1.2. */
type Options<Data> = Bun.TCPSocketConnectOptions<Data> & {
  localAddress: string
  localPort: number
}

/** What all connections have in common. */
type Shared<Data> = Pick<Bun.TCPSocketConnectOptions<Data>, 'hostname' | 'port' | 'tls' | 'socket'>

export class Connector<Data> {
  readonly #shared: Shared<Data>
  readonly #onFailure: (data: Data, error: unknown) => void
  readonly #localEnds = new LocalEnds([SOURCE], process.pid)

  constructor(shared: Shared<Data>, onFailure: (data: Data, error: unknown) => void) {
    this.#shared = shared
    this.#onFailure = onFailure
  }

  connect(data: Data, tries = 1): void {
    const { address: localAddress, port: localPort } = this.#localEnds.next()
    const options: Options<Data> = { ...this.#shared, data, localAddress, localPort }
    Bun.connect(options).catch((error: unknown) => {
      if (BUSY_CODES.has(codeOf(error) ?? '') && tries < floodLimits.portTriesMax) {
        this.#localEnds.jumpAhead()
        this.connect(data, tries + 1)
      } else this.#onFailure(data, error)
    })
  }
}
