// `POST /tickets`: a one-time ticket for a client that is to open one stream soon.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { Elysia } from 'elysia'
import { ErrorBody, type Failure, failed } from '../core/errors.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { parseJson } from '../core/json.ts'
import { isPattern } from '../core/name.ts'
import { type Result, success } from '../core/result.ts'
import { checkSubject } from '../core/user.ts'
import type { Settings } from '../hub/settings.ts'
import type { TicketIssuer } from '../identity/tickets.ts'
import { answerTo } from './answer.ts'

const { patternsMax, ticketMs, ttlSecondsDefault, ttlSecondsMax } = identityLimits

const TicketBody = Type.Object(
  {
    user: Type.Union([Type.Integer({ minimum: 1 }), Type.String()], {
      description: 'Whose stream it opens.',
    }),
    read: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: patternsMax,
        description: 'Further subjects that it may read; `*` at the end stands for any rest.',
      }),
    ),
    ttl: Type.Optional(
      Type.Integer({
        ...{ minimum: 1, maximum: ttlSecondsMax, default: ttlSecondsDefault },
        description: 'Seconds that the stream may last which it opens.',
      }),
    ),
  },
  { additionalProperties: false },
)

const Ticket = Type.Object({
  ticket: Type.String({ description: 'To be used once, as `?ticket=`.' }),
  expires: Type.String({
    format: 'date-time',
    description: `Until when it may be used: for ${ticketMs / 1_000} s.`,
  }),
})

export interface TicketRoutesOptions {
  readonly tickets: Pick<TicketIssuer, 'issue'>
  readonly settings: Settings<'userIdMax'>
}

export function ticketRoutes(options: TicketRoutesOptions) {
  return new Elysia({ name: 'comet.tickets' }).post(
    '/tickets',
    async ({ request }) => answerTo(await issue(options, await request.text())),
    {
      parse: 'none',
      response: {
        200: Ticket,
        400: ErrorBody,
        404: ErrorBody,
        422: ErrorBody,
        503: ErrorBody,
        504: ErrorBody,
      },
      detail: {
        summary: 'Issue a one-time ticket for a client',
        requestBody: {
          required: true,
          content: { 'application/json': { schema: TicketBody as object } },
        },
      },
    },
  )
}

async function issue(
  { tickets, settings }: TicketRoutesOptions,
  json: string,
): Promise<Result<Static<typeof Ticket>, Failure>> {
  const body = bodyOf(json)
  if (!body.ok) return body
  const { user, read = [], ttl = ttlSecondsDefault } = body.value
  const checked = checkSubject(user, settings.current.userIdMax)
  if (!checked.ok) return checked
  if (!read.every(isPattern)) {
    return failed('invalid_ticket', 'A pattern of "read" is neither a number nor a name.')
  }
  const issued = await tickets.issue({ user: String(checked.value), read, ttlSeconds: ttl })
  if (!issued.ok) return issued
  const { ticket, expiresAtSeconds } = issued.value
  return success({ ticket, expires: new Date(expiresAtSeconds * 1_000).toISOString() })
}

function bodyOf(json: string): Result<Static<typeof TicketBody>, Failure> {
  const parsed = parseJson(json)
  if (!parsed.ok) return failed('invalid_json', 'This is not JSON.')
  if (Value.Check(TicketBody, parsed.value)) return success(parsed.value)
  return failed('invalid_ticket', 'A ticket is like {"user": 123, "read": ["news"], "ttl": 3600}.')
}
