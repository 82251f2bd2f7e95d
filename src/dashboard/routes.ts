// `GET /`, the dashboard: a page that holds no figure, and `GET /dashboard/live`, which its script asks
// once a second. It asks instead of being told, since a page can send a token only with a request of its
// own, and since asking goes on by itself after the server or the browser was away.

import { Elysia } from 'elysia'
import { refusal } from '../control/answer.ts'
import { liveOf } from './live.ts'
import { dashboardPage } from './page.ts'
import type { Sampler } from './sampler.ts'

export interface DashboardOptions {
  readonly sampler: Sampler
  /** Must a client that asks for figures send a token? The page then asks for it first. */
  readonly isLocked: boolean
}

export function dashboardRoutes({ sampler, isLocked }: DashboardOptions) {
  return new Elysia({ name: 'comet.dashboard' })
    .get('/', () => dashboardPage(isLocked), { detail: { hide: true } })
    .get(
      '/dashboard/live',
      ({ query: { since } }) => {
        const sinceMs = Number(since ?? 0)
        if (!Number.isFinite(sinceMs)) {
          return refusal({ code: 'invalid_query', message: '"since" is milliseconds since 1970.' })
        }
        const headers = { 'cache-control': 'no-store' }
        return Response.json(liveOf(sampler, sinceMs), { headers })
      },
      { detail: { hide: true } },
    )
}
