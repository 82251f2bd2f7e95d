// `GET /`, the dashboard: one document that may load nothing and ask only its own server, and holds
// no figure, so that anyone may have it. `GET /dashboard/live`, the figures, which its script polls
// once a second: a page can send a token only with a request of its own, and polling resumes by
// itself. `GET /try`, a page that opens a stream of the public port, and publishes.

import { Elysia } from 'elysia'
import { refusal } from '../control/answer.ts'
import { localPages } from '../hub/local-pages.ts'
import type { Settings } from '../hub/settings.ts'
import { htmlFile, inlineScript, inlineStyle, uplotLicense } from '../report/assets.ts' with {
  type: 'macro',
}
import type { Inline } from '../report/assets.ts'
import { liveOf } from './live.ts'
import { manualRoutes } from './manual-routes.ts'
import { pageHeaders } from './page-headers.ts'
import type { Sampler } from './sampler.ts'

const HTML = htmlFile('dashboard/dashboard.html')
const STYLE = inlineStyle('dashboard/dashboard.css')
const SCRIPT = inlineScript('dashboard/page.ts')
const LICENSE = uplotLicense()

const TRY_HTML = htmlFile('dashboard/try.html')
const TRY_STYLE = inlineStyle('dashboard/dashboard.css', 'dashboard/try.css')
const TRY_SCRIPT = inlineScript('dashboard/try-page.ts')

function headersOf(script: Inline, style: Inline, connected: string) {
  return pageHeaders({ script: script.source, style: style.source, connected })
}

const HEADERS = headersOf(SCRIPT, STYLE, "'self'")

export interface DashboardOptions {
  readonly sampler: Sampler
  /** Must requests for figures have a token? The page then asks its reader for it first. */
  readonly isLocked: boolean
  readonly settings: Settings<
    'identity' | 'anonymous' | 'corsOrigins' | 'certificate' | 'heartbeatMs' | 'controlAddress'
  >
  /** The number of the public port. */
  readonly publicPort: () => number
}

export function dashboardRoutes(options: DashboardOptions) {
  const { sampler, isLocked } = options
  return new Elysia({ name: 'comet.dashboard' })
    .use(manualRoutes())
    .get('/', () => new Response(pageText(isLocked), { headers: HEADERS }), {
      detail: { hide: true },
    })
    .get('/try', ({ request }) => tryPage(options, request.headers.get('host')), {
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

/** @param host the one that the page is asked for, which the port is known by; null for none */
function tryPage({ isLocked, settings, publicPort }: DashboardOptions, host: string | null) {
  const { certificate, heartbeatMs, identity, corsOrigins } = settings.current
  const { hostname, origin } = new URL(`http://${host ?? 'localhost'}`)
  const at = `${certificate === null ? '' : 's'}://${hostname}:${publicPort()}`
  const isForeign = !localPages(settings.current).includes(origin)
  const isListed = corsOrigins.includes(origin) || corsOrigins.includes('*')
  const data = {
    lock: isLocked ? 'locked' : 'open',
    streams: `http${at}`,
    heartbeat: heartbeatMs,
    tickets: identity === null ? 'no' : 'yes',
    foreign: isForeign && !isListed ? 'yes' : 'no',
  }
  const attributes = Object.entries(data).map(
    ([name, value]) => `data-${name}="${String(value).replaceAll('"', '&quot;')}"`,
  )
  const html = TRY_HTML.replace(/data-lock="[^>]*/, () => attributes.join(' '))
  const text = filled(html, TRY_SCRIPT, TRY_STYLE)
  const connected = `'self' http${at} ws${at}`
  return new Response(text, { headers: headersOf(TRY_SCRIPT, TRY_STYLE, connected) })
}

function pageText(isLocked: boolean): string {
  const html = HTML.replace(
    'data-lock="open"',
    `data-lock="${isLocked ? 'locked' : 'open'}"`,
  ).replace('license\n-->', () => `${LICENSE}-->`)
  return filled(html, SCRIPT, STYLE)
}

/** Functions, here and above, since `$&` and the like have a meaning in a replacement string. */
function filled(html: string, script: Inline, style: Inline): string {
  return html
    .replace('<style></style>', () => `<style>${style.text}</style>`)
    .replace('<script></script>', () => `<script>${script.text}</script>`)
}
