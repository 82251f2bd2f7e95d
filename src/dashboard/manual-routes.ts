// `GET /manual` and `GET /manual/NAME`: the pages of the manual, which hold no figure, load nothing
// and run nothing. Made when they are asked for, since few servers are.

import { Elysia } from 'elysia'
import { refusal } from '../control/answer.ts'
import { inlineStyle } from '../report/assets.ts' with { type: 'macro' }

const STYLE = inlineStyle('dashboard/manual.css')

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  // Another version of the server has other pages.
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'content-security-policy': [
    "default-src 'none'",
    `style-src ${STYLE.source}`,
    // The empty icon, without which browsers ask for one.
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
}

/** They need no token, since the manual has no data of the server. */
export function manualRoutes() {
  return new Elysia({ name: 'comet.manual' })
    .get('/manual', async () => html((await import('../manual/html-page.ts')).indexDocument), {
      detail: { hide: true },
    })
    .get('/manual/:page', ({ params }) => pageAnswer(params.page), { detail: { hide: true } })
}

async function pageAnswer(name: string): Promise<Response> {
  const [{ pageDocument }, { nearestPage, pageNamed }] = await Promise.all([
    import('../manual/html-page.ts'),
    import('../manual/pages.ts'),
  ])
  const page = pageNamed(name)
  if (page !== undefined) return html((style) => pageDocument(page, style))
  const nearest = nearestPage(name)
  const hint = nearest === undefined ? 'see /manual' : `did you mean /manual/${nearest}?`
  return refusal({ code: 'not_found', message: `The manual has no such page; ${hint}` })
}

function html(documentIn: (style: string) => string): Response {
  return new Response(documentIn(STYLE.text), { headers: HEADERS })
}
