// Goal: in a browser a stream runs no script, has no origin, and is shown in no frame.
// Method: the executable and Chromium; raw requests for the heads.

import { expect, test } from 'bun:test'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'
import { serve } from '../../support/comet.ts'
import { RawClient } from '../../support/raw-client.ts'

const POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"

test.each([
  ['HEAD', '/test/1', 200],
  ['GET', '/test/1', 200],
  ['GET', '/test/0', 404],
  ['GET', '/<script>', 404],
  ['GET', '/test/4000000000', 503],
  ['POST', '/test/1', 405],
])('%s %s has a Content-Security-Policy that lets nothing run', async (method, path, status) => {
  await using server = await serve()
  using client = await RawClient.request(server.publicPort, `${method} ${path} HTTP/1.1`)
  const head = await client.headed()
  expect(head.status).toBe(status)
  expect(head.fields.get('content-security-policy')).toBe(POLICY)
  expect(head.fields.get('x-content-type-options')).toBe('nosniff')
})

withChromium('a published script does not run in a browser that opens the stream', async () => {
  await using server = await serve()
  await using page = await BrowserPage.open()
  // The page of a stream never completes. It is opened once this answer is out.
  await page.ask(`void setTimeout(() => { location.href = '${server.publicUrl}/test/1' })`)
  await server.open(1)
  const body = '<script>document.title = "ran"</script><p id="after">after</p>'
  expect(await server.publish({ to: 1, body })).toBe(1)
  await page.until(`document.getElementById('after') !== null`)
  expect(await page.ask<string[]>('[document.title, self.origin]')).toEqual(['', 'null'])
  expect(page.complaints.join()).toContain('script')
})

withChromium('a browser shows a stream in no frame', async () => {
  await using server = await serve()
  const frame = `<!doctype html><iframe src="${server.publicUrl}/test/1"></iframe>`
  const headers = { 'content-type': 'text/html' }
  const fetch = () => new Response(frame, { headers })
  await using other = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch })
  await using page = await BrowserPage.open()
  await page.goTo(other.url.href)
  await waitFor('the refusal', () => page.complaints.join().includes('frame-ancestors'))
  await server.open(0)
})
