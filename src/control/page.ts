// Lists in pages on the control port: their parameters and their shape.

import { Type } from '@sinclair/typebox'
import { type Failure, failed } from '../core/errors.ts'
import { subscriptionLimits } from '../core/limits.ts'
import { type Result, success } from '../core/result.ts'

export const UserPage = Type.Object({
  users: Type.Array(Type.Integer(), { description: 'In order of ids.' }),
  next: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Ask again with this as `after` for the next page; null on the last.',
  }),
})

/** As /openapi describes them. */
export const PAGE_QUERY = [
  { name: 'after', in: 'query', schema: { type: 'integer' } },
  {
    name: 'limit',
    in: 'query',
    schema: { type: 'integer', maximum: subscriptionLimits.pageSizeMax },
  },
] as const

export type Query = Readonly<Record<string, string | undefined>>

export interface PageRequest {
  /** Ids above it. */
  readonly after: number
  readonly size: number
}

export function pageRequest(query: Query): Result<PageRequest, Failure> {
  const { pageSizeDefault, pageSizeMax } = subscriptionLimits
  const after = Number(query['after'] ?? 0)
  const size = Number(query['limit'] ?? pageSizeDefault)
  if (!Number.isSafeInteger(after) || after < 0) {
    return failed('invalid_query', '"after" is a user id, or is left out.')
  }
  if (!Number.isSafeInteger(size) || size < 1 || size > pageSizeMax) {
    return failed('invalid_query', `"limit" is a whole number from 1 to ${pageSizeMax}.`)
  }
  return success({ after, size })
}
