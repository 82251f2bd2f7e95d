// The one shape of failures on the control port: the answer to a request, and a rejected line among
// many.

import { type Static, Type } from '@sinclair/typebox'
import { busLimits } from '../core/bus-limits.ts'
import { ERRORS, ErrorBody, errorBody, type Failure } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import type { Result } from '../core/result.ts'
import type { RejectedRequest } from '../http/request-errors.ts'
import { fixedHeaders, type Reply } from '../http/response.ts'
import { responseOf } from '../http/web.ts'

type Headers = Readonly<Record<string, string>>

export const JSON_TYPE = fixedHeaders({ 'content-type': 'application/json;charset=utf-8' })

/** The answer to a request that failed, with the status that the table of errors has for it. */
export function refusalReply(failure: Failure, headers?: Headers): Reply {
  const { status } = ERRORS[failure.code]
  const isAway = failure.code === 'bus_unavailable'
  return jsonReply(errorBody(failure), status, isAway ? { ...RETRY_LATER, ...headers } : headers)
}

/** When Redis may be there again. */
const RETRY_LATER = { 'retry-after': String(busLimits.retryAfterSeconds) }

/** The same for a handler of an app. */
export function refusal(failure: Failure, headers?: Headers): Response {
  return responseOf(refusalReply(failure, headers))
}

/** The answer of a handler to a result. */
export function answerTo<T extends object>(result: Result<T, Failure>): Response {
  return result.ok ? Response.json(result.value) : refusal(result.why)
}

/** Hot path: once a request. */
export function jsonReply(value: unknown, status = 200, headers?: Headers): Reply {
  const body = JSON.stringify(value)
  return { status, headers: headers === undefined ? JSON_TYPE : { ...JSON_TYPE, ...headers }, body }
}

/** The answer to a request that met a bug. Its body may have been read in part. */
export const INTERNAL_REFUSAL: Reply = refusalReply(
  { code: 'internal', message: 'This is a bug; the log of the server has the details.' },
  { connection: 'close' },
)

/** The answer to bytes that are no valid request; its status is that of the error itself. */
export function controlRejection({ code, status, text }: RejectedRequest): Reply {
  const known = code === 'invalid_host' ? code : 'invalid_request'
  return jsonReply(errorBody({ code: known, message: `${text}.` }), status)
}

/** The part of a receipt that lists rejected lines. */
export const RejectedLines = Type.Object({
  rejected: Type.Array(
    Type.Object({ line: Type.Integer({ minimum: 1 }), error: ErrorBody.properties.error }),
    { description: `The refused lines, the first ${messageLimits.rejectedListedMax} of them.` },
  ),
  rejectedCount: Type.Integer({ description: 'How many lines were refused in all.' }),
})
export type RejectedLines = Static<typeof RejectedLines>

/** Notes a refused line: the first ones by number, the others in the count only. */
export function rejectLine(receipt: RejectedLines, line: number, failure: Failure): void {
  receipt.rejectedCount++
  if (receipt.rejected.length < messageLimits.rejectedListedMax) {
    receipt.rejected.push({ line, ...errorBody(failure) })
  }
}

/** The body of a request whose connection is gone, or is not HTTP, ends with this name. */
export function isAborted(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
