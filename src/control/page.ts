// Lists in pages on the control port: their parameters and their shape.

import { Type } from '@sinclair/typebox'
import type { OpenAPIV3_1 as OpenApi } from 'openapi-types'
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
export const PAGE_QUERY: readonly OpenApi.ParameterObject[] = [
  {
    ...{ name: 'after', in: 'query', schema: { type: 'integer', minimum: 0 } },
    description: 'Only those with ids above it.',
  },
  {
    ...{ name: 'limit', in: 'query' },
    description: 'As many of them at most.',
    schema: {
      ...{ type: 'integer', minimum: 1, maximum: subscriptionLimits.pageSizeMax },
      default: subscriptionLimits.pageSizeDefault,
    },
  },
]

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
