// Goal: pages of a listed origin read streams with each credential that a page can have, and pages
// of others read none with any, not even of the same site, for which the browser sends the cookie.
// Method: Chromium across origins, over TLS.

import { afterEach, expect } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { SECRET, signToken } from '../../../src/identity/token.fixture.ts'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { makeCertificate } from '../../support/certificate.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const TOKEN = signToken(
  { alg: 'HS256' },
  { sub: '7', exp: Math.floor(Date.now() / 1_000) + 3_600 },
  SECRET,
)

/** Asks for a stream; `window.got` is the status and what came first, or why nothing did. */
const FOLLOW = `async (url, options) => {
  window.got = null
  try {
    const response = await fetch(url, options)
    const { value } = await response.body.getReader().read()
    window.got = response.status + ' ' + new TextDecoder().decode(value)
  } catch (error) {
    window.got = error.name
  }
}`

/** A server behind TLS with a secret, and the pages of two origins, of which it lists one. */
async function site() {
  const folder = await makeFolder()
  const { cert, key } = await makeCertificate(folder.path, 'localhost')
  const tls = { cert: Bun.file(cert), key: Bun.file(key) }
  const fetch = () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } })
  const pages = Bun.serve({ hostname: '127.0.0.1', port: 0, tls, fetch })
  const app = `https://app.site.example:${pages.port}`
  const secret = `${folder.path}/secret`
  writeFileSync(secret, SECRET, { mode: 0o600 })
  const server = await serve([
    ...['--tls-cert', cert, '--tls-key', key, '--jwt-secret-file', secret],
    ...['--cors-origin', app],
  ])
  const page = await BrowserPage.open({
    localNames: ['app.site.example', 'other.site.example', 'comet.site.example'],
    acceptsAnyCertificate: true,
  })
  const url = `https://comet.site.example:${server.publicPort}/stream`
  await page.setCookie(url, '__Host-comet', TOKEN)
  return {
    ...{ server, page, url, app, other: `https://other.site.example:${pages.port}` },
    [Symbol.asyncDispose]: async () => {
      await page[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
      await pages.stop(true)
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** The three ways, each as the arguments of `fetch`. */
async function waysOf(server: CometServer, url: string): Promise<[string, string][]> {
  const request = { method: 'POST', body: '{"user":7}' }
  const { ticket } = (await (await server.ask('/tickets', request)).json()) as { ticket: string }
  return [
    ['a token', `'${url}', { headers: { authorization: 'Bearer ${TOKEN}' } }`],
    ['the cookie', `'${url}', { credentials: 'include' }`],
    ['a ticket', `'${url}?ticket=${ticket}'`],
  ]
}

withChromium('a page of a listed origin reads a stream by token, cookie or ticket', async () => {
  await using at = await site()
  const { server, page, url, app } = at
  await page.goTo(app)
  for (const [way, asked] of await waysOf(server, url)) {
    page.ask(`void (${FOLLOW})(${asked})`)
    await server.open(1)
    expect(await server.publish({ to: 7, body: way })).toBe(1)
    await waitFor(`a message by ${way}`, async () => (await page.ask('window.got')) !== null)
    expect(await page.ask('window.got')).toBe(`200 {"to":7,"body":"${way}"}\n`)
    await page.goTo(app)
    await server.open(0)
  }
})

withChromium('a page of another origin reads none, whatever it has', async () => {
  await using at = await site()
  const { server, page, url, other } = at
  await page.goTo(other)
  for (const [way, asked] of await waysOf(server, url)) {
    page.ask(`void (${FOLLOW})(${asked})`)
    await waitFor(`an answer by ${way}`, async () => (await page.ask('window.got')) !== null)
    expect([way, await page.ask('window.got')]).toEqual([way, 'TypeError'])
  }
  const { streams } = await server.stats()
  // A ticket is a secret of its own: who has it has opened the stream, and cannot read it here.
  expect(streams.opened).toBeLessThanOrEqual(1)
  expect(streams.refused.origin).toBe(1)
})
