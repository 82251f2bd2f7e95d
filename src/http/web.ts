// Hands requests to an app that speaks the web's Request and Response, as Elysia does, and sends
// its answers. For all but the hot routes.

import { copyOf } from '../core/bytes.ts'
import { messageLimits } from '../core/limits.ts'
import type { Exchange } from './exchange.ts'
import { answerUnroutable } from './methods.ts'
import type { Reply, ReplyHeaders } from './response.ts'

export type Fetch = (request: Request) => Response | Promise<Response>

/** The exchange of each request that an app has. */
const exchanges = new WeakMap<Request, Exchange>()

/** Responses whose bodies are sent as they come; the others are sent whole. */
const streamed = new WeakSet<Response>()

/** A response whose body is sent as it comes. */
export function streamedResponse(body: ReadableStream<Uint8Array>, init: ResponseInit): Response {
  const response = new Response(body, init)
  streamed.add(response)
  return response
}

/** Has the client of a request gone? */
export function isGone(request: Request): boolean {
  return exchanges.get(request)?.isGone ?? request.signal.aborted
}

/** Calls back when the client of a request sends nothing more, as it does when it leaves. */
export function onInputOver(request: Request, onOver: () => void): void {
  const exchange = exchanges.get(request)
  if (exchange === undefined) return
  exchange.onWake = () => {
    if (exchange.isInputOver) onOver()
  }
  if (exchange.isInputOver) onOver()
}

/**
 * A path that `URL` would make another one of: it reads `\\` as `/`, and takes `.` and `..` away.
 * What is decided by the path before the app, as who may ask, would not count for that one.
 */
const IS_REWRITTEN = /\\|(^|\/)(\.|%2e){1,2}(\/|$)/i

/** Elysia would hand on null for a part of such a path, which reads as the name `null`. */
function isMalformed(path: string): boolean {
  try {
    decodeURIComponent(path)
    return false
  } catch (error) {
    if (error instanceof URIError) return true
    throw error
  }
}

/** Answers by the app. */
export async function answerByApp(exchange: Exchange, fetch: Fetch): Promise<void> {
  // `Request` would also change the case of some methods.
  if (answerUnroutable(exchange)) return
  const { path } = exchange.head
  if (IS_REWRITTEN.test(path)) return exchange.reject('invalid_target')
  if (isMalformed(path)) return exchange.reject('invalid_encoding')
  const request = requestOf(exchange)
  exchanges.set(request, exchange)
  await send(exchange, await fetch(request))
}

/** A reply of ours as a handler of an app returns it. */
export function responseOf({ status, headers = {}, body }: Reply): Response {
  const fields = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    for (const each of [value].flat()) fields.append(name, each)
  }
  return new Response(body, { status, headers: fields })
}

async function send(exchange: Exchange, response: Response): Promise<void> {
  if (exchange.state !== 'open') return
  const { status } = response
  const headers = headersOf(response)
  if (streamed.has(response) && response.body !== null) {
    await exchange.stream({ status, headers }, response.body)
    return
  }
  const body = await response.bytes()
  // Bun's own server adds it when it sends a text, so it is not in the headers.
  const type = body.length > 0 ? { 'content-type': 'text/plain;charset=utf-8' } : {}
  exchange.reply({ status, headers: { ...type, ...headers }, body })
}

function headersOf({ headers }: Response): ReplyHeaders {
  // The length is that of the body that is sent, which is known then.
  const { 'content-length': _, ...fields } = Object.fromEntries(headers)
  const cookies = headers.getSetCookie()
  return cookies.length > 1 ? { ...fields, 'set-cookie': cookies } : fields
}

function requestOf(exchange: Exchange): Request {
  const { head, method } = exchange
  const { fields } = head
  const headers = new Headers()
  for (let at = 0; at < fields.length; at += 2) {
    headers.append(fields[at] as string, fields[at + 1] as string)
  }
  const query = head.query === '' ? '' : `?${head.query}`
  // Elysia looks for the path from the 12th character on.
  const url = `http://localhost${head.path}${query}`
  // What sends the answer to a HEAD leaves out the body and knows its length.
  if (method === 'GET' || method === 'HEAD') return new Request(url, { headers })
  if (exchange.isBodyRead) return new Request(url, { method, headers })
  const whole = exchange.wholeBody(messageLimits.bodyBytesMax)
  const body = whole === null ? bodyOf(exchange) : copyOf(whole.bytes, whole.start, whole.end)
  return new Request(url, { method, headers, body })
}

/** The body as it comes, no faster than it is read. */
function bodyOf(exchange: Exchange): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        const part = await exchange.readBody()
        if (part === null) controller.close()
        else controller.enqueue(part)
      },
    },
    // Nothing is read before it is wanted: a handler may answer without the body.
    { highWaterMark: 0 },
  )
}
