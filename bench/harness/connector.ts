// Connects from a loopback address of its own and from ports that it binds: the kernel passes over
// every port that any other program has bound on any address, and so finds too few beside a flood.

import { codeOf } from '../../src/core/system-error.ts'

/** The local end is missing in the types of Bun, whose `Bun.connect` has taken it since 1.2. */
type Options<Data> = Bun.TCPSocketConnectOptions<Data> & {
  localAddress: string
  localPort: number
}

const [PORT_FIRST, PORT_LAST] = [10_000, 59_999]
/** Local ports tried for one connection: most are busy for a minute after a run. */
const TRIES_MAX = 1_024
const BUSY_CODES: ReadonlySet<string> = new Set(['EADDRINUSE', 'EADDRNOTAVAIL'])

export type Target<Data> = Pick<
  Bun.TCPSocketConnectOptions<Data>,
  'hostname' | 'port' | 'tls' | 'socket'
>

export class Connector<Data> {
  readonly #target: Target<Data>
  readonly #localAddress: string
  readonly #onFailure: (data: Data, error: unknown) => void
  /** Elsewhere in the range than the last run. */
  #next = process.pid

  constructor(
    target: Target<Data>,
    localAddress: string,
    onFailure: (data: Data, error: unknown) => void,
  ) {
    this.#target = target
    this.#localAddress = localAddress
    this.#onFailure = onFailure
  }

  connect(data: Data, tries = 1): void {
    const localPort = PORT_FIRST + (this.#next++ % (PORT_LAST - PORT_FIRST + 1))
    const options: Options<Data> = {
      ...this.#target,
      ...{ data, localAddress: this.#localAddress, localPort },
    }
    Bun.connect(options).catch((error: unknown) => {
      const isBusy = BUSY_CODES.has(codeOf(error) ?? '')
      if (isBusy && tries < TRIES_MAX) this.connect(data, tries + 1)
      else this.#onFailure(data, error)
    })
  }
}
