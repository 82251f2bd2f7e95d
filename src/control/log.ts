// `GET /log`: the last lines of the server's log, for those who cannot see its standard error.

import { type Static, Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { OpenAPIV3_1 as OpenApi } from 'openapi-types'
import { ErrorBody, type Failure, failed } from '../core/errors.ts'
import { LOG_LEVELS, type RecentLine, type RecentLog } from '../core/recent-log.ts'
import { recentLogLimits } from '../core/recent-log-limits.ts'
import { type Result, success } from '../core/result.ts'
import { answerTo } from './answer.ts'
import type { Query } from './page.ts'

const Line = Type.Object({
  id: Type.Integer({ description: 'Larger than that of all lines before, across restarts.' }),
  time: Type.String({ format: 'date-time' }),
  level: Type.Union(LOG_LEVELS.map((level) => Type.Literal(level))),
  event: Type.String({ description: 'The name of what happened, which stays the same.' }),
  message: Type.String({ description: 'In words.' }),
  fields: Type.Record(
    Type.String(),
    Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
    { description: 'Figures of the event; `worker` is the number of the worker that logged it.' },
  ),
})

export const LogPage = Type.Object({
  lines: Type.Array(Line, { description: 'Oldest first.' }),
  last: Type.Integer({ description: 'Ask again with this as `after` for the lines to come.' }),
  missed: Type.Integer({
    minimum: 0,
    description: 'Lines after that id that are not in this answer: older ones, or no longer kept.',
  }),
})
export type LogPage = Static<typeof LogPage>

/** As /openapi describes them. */
export const LOG_QUERY: readonly OpenApi.ParameterObject[] = [
  {
    ...{ name: 'after', in: 'query', schema: { type: 'integer', minimum: 0, default: 0 } },
    description: 'Only lines after this id: `last` of the answer before.',
  },
  {
    ...{ name: 'limit', in: 'query' },
    description: 'How many lines at most, the newest ones.',
    schema: {
      ...{ type: 'integer', minimum: 1, maximum: recentLogLimits.linesMax },
      default: recentLogLimits.pageLinesDefault,
    },
  },
]

/** The route of the last lines; it reads memory alone. */
export function logRoutes(recentLog: Pick<RecentLog, 'after'>) {
  return new Elysia({ name: 'comet.log' }).get(
    '/log',
    ({ query }) => answerTo(pageOf(recentLog, query)),
    {
      response: { 200: LogPage, 400: ErrorBody },
      detail: {
        summary: 'The last lines of the log',
        description:
          `This server keeps the last ${recentLogLimits.linesMax} lines in memory. The log has no ` +
          'bodies of messages, and no tokens.',
      },
    },
  )
}

function pageOf(recentLog: Pick<RecentLog, 'after'>, query: Query): Result<LogPage, Failure> {
  const { linesMax, pageLinesDefault } = recentLogLimits
  const after = Number(query['after'] ?? 0)
  const count = Number(query['limit'] ?? pageLinesDefault)
  if (!Number.isSafeInteger(after) || after < 0) {
    return failed('invalid_query', '"after" is "last" of the answer before, or is left out.')
  }
  if (!Number.isSafeInteger(count) || count < 1 || count > linesMax) {
    return failed('invalid_query', `"limit" is a whole number from 1 to ${linesMax}.`)
  }
  const { lines, last, missed } = recentLog.after(after, count)
  return success({ lines: lines.map(lineOf), last, missed })
}

function lineOf({ timeMs, ...line }: RecentLine) {
  return { time: new Date(timeMs).toISOString(), ...line }
}
