// Lists in pages on the control port: their parameters and their shape.

import { type Static, Type } from '@sinclair/typebox'
import type { OpenAPIV3_1 as OpenApi } from 'openapi-types'
import { type Failure, failed } from '../core/errors.ts'
import { subscriptionLimits } from '../core/limits.ts'
import { type Result, success } from '../core/result.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import type { PageOfUsers } from '../subscriptions/subscriptions.ts'

export const UserPage = Type.Object({
  users: Type.Array(Type.Union([Type.Integer(), Type.String()]), {
    description: 'Numbers in order, then names in no order.',
  }),
  next: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Ask again with this as `after` for the next page; null on the last.',
  }),
})
export type UserPage = Static<typeof UserPage>

/** A page of ids as people write them. */
export function userPage(
  { users, next }: PageOfUsers,
  names: Pick<NameTable, 'subjectOf'>,
): UserPage {
  return { users: users.map((user) => names.subjectOf(user)), next }
}

/** As /openapi describes them. */
export const PAGE_QUERY: readonly OpenApi.ParameterObject[] = [
  {
    ...{ name: 'after', in: 'query', schema: { type: 'integer', minimum: 0 } },
    description: 'Only those after it: a number, or `next` of the page before.',
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
  /** Numbers and handles above it. */
  readonly after: number
  readonly size: number
}

export function pageRequest(query: Query): Result<PageRequest, Failure> {
  const { pageSizeDefault, pageSizeMax } = subscriptionLimits
  const after = Number(query['after'] ?? 0)
  const size = Number(query['limit'] ?? pageSizeDefault)
  if (!Number.isSafeInteger(after) || after < 0) {
    return failed(
      'invalid_query',
      '"after" is a number, "next" of the page before, or is left out.',
    )
  }
  if (!Number.isSafeInteger(size) || size < 1 || size > pageSizeMax) {
    return failed('invalid_query', `"limit" is a whole number from 1 to ${pageSizeMax}.`)
  }
  return success({ after, size })
}
