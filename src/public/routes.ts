// What a request of the public port asks for: the stream of which user in which format, or why it
// asks for none.

import { isIpHost, isLoopbackHost } from '../core/address.ts'
import { parseCursor } from '../core/cursor.ts'
import { resumeLimits } from '../core/history-limits.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { parseSubject, type Subject, userIdOf } from '../core/user.ts'
import type { Head } from '../http/exchange.ts'
import type { ServerConfig } from '../hub/settings.ts'
import type { StreamFrom } from '../hub/stream.ts'
import type { RequestedStream } from './admission.ts'
import { chunked, raw } from './chunked.ts'
import { jsonLines } from './json-lines.ts'
import { isPoll, type PollRequest, parsePoll } from './poll-request.ts'
import { serverSentEnvelopes, serverSentEvents } from './server-sent-events.ts'
import type { Answer, Transport } from './transport.ts'
import { websocket } from './websocket.ts'
import { asksForWebsocket } from './websocket-handshake.ts'

export type Match =
  | (RequestedStream & { readonly transport: Transport; readonly from: StreamFrom })
  | (RequestedStream & { readonly poll: PollRequest })
  | { readonly answer: Answer }

/** One for all streams that follow nothing for themselves. */
const NONE: readonly never[] = []

const TEST = '/test/'
const STREAM = '/stream'

/** By the name that `?format=` has for it. */
const FORMATS: Readonly<Record<string, Transport>> = {
  json: jsonLines,
  sse: serverSentEvents,
  websocket,
  raw,
}

/** All transports, of which each has streams of its own kind. */
export const TRANSPORTS: readonly Transport[] = [
  chunked,
  jsonLines,
  serverSentEvents,
  serverSentEnvelopes,
  websocket,
  raw,
]

export const ALLOWED_METHODS = 'GET, HEAD, OPTIONS'

const METHOD_NOT_ALLOWED: Answer = {
  status: 405,
  text: 'A stream is opened with GET\n',
  headers: { allow: ALLOWED_METHODS },
}

const TEST_NOT_FOUND: Answer = {
  status: 404,
  text: 'User id not found, try /test/123 instead\n',
}

const NOT_FOUND: Answer = {
  status: 404,
  text: 'There is no such user; a stream is at an address like /stream/123 or /stream/alice\n',
}

const NO_USER: Answer = {
  status: 404,
  text: 'Without a token name the user, as in /stream/123\n',
}

const NO_FORMAT: Answer = {
  status: 400,
  text: `There is no such format; these are: ${[...Object.keys(FORMATS), 'poll'].join(', ')}\n`,
}

const NO_ENVELOPE: Answer = {
  status: 400,
  text: 'envelope: it is json, and for format=sse alone\n',
}

type MatchSettings = Pick<ServerConfig, 'userIdMax' | 'identity' | 'anonymous'>

/** Hot path: once a stream that is opened. */
export function match(
  head: Pick<Head, 'method' | 'path' | 'query' | 'host' | 'header' | 'minor'>,
  settings: MatchSettings,
): Match {
  const { method, path, host } = head
  if (!isStreamPath(path)) return { answer: TEST_NOT_FOUND }
  if (method !== 'GET' && method !== 'HEAD') return { answer: METHOD_NOT_ALLOWED }
  const isLocal = settings.identity === null && !settings.anonymous
  if (isLocal && host !== null && !isOwnHost(host)) return { answer: misdirected(host) }
  return path.startsWith(TEST) ? matchTest(path, settings) : matchStream(head, settings)
}

/**
 * A page may have its own name point at this machine (DNS rebinding), and would read every stream
 * of a port that is for this machine alone. No name does that which always means this machine.
 */
function isOwnHost(host: string): boolean {
  return isLoopbackHost(host) || isIpHost(host)
}

/** Misdirected Request (RFC 9110 section 15.5.20). */
function misdirected(host: string): Answer {
  const text = `This port is for its own machine and not for ${host}: start comet with --anonymous or with keys\n`
  return { status: 421, text }
}

/** Is it a path of streams, whatever is wrong with the rest of the request? */
export function isStreamPath(path: string): boolean {
  return path.startsWith(TEST) || path === STREAM || path.startsWith(`${STREAM}/`)
}

/** As the server of 2008 answered. */
function matchTest(path: string, { userIdMax }: Pick<ServerConfig, 'userIdMax'>): Match {
  const user = userIdOf(path.slice(TEST.length))
  if (user === 0) return { answer: TEST_NOT_FOUND }
  if (user <= userIdMax) return { transport: chunked, user, subjects: NONE, from: 'live' }
  return { answer: { status: 503, text: `Max uid allowed is ${userIdMax}\n` } }
}

function matchStream(
  head: Pick<Head, 'method' | 'path' | 'query' | 'header' | 'minor'>,
  { userIdMax, identity }: MatchSettings,
): Match {
  const { path, query } = head
  const parameters = query === '' ? null : new URLSearchParams(query)
  const form =
    parameters !== null && isPoll(parameters) ? pollOf(parameters) : formOf(head, parameters)
  if ('answer' in form) return form
  const subjects = subjectsOf(parameters, userIdMax)
  if (!subjects.ok) return { answer: { status: 400, text: `subjects: ${subjects.why}\n` } }
  const stream = { ...form, subjects: subjects.value }
  if (path === STREAM) return identity === null ? { answer: NO_USER } : { ...stream, user: null }
  const user = parseSubject(path.slice(STREAM.length + 1), userIdMax)
  return user.ok ? { ...stream, user: user.value } : { answer: NOT_FOUND }
}

/** What the address says counts more than what the client accepts: people type it. */
function transportOf(
  head: Pick<Head, 'method' | 'header' | 'minor'>,
  parameters: URLSearchParams | null,
): Result<Transport, Answer> {
  const format = parameters?.get('format') ?? formatOf(head)
  const transport = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined
  if (transport === undefined) return refused(NO_FORMAT)
  const envelope = parameters?.get('envelope') ?? null
  if (envelope === null) return success(transport)
  const isValid = transport === serverSentEvents && envelope === 'json'
  return isValid ? success(serverSentEnvelopes) : refused(NO_ENVELOPE)
}

function formatOf(head: Pick<Head, 'method' | 'header' | 'minor'>): string {
  if (asksForWebsocket(head)) return 'websocket'
  return acceptsEvents(head) ? 'sse' : 'json'
}

/** As an EventSource says it. */
function acceptsEvents(head: Pick<Head, 'header'>): boolean {
  const accept = head.header('accept')
  return accept !== null && /(^|[\s,])text\/event-stream($|[\s,;])/i.test(accept)
}

type Form =
  | { readonly transport: Transport; readonly from: StreamFrom }
  | { readonly poll: PollRequest }
  | { readonly answer: Answer }

function pollOf(parameters: URLSearchParams): Form {
  const poll = parsePoll(parameters)
  return poll.ok ? { poll: poll.value } : { answer: { status: 400, text: `${poll.why}\n` } }
}

function formOf(
  head: Pick<Head, 'header' | 'method' | 'minor'>,
  parameters: URLSearchParams | null,
): Form {
  const transport = transportOf(head, parameters)
  if (!transport.ok) return { answer: transport.why }
  const from = fromOf(head, parameters)
  return from.ok
    ? { transport: transport.value, from: from.value }
    : { answer: { status: 400, text: `${from.why}\n` } }
}

/**
 * Where the client wants its stream to begin. What the address says counts for the first stream of
 * a client; one that comes back by itself says in a header what it had last (WHATWG HTML, section
 * 9.2, Server-sent events).
 */
function fromOf(
  head: Pick<Head, 'header'>,
  parameters: URLSearchParams | null,
): Result<StreamFrom> {
  const [after, last] = [parameters?.get('after') ?? null, parameters?.get('last') ?? null]
  const had = head.header('last-event-id')
  if (had !== null && had !== '') return cursorOf('Last-Event-ID', had)
  if (after !== null && last !== null) return refused('after and last: give one of them')
  if (after !== null) return after === 'oldest' ? success('oldest') : cursorOf('after', after)
  if (last === null) return success('live')
  const count = /^\d{1,6}$/.test(last) ? Number(last) : 0
  const { lastMax } = resumeLimits
  if (count >= 1 && count <= lastMax) return success({ last: count })
  return refused(`last: it is a number of messages, from 1 to ${lastMax}`)
}

function cursorOf(name: string, text: string): Result<StreamFrom> {
  const after = parseCursor(text)
  if (after !== null) return success({ after })
  return refused(`${name}: it is no id of a message, as a stream has told it`)
}

/** Those of `?subjects=`, each once; of a parameter that is given twice, all. */
function subjectsOf(
  parameters: URLSearchParams | null,
  userIdMax: number,
): Result<readonly Subject[]> {
  const lists = parameters?.getAll('subjects') ?? NONE
  if (lists.length === 0) return success(NONE)
  const { subjectsMax } = identityLimits
  const subjects = new Set<Subject>()
  for (const text of lists.flatMap((list) => list.split(','))) {
    const subject = parseSubject(text, userIdMax)
    if (!subject.ok) return refused(subject.why.message)
    subjects.add(subject.value)
    if (subjects.size > subjectsMax) return refused(`a stream follows ${subjectsMax} at most`)
  }
  return success([...subjects])
}
