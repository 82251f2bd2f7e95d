// The app of the public port: which transport opens a stream, or why none does. Without Elysia:
// there is no more to route than how a path begins, and every worker would load it, for a third of
// the memory of one that holds no streams.

import type { AcceptorOwner } from '../http/acceptor.ts'
import type { ConnectionPort } from '../http/connection.ts'
import { decodePath, type Exchange, type Head } from '../http/exchange.ts'
import { answerUnroutable } from '../http/methods.ts'
import type { RejectedRequest } from '../http/request-errors.ts'
import { type RequestHead, readRequestHead } from '../http/request-head.ts'
import type { Reply } from '../http/response.ts'
import { REFUSALS, type RefusalReason } from '../hub/refusals.ts'
import type { Settings } from '../hub/settings.ts'
import type { Admission, AdmissionResult } from './admission.ts'
import { ALLOWED_METHODS, chunked, USER_NOT_FOUND } from './chunked.ts'
import { Cors, type CorsHeaders } from './cors.ts'
import { type StreamOpener, type StreamOptions, streamOpener } from './stream-opener.ts'
import { type Answer, type Transport, UNTRUSTED_BODY } from './transport.ts'

const TRANSPORTS: readonly Transport[] = [chunked]

export interface PublicAppOptions extends StreamOptions {
  readonly admission: Pick<Admission, 'admit' | 'admitsAll'>
  readonly settings: Settings<'userIdMax' | 'corsOrigins'>
}

/** What the port where clients open streams does. */
export interface PublicApp {
  /** With a request. */
  readonly handle: ConnectionPort['handle']
  /** With the first bytes of a connection that Bun does not have. */
  readonly take: AcceptorOwner['take']
}

export function publicApp(options: PublicAppOptions): PublicApp {
  const routes = TRANSPORTS.map((transport) => ({
    transport,
    opener: streamOpener(options, transport),
  }))
  const port: Port = { ...options, routes, cors: new Cors(options.settings) }
  return {
    handle(exchange) {
      if (exchange.method !== 'GET' && answerUnroutable(exchange)) return
      const route = routeOf(routes, exchange)
      if (route !== undefined) return answer(port, route, exchange)
      exchange.reply(replyOf(USER_NOT_FOUND, port.cors.headersFor(exchange.header('origin'))))
    },
    take: (descriptor, bytes, length) => take(port, descriptor, bytes, length),
  }
}

interface Port extends PublicAppOptions {
  readonly routes: readonly Route[]
  readonly cors: Cors
}

/**
 * Opens a stream if all of its request is there, and nothing keeps it from being opened at once;
 * every other request is answered by {@link answer}. Hot path: once a stream that is opened.
 */
function take(
  { admission, settings, routes, cors }: Port,
  descriptor: number,
  bytes: Uint8Array,
  length: number,
): boolean {
  const result = readRequestHead(bytes, 0, length)
  if (result.kind !== 'complete' || result.length !== length) return false
  const { head } = result
  if (head.method !== 'GET' || head.framing.kind !== 'none') return false
  const route = routeOf(routes, { head })
  if (route === undefined) return false
  const match = route.transport.match(headOf(head), settings.current)
  if (!('user' in match) || !admission.admitsAll()) return false
  return route.opener.openOn(
    ...[match.user, head.minor, descriptor],
    cors.headersFor(head.header('origin')),
  )
}

/** As transports read it; where it comes from matters to limits alone. */
function headOf(head: RequestHead): Head {
  const { method, path, host } = head
  return { method, path: decodePath(path), host, peer: null, header: (name) => head.header(name) }
}

type Refused = Extract<AdmissionResult, { readonly admitted: false }>

interface Route {
  readonly transport: Transport
  readonly opener: StreamOpener
}

/** The route whose streams are opened by this path. */
function routeOf(routes: readonly Route[], { head }: Pick<Exchange, 'head'>): Route | undefined {
  return routes.find(({ transport }) => head.path.startsWith(transport.prefix))
}

/** The answer to bytes that are no valid request. */
export function publicRejection({ status, text }: RejectedRequest): Reply {
  return replyOf({ status, text: `${text}\n` })
}

/** Hot path: once a stream that is opened. */
function answer(port: Port, route: Route, exchange: Exchange): void | Promise<void> {
  const { transport } = route
  const origin = exchange.header('origin')
  if (exchange.method === 'OPTIONS') {
    const headers = { allow: ALLOWED_METHODS, ...port.cors.preflightFor(origin) }
    exchange.reply({ status: 204, headers })
    return
  }
  const match = transport.match(exchange, port.settings.current)
  const cors = port.cors.headersFor(origin)
  if ('answer' in match) {
    exchange.reply(replyOf(match.answer, cors))
    return
  }
  if (exchange.method === 'HEAD') {
    exchange.replyHead({ status: 200, headers: { ...transport.headers, ...cors } })
    return
  }
  const opening = { route, user: match.user, exchange, cors }
  const result = port.admission.admit(exchange, match.user)
  return result instanceof Promise
    ? result.then((of) => admitted(opening, of))
    : admitted(opening, result)
}

/** A stream that is to be opened. */
interface OpenRequest {
  readonly route: Route
  readonly user: number
  readonly exchange: Exchange
  readonly cors: CorsHeaders | null
}

function admitted({ route, user, exchange, cors }: OpenRequest, result: AdmissionResult): void {
  if (!result.admitted) exchange.reply(replyOf(refusalOf(result), cors))
  else if (exchange.isGone) result.lease?.release()
  else route.opener.open(user, exchange, result, cors)
}

/** Its first word is the reason, for programs. */
function refusalOf({ reason, retryAfterSeconds }: Refused): Answer {
  const { text, status } = REFUSALS[reason]
  const headers = {
    ...(retryAfterSeconds !== null && { 'retry-after': String(retryAfterSeconds) }),
    ...(status === 401 && { 'www-authenticate': challengeOf(reason) }),
    // Closed, so that the refused do not hold on to the connections that others need.
    connection: 'close',
  }
  return { text: `${reason}: ${text}`, status, headers }
}

/** RFC 6750 section 3: without a token no error is named. */
function challengeOf(reason: RefusalReason): string {
  if (reason === 'token_missing') return 'Bearer'
  return `Bearer error="invalid_token", error_description="${reason}"`
}

function replyOf({ status, text, headers }: Answer, cors: CorsHeaders | null = null): Reply {
  const type = { 'content-type': 'text/plain;charset=utf-8' }
  return { status, headers: { ...UNTRUSTED_BODY, ...type, ...headers, ...cors }, body: text }
}
