// `GET /comet.js`, the client library, for pages of any origin. Loaded when it is first asked for:
// most workers never are.

import { builtModule } from '../browser/module.ts' with { type: 'macro' }
import type { Head } from '../http/exchange.ts'
import { fixedHeaders, type Reply } from '../http/response.ts'

const MODULE = builtModule()

const HEADERS = {
  'content-type': 'text/javascript;charset=utf-8',
  // Another version of the server has another one; pages need not ask more than once an hour.
  'cache-control': 'public, max-age=3600',
  vary: 'Accept-Encoding',
  // It is the same for everyone. Browsers load modules of other origins by CORS alone, and pages
  // that are isolated from others only what says this.
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
} as const

const PLAIN: Reply = {
  status: 200,
  headers: fixedHeaders({ ...HEADERS, etag: `"${MODULE.hash}"` }),
  body: MODULE.text,
}

const COMPRESSED: Reply = {
  status: 200,
  headers: fixedHeaders({
    ...HEADERS,
    'content-encoding': 'gzip',
    etag: `"${MODULE.hash}.gzip"`,
  }),
  body: Bun.gzipSync(MODULE.text, { level: 9 }),
}

const NOT_ALLOWED: Reply = {
  status: 405,
  headers: { 'content-type': 'text/plain;charset=utf-8', allow: 'GET, HEAD' },
  body: 'Ask with GET\n',
}

/** Those that are not refused by `;q=0` (RFC 9110 section 12.5.3). */
const TAKES_GZIP = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i

export function moduleReply(head: Pick<Head, 'method' | 'header'>): Reply {
  const { method } = head
  if (method !== 'GET' && method !== 'HEAD') return NOT_ALLOWED
  const reply = TAKES_GZIP.test(head.header('accept-encoding') ?? '') ? COMPRESSED : PLAIN
  const known = head.header('if-none-match')
  // Weak comparison (RFC 9110 section 13.1.2): our own tags hold no comma.
  const isKnown = known?.split(',').some((tag) => tag.includes(MODULE.hash)) || known === '*'
  return isKnown ? { status: 304, headers: reply.headers ?? {} } : reply
}
