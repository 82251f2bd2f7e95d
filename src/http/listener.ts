// One listening port, on one address or on several: opened, paused while open files are short,
// closed.

import { lookup } from 'node:dns/promises'
import { chmodSync } from 'node:fs'
import type { Address } from '../core/address.ts'
import { settledWithin } from '../core/deadline.ts'
import { streamLimits } from '../core/limits.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { codeOf, codeOrThrow } from '../core/system-error.ts'
import type { Certificate } from '../hub/settings.ts'

type Fetch = (request: Request) => Response | Promise<Response>

export interface ListenerOptions {
  /** One at least. */
  readonly addresses: readonly Address[]
  readonly fetch: Fetch
  /** Do other processes accept on the same port? */
  readonly isShared: boolean
  /** Who may use a Unix socket, as the mode of its file. */
  readonly socketMode?: number
  /** To speak TLS by; null to speak HTTP in the clear. */
  readonly certificate?: Certificate | null
  /**
   * Seconds of silence between two requests of one connection before it is closed; a function,
   * since it may change while the port is open.
   */
  readonly idleTimeoutSeconds: () => number
  /** Is it better to close a connection after its answer than to keep it for the next request? */
  readonly isShort?: () => boolean
  /** Called for a bug in the app, which is answered with 500. */
  readonly onError: (error: Error) => void
}

/**
 * Resolves the name of an address. Bun reports one that does not resolve as a port in use, so it is
 * checked before the port is opened.
 */
export async function resolve({ hostname, port, socketPath }: Address): Promise<Result<void>> {
  if (socketPath !== undefined) return OK
  try {
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

export class Listener {
  readonly #options: ListenerOptions
  /** The servers that accept, one an address; none while paused. */
  #accepting: readonly Bun.Server<undefined>[] = []
  /** Servers that no longer accept but still hold connections, with the end of each. */
  readonly #publicPort = new Map<Bun.Server<undefined>, Promise<void>>()
  /** The server whose request is being handled in this turn of the loop. */
  #handling: Bun.Server<undefined> | null = null
  /** As they were given, with the ports that the system chose. */
  #addresses: readonly Address[]
  #certificate: Certificate | null

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

  /**
   * The connection may be silent without a limit from now on. Called while its request is handled.
   */
  keepOpen(request: Request): void {
    this.#handling?.timeout(request, 0)
  }

  /** The address of a request's other end, by the kernel; null if it is closed already. */
  peerOf(request: Request): string | null {
    return this.#handling?.requestIP(request)?.address ?? null
  }

  /** Accepts connections, on all addresses or on none. */
  resume(): Result<void> {
    const opened: Bun.Server<undefined>[] = []
    for (const address of this.#addresses) {
      const server = this.#open(address)
      if (!server.ok) {
        for (const other of opened) other.stop(true)
        return server
      }
      opened.push(server.value)
    }
    this.#accepting = opened
    this.#addresses = this.#addresses.map((address, i) => ({
      ...address,
      port: opened[i]?.port ?? address.port,
    }))
    return OK
  }

  #open(address: Address): Result<Bun.Server<undefined>> {
    const { socketMode } = this.#options
    const { socketPath } = address
    // No other user may open it between its creation and the change of its mode.
    const umask = socketPath === undefined ? null : process.umask(0o177)
    try {
      const server = Bun.serve(this.#serverOptions(address))
      if (socketPath !== undefined) chmodSync(socketPath, socketMode ?? 0o600)
      return success(server)
    } catch (error) {
      return refused(whyNot(address, error))
    } finally {
      if (umask !== null) process.umask(umask)
    }
  }

  #serverOptions(address: Address) {
    const { fetch, isShared, isShort, onError } = this.#options
    const idleTimeout = this.#idleTimeoutSeconds()
    const { hostname, port, socketPath } = address
    const tcp = {
      hostname,
      port,
      // For workers alone: a second server on the same port would take half of the clients.
      reusePort: isShared,
      // `::` stands for all IPv4 addresses too, unless one of them is in the list itself.
      ipv6Only: hostname.includes(':') && this.#addresses.some((other) => isIpv4At(port, other)),
    }
    const where =
      socketPath === undefined
        ? tcp
        : // The types of Bun have no idle timeout for these, but Bun 1.4.5 applies it.
          ({ unix: socketPath } as unknown as typeof tcp)
    return {
      ...where,
      ...(this.#certificate === null ? {} : { tls: { ...this.#certificate } }),
      // Development mode would print every stream that is reset.
      development: false,
      idleTimeout,
      // Bodies are read as they come, and bounded where they are read.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request: Request, server: Bun.Server<undefined>) => {
        this.#handling = server
        // It may have changed since the port was opened.
        const seconds = this.#idleTimeoutSeconds()
        if (seconds !== idleTimeout) server.timeout(request, seconds)
        return isShort?.() === true ? closing(fetch(request)) : fetch(request)
      },
      error: (error: Error) => {
        onError(error)
        return new Response('Internal error\n', { status: 500 })
      },
    }
  }

  #idleTimeoutSeconds(): number {
    return Math.min(this.#options.idleTimeoutSeconds(), streamLimits.idleTimeoutSecondsMax)
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
    for (const server of this.#accepting) {
      const ended = server.stop(false).then(() => {
        this.#publicPort.delete(server)
      })
      this.#publicPort.set(server, ended)
    }
    this.#accepting = []
  }

  /**
   * Accepts no more, waits up to `ms` for the open connections to end, then cuts them.
   *
   * @returns whether there were any left to cut
   */
  async stop(ms: number): Promise<boolean> {
    this.pause()
    await settledWithin(Promise.all(this.#publicPort.values()), ms)
    const cut = this.#publicPort.size > 0
    for (const server of this.#publicPort.keys()) server.stop(true)
    return cut
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

/** The same answer; its connection is closed after it. */
export async function closing(answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer
  response.headers.set('connection', 'close')
  return response
}

type Answer = Response | Promise<Response>

/**
 * Marks an answer that did not read the body as the last of its connection (RFC 9112 section 9.6).
 * Then no byte of that body is read as a request, and no client holds the connection by not sending
 * it. Bun 1.4.5 alone would skip the rest of that body, and keep the connection for it until the
 * idle timeout, which the bytes of the body do not renew. Hot path: once a request.
 */
export function closingUnread(request: Request, answer: Answer): Answer {
  if (request.bodyUsed || !hasBody(request.headers)) return answer
  return answer instanceof Promise ? closingLater(request, answer) : closing(answer)
}

async function closingLater(request: Request, answer: Promise<Response>): Promise<Response> {
  const response = await answer
  return request.bodyUsed ? response : closing(response)
}

function hasBody(headers: Headers): boolean {
  return Number(headers.get('content-length') ?? 0) > 0 || headers.has('transfer-encoding')
}
