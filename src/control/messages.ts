// `POST /messages`: one message or many, by the format of the request; publish.ts does the rest.

import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { type ByteRange, rangeOf } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { ERRORS, errorBody, type Failure } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import { isKey, KEY_RULE } from '../core/name.ts'
import type { Result } from '../core/result.ts'
import { formatQuantity } from '../core/units.ts'
import { parseSubject } from '../core/user.ts'
import { decodeUtf8 } from '../core/utf8.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Reply } from '../http/response.ts'
import { responseOf } from '../http/web.ts'
import { MessageRequest } from '../hub/message.ts'
import type { Receipt } from '../hub/receipt.ts'
import type { Router } from '../hub/router.ts'
import type { Settings } from '../hub/settings.ts'
import { isAborted, jsonReply, refusalReply } from './answer.ts'
import { documented, failures } from './documented.ts'
import {
  BatchReceipt,
  beginOne,
  failureIn,
  isArray,
  type PublishBytes,
  publishArray,
  publishBody,
  publishLines,
  publishOne,
  SingleReceipt,
  wholeBody,
} from './publish.ts'
import { receiptReply } from './receipt-reply.ts'
import { exchangeSource, Upload } from './upload.ts'

export interface MessageRoutesOptions {
  readonly router: Router
  /** Used with `?receipt=all`: its receipts count the connections of all nodes. */
  readonly routerForAll: Router
  readonly clock: Clock
  /** Is the server stopping? Then a publisher must look for another. */
  readonly isDraining: () => boolean
  /** Lines and messages refused, for the figures. */
  readonly onRejected: (count: number) => void
  readonly settings: Settings<'bodyTimeoutMs'>
}

/**
 * Publishes the message or the messages of a request, past the routes, and answers once their
 * receivers are counted. Hot path: once a request.
 *
 * @returns null for all other requests, which the routes take
 */
export function publishDirectly(
  here: MessageRoutesOptions,
  exchange: Exchange,
): void | Promise<void> | null {
  const { method, path, query } = exchange.head
  if (method !== 'POST') return null
  const options = query === '' ? here : scopeOf(here, query)
  if (options === null) {
    const message = '"receipt" must be "all", for the counts of all nodes, or be left out.'
    return isPublishing(exchange)
      ? exchange.reply(refused(here, { code: 'invalid_query', message }))
      : null
  }
  if (path !== PATH && path !== PATH_WITH_SLASH) return publishToPath(options, exchange)
  const format = options.isDraining() ? 'other' : formatOf(exchange)
  if (format === 'other') return null
  const bytes = format === 'one' ? exchange.wholeBody(messageLimits.requestBytesMax) : null
  if (bytes === null) return publishUpload(options, exchange, format)
  if (!isArray(bytes)) return publishWhole(options, exchange, bytes)
  return arrayReply(options, bytes, exchange).then((reply) => exchange.reply(reply))
}

/** The options for the nodes whose connections are counted; null if the query is not valid. */
function scopeOf(options: MessageRoutesOptions, query: string): MessageRoutesOptions | null {
  const wish = new URLSearchParams(query).get('receipt')
  if (wish === null) return options
  return wish === 'all' ? { ...options, router: options.routerForAll } : null
}

function isPublishing({ path }: Exchange): boolean {
  return path === PATH || path === PATH_WITH_SLASH || TARGET_PATH.test(path)
}

/** The answer to a JSON array of messages. */
async function arrayReply(
  options: MessageRoutesOptions,
  bytes: ByteRange,
  body: Pick<Upload, 'isGone'>,
): Promise<Reply> {
  const text = decodeUtf8(bytes)
  if (text === null) {
    return refused(options, { code: 'invalid_utf8', message: 'The messages are not UTF-8.' })
  }
  const published = await publishArray(options.router, text, options.clock, body)
  if (!published.ok) return refused(options, published.why)
  const { rejectedCount } = published.value
  if (rejectedCount > 0) options.onRejected(rejectedCount)
  return jsonReply(published.value)
}

/** `POST /users/{id}` and `POST /subjects/{id}`: the body of the request is that of a message. */
function publishToPath(
  options: MessageRoutesOptions,
  exchange: Exchange,
): void | Promise<void> | null {
  const [, kind, id = ''] = TARGET_PATH.exec(exchange.path) ?? []
  if (kind === undefined || options.isDraining()) return null
  if (exchange.header('content-encoding') !== null) return null
  const target = parseSubject(id, options.router.userIdMax)
  if (!target.ok) return exchange.reply(refused(options, target.why))
  const key = exchange.header(KEY_HEADER)
  if (key !== null && !isKey(key)) {
    const message = `The header Idempotency-Key is ${KEY_RULE}.`
    return exchange.reply(refused(options, { code: 'invalid_message', message }))
  }
  const publish = publishBody(target.value, kind === 'subjects', key)
  const bytes = exchange.wholeBody(messageLimits.bodyBytesMax)
  return bytes === null
    ? publishUpload(options, exchange, 'one', publish)
    : publishWhole(options, exchange, bytes, publish)
}

/** Of draft-ietf-httpapi-idempotency-key-header; quotes as it has them are part of the key. */
const KEY_HEADER = 'idempotency-key'
const TARGET_PATH = /^\/(users|subjects)\/([^/]+)$/

function publishWhole(
  options: MessageRoutesOptions,
  exchange: Exchange,
  bytes: ByteRange,
  publish?: PublishBytes,
): void | Promise<void> {
  const begun = beginOne(options.router, bytes, exchange, publish)
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
  result.value.whenSettled((receipt) => {
    const failure = failureIn(receipt)
    exchange.reply(failure === null ? receiptReply(receipt) : refused(options, failure))
  })
}

/** Publishes what is still to come of a request. */
async function publishUpload(
  options: MessageRoutesOptions,
  exchange: Exchange,
  format: 'one' | 'lines',
  publish?: PublishBytes,
): Promise<void> {
  const upload = new Upload(exchangeSource(exchange), options.settings.current, options.clock)
  try {
    exchange.reply(
      format === 'one'
        ? await singleReply(options, upload, publish)
        : await batchReply(options, upload),
    )
  } catch (error) {
    if (!isAborted(error)) throw error
    const message = 'The request ended before its body did.'
    exchange.reply(refused(options, { code: 'body_unreadable', message }))
  }
}

async function singleReply(
  options: MessageRoutesOptions,
  upload: Upload,
  publish?: PublishBytes,
): Promise<Reply> {
  const isTooLarge = (upload.declared ?? 0) > messageLimits.requestBytesMax
  const bytes = isTooLarge ? null : await wholeBody(upload)
  if (upload.isLate) {
    return refused(options, { code: 'body_timeout', message: 'The body came too slowly.' })
  }
  if (bytes !== null && publish === undefined && isArray(rangeOf(bytes))) {
    return await arrayReply(options, rangeOf(bytes), upload)
  }
  const result = await publishOne(options.router, bytes, upload, publish)
  return result.ok ? jsonReply(result.value) : refused(options, result.why)
}

async function batchReply(options: MessageRoutesOptions, upload: Upload): Promise<Reply> {
  const receipt = await publishLines(options.router, upload, options.clock)
  if (receipt.rejectedCount > 0) options.onRejected(receipt.rejectedCount)
  return upload.isLate ? cut(receipt) : jsonReply(receipt)
}

function refused({ onRejected, router }: MessageRoutesOptions, failure: Failure): Reply {
  onRejected(1)
  if (failure.code === 'too_many_keys') {
    return refusalReply(failure, { 'retry-after': String(router.keys.retryAfterSeconds) })
  }
  // The rest of the body is not going to be read.
  return refusalReply(failure, hasRest(failure) ? CLOSE : {})
}

const PATH = '/messages'
/** For Elysia it is the same path. */
const PATH_WITH_SLASH = `${PATH}/`

/** Refuses the requests that {@link publishDirectly} does not take, and describes all. */
export function messageRoutes(options: MessageRoutesOptions) {
  const refuse = (message: string) => () =>
    responseOf(
      options.isDraining()
        ? refused(options, DRAINING)
        : refused(options, { code: 'unsupported_media_type', message }),
    )
  // The answer does not wait for the body.
  const to = (summary: string) => ({ parse: 'none' as const, detail: bodyDetail(summary) })
  return new Elysia({ name: 'comet.messages' })
    .post(PATH, refuse(SEND_JSON), { parse: 'none', detail: DETAIL })
    .post('/users/:id', refuse(SEND_PLAIN), to('Send a text to a user'))
    .post('/subjects/:id', refuse(SEND_PLAIN), to('Send a text about a subject'))
}

const DRAINING: Failure = {
  code: 'draining',
  message: 'The server is stopping; send it to another.',
}
const SEND_JSON =
  'Send Content-Type application/json for one message, application/x-ndjson for many, not compressed.'
const SEND_PLAIN = 'Send the body as it is, not compressed.'

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
function formatOf({ head }: Exchange): Format {
  // A compressed body would have to be unpacked within a bound, and there is no demand for it.
  if (head.header('content-encoding') !== null) return 'other'
  const given = head.header('content-type')
  if (given === null || given === 'application/json') return 'one'
  const type = given.split(';')[0]?.trim().toLowerCase()
  if (type === 'application/json') return 'one'
  if (type === 'application/x-ndjson' || type === 'application/ndjson') return 'lines'
  return 'other'
}

/** The body of such a request is a text of any type. */
function bodyDetail(summary: string) {
  return {
    summary,
    description: `The body of the request is that of the message, as it is: 1 to ${messageLimits.bodyBytesMax} bytes.`,
    requestBody: {
      required: true,
      content: { 'text/plain': { schema: { type: 'string' as const } } },
    },
    responses: {
      '200': {
        description: 'Handed over',
        content: { 'application/json': { schema: documented(SingleReceipt) } },
      },
      ...failures(
        ...(['invalid_user_id', 'invalid_utf8', 'body_unreadable', 'unknown_user'] as const),
        ...(['body_timeout', 'message_too_large', 'request_too_large', 'message_empty'] as const),
        ...(['unsupported_media_type', 'draining', 'invalid_message'] as const),
        ...(['key_conflict', 'too_many_names', 'too_many_keys'] as const),
        ...(['bus_unavailable', 'outcome_unknown'] as const),
      ),
    },
  }
}

/** Written out, since the schemas describe a body that the framework does not parse. */
const DETAIL = {
  summary: 'Send messages',
  description:
    'One JSON object, many as an array, or many as a line each. `subject` reaches that user and all who follow it; ' +
    '`to` reaches that user alone. The answer counts the connections that took the message. ' +
    'A message with a `key` may be sent again for five minutes, and goes out once.',
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: documented(Type.Union([MessageRequest, Type.Array(MessageRequest)])),
      },
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
      'key_conflict',
      'too_many_names',
      'too_many_keys',
      'bus_unavailable',
      'outcome_unknown',
    ),
  },
}
