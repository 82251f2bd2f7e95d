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
import { chunked, USER_NOT_FOUND } from './chunked.ts'
import { type StreamOpener, type StreamOptions, streamOpener } from './stream-opener.ts'
import { type Answer, type Transport, UNTRUSTED_BODY } from './transport.ts'

const TRANSPORTS: readonly Transport[] = [chunked]

export interface PublicAppOptions extends StreamOptions {
  readonly admission: Pick<Admission, 'admit' | 'admitsAll'>
  readonly settings: Settings<'userIdMax'>
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
  return {
    handle(exchange) {
      if (exchange.method !== 'GET' && answerUnroutable(exchange)) return
      const route = routeOf(routes, exchange)
      if (route !== undefined) return answer(options, route, exchange)
      exchange.reply(replyOf(USER_NOT_FOUND))
    },
    take: (descriptor, bytes, length) => take(options, routes, descriptor, bytes, length),
  }
}

/**
 * Opens a stream if all of its request is there, and nothing keeps it from being opened at once;
 * every other request is answered by {@link answer}. Hot path: once a stream that is opened.
 */
function take(
  { admission, settings }: PublicAppOptions,
  routes: readonly Route[],
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
  return route.opener.openOn(match.user, head.minor, descriptor)
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
function answer(options: PublicAppOptions, route: Route, exchange: Exchange): void | Promise<void> {
  const { transport } = route
  const match = transport.match(exchange, options.settings.current)
  if ('answer' in match) {
    exchange.reply(replyOf(match.answer))
    return
  }
  if (exchange.method === 'HEAD') {
    exchange.replyHead({ status: 200, headers: transport.headers })
    return
  }
  const result = options.admission.admit(exchange, match.user)
  return result instanceof Promise
    ? result.then((of) => admitted(route, match.user, exchange, of))
    : admitted(route, match.user, exchange, result)
}

function admitted(route: Route, user: number, exchange: Exchange, result: AdmissionResult): void {
  if (!result.admitted) {
    exchange.reply(replyOf(refusalOf(result)))
  } else if (exchange.isGone) result.lease?.release()
  else route.opener.open(user, exchange, result)
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

function replyOf({ status, text, headers }: Answer): Reply {
  const type = { 'content-type': 'text/plain;charset=utf-8' }
  return { status, headers: { ...UNTRUSTED_BODY, ...type, ...headers }, body: text }
}
