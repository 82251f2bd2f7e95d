// The app of the control port: which requests it takes and how, the description of its routes, and
// the answer to a path that is none.

import { type AnyElysia, Elysia } from 'elysia'
import type { OpenAPIV3_1 as OpenApi } from 'openapi-types'
import type { RecentLog } from '../core/recent-log.ts'
import { ELYSIA, type OnBug, pathOf } from '../http/elysia.ts'
import type { Exchange } from '../http/exchange.ts'
import type { ListenerOptions } from '../http/listener.ts'
import { answerByApp, responseOf } from '../http/web.ts'
import type { Settings } from '../hub/settings.ts'
import { controlRejection, INTERNAL_REFUSAL, refusal } from './answer.ts'
import type { ControlAuth } from './auth.ts'
import { type FeedRoutesOptions, feedRoutes } from './feed.ts'
import { logRoutes } from './log.ts'
import { type MessageRoutesOptions, messageRoutes, publishDirectly } from './messages.ts'
import { metricsRoutes } from './metrics.ts'
import type { OtherNodes } from './other-nodes.ts'
import type { StatsSource } from './stats.ts'
import { type SubjectRoutesOptions, subjectRoutes } from './subjects.ts'
import { type SubscriptionRoutesOptions, subscriptionRoutes } from './subscriptions.ts'
import { type TicketRoutesOptions, ticketRoutes } from './tickets.ts'
import { type UserRoutesOptions, userRoutes } from './users.ts'

export interface ControlOptions {
  readonly messages: MessageRoutesOptions
  readonly subscriptions: SubscriptionRoutesOptions
  readonly users: UserRoutesOptions
  readonly subjects: SubjectRoutesOptions
  readonly tickets: TicketRoutesOptions
  readonly feed: FeedRoutesOptions
  readonly recentLog: Pick<RecentLog, 'after'>
  readonly stats: StatsSource
  readonly others: OtherNodes
  readonly settings: Settings<'userIdMax'>
  /** The pages of the dashboard, made once for each app that describes or serves them. */
  readonly dashboard: () => AnyElysia
}

/**
 * What the port of publishers and operators does with requests. The publishing of messages is a hot
 * route; all other requests go through Elysia.
 */
export function controlPort(
  options: ControlOptions,
  auth: Pick<ControlAuth, 'authorize'>,
  onBug: OnBug,
): Pick<ListenerOptions, 'handle' | 'rejection' | 'internalError'> {
  const { messages } = options
  const app = controlApp(options, onBug)
  const handle = (exchange: Exchange): void | Promise<void> => {
    const refused = auth.authorize(exchange)
    if (refused !== null) return exchange.reply(refused)
    const published = publishDirectly(messages, exchange)
    return published === null ? answerByApp(exchange, app.fetch) : published
  }
  return { handle, rejection: controlRejection, internalError: INTERNAL_REFUSAL }
}

function controlApp(options: ControlOptions, onBug: OnBug) {
  const describe = describer(options)
  const app = new Elysia(ELYSIA)
    .onError(({ code, error, request }) => {
      if (code === 'NOT_FOUND') return notFound(request)
      onBug(error)
      return responseOf(INTERNAL_REFUSAL)
    })
    .use(routesOf(options))
    .get('/openapi', () => describe())

  const notFound = (request: Request): Response => {
    const pathname = pathOf(request.url)
    const allow = methodsOf(app.routes, pathname)
    if (allow.length === 0) {
      return refusal({ code: 'not_found', message: `There is no ${pathname}; see /openapi.` })
    }
    return refusal(
      {
        code: 'method_not_allowed',
        message: `${pathname} does not take ${request.method}, only ${allow.join(', ')}.`,
      },
      { allow: allow.join(', ') },
    )
  }
  return app
}

function routesOf(options: ControlOptions) {
  return new Elysia({ name: 'comet.control' })
    .use(messageRoutes(options.messages))
    .use(userRoutes(options.users))
    .use(subjectRoutes(options.subjects))
    .use(subscriptionRoutes(options.subscriptions))
    .use(ticketRoutes(options.tickets))
    .use(feedRoutes(options.feed))
    .use(logRoutes(options.recentLog))
    .use(metricsRoutes(options.stats, options.others))
    .use(options.dashboard())
}

/** Describes the routes at the first request for it: few servers need what that loads. */
function describer(options: ControlOptions): () => Promise<Response> {
  let described: Promise<OpenApi.Document> | null = null
  return async () => {
    described ??= describePort(options)
    return Response.json(await described)
  }
}

/** The description of the routes, as OpenAPI. */
export async function describePort(options: ControlOptions): Promise<OpenApi.Document> {
  const [{ openapi }, { completed, DOCUMENTATION }] = await Promise.all([
    import('@elysia/openapi'),
    import('./description.ts'),
  ])
  // The description itself: the page that the plugin offers would load scripts from elsewhere.
  const paths = { path: '/openapi', specPath: '/openapi', provider: null } as const
  const plugin = openapi({ ...paths, documentation: DOCUMENTATION })
  const app = new Elysia(ELYSIA).use(routesOf(options)).use(plugin)
  const response = await app.handle(new Request('http://localhost/openapi'))
  return completed((await response.json()) as OpenApi.Document)
}

/** The methods that a path takes, for `Allow` (RFC 9110 section 10.2.1). */
function methodsOf(
  routes: readonly { path: string; method: string }[],
  pathname: string,
): string[] {
  const methods = routes
    .filter(({ path }) => matches(path, pathname))
    .flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return [...new Set(methods)].sort()
}

function matches(pattern: string, pathname: string): boolean {
  const wanted = pattern.split('/')
  const given = pathname.split('/')
  return (
    wanted.length === given.length &&
    wanted.every((part, at) => part.startsWith(':') || part === given[at])
  )
}
