// Goal: the executable serves the client library on the public port, to a page of any origin.
// Method: the executable, with workers and without, and a page of another origin.

import { expect, test } from 'bun:test'
import { builtModule } from '../../../src/browser/module.ts'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { serve } from '../../support/comet.ts'

test.each([
  ['of one process', []],
  ['with workers', ['--workers', '2']],
])('a server %s answers /comet.js', async (_, args) => {
  await using server = await serve(args)
  const url = `${server.publicUrl}/comet.js`
  const response = await fetch(url)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-encoding')).toBe('gzip')
  expect(await response.text()).toBe(builtModule().text)
  const etag = response.headers.get('etag') ?? ''
  const again = await fetch(url, { headers: { 'if-none-match': etag } })
  expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, ''])
  const head = await fetch(url, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  expect((await fetch(url, { method: 'POST' })).status).toBe(405)
})

withChromium('a page of another origin imports it', async () => {
  await using server = await serve()
  const headers = { 'content-type': 'text/html' }
  const page = () => new Response('<!doctype html>', { headers })
  await using other = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: page })
  await using tab = await BrowserPage.open()
  await tab.goTo(other.url.href)
  const names = `import('${server.publicUrl}/comet.js').then((module) => Object.keys(module))`
  expect(await tab.ask<string[]>(names)).toEqual(['CometError', 'connect'])
})
