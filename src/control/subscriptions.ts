// Subscriptions on the control port: one by its path, many as lines, and both lists in pages.

import { SQLiteError } from 'bun:sqlite'
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Clock } from '../core/clock.ts'
import { ERRORS, ErrorBody, errorBody, type Failure } from '../core/errors.ts'
import { type Result, success } from '../core/result.ts'
import { formatQuantity } from '../core/units.ts'
import { parseSubject } from '../core/user.ts'
import { streamedResponse } from '../http/web.ts'
import type { Settings } from '../hub/settings.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import { type SubscriptionRules, subscribe, unsubscribe } from '../subscriptions/subscribe.ts'
import type { PageOfUsers, Subscriptions } from '../subscriptions/subscriptions.ts'
import { answerTo, isAborted } from './answer.ts'
import {
  type BulkAction,
  type BulkFailure,
  type BulkProgress,
  BulkReceipt,
  changeMany,
} from './bulk.ts'
import { pageRequest, type Query, UserPage, userPage } from './page.ts'
import { stored, takesNone } from './storage.ts'
import { requestSource, Upload } from './upload.ts'

export interface SubscriptionRoutesOptions {
  readonly subscriptions: Subscriptions
  readonly names: NameTable
  readonly settings: Settings<'userIdMax' | 'subscriptionsPerUserMax' | 'bodyTimeoutMs'>
  readonly clock: Clock
  /** Called when the database has refused a change. */
  readonly onStorageError: (error: SQLiteError) => void
}

const Change = Type.Object({
  changed: Type.Boolean({ description: 'False if it was so already.' }),
})

const NDJSON = 'application/x-ndjson'

export function subscriptionRoutes(options: SubscriptionRoutesOptions) {
  const { subscriptions } = options
  const one = (action: BulkAction, id: string, subject: string) =>
    answered(options, () => changeOne(options, action, id, subject))
  const many = (action: BulkAction, request: Request) => changed(options, action, request)
  const responses = {
    200: Change,
    400: ErrorBody,
    404: ErrorBody,
    409: ErrorBody,
    422: ErrorBody,
    503: ErrorBody,
    504: ErrorBody,
  }
  const bulk = (summary: string) => ({
    parse: 'none' as const,
    detail: {
      summary,
      description:
        'A `subscriber subject` pair a line. The answer is the receipt; with `Accept: ' +
        'application/x-ndjson`, lines of JSON with the progress come before it.',
      responses: {
        200: { description: 'The receipt', content: RECEIPT },
        408: { description: 'body_timeout, and the receipt until then', content: RECEIPT },
        503: { description: 'storage_failed, bus_unavailable', content: REFUSED },
        504: { description: 'outcome_unknown, and the receipt until then', content: RECEIPT },
      },
    },
  })

  return new Elysia({ name: 'comet.subscriptions' })
    .put(
      '/users/:id/subscriptions/:subject',
      ({ params: { id, subject } }) => one('add', id, subject),
      {
        parse: 'none',
        response: responses,
        detail: { summary: 'Let a user follow a subject' },
      },
    )
    .delete(
      '/users/:id/subscriptions/:subject',
      ({ params: { id, subject } }) => one('remove', id, subject),
      {
        parse: 'none',
        response: responses,
        detail: { summary: 'Let a user follow a subject no longer' },
      },
    )
    .get(
      '/users/:id/subscriptions',
      ({ params: { id }, query }) =>
        answered(options, () =>
          page(options, id, query, subscriptions.subscriptionsPage.bind(subscriptions)),
        ),
      {
        response: { 200: UserPage, 400: ErrorBody, 404: ErrorBody },
        detail: { summary: 'Whom a user follows' },
      },
    )
    .get(
      '/users/:id/subscribers',
      ({ params: { id }, query }) =>
        answered(options, () =>
          page(options, id, query, subscriptions.subscribersPage.bind(subscriptions)),
        ),
      {
        response: { 200: UserPage, 400: ErrorBody, 404: ErrorBody },
        detail: { summary: 'Who follows a user' },
      },
    )
    .post('/subscriptions', ({ request }) => many('add', request), bulk('Add many subscriptions'))
    .delete(
      '/subscriptions',
      ({ request }) => many('remove', request),
      bulk('Remove many subscriptions'),
    )
}

const RECEIPT = {
  'application/json': { schema: BulkReceipt as object },
  [NDJSON]: { schema: BulkReceipt as object },
}

const REFUSED = { 'application/json': { schema: ErrorBody as object } }

async function changeOne(
  options: SubscriptionRoutesOptions,
  action: BulkAction,
  id: string,
  subjectId: string,
): Promise<Result<{ changed: boolean }, Failure>> {
  const { subscriptions, names } = options
  const rules = rulesOf(options)
  const subscriber = parseSubject(id, rules.userIdMax)
  if (!subscriber.ok) return subscriber
  const subject = parseSubject(subjectId, rules.userIdMax)
  if (!subject.ok) return subject
  const stores = { subscriptions, names }
  const changed =
    action === 'add'
      ? await subscribe(stores, rules, subscriber.value, subject.value)
      : await unsubscribe(stores, subscriber.value, subject.value)
  return changed.ok ? success({ changed: changed.value }) : changed
}

function rulesOf({ settings }: SubscriptionRoutesOptions): SubscriptionRules {
  const { userIdMax, subscriptionsPerUserMax } = settings.current
  return { userIdMax, perUserMax: subscriptionsPerUserMax }
}

function page(
  { names, settings }: SubscriptionRoutesOptions,
  id: string,
  query: Query,
  list: (user: number, after: number, size: number) => PageOfUsers,
): Result<UserPage, Failure> {
  const user = parseSubject(id, settings.current.userIdMax)
  if (!user.ok) return user
  const request = pageRequest(query)
  if (!request.ok) return request
  const { after, size } = request.value
  return success(userPage(list(names.idOf(user.value), after, size), names))
}

/** The answer to a result; what the database refuses is a failure like any other, but logged. */
async function answered<T extends object>(
  { onStorageError }: SubscriptionRoutesOptions,
  work: () => Result<T, Failure> | Promise<Result<T, Failure>>,
): Promise<Response> {
  return answerTo(await stored(onStorageError, work))
}

/** Answers with the first item. For most changes that is the receipt, so the status tells all. */
async function changed(
  options: SubscriptionRoutesOptions,
  action: BulkAction,
  request: Request,
): Promise<Response> {
  const { subscriptions, names, settings, clock, onStorageError } = options
  const wantsLines = request.headers.get('accept')?.includes(NDJSON) ?? false
  const type = { 'content-type': wantsLines ? NDJSON : 'application/json;charset=utf-8' }
  const upload = new Upload(requestSource(request), settings.current, clock)
  const changes = changeMany({ subscriptions, names }, rulesOf(options), action, upload)
  const next = () => nextOf(changes, upload, onStorageError)
  const first = await next()
  if (isLast(first)) {
    const headers = 'error' in first ? { ...type, ...CLOSE } : type
    return new Response(lineOf(first), { status: statusOf(first), headers })
  }
  // By its end the rest of the body may have come too slowly to be read.
  return streamedResponse(answerOf(first, next, wantsLines), { headers: { ...type, ...CLOSE } })
}

const CLOSE = { connection: 'close' }

type Failed = ReturnType<typeof errorBody> & Partial<BulkReceipt>
type Item = BulkProgress | BulkReceipt | Failed

/**
 * The last item, or what ended it early, as JSON. Those before it are lines of their own, or an
 * empty line each, so that the answer stays one value of JSON and the connection is not silent.
 */
function answerOf(
  first: Item,
  next: () => Promise<Item>,
  wantsLines: boolean,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const progress = (item: Item) => encoder.encode(wantsLines ? lineOf(item) : '\n')
  return new ReadableStream({
    start: (controller) => controller.enqueue(progress(first)),
    async pull(controller) {
      const item = await next()
      controller.enqueue(isLast(item) ? encoder.encode(lineOf(item)) : progress(item))
      if (isLast(item)) controller.close()
    },
  })
}

function lineOf(item: Item): string {
  return `${JSON.stringify(item)}\n`
}

/** Progress counts no refused lines; a receipt and an error are the end. */
function isLast(item: Item): boolean {
  return 'rejected' in item || 'error' in item
}

function statusOf(item: Item): number {
  return 'error' in item ? ERRORS[item.error.code].status : 200
}

async function nextOf(
  changes: AsyncGenerator<BulkProgress | BulkReceipt | BulkFailure>,
  upload: Upload,
  onStorageError: (error: SQLiteError) => void,
): Promise<Item> {
  try {
    const { value } = await changes.next()
    if ('failure' in value) return stopped(value)
    return upload.isLate ? late(value) : value
  } catch (error) {
    if (error instanceof SQLiteError) {
      onStorageError(error)
      return errorBody({
        code: 'storage_failed',
        message: `${takesNone(error)}; the batches before stand, the rest was not tried.`,
      })
    }
    // The client has gone, so there is no one to answer; the batches until then stand.
    if (isAborted(error)) return errorBody(BROKEN_OFF)
    throw error
  }
}

const BROKEN_OFF = {
  code: 'body_unreadable',
  message: 'The request ended before its body did.',
} as const

/** What a change has come to that could not go on. */
function stopped({ failure: { code, message }, receipt }: BulkFailure): Failed {
  const text = `${message} The batches before stand, the rest was not tried.`
  return { ...errorBody({ code, message: text }), ...receipt }
}

/** What a change whose lines came too slowly has come to. */
function late(receipt: BulkReceipt): Failed {
  const lines = formatQuantity(receipt.lines, 'line')
  const message = `The body came too slowly; the changes of ${lines} before stand.`
  return { ...errorBody({ code: 'body_timeout', message }), ...receipt }
}
