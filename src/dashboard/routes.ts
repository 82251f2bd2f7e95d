// `GET /`, the dashboard: one document that may load nothing and ask only its own server, and holds
// no figure, so that anyone may have it. `GET /dashboard/live`, the figures, which its script polls
// once a second: a page can send a token only with a request of its own, and polling resumes by
// itself.

import { Elysia } from 'elysia'
import { refusal } from '../control/answer.ts'
import { htmlFile, inlineScript, inlineStyle, uplotLicense } from '../report/assets.ts' with {
  type: 'macro',
}
import { liveOf } from './live.ts'
import type { Sampler } from './sampler.ts'

const HTML = htmlFile('dashboard/dashboard.html')
const STYLE = inlineStyle('dashboard/dashboard.css')
const SCRIPT = inlineScript('dashboard/page.ts')
const LICENSE = uplotLicense()

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  // Another version of the server has another page.
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'content-security-policy': [
    "default-src 'none'",
    `script-src ${SCRIPT.source}`,
    `style-src ${STYLE.source}`,
    // The empty icon, without which browsers ask for one.
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    // No page may frame this one, whose forms send messages.
    "frame-ancestors 'none'",
  ].join('; '),
}

export interface DashboardOptions {
  readonly sampler: Sampler
  /** Must requests for figures have a token? The page then asks its reader for it first. */
  readonly isLocked: boolean
}

export function dashboardRoutes({ sampler, isLocked }: DashboardOptions) {
  return new Elysia({ name: 'comet.dashboard' })
    .get('/', () => new Response(pageText(isLocked), { headers: HEADERS }), {
      detail: { hide: true },
    })
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

function pageText(isLocked: boolean): string {
  // Functions, since `$&` and the like have a meaning in a replacement string.
  return HTML.replace('<style></style>', () => `<style>${STYLE.text}</style>`)
    .replace('data-lock="open"', `data-lock="${isLocked ? 'locked' : 'open'}"`)
    .replace('license\n-->', () => `${LICENSE}-->`)
    .replace('<script></script>', () => `<script>${SCRIPT.text}</script>`)
}
