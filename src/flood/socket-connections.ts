// Connections as sockets of Bun, for every system.

import type { Socket } from 'bun'
import { codeOf } from '../core/system-error.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { descriptorOf } from '../os/bun-socket.ts'
import {
  BUSY_CODES,
  type Connections,
  type ConnectionsOptions,
  failureKind,
  Tokens,
} from './connections.ts'
import type { TargetTls } from './plan.ts'

/** The local end is missing in the types of Bun, whose `Bun.connect` has taken it since 1.2. */
type ConnectOptions = Bun.TCPSocketConnectOptions<number> & {
  localAddress?: string
  localPort?: number
}

function tlsOptions({ serverName, insecure, ca }: TargetTls): Bun.TLSOptions {
  return {
    rejectUnauthorized: !insecure,
    ...(ca === null ? {} : { ca }),
    ...(serverName === null ? {} : { serverName }),
  }
}

export class SocketConnections implements Connections {
  readonly #options: ConnectionsOptions
  readonly #tokens: Tokens
  /** By index. */
  readonly #sockets: (Socket<number> | null)[] = []

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#tokens = new Tokens(options.count)
  }

  begin(index: number): void {
    this.#connect(this.#tokens.renew(index), 1)
  }

  /** @param tries how many local ports have been tried for the connection, this one included */
  #connect(token: number, tries: number): void {
    const { server, sources, listener } = this.#options
    const options: ConnectOptions = {
      hostname: server.address,
      port: server.port,
      data: token,
      socket: this.#handlers,
      ...(server.tls === undefined ? {} : { tls: tlsOptions(server.tls) }),
    }
    const source = sources?.next()
    if (source !== undefined) {
      options.localAddress = source.address
      options.localPort = source.port
    }
    Bun.connect(options).catch((error: unknown) => {
      if (!this.#tokens.isValid(token)) return
      const code = codeOf(error) ?? ''
      if (source !== undefined && BUSY_CODES.has(code) && tries < floodLimits.portTriesMax) {
        sources?.jumpAhead()
        this.#connect(token, tries + 1)
      } else listener.onEnd(this.#tokens.indexOf(token), failureKind(code))
    })
  }

  /** Shared by all sockets; the token is their data. */
  readonly #handlers: Bun.SocketHandler<number> = {
    open: (socket) => {
      if (!this.#tokens.isValid(socket.data)) {
        socket.terminate()
        return
      }
      const index = this.#tokens.indexOf(socket.data)
      this.#setSocket(index, socket)
      // Bun drops what is written before the handshake is over.
      if (this.#options.server.tls === undefined) this.#request(index, socket)
    },
    handshake: (socket, isDone) => {
      if (!this.#tokens.isValid(socket.data)) return
      const index = this.#tokens.indexOf(socket.data)
      if (isDone) {
        this.#request(index, socket)
        return
      }
      this.close(index)
      this.#options.listener.onEnd(index, 'tls_failed')
    },
    data: (socket, bytes) => {
      if (!this.#tokens.isValid(socket.data)) return
      this.#options.listener.onBytes(this.#tokens.indexOf(socket.data), bytes, bytes.length)
    },
    close: ({ data }, error) => {
      if (!this.#tokens.isValid(data)) return
      const index = this.#tokens.indexOf(data)
      this.#tokens.renew(index)
      this.#sockets[index] = null
      // A close without an error is the server's FIN before the last chunk.
      this.#options.listener.onEnd(index, error === undefined ? 'cut_short' : 'reset')
    },
    // The promise of `Bun.connect` reports it.
    connectError: () => undefined,
  }

  #request(index: number, socket: Socket<number>): void {
    const { requests } = this.#options
    socket.write(requests.bytes, 0, requests.write(index))
  }

  /** Without holes, which would make the array a table of its keys. */
  #setSocket(index: number, socket: Socket<number>): void {
    while (this.#sockets.length < index) this.#sockets.push(null)
    this.#sockets[index] = socket
  }

  send(index: number, bytes: Uint8Array): void {
    this.#sockets[index]?.write(bytes)
  }

  pause(index: number): void {
    this.#sockets[index]?.pause()
  }

  blackhole(index: number): boolean {
    const descriptor = descriptorOf(this.#sockets[index])
    return descriptor !== undefined && this.#options.blackhole?.(descriptor) === true
  }

  close(index: number): void {
    this.#tokens.renew(index)
    this.#sockets[index]?.end()
    this.#sockets[index] = null
  }

  stop(): void {
    // They share nothing.
  }
}
