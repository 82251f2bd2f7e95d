// `GET /manual` and `GET /manual/NAME`: the pages of the manual, which hold no figure, load nothing
// and run nothing. Made when they are asked for, since few servers are.

import { Elysia } from 'elysia'
import { refusal } from '../control/answer.ts'
import { inlineStyle } from '../report/assets.ts' with { type: 'macro' }
import { pageHeaders } from './page-headers.ts'

const STYLE = inlineStyle('dashboard/manual.css')

const HEADERS = pageHeaders({ style: STYLE.source })

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
