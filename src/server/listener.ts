// One listening port: opened, paused while open files are short, and closed. It hands requests to
// an app and knows nothing of what they mean.

import { lookup } from 'node:dns/promises'
import { chmodSync } from 'node:fs'
import type { Address } from '../core/address.ts'
import type { Certificate } from '../core/certificate.ts'
import { settledWithin } from '../core/deadline.ts'
import { streamLimits } from '../core/limits.ts'

type Fetch = (request: Request) => Response | Promise<Response>

export interface ListenerOptions {
  readonly address: Address
  readonly fetch: Fetch
  /** Do other processes accept on the same port? */
  readonly isShared: boolean
  /** Who may use a Unix socket, as the mode of its file. */
  readonly socketMode?: number
  /** To speak TLS by; null to speak HTTP in the clear. */
  readonly certificate?: Certificate | null
  /** Seconds of silence between two requests of one connection before it is closed. */
  readonly idleTimeoutSeconds: number
  /** Is it better to close a connection after its answer than to keep it for the next request? */
  readonly isShort?: () => boolean
  /** A bug in the app: told here, answered with 500. */
  readonly onError: (error: Error) => void
}

export type ListenResult =
  | { readonly ok: true; readonly listener: Listener }
  | { readonly ok: false; readonly why: string }

/**
 * Why an address has a name that stands for none, or null. Bun tells of it as of a port in use, so
 * that it is to be asked before the port is opened.
 */
export async function whyUnresolved({
  hostname,
  port,
  socketPath,
}: Address): Promise<string | null> {
  if (socketPath !== undefined) return null
  try {
    await lookup(hostname)
    return null
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    return `${hostname}:${port} cannot be opened: ${hostname} does not resolve (${error.code})`
  }
}

/** Opens the port, or says why it cannot be opened. */
export function listen(options: ListenerOptions): ListenResult {
  const listener = new Listener(options)
  const why = listener.resume()
  return why === null ? { ok: true, listener } : { ok: false, why }
}

export class Listener {
  readonly #options: ListenerOptions
  /** The server that accepts; null while paused. */
  #accepting: Bun.Server<undefined> | null = null
  /** Servers that no longer accept but still hold connections, with the end of each. */
  readonly #holding = new Map<Bun.Server<undefined>, Promise<void>>()
  /** The server whose request is being handled in this turn of the loop. */
  #handling: Bun.Server<undefined> | null = null
  #port: number
  #certificate: Certificate | null

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#port = options.address.port
    this.#certificate = options.certificate ?? null
  }

  get address(): Address {
    return { ...this.#options.address, port: this.#port }
  }

  get paused(): boolean {
    return this.#accepting === null
  }

  /** A connection may be silent for ever from now on. Called while its request is handled. */
  keepOpen(request: Request): void {
    this.#handling?.timeout(request, 0)
  }

  /** The address of a request's other end, as the kernel tells it; null if that is gone already. */
  peerOf(request: Request): string | null {
    return this.#handling?.requestIP(request)?.address ?? null
  }

  /** Accepts connections; answers why it cannot, or null. */
  resume(): string | null {
    const { fetch, isShared, isShort, idleTimeoutSeconds, onError } = this.#options
    const { hostname, socketPath } = this.#options.address
    // Nobody else may be in between its making and its mode.
    const umask = socketPath === undefined ? null : process.umask(0o177)
    try {
      // For workers alone: a second server on the same port would take half of the clients.
      const tcp = { hostname, port: this.#port, reusePort: isShared }
      const where =
        socketPath === undefined
          ? tcp
          : // The types of Bun have no idle timeout for these.
            ({ unix: socketPath } as unknown as typeof tcp)
      this.#accepting = Bun.serve({
        ...where,
        ...(this.#certificate === null ? {} : { tls: { ...this.#certificate } }),
        // Development mode would print every stream that is reset.
        development: false,
        idleTimeout: Math.min(idleTimeoutSeconds, streamLimits.idleTimeoutSecondsMax),
        // Bodies are read as they come, and bounded where they are read.
        maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        fetch: (request, server) => {
          this.#handling = server
          return isShort?.() === true ? closing(fetch(request)) : fetch(request)
        },
        error: (error) => {
          onError(error)
          return new Response('Internal error\n', { status: 500 })
        },
      })
    } catch (error) {
      return this.#whyNot(error)
    } finally {
      if (umask !== null) process.umask(umask)
    }
    if (socketPath !== undefined) chmodSync(socketPath, this.#options.socketMode ?? 0o600)
    this.#port = this.#accepting.port ?? this.#port
    return null
  }

  /** Speaks by another certificate to those who come from now on; answers why it cannot, or null. */
  renew(certificate: Certificate): string | null {
    this.#certificate = certificate
    if (this.paused) return null
    this.pause()
    return this.resume()
  }

  /** Accepts no more connections; those that are open, and their streams, go on. */
  pause(): void {
    const server = this.#accepting
    if (server === null) return
    this.#accepting = null
    const ended = server.stop(false).then(() => {
      this.#holding.delete(server)
    })
    this.#holding.set(server, ended)
  }

  /**
   * Accepts no more, waits up to `ms` for the open connections to end, then cuts them.
   *
   * @returns whether there were any left to cut
   */
  async stop(ms: number): Promise<boolean> {
    this.pause()
    await settledWithin(Promise.all(this.#holding.values()), ms)
    const cut = this.#holding.size > 0
    for (const server of this.#holding.keys()) server.stop(true)
    return cut
  }

  #whyNot(error: unknown): string {
    const { hostname, port, socketPath } = this.#options.address
    const where = socketPath === undefined ? `${hostname}:${port}` : `unix:${socketPath}`
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE')
      return `${where} is in use; stop what listens there or choose another`
    if (code === 'EACCES')
      return `${where} may not be opened by this user; choose a port above 1023`
    if (code === 'EADDRNOTAVAIL') return `${where} is not an address of this machine`
    return `${where} cannot be opened: ${error instanceof Error ? error.message : String(error)}`
  }
}

async function closing(answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer
  response.headers.set('connection', 'close')
  return response
}
