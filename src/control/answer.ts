// The one shape of failures on the control port: the answer to a request, and a rejected line among
// many.

import { type Static, Type } from '@sinclair/typebox'
import { ERRORS, ErrorBody, errorBody, type Failure } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'

/** The answer to a request that failed, with the status that the table of errors has for it. */
export function refusal(failure: Failure, headers: Record<string, string> = {}): Response {
  return Response.json(errorBody(failure), { status: ERRORS[failure.code].status, headers })
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

/** Bun ends the body of a request whose connection is gone, or is not HTTP, with this name. */
export function isAborted(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
