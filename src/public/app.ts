// The app of the public port: hands Bun's requests to the transports and makes responses of their
// answers; one of the two files that know Bun's requests and responses. Loaded by every worker, so
// it loads nothing that only the control port needs.

import { Elysia } from 'elysia'
import { parseHost } from '../core/address.ts'
import { ERRORS } from '../core/errors.ts'
import { ELYSIA, ELYSIA_TLS, type OnBug, pathOf } from '../http/elysia.ts'
import { REFUSALS } from '../hub/refusals.ts'
import type { Settings } from '../hub/settings.ts'
import type { StreamRegistry } from '../hub/stream.ts'
import type { Admission, AdmissionResult } from './admission.ts'
import { headResponse, streamResponse } from './bun-stream.ts'
import { chunked, USER_NOT_FOUND } from './chunked.ts'
import { type Answer, type Head, type Transport, UNTRUSTED_BODY } from './transport.ts'

const TRANSPORTS: readonly Transport[] = [chunked]

export interface PublicAppOptions {
  readonly registry: StreamRegistry
  readonly admission: Pick<Admission, 'admit'>
  readonly settings: Settings<'userIdMax'>
  readonly isTls: boolean
  /** The other end of a request's connection; null if it is closed already. */
  readonly peerOf: (request: Request) => string | null
  /**
   * Lifts the idle timeout from the connection of this request: a stream may be silent for days.
   */
  readonly keepOpen: (request: Request) => void
  readonly onBug: OnBug
}

/** The port where clients open streams. */
export function publicApp(options: PublicAppOptions) {
  const app = new Elysia(options.isTls ? ELYSIA_TLS : ELYSIA).onError(({ code, error }) => {
    if (code === 'NOT_FOUND') return responseOf(USER_NOT_FOUND)
    options.onBug(error)
    return responseOf({ status: ERRORS.internal.status, text: 'Internal error\n' })
  })
  // One handler for all methods: given a GET route, Elysia 1.4.30 answers HEAD by reading the
  // response to its end, which for an endless stream never comes.
  for (const transport of TRANSPORTS) {
    app.all(transport.path, ({ request }) => open(options, transport, request), { parse: 'none' })
  }
  return app
}

/**
 * The answer to a request that names no host, or two (RFC 9112 section 3.2); null for any other.
 */
export function refuseHost(request: Request): Response | null {
  const host = request.headers.get('host')
  if (host === null || parseHost(host) !== undefined) return null
  const { status } = ERRORS.invalid_host
  return responseOf({ status, text: 'Send one Host header, with a valid host\n' })
}

/** Hot path: once a stream that is opened. */
function open(
  options: PublicAppOptions,
  transport: Transport,
  request: Request,
): Response | Promise<Response> {
  const head = new RequestHead(request, options.peerOf)
  const match = transport.match(head, options.settings.current)
  if ('answer' in match) return responseOf(match.answer)
  if (head.method === 'HEAD') return headResponse(transport)
  const result = options.admission.admit(head)
  const { user } = match
  // While it is handled: later, Bun may not know any more which of its servers has the request.
  if (result instanceof Promise || result.admitted) options.keepOpen(request)
  return result instanceof Promise
    ? result.then((of) => admitted(options.registry, transport, user, of))
    : admitted(options.registry, transport, user, result)
}

function admitted(
  registry: StreamRegistry,
  transport: Transport,
  user: number,
  result: AdmissionResult,
): Response {
  if (result.admitted) return streamResponse(registry, transport, user, result.lease)
  const { text, status } = REFUSALS[result.reason]
  const retryAfter = String(result.retryAfterSeconds)
  // Closed, so that the refused do not hold on to the connections that others need.
  return responseOf({ text, status, headers: { 'retry-after': retryAfter, connection: 'close' } })
}

function responseOf({ status, text, headers }: Answer): Response {
  return new Response(text, { status, headers: { ...UNTRUSTED_BODY, ...headers } })
}

class RequestHead implements Head {
  readonly #request: Request
  readonly #peerOf: PublicAppOptions['peerOf']

  constructor(request: Request, peerOf: PublicAppOptions['peerOf']) {
    this.#request = request
    this.#peerOf = peerOf
  }

  get method(): string {
    return this.#request.method
  }

  get path(): string {
    // Elysia routes a path with a `/` at its end like the one without.
    return decodePath(pathOf(this.#request.url).replace(/(?<=.)\/$/, ''))
  }

  get peer(): string | null {
    return this.#peerOf(this.#request)
  }

  header(name: string): string | null {
    return this.#request.headers.get(name)
  }
}

/** Decodes each segment of a path; one that is malformed, or holds a `/`, stays as it is. */
function decodePath(path: string): string {
  if (!path.includes('%')) return path
  const decode = (segment: string) => {
    try {
      const decoded = decodeURIComponent(segment)
      return decoded.includes('/') ? segment : decoded
    } catch (error) {
      if (error instanceof URIError) return segment
      throw error
    }
  }
  return path.split('/').map(decode).join('/')
}
