// The app of the public port: which transport opens a stream, or why none does. Without Elysia:
// there is no more to route than how a path begins, and every worker would load it, for a third of
// the memory of one that holds no streams.

import type { ConnectionPort } from '../http/connection.ts'
import type { Exchange } from '../http/exchange.ts'
import { answerUnroutable } from '../http/methods.ts'
import type { RejectedRequest } from '../http/request-errors.ts'
import type { Reply } from '../http/response.ts'
import { REFUSALS } from '../hub/refusals.ts'
import type { Settings } from '../hub/settings.ts'
import type { Admission, AdmissionResult } from './admission.ts'
import { chunked, USER_NOT_FOUND } from './chunked.ts'
import { type OpenStream, type StreamOptions, streamOpener } from './stream-opener.ts'
import { type Answer, type Transport, UNTRUSTED_BODY } from './transport.ts'

const TRANSPORTS: readonly Transport[] = [chunked]

export interface PublicAppOptions extends StreamOptions {
  readonly admission: Pick<Admission, 'admit'>
  readonly settings: Settings<'userIdMax'>
}

/** What the port where clients open streams does with a request. */
export function publicApp(options: PublicAppOptions): ConnectionPort['handle'] {
  const routes = TRANSPORTS.map((transport) => ({
    transport,
    open: streamOpener(options, transport),
  }))
  return (exchange) => {
    if (exchange.method !== 'GET' && answerUnroutable(exchange)) return
    const route = routeOf(routes, exchange)
    if (route !== undefined) return answer(options, route, exchange)
    exchange.reply(replyOf(USER_NOT_FOUND))
  }
}

interface Route {
  readonly transport: Transport
  readonly open: OpenStream
}

/** The route whose streams are opened by this path. */
function routeOf(routes: readonly Route[], { head }: Exchange): Route | undefined {
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
  const result = options.admission.admit(exchange)
  return result instanceof Promise
    ? result.then((of) => admitted(route, match.user, exchange, of))
    : admitted(route, match.user, exchange, result)
}

function admitted(route: Route, user: number, exchange: Exchange, result: AdmissionResult): void {
  if (!result.admitted) {
    const { text, status } = REFUSALS[result.reason]
    const retryAfter = String(result.retryAfterSeconds)
    // Closed, so that the refused do not hold on to the connections that others need.
    const headers = { 'retry-after': retryAfter, connection: 'close' }
    exchange.reply(replyOf({ text, status, headers }))
  } else if (exchange.isGone) result.lease?.release()
  else route.open(user, exchange, result.lease)
}

function replyOf({ status, text, headers }: Answer): Reply {
  const type = { 'content-type': 'text/plain;charset=utf-8' }
  return { status, headers: { ...UNTRUSTED_BODY, ...type, ...headers }, body: text }
}
