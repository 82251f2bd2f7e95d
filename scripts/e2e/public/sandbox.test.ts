// Goal: what was published does nothing in a browser that is shown a stream: it runs no script, has no
// origin, and is in no frame. Method: the executable and Chromium; fetch for the heads.

import { expect, test } from 'bun:test'
import { BrowserPage, CHROMIUM } from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'
import { serve } from '../../support/comet.ts'

const POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"

// A machine that only builds may have no browser.
const withChromium = test.skipIf(CHROMIUM === null)

test.each([
  ['HEAD', '/test/1', 200],
  ['GET', '/test/1', 200],
  ['GET', '/test/0', 404],
  ['GET', '/<script>', 404],
  ['GET', '/test/4000000000', 503],
  ['POST', '/test/1', 405],
])('%s %s has a policy that lets nothing run', async (method, path, status) => {
  await using server = await serve()
  const abort = new AbortController()
  const response = await fetch(server.publicUrl + path, { method, signal: abort.signal })
  const { headers } = response
  expect(response.status).toBe(status)
  expect(headers.get('content-security-policy')).toBe(POLICY)
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  abort.abort()
})

withChromium('a script that was published does not run where a stream is opened', async () => {
  await using server = await serve()
  await using page = await BrowserPage.open()
  // The page of a stream never completes.
  await page.ask(`void (location.href = '${server.publicUrl}/test/1')`)
  await waitFor('the stream', async () => (await server.stats()).streams.open === 1)
  const body = '<script>document.title = "ran"</script><p id="after">after</p>'
  expect(await server.publish({ to: 1, body })).toBe(1)
  await page.until(`document.getElementById('after') !== null`)
  expect(await page.ask<string[]>('[document.title, self.origin]')).toEqual(['', 'null'])
  expect(page.complaints.join()).toContain('script')
})

withChromium('a stream is shown in no frame', async () => {
  await using server = await serve()
  const frame = `<!doctype html><iframe src="${server.publicUrl}/test/1"></iframe>`
  const headers = { 'content-type': 'text/html' }
  const fetch = () => new Response(frame, { headers })
  await using other = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch })
  await using page = await BrowserPage.open()
  await page.goTo(other.url.href)
  await waitFor('the refusal', () => page.complaints.join().includes('frame-ancestors'))
  await waitFor('the stream to end', async () => (await server.stats()).streams.open === 0)
})
