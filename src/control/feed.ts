// The feed of connections on the control port, `GET /feed`: lines of JSON as users connect and
// disconnect.

import { Elysia } from 'elysia'
import { parseCursor } from '../core/cursor.ts'
import { type Failure, failed } from '../core/errors.ts'
import { feedLimits } from '../core/feed-limits.ts'
import { streamLimits } from '../core/limits.ts'
import { type Result, success } from '../core/result.ts'
import { onInputOver, streamedResponse } from '../http/web.ts'
import type { FeedFrom, FeedSource } from '../log/feed-source.ts'
import { refusal } from './answer.ts'
import { documented, failures } from './documented.ts'
import { FeedLine } from './feed-lines.ts'
import { FeedReader, type FeedReaderOptions } from './feed-reader.ts'
import type { Query } from './page.ts'

export interface FeedRoutesOptions extends Omit<FeedReaderOptions, 'feed'> {
  /** Null if there is none. */
  readonly feed: FeedSource | null
}

export function feedRoutes(options: FeedRoutesOptions) {
  return new Elysia({ name: 'comet.feed' }).get(
    '/feed',
    async ({ request, query }) => {
      const followed = await follow(options, request, query)
      return followed.ok ? followed.value : refusal(followed.why, RETRIES[followed.why.code])
    },
    { detail: DETAIL },
  )
}

const HEADERS = {
  'content-type': 'application/x-ndjson',
  'cache-control': 'no-store, no-transform',
  // nginx's own switch for its response buffer.
  'x-accel-buffering': 'no',
}

/** Written out, since the response is lines. */
const DETAIL = {
  summary: 'Users who connect and disconnect, as it happens',
  description:
    'Lines of JSON, of which the first says where it begins, or is a gap. A line that is empty is a ' +
    'heartbeat. Each of several servers that share a log reports all connections, with ids that are ' +
    'valid on each of them.',
  responses: {
    '200': {
      description: 'The feed, which never ends',
      content: { 'application/x-ndjson': { schema: documented(FeedLine) } },
    },
    ...failures('invalid_query', 'not_found', 'too_many_readers', 'bus_unavailable'),
  },
}

const RETRIES: Partial<Record<Failure['code'], Record<string, string>>> = {
  too_many_readers: { 'retry-after': String(streamLimits.retryAfterSeconds) },
}

const NO_FEED = 'There is no feed: the server was started with --feed 0.'
const NO_REDIS = 'Redis, which the servers share, is away: the state of the feed is unknown.'

async function follow(
  { feed, ...options }: FeedRoutesOptions,
  request: Request,
  query: Query,
): Promise<Result<Response, Failure>> {
  if (feed === null) return failed('not_found', NO_FEED)
  const from = fromOf(request, query)
  if (!from.ok) return from
  const snapshot = query['snapshot'] ?? 'false'
  if (snapshot !== 'true' && snapshot !== 'false') {
    return failed('invalid_query', '"snapshot" is true or false.')
  }
  const { readers } = options
  const { readersMax } = feedLimits
  if (readers.open >= readersMax) {
    readers.refused++
    return failed(
      'too_many_readers',
      `${readersMax} requests follow the feed already, the maximum.`,
    )
  }
  const reader = new FeedReader({ feed, ...options }, from.value, snapshot === 'true')
  onInputOver(request, () => reader.end())
  if (!(await reader.begin())) {
    reader.end()
    return failed('bus_unavailable', NO_REDIS)
  }
  return success(streamedResponse(reader.body(), { headers: HEADERS }))
}

/** What a client says by itself, as it comes back, counts more than its address. */
function fromOf({ headers }: Request, query: Query): Result<FeedFrom, Failure> {
  const had = headers.get('last-event-id') ?? ''
  const text = had === '' ? query['after'] : had
  if (text === undefined) return success('live')
  if (had === '' && text === 'oldest') return success('oldest')
  const after = parseCursor(text)
  if (after !== null) return success({ after })
  const name = had === '' ? '"after"' : 'Last-Event-ID'
  return failed('invalid_query', `${name} is an id that the feed has told, or "oldest".`)
}
