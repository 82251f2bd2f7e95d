// The app of the public port: which transport opens a stream, or why none does. Without Elysia:
// there is no more to route than how a path begins, and every worker would load it, for a third of
// the memory of one that holds no streams.

import type { Clock } from '../core/clock.ts'
import type { AcceptorOwner } from '../http/acceptor.ts'
import type { ConnectionPort } from '../http/connection.ts'
import { decodePath, type Exchange } from '../http/exchange.ts'
import { answerUnroutable } from '../http/methods.ts'
import type { RejectedRequest } from '../http/request-errors.ts'
import { readRequestHead } from '../http/request-head.ts'
import type { Reply } from '../http/response.ts'
import { REFUSALS, type RefusalReason } from '../hub/refusals.ts'
import type { Settings } from '../hub/settings.ts'
import type { StreamFrom } from '../hub/stream.ts'
import type { Admission, AdmissionResult, AuthorizationResult, Refused } from './admission.ts'
import { CollapsingCursor } from './collapsing-cursor.ts'
import { Cors, type CorsHeaders } from './cors.ts'
import { fromOf, Polls } from './poll.ts'
import { pollEvents } from './poll-events.ts'
import type { PollRequest } from './poll-request.ts'
import { ALLOWED_METHODS, isStreamPath, match, TRANSPORTS } from './routes.ts'
import { type StreamOpener, type StreamOptions, streamOpener } from './stream-opener.ts'
import { type Answer, type Transport, UNTRUSTED_BODY } from './transport.ts'
import { websocket } from './websocket.ts'
import { upgradeOf } from './websocket-handshake.ts'
import { WebsocketInput } from './websocket-input.ts'

export interface PublicAppOptions extends StreamOptions {
  readonly admission: Pick<
    Admission,
    'admit' | 'admitNow' | 'admitsAll' | 'authorize' | 'refuseOrigin'
  >
  readonly settings: Settings<
    'userIdMax' | 'identity' | 'anonymous' | 'corsOrigins' | 'controlAddress'
  >
  /** Does this server take new streams, and all that it promises of its messages? */
  readonly isReady: () => boolean
  readonly clock: Clock
}

/** What the port where clients open streams does. */
export interface PublicApp {
  /** With a request. */
  readonly handle: ConnectionPort['handle']
  /** With the first bytes of a connection that Bun does not have. */
  readonly take: AcceptorOwner['take']
}

export function publicApp(options: PublicAppOptions): PublicApp {
  const collapsing = new CollapsingCursor(options.clock, Math.random)
  const events = pollEvents(collapsing)
  const input = new WebsocketInput(options)
  const openers = new Map(
    [...TRANSPORTS, events].map((transport) => [
      transport,
      streamOpener(options, transport, transport === websocket ? input : null),
    ]),
  )
  const polls = new Polls({ ...options, collapsing })
  const cors = new Cors(options.settings)
  const port: Port = { ...options, openers, events, collapsing, polls, cors }
  return {
    handle(exchange) {
      if (exchange.method !== 'GET' && answerUnroutable(exchange)) return
      const { path } = exchange
      if (path === HEALTH) return answerHealth(port, exchange)
      return path === CLIENT_MODULE ? answerModule(exchange) : answer(port, exchange)
    },
    take: (descriptor, bytes, length) => take(port, descriptor, bytes, length),
  }
}

const HEALTH = '/health'
const CLIENT_MODULE = '/comet.js'

interface Port extends PublicAppOptions {
  readonly openers: ReadonlyMap<Transport, StreamOpener>
  /** The format `poll`: its streams, its answers, and what both of them have for caches. */
  readonly events: Transport
  readonly polls: Polls
  readonly collapsing: CollapsingCursor
  readonly cors: Cors
}

/**
 * Opens a stream if all of its request is there, and nothing keeps it from being opened at once;
 * every other request is answered by {@link answer}. Hot path: once a stream that is opened.
 */
function take(
  { admission, settings, openers, cors }: Port,
  descriptor: number,
  bytes: Uint8Array,
  length: number,
): boolean {
  // Else the connection reads it, and admission looks closer.
  if (!admission.admitsAll()) return false
  const result = readRequestHead(bytes, 0, length)
  if (result.kind !== 'complete' || result.length !== length) return false
  const { head } = result
  if (head.method !== 'GET' || head.framing.kind !== 'none') return false
  const { method, query, host, minor } = head
  const header = (name: string) => head.header(name)
  const path = decodePath(head.path)
  const matched = match({ method, path, query, host, header, minor }, settings.current)
  if (!('transport' in matched) || matched.user === null) return false
  if (matched.subjects.length > 0) return false
  const isUpgrade = matched.transport.isUpgrade === true
  if (isUpgrade && !cors.allowsPage(head)) return false
  const upgrade = isUpgrade ? upgradeOf(head) : null
  // It is answered by the connection.
  if (upgrade !== null && 'answer' in upgrade) return false
  const user = admission.admitNow(matched.user)
  if (user === null) return false
  const opener = openers.get(matched.transport)
  const headers = upgrade === null ? cors.headersFor(head) : null
  const request = { cors: headers, from: matched.from, head: upgrade?.head ?? null }
  return opener?.openOn(user, head.minor, descriptor, request) === true
}

const TOO_EARLY: Answer = {
  status: 400,
  text: 'Send nothing behind the request before it is answered\n',
  headers: { connection: 'close' },
}

/** The answer to bytes that are no valid request. */
export function publicRejection({ status, text }: RejectedRequest): Reply {
  return replyOf({ status, text: `${text}\n` })
}

/** For load balancers, which are told nothing else. */
function answerHealth({ isReady }: Port, exchange: Exchange): void {
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
    exchange.reply(
      replyOf({ status: 405, text: 'Ask with GET\n', headers: { allow: 'GET, HEAD' } }),
    )
    return
  }
  const answer = isReady() ? { status: 200, text: 'ready\n' } : { status: 503, text: 'not ready\n' }
  exchange.reply(replyOf({ ...answer, headers: { 'cache-control': 'no-store' } }))
}

async function answerModule(exchange: Exchange): Promise<void> {
  const { moduleReply } = await import('./client-module.ts')
  exchange.reply(moduleReply(exchange))
}

/** Hot path: once a stream that is opened. */
function answer(port: Port, exchange: Exchange): void | Promise<void> {
  if (exchange.method === 'OPTIONS' && isStreamPath(exchange.path)) {
    const headers = { allow: ALLOWED_METHODS, ...port.cors.preflightFor(exchange) }
    exchange.reply({ status: 204, headers })
    return
  }
  const matched = match(exchange, port.settings.current)
  const cors = port.cors.headersFor(exchange)
  if ('answer' in matched) {
    exchange.reply(replyOf(matched.answer, cors))
    return
  }
  const isUpgrade = 'transport' in matched && matched.transport.isUpgrade === true
  if (isUpgrade && !port.cors.allowsPage(exchange)) {
    exchange.reply(replyOf(refusalOf(port.admission.refuseOrigin()), cors))
    return
  }
  const upgrade = isUpgrade ? upgradeOf(exchange) : null
  if (upgrade !== null && 'answer' in upgrade) {
    exchange.reply(replyOf(upgrade.answer, cors))
    return
  }
  if (upgrade !== null && exchange.isFollowed) {
    exchange.reply(replyOf(TOO_EARLY, cors))
    return
  }
  const opening = { exchange, cors, ...formOf(port, matched, upgrade?.head ?? null) }
  // That of an answer has a place in the log, for which it has to be asked.
  if (exchange.method === 'HEAD' && 'transport' in opening) {
    return port.admission.authorize(exchange, matched).then((of) => authorized(opening, of))
  }
  const result = port.admission.admit(exchange, matched)
  return result instanceof Promise
    ? result.then((of) => admitted(port, opening, of))
    : admitted(port, opening, result)
}

/** What a client is to get: a stream, */
interface RequestedTransport {
  readonly transport: Transport
  readonly from: StreamFrom
  /** Of the response, if the stream is an upgrade. */
  readonly head: Uint8Array | null
}

/** or one answer. */
interface RequestedAnswer {
  readonly poll: PollRequest
}

interface RequestToAdmit {
  readonly exchange: Exchange
  readonly cors: CorsHeaders | null
}

function formOf(
  { collapsing, events }: Port,
  matched: Omit<RequestedTransport, 'head'> | RequestedAnswer,
  head: Uint8Array | null,
): RequestedTransport | RequestedAnswer {
  if ('transport' in matched) {
    return { transport: matched.transport, from: matched.from, head }
  }
  const { poll } = matched
  if (poll.live !== 'sse') return { poll }
  collapsing.raise(poll.collapsing)
  return { transport: events, from: fromOf(poll), head: null }
}

function admitted(
  { openers, polls }: Port,
  opening: RequestToAdmit & (RequestedTransport | RequestedAnswer),
  result: AdmissionResult,
): void {
  const { exchange, cors } = opening
  if (!result.admitted) exchange.reply(replyOf(refusalOf(result), cors))
  else if (exchange.isGone) result.lease?.release()
  else if ('poll' in opening) {
    polls.open(result.user, exchange, { request: opening.poll, terms: result, cors })
  } else {
    const { transport, from, head } = opening
    const headers = head === null ? cors : null
    openers
      .get(transport)
      ?.open(result.user, exchange, { terms: result, cors: headers, from, head })
  }
}

/** A client that asks for the head of a stream takes nothing of limits and room. */
function authorized(
  { transport, exchange, cors }: RequestToAdmit & RequestedTransport,
  result: AuthorizationResult,
): void {
  if (!result.admitted) exchange.reply(replyOf(refusalOf(result), cors))
  else exchange.replyHead({ status: 200, headers: { ...transport.headers, ...cors } })
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
