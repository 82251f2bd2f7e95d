// Goal: the pages of the manual may load and run nothing, and a name that is none says which was
// meant. Method: the routes without a port.

import { expect, test } from 'bun:test'
import { manualRoutes } from './manual-routes.ts'

const app = manualRoutes()
const get = (path: string) => app.handle(new Request(`http://localhost${path}`))

test.each(['/manual', '/manual/several-machines'])(
  '%s may use its own style alone',
  async (path) => {
    const response = await get(path)
    const html = await response.text()
    const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(html) ?? []
    const hash = new Bun.CryptoHasher('sha256').update(style).digest('base64')
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('content-security-policy')).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; ` +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    expect(html).not.toMatch(/<script| style=|url\(|@import/)
  },
)

test('a page that there is not is refused, with the one that was meant', async () => {
  const [near, far] = await Promise.all([get('/manual/several-machine'), get('/manual/xyzzy')])
  expect([near.status, far.status]).toEqual([404, 404])
  expect(await near.json()).toMatchObject({
    error: { code: 'not_found', message: expect.stringContaining('/manual/several-machines?') },
  })
  expect(JSON.stringify(await far.json())).toContain('see /manual')
})
