// `POST /messages`: one message or many, by the format of the request; publish.ts does the rest.

import { type TSchema, Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { OpenAPIV3 } from 'openapi-types'
import type { ByteRange } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { ERRORS, ErrorBody, type ErrorCode, errorBody, type Failure } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import type { Result } from '../core/result.ts'
import { formatQuantity } from '../core/units.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Reply } from '../http/response.ts'
import { responseOf } from '../http/web.ts'
import { Message } from '../hub/message.ts'
import type { Receipt } from '../hub/receipt.ts'
import type { Router } from '../hub/router.ts'
import type { Settings } from '../hub/settings.ts'
import { isAborted, jsonReply, refusalReply } from './answer.ts'
import {
  BatchReceipt,
  beginOne,
  countsOf,
  publishLines,
  publishOne,
  SingleReceipt,
  tooLarge,
  wholeBody,
} from './publish.ts'
import { exchangeSource, requestSource, Upload } from './upload.ts'

export interface MessageRoutesOptions {
  readonly router: Router
  readonly clock: Clock
  /** Is the server stopping? Then a publisher must look for another. */
  readonly isDraining: () => boolean
  /** Lines and messages refused, for the figures. */
  readonly onRejected: (count: number) => void
  readonly settings: Settings<'bodyTimeoutMs'>
}

/**
 * Publishes, past the routes, the one message of a request that has arrived whole, or many, and
 * answers once their receivers are counted. Hot path: once a request.
 *
 * @returns null for all other requests, which the routes take
 */
export function publishDirectly(
  options: MessageRoutesOptions,
  exchange: Exchange,
): void | Promise<void> | null {
  const { head } = exchange
  if (head.method !== 'POST' || head.path !== PATH || options.isDraining()) return null
  const format = formatOf((name) => head.header(name))
  if (format === 'lines') return publishBatch(options, exchange)
  const bytes = format === 'one' ? exchange.wholeBody(messageLimits.requestBytesMax) : null
  return bytes === null ? null : publishWhole(options, exchange, bytes)
}

function publishWhole(
  options: MessageRoutesOptions,
  exchange: Exchange,
  bytes: ByteRange,
): void | Promise<void> {
  const begun = beginOne(options.router, bytes, exchange)
  return begun instanceof Promise
    ? begun.then((result) => answer(options, exchange, result))
    : answer(options, exchange, begun)
}

function answer(
  options: MessageRoutesOptions,
  exchange: Exchange,
  result: Result<Receipt, Failure>,
): void {
  if (!result.ok) {
    exchange.reply(refused(options, result.why))
    return
  }
  const receipt = result.value
  if (receipt.pending === 0) exchange.reply(receiptReply(receipt))
  else receipt.whenSettled((settled) => exchange.reply(receiptReply(settled)))
}

/** The answers that most publishers get: for a user with few connections. */
const DELIVERED = Array.from({ length: 16 }, (_, delivered) => jsonReply({ delivered }))

function receiptReply(receipt: Receipt): Reply {
  const isPlain = receipt.skipped === 0 && receipt.unknown === 0
  const known = isPlain ? DELIVERED[receipt.delivered] : undefined
  return known ?? jsonReply(countsOf(receipt))
}

async function publishBatch(options: MessageRoutesOptions, exchange: Exchange): Promise<void> {
  const upload = new Upload(exchangeSource(exchange), options.settings.current, options.clock)
  try {
    exchange.reply(await batchReply(options, upload))
  } catch (error) {
    if (!isAborted(error)) throw error
    exchange.reply(refused(options, UNREADABLE))
  }
}

async function batchReply(options: MessageRoutesOptions, upload: Upload): Promise<Reply> {
  const receipt = await publishLines(options.router, upload, options.clock)
  if (receipt.rejectedCount > 0) options.onRejected(receipt.rejectedCount)
  return upload.isLate ? cut(receipt) : jsonReply(receipt)
}

const UNREADABLE: Failure = {
  code: 'body_unreadable',
  message: 'The request ended before its body did.',
}

function refused({ onRejected }: MessageRoutesOptions, failure: Failure): Reply {
  onRejected(1)
  // The rest of the body is not going to be read.
  return refusalReply(failure, hasRest(failure) ? CLOSE : {})
}

const PATH = '/messages'

export function messageRoutes(options: MessageRoutesOptions) {
  const { router, clock, isDraining, settings } = options
  const refuse = (failure: Failure) => responseOf(refused(options, failure))
  const late = () => refuse({ code: 'body_timeout', message: 'The body came too slowly.' })

  return new Elysia({ name: 'comet.messages' }).post(
    PATH,
    async ({ request }) => {
      if (isDraining()) {
        return refuse({ code: 'draining', message: 'The server is stopping; send it to another.' })
      }
      const format = formatOf((name) => request.headers.get(name))
      try {
        if (format === 'one') {
          const upload = new Upload(requestSource(request), settings.current, clock)
          if ((upload.declared ?? 0) > messageLimits.requestBytesMax)
            return refuse(tooLarge('request').why)
          const bytes = await bytesOf(upload)
          if (upload.isLate) return late()
          const result = await publishOne(router, bytes, upload)
          return result.ok ? Response.json(result.value) : refuse(result.why)
        }
        if (format === 'lines') {
          const upload = new Upload(requestSource(request), settings.current, clock)
          return responseOf(await batchReply(options, upload))
        }
      } catch (error) {
        if (!isAborted(error)) throw error
        return refuse(UNREADABLE)
      }
      return refuse({
        code: 'unsupported_media_type',
        message:
          'Send Content-Type application/json for one message, application/x-ndjson for many, not compressed.',
      })
    },
    // The body is read here, as it comes; a parser of the framework's would hold it whole.
    { parse: 'none', detail: DETAIL },
  )
}

/**
 * All of a request's body. One that says how long it is, and is short, is taken in one go, which
 * takes less time than part by part.
 */
function bytesOf(upload: Upload): Promise<Uint8Array | null> {
  return (upload.declared ?? Infinity) <= messageLimits.bodyBytesMax
    ? upload.whole()
    : wholeBody(upload)
}

const CLOSE = { connection: 'close' }

function hasRest({ code }: Failure): boolean {
  const { status } = ERRORS[code]
  return status === 408 || status === 413
}

/** What a batch that came too slowly has come to. */
function cut(receipt: BatchReceipt): Reply {
  const lines = formatQuantity(receipt.accepted, 'accepted line')
  const message = `The body came too slowly, after ${lines}.`
  const body = { ...errorBody({ code: 'body_timeout', message }), ...receipt }
  return jsonReply(body, ERRORS.body_timeout.status, CLOSE)
}

type Format = 'one' | 'lines' | 'other'

/** RFC 9110 section 8.3: the type is case-insensitive and may have parameters behind it. */
function formatOf(header: (name: string) => string | null): Format {
  // A compressed body would have to be unpacked within a bound, and there is no demand for it.
  if (header('content-encoding') !== null) return 'other'
  const given = header('content-type')
  if (given === null || given === 'application/json') return 'one'
  const type = given.split(';')[0]?.trim().toLowerCase()
  if (type === 'application/json') return 'one'
  if (type === 'application/x-ndjson' || type === 'application/ndjson') return 'lines'
  return 'other'
}

/** A TypeBox schema is a JSON Schema; the types of OpenAPI just do not say so. */
function documented(schema: TSchema): OpenAPIV3.SchemaObject {
  return schema as OpenAPIV3.SchemaObject
}

function failures(...codes: ErrorCode[]) {
  const byStatus = Map.groupBy(codes, (code) => String(ERRORS[code].status))
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      {
        description: of.join(', '),
        content: { 'application/json': { schema: documented(ErrorBody) } },
      },
    ]),
  )
}

/** Written out, since the schemas describe a body that the framework does not parse. */
const DETAIL = {
  summary: 'Send messages',
  description:
    'One JSON object, or many as a line each. `subject` reaches that user and all who follow it; ' +
    '`to` reaches that user alone. The answer counts the connections that took the message.',
  requestBody: {
    required: true,
    content: {
      'application/json': { schema: documented(Message) },
      'application/x-ndjson': { schema: { type: 'string' as const } },
    },
  },
  responses: {
    '200': {
      description: 'Handed over',
      content: {
        'application/json': { schema: documented(Type.Union([SingleReceipt, BatchReceipt])) },
      },
    },
    ...failures(
      'invalid_json',
      'invalid_utf8',
      'body_unreadable',
      'body_timeout',
      'message_too_large',
      'request_too_large',
      'unsupported_media_type',
      'unknown_user',
      'invalid_message',
      'message_empty',
      'draining',
    ),
  },
}
