// The connections of a stream, one after the other: in which format, with which token, how long
// silence may last, and when the next one is opened.

import { CometError, type CometFormat, type ConnectOptions } from './api.ts'
import {
  type Address,
  openLines,
  openPolls,
  openWebSocket,
  type Query,
  type StreamRecord,
} from './connection.ts'
import {
  HEARTBEAT_MS,
  LASTED,
  OPEN_MS,
  RETRY_AFTER_SECONDS_MAX,
  RETRY_MS,
  RETRY_MS_MAX,
} from './limits.ts'
import { formatOfBefore, rememberFormat } from './page.ts'

export interface ConnectionsOwner {
  /** Where a connection begins, and what it follows. */
  query(): Query & { readonly after?: string | undefined }
  onRecord(record: StreamRecord): void
  onWait(waitMs: number, reason: string): void
  /** @returns whether to try again at once, with another query */
  onRefused(error: CometError): boolean
  /** The WebSocket is silent: something is to be sent that the server answers. */
  onSilence(): void
}

/** Why a connection is ended so that the next one begins at once. */
const AT_ONCE = new CometError('at once')

/**
 * JSON lines only if asked for: what holds back server-sent events, which proxies know, holds them
 * back, too.
 */
const FORMATS: readonly CometFormat[] = ['websocket', 'sse', 'poll']

/** Statuses of refusals that are none only for now. */
const FINAL = /^4(?!08|25|29)/

export class Connections {
  /** Undefined unless one is open. */
  format: CometFormat | undefined
  readonly #url: string
  readonly #options: ConnectOptions
  readonly #owner: ConnectionsOwner
  readonly #formats: readonly CometFormat[]
  readonly #heartbeatMs: number
  /** The place in the list of the format to begin with. */
  #first: number
  /** Another one for each time that it is started. */
  #run: object | undefined
  #runs = Promise.resolve()
  /** Of the last connection. */
  #abort: AbortController | undefined
  #socket: WebSocket | undefined
  #wake: (() => void) | undefined
  /** Empty if there is to be none. */
  #token: string | undefined
  /** When something came last; was the server asked for a sign since? */
  #signMs = 0
  #isAsked = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(url: string, options: ConnectOptions, owner: ConnectionsOwner) {
    const { format = FORMATS, token, ticket, heartbeatMs = HEARTBEAT_MS } = options
    this.#url = url
    this.#options = options
    this.#owner = owner
    this.#heartbeatMs = heartbeatMs
    const hasSocket = globalThis.WebSocket && (ticket || !token)
    this.#formats = [format].flat().filter((each) => each !== 'websocket' || hasSocket)
    this.#first = Math.max(0, this.#formats.indexOf(formatOfBefore() as CometFormat))
  }

  get isRunning(): boolean {
    return this.#run !== undefined
  }

  start(): void {
    if (this.#run) return
    const run = {}
    this.#run = run
    // Behind the end of the one before, so that there is never a second connection.
    this.#runs = this.#runs.then(() => this.#loop(run))
  }

  stop(): void {
    this.#run = undefined
    this.restart()
  }

  /** Begins the next connection now. */
  restart(): void {
    this.end()
    this.#wake?.()
  }

  /** Ends a connection; by default the next one begins now. */
  end(reason: Error = AT_ONCE): void {
    this.#abort?.abort(reason)
  }

  /** Sends this, or has the next connection ask for it. */
  send(frame: object): void {
    if (this.format && this.#socket) this.#socket.send(JSON.stringify(frame))
    else this.end()
  }

  /** The network may be another one. */
  onOnline(): void {
    this.#first = 0
    this.restart()
  }

  /** The timers of hidden tabs are late, and those of machines that sleep are later. */
  onVisible(): void {
    this.#wake?.()
    if (this.format && Date.now() - this.#signMs > 2 * this.#heartbeatMs) this.end()
  }

  async #loop(run: object): Promise<void> {
    const { retryMs = RETRY_MS } = this.#options
    for (let tries = 0; run === this.#run; tries++) {
      const startedMs = Date.now()
      this.format = undefined
      const reason = await this.#round()
      if (run !== this.#run) return
      if (this.format && Date.now() - startedMs > LASTED * retryMs) tries = 0
      this.format = undefined
      const waitMs = this.#waitAfter(reason, tries)
      if (run !== this.#run) return
      this.#owner.onWait(waitMs, reason.message)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** Milliseconds until the next connection, if there is to be one. */
  #waitAfter(
    reason: Pick<CometError, 'message'> & { status?: number; retryAfterSeconds?: number },
    tries: number,
  ): number {
    const { token, ticket, retryMs = RETRY_MS, retryMsMax = RETRY_MS_MAX } = this.#options
    const { message, status, retryAfterSeconds = 0 } = reason
    const isRenewable = ticket ?? (this.#token && typeof token === 'function')
    // Full jitter: clients that were cut together come back one by one.
    const waitMs = Math.random() * Math.min(retryMsMax, retryMs * 2 ** tries)
    if (reason === AT_ONCE) return 0
    if (message === 'expired' || (status === 401 && isRenewable)) {
      this.#token = undefined
      return tries && waitMs
    }
    if (FINAL.test(`${status}`) && this.#owner.onRefused(reason as CometError)) return 0
    const seconds = Math.min(retryAfterSeconds, RETRY_AFTER_SECONDS_MAX)
    return Math.max(waitMs, seconds * 1_000 * (1 + Math.random()))
  }

  /** Tries one format after the other until one works, or none would; why it is over. */
  async #round(): Promise<Error> {
    for (let at = this.#first; ; at++) {
      const reason = await this.#connect(at).catch((error: Error) => error)
      // A server that refuses, or is away, is so in each format. A WebSocket does not tell.
      if (this.format || reason instanceof CometError || !this.#formats[at + 1]) return reason
    }
  }

  async #connect(at: number): Promise<never> {
    const format = this.#formats[at] as CometFormat
    const abort = new AbortController()
    const { signal } = abort
    this.#abort = abort
    const take = (record?: StreamRecord) => {
      this.#signMs = Date.now()
      this.#isAsked = false
      if (!record || signal.aborted) return
      if (!this.format) {
        this.format = format
        this.#first = at
        if (!this.#options.format) rememberFormat(format)
      }
      this.#owner.onRecord(record)
    }
    try {
      const [address, headers] = await this.#authorize(format)
      const { credentials } = this.#options
      const request = {
        headers,
        signal,
        cache: 'no-store',
        ...(credentials && { credentials }),
      } as const
      signal.throwIfAborted()
      take()
      this.#watch()
      if (format === 'poll')
        return await openPolls(address, request, take, () => this.#owner.query().after)
      if (format !== 'websocket') return await openLines(address, request, take, format)
      return await openWebSocket(address, request, take, (socket) => {
        this.#socket = socket
      })
    } catch (error) {
      throw signal.reason ?? error
    } finally {
      clearTimeout(this.#timer)
      this.#socket = undefined
      abort.abort()
    }
  }

  /** The address that a connection asks, and the header fields that it sends. */
  async #authorize(format: CometFormat): Promise<[Address, Record<string, string>]> {
    const { token, ticket } = this.#options
    const byToken = token && format !== 'websocket'
    if (byToken) {
      this.#token ??= (await got(typeof token === 'function' ? token : () => token)) ?? ''
      if (!this.#token) throw new CometError('token_missing: there is none', 401)
    }
    const address: Address = async (query) => {
      const url = new URL(this.#url)
      const once = ticket && !byToken ? await got(ticket) : ''
      for (const [name, value] of Object.entries({
        ...this.#owner.query(),
        ...query,
        ticket: once,
      })) {
        if (value) url.searchParams.set(name, String(value))
      }
      return url.href
    }
    return [address, byToken ? { authorization: `Bearer ${this.#token}` } : {}]
  }

  /** Ends a connection that is silent for too long; one timer, however much comes. */
  #watch(): void {
    const { openMs = OPEN_MS } = this.#options
    // No page sees the pings of a WebSocket.
    const mayAsk = this.format && this.#socket && !this.#isAsked
    const limitMs = this.format ? this.#heartbeatMs * (mayAsk ? 1 : 2) : openMs
    const restMs = this.#signMs + limitMs - Date.now()
    if (restMs > 0) {
      this.#timer = setTimeout(() => this.#watch(), restMs)
    } else if (mayAsk) {
      this.#isAsked = true
      this.#owner.onSilence()
      this.#watch()
    } else this.end(Error('silent'))
  }
}

/** What the application gets; it may fail for now, as the server may. */
async function got<T>(get: () => T | Promise<T>): Promise<T> {
  try {
    return await get()
  } catch (error) {
    throw new CometError(String(error))
  }
}
