// The dashboard's page as it is answered: one document with all that it needs in it, which may load
// nothing and ask nobody but its own server. It holds no figure, so that it may be given to anybody.

import { uplotLicense } from '../report/assets.ts' with { type: 'macro' }
import { dashboardFrame, dashboardScript, dashboardStyle } from './assets.ts' with { type: 'macro' }

const FRAME = dashboardFrame()
const STYLE = inert(dashboardStyle())
const SCRIPT = inert(dashboardScript())
const LICENSE = uplotLicense()

/** @param isLocked must it ask its reader for the token first? */
export function dashboardPage(isLocked: boolean): Response {
  headers ??= { ...FIXED_HEADERS, 'content-security-policy': policy() }
  return new Response(pageText(isLocked), { headers })
}

function pageText(isLocked: boolean): string {
  // Functions, since in a string `$&` and its like would stand for something.
  return FRAME.replace('<style></style>', () => `<style>${STYLE}</style>`)
    .replace('data-lock="open"', `data-lock="${isLocked ? 'locked' : 'open'}"`)
    .replace('license\n-->', () => `${LICENSE}-->`)
    .replace('<script></script>', () => `<script>${SCRIPT}</script>`)
}

/** Made when the page is first asked for: most servers start without anybody looking. */
let headers: Record<string, string> | null = null

const FIXED_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  // Another version of the server has another page.
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

function policy(): string {
  const allowed = (text: string) =>
    `'sha256-${new Bun.CryptoHasher('sha256').update(text).digest('base64')}'`
  return [
    "default-src 'none'",
    `script-src ${allowed(SCRIPT)}`,
    `style-src ${allowed(STYLE)}`,
    // The empty icon, without which browsers ask for one.
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    // Nobody lays another page over the box that sends messages.
    "frame-ancestors 'none'",
  ].join('; ')
}

/** A closing tag inside a string would end the element. */
function inert(text: string): string {
  return text.replace(/<\/(script|style)/gi, '<\\/$1')
}
