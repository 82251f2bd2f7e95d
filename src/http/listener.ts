// One listening port, on one address or on several: opened, paused while open files are short,
// closed.

import { chmodSync } from 'node:fs'
import type { Address } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { settledWithin } from '../core/deadline.ts'
import { acceptLimits, streamLimits } from '../core/limits.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { codeOf, codeOrThrow } from '../core/system-error.ts'
import type { Certificate } from '../hub/settings.ts'
import { descriptorOf, overDescriptor } from '../os/bun-socket.ts'
import { descriptorCalls } from '../os/epoll.ts'
import { SocketAddress, tcpCalls } from '../os/tcp.ts'
import { Acceptor, type AcceptorOptions, type AcceptorOwner } from './acceptor.ts'
import { ClientConnection, type ConnectionPort } from './connection.ts'
import type { OnBug } from './elysia.ts'
import type { Exchange, Socket, SocketHolder } from './exchange.ts'
import { KeptHeads } from './kept-heads.ts'
import type { RejectedRequest } from './request-errors.ts'
import { INTERNAL_ERROR, type Reply } from './response.ts'

export interface ListenerOptions {
  /** One at least. */
  readonly addresses: readonly Address[]
  /** Answers a request, now or later. Hot path: once a request. */
  readonly handle: ConnectionPort['handle']
  /**
   * Takes connections in the clear whose first bytes it can answer, see {@link AcceptorOwner}; null
   * if all are to be sockets of Bun.
   */
  readonly take?: AcceptorOwner['take'] | null
  /** The answer to bytes that are no valid request. */
  readonly rejection: (error: RejectedRequest) => Reply
  /** The answer to a request that met a bug; a text by default. */
  readonly internalError?: Reply
  /** Do other processes accept on the same port? */
  readonly isShared: boolean
  /** Are they a crowd on few cores? Then they take connections in batches. */
  readonly isOfCrowd?: boolean
  /** Who may use a Unix socket, as the mode of its file. */
  readonly socketMode?: number
  /** To speak TLS by; null to speak HTTP in the clear. */
  readonly certificate?: Certificate | null
  /**
   * Milliseconds that a client may take for the head of a request, from the start of the connection
   * or from its first byte; a function, since it may change while the port is open.
   */
  readonly headMs: () => number
  /** Milliseconds that a connection may wait for its next request. */
  readonly idleMs: number
  /** Called with how many connections were closed because they sent no head in time. */
  readonly onNoHead?: (count: number) => void
  /** Called for each connection that is accepted; it may pause the port. */
  readonly onAccepted?: () => void
  /** Is it better to close a connection after its answer than to keep it for the next request? */
  readonly isShort?: () => boolean
  readonly clock: Clock
  /** Called for a bug, which is answered with 500. */
  readonly onBug: OnBug
}

/**
 * Resolves the name of an address. Bun reports one that does not resolve as a port in use, so it is
 * checked before the port is opened.
 */
export async function resolve({ hostname, port, socketPath }: Address): Promise<Result<void>> {
  if (socketPath !== undefined) return OK
  try {
    // Loaded here, since it costs half a megabyte and workers resolve nothing.
    const { lookup } = await import('node:dns/promises')
    await lookup(hostname)
    return OK
  } catch (error) {
    const code = codeOrThrow(error)
    return refused(`${hostname}:${port} cannot be opened: ${hostname} does not resolve (${code})`)
  }
}

/** Opens the port, or says why it cannot be opened. */
export function listen(options: ListenerOptions): Result<Listener> {
  const listener = new Listener(options)
  const opened = listener.resume()
  return opened.ok ? success(listener) : opened
}

type Accepting = Pick<Bun.TCPSocketListener<SocketHolder>, 'port' | 'stop'>

export class Listener implements ConnectionPort {
  readonly #options: ListenerOptions
  /** What accepts, one an address; none while paused. */
  #accepting: readonly Accepting[] = []
  readonly heads = new KeptHeads()
  /** Those that no stream has taken over. */
  readonly #connections = new Set<ClientConnection>()
  /** Sockets of streams that have ended and still send what waits. */
  readonly #ending = new Set<Socket>()
  /** Sockets that are open, those of streams included. */
  #sockets = 0
  #onEmpty: (() => void) | null = null
  #isStopping = false
  #timer: Timer | null = null
  /** As they were given, with the ports that the system chose. */
  #addresses: readonly Address[]
  #certificate: Certificate | null
  /** Of this system, once they are needed. */
  #calls: Pick<AcceptorOptions, 'calls' | 'events'> | null = null

  /** Of all sockets; one that was accepted past Bun is opened in another way. */
  readonly #handlers: Bun.SocketHandler<SocketHolder> = {
    // A `Buffer` would have memory outside of the heap, which costs a microsecond a read.
    binaryType: 'uint8array',
    open: (socket) => this.#onOpen(socket),
    // With it, Bun 1.4.5 opens a socket before its handshake, which has a time limit then.
    handshake: () => undefined,
    data: (socket, bytes) => socket.data.onData(bytes),
    drain: (socket) => socket.data.onDrain(),
    end: (socket) => socket.data.onEnd(),
    close: (socket) => this.#onClose(socket),
    error: (socket, error) => this.#onError(socket, error),
  }

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#addresses = options.addresses
    this.#certificate = options.certificate ?? null
  }

  get addresses(): readonly Address[] {
    return this.#addresses
  }

  /** The port of the first of them. */
  get port(): number {
    return this.#addresses[0]?.port ?? 0
  }

  get paused(): boolean {
    return this.#accepting.length === 0
  }

  /** Accepts connections, on all addresses or on none. */
  resume(): Result<void> {
    const opened: Accepting[] = []
    for (const address of this.#addresses) {
      const listener = this.#open(address)
      if (!listener.ok) {
        for (const other of opened) other.stop()
        return listener
      }
      opened.push(listener.value)
    }
    this.#accepting = opened
    this.#addresses = this.#addresses.map((address, i) => ({
      ...address,
      port: opened[i]?.port ?? address.port,
    }))
    return OK
  }

  #open(address: Address): Result<Accepting> {
    const { socketMode, isShared } = this.#options
    const { hostname, port, socketPath } = address
    const tls = this.#certificate === null ? {} : { tls: { ...this.#certificate } }
    // A client may close its half after its request.
    const how = { allowHalfOpen: true, ...tls, socket: this.#handlers }
    // No other user may open it between its creation and the change of its mode.
    const umask = socketPath === undefined ? null : process.umask(0o177)
    try {
      if (socketPath !== undefined) {
        const listener = Bun.listen<SocketHolder>({ unix: socketPath, ...how })
        chmodSync(socketPath, socketMode ?? 0o600)
        return success(listener as unknown as Accepting)
      }
      // `::` stands for all IPv4 addresses too, unless one of them is in the list itself.
      const ipv6Only =
        hostname.includes(':') && this.#addresses.some((other) => isIpv4At(port, other))
      const acceptor = this.#accept(address, ipv6Only)
      if (acceptor !== null) return success(acceptor)
      // For workers alone: a second server on the same port would take half of the clients.
      const shared = { reusePort: isShared, ipv6Only }
      const listener = Bun.listen<SocketHolder>({ hostname, port, ...shared, ...how })
      this.#limitUnsent(listener)
      return success(listener)
    } catch (error) {
      return refused(whyNot(address, error))
    } finally {
      if (umask !== null) process.umask(umask)
    }
  }

  /** As {@link #accept} does it. */
  #limitUnsent(listener: object): void {
    this.#calls ??= callsOf()
    const descriptor = descriptorOf(listener)
    if (descriptor === undefined) return
    this.#calls?.calls.limitUnsent(descriptor, acceptLimits.unsentBytesMax)
  }

  /** Null if Bun is to accept, or is to say why it cannot be done. */
  #accept({ hostname, port }: Address, isIpv6Only: boolean): Acceptor | null {
    const { take = null, isShared, isOfCrowd: inBatches = false, onBug } = this.#options
    const address = SocketAddress.of(hostname, port)
    if (take === null || this.#certificate !== null || address === null) return null
    this.#calls ??= callsOf()
    if (this.#calls === null) return null
    const { calls, events } = this.#calls
    const descriptor = calls.listen({ address, isIpv6Only, isShared, ...acceptLimits })
    if (descriptor < 0) return null
    const owner = {
      take,
      adopt: (connection: number, bytes: Uint8Array) => this.#adopt(connection, bytes),
      onAccepted: () => this.#options.onAccepted?.(),
    }
    return Acceptor.open({ calls, events, descriptor, owner, inBatches, onBug })
  }

  /** Makes a connection a socket of Bun, which has sent these bytes. */
  #adopt(descriptor: number, bytes: Uint8Array): void {
    const opening: Promise<unknown> = Bun.connect<SocketHolder>({
      ...overDescriptor(descriptor),
      allowHalfOpen: true,
      socket: {
        ...this.#handlers,
        open: (socket) => {
          this.#hold(socket)
          if (bytes.length > 0) socket.data.onData(bytes)
        },
      },
    })
    opening.catch((error: unknown) => this.#options.onBug(error))
  }

  #onOpen(socket: Socket): void {
    this.#hold(socket)
    this.#options.onAccepted?.()
  }

  #hold(socket: Socket): void {
    this.#sockets++
    const connection = new ClientConnection(socket, this)
    socket.data = connection
    this.#connections.add(connection)
    this.#timer ??= setTimeout(() => this.#sweep(), streamLimits.headCheckEveryMs)
  }

  #onClose(socket: Socket): void {
    this.#sockets--
    this.#ending.delete(socket)
    socket.data.onClose()
    if (this.#sockets === 0) this.#onEmpty?.()
  }

  /** A stream has ended, and its socket is open until the client has taken the rest. */
  readonly onEnding = (socket: Socket): void => {
    this.#ending.add(socket)
  }

  /** Bun calls it for what a handler threw, and for a connection that broke. */
  #onError(socket: Socket, error: Error): void {
    if (codeOf(error) !== undefined) return
    this.#options.onBug(error)
    socket.terminate()
  }

  /** Ends connections that take too long; one timer for all, and none while there are none. */
  #sweep(): void {
    const nowMs = this.nowMs()
    let noHead = 0
    for (const connection of this.#connections) {
      const overdue = connection.overdue(nowMs)
      if (overdue === null) continue
      if (overdue === 'head') noHead++
      // What the kernel has of an answer is still sent, except to a client that takes nothing.
      if (overdue === 'write') connection.cut()
      else connection.close()
    }
    if (noHead > 0) this.#options.onNoHead?.(noHead)
    this.#timer =
      this.#connections.size === 0
        ? null
        : setTimeout(() => this.#sweep(), streamLimits.headCheckEveryMs)
  }

  get isClosing(): boolean {
    return this.#isStopping || this.#options.isShort?.() === true
  }

  get headMs(): number {
    return this.#options.headMs()
  }

  get idleMs(): number {
    return this.#options.idleMs
  }

  nowMs(): number {
    return this.#options.clock.elapsedMs()
  }

  handle(exchange: Exchange): void | Promise<void> {
    return this.#options.handle(exchange)
  }

  rejection(error: RejectedRequest): Reply {
    return this.#options.rejection(error)
  }

  get internalError(): Reply {
    return this.#options.internalError ?? INTERNAL_ERROR
  }

  onBug(error: unknown): void {
    this.#options.onBug(error)
  }

  onEnded(connection: ClientConnection): void {
    this.#connections.delete(connection)
  }

  /** Uses another certificate for new connections. */
  renew(certificate: Certificate): Result<void> {
    const before = this.#certificate
    this.#certificate = certificate
    if (this.paused) return OK
    this.pause()
    const resumed = this.resume()
    if (!resumed.ok) this.#certificate = before
    return resumed
  }

  /** Accepts no more connections; those that are open, and their streams, go on. */
  pause(): void {
    for (const listener of this.#accepting) listener.stop()
    this.#accepting = []
  }

  /**
   * Accepts no more, closes the connections that wait for a request, waits up to `ms` for the
   * others to end, then cuts them.
   *
   * @returns whether there were any left to cut
   */
  async stop(ms: number): Promise<boolean> {
    this.pause()
    this.#isStopping = true
    for (const connection of this.#connections) if (connection.isIdle) connection.close()
    await settledWithin(this.#empty(), ms)
    const cut = this.#sockets > 0
    for (const connection of this.#connections) connection.cut()
    for (const socket of this.#ending) socket.terminate()
    if (this.#timer !== null) clearTimeout(this.#timer)
    return cut
  }

  async #empty(): Promise<void> {
    if (this.#sockets === 0) return
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve
    })
  }
}

function isIpv4At(port: number, address: Address): boolean {
  return address.port === port && !address.hostname.includes(':')
}

function whyNot({ hostname, port, socketPath }: Address, error: unknown): string {
  const where = socketPath === undefined ? `${hostname}:${port}` : `unix:${socketPath}`
  const code = codeOf(error)
  if (code === 'EADDRINUSE') return `${where} is in use; stop what listens there or choose another`
  if (code === 'EACCES') return `${where} may not be opened by this user; choose a port above 1023`
  if (code === 'EADDRNOTAVAIL') return `${where} is not an address of this machine`
  return `${where} cannot be opened: ${error instanceof Error ? error.message : String(error)}`
}

function callsOf() {
  const calls = tcpCalls(acceptLimits.receiveBytes)
  const events = descriptorCalls(1)
  return calls === null || events === null ? null : { calls, events }
}
