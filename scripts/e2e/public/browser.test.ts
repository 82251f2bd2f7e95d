// Goal: pages of a listed origin read streams with each credential that a page can have, and pages
// of others read none with any, not even of the same site, for which the browser sends the cookie.
// Method: Chromium and Firefox across origins and sites, over TLS.

import { afterEach, describe, expect } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { SECRET, signToken } from '../../../src/identity/token.fixture.ts'
import { BROWSERS, type BrowserName, BrowserPage, withBrowser } from '../../support/browser.ts'
import { makeCertificate } from '../../support/certificate.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

/** Whose stream a page asks for, and how; and whom a message is for that it then gets. */
interface Reader {
  readonly path: string
  readonly user: number | string
  readonly receiver: { readonly to: number | string } | { readonly subject: string }
}

const SEVEN: Reader = { path: '/stream', user: 7, receiver: { to: 7 } }
const ALICE: Reader = { path: '/stream/alice', user: 'alice', receiver: { to: 'alice' } }
/** The subjects that all tokens and tickets allow. */
const READ = ['room:*']
const ROOM: Reader = {
  path: '/stream?subjects=room:42',
  user: 'alice',
  receiver: { subject: 'room:42' },
}

/** Hosts: that of the server, two of its site, and one of another site. */
const COMET = 'comet.site.example'
const APP = 'app.site.example'
const OTHER = 'other.site.example'
const ELSEWHERE = 'app.elsewhere.example'

/**
 * Asks for a stream; `window.answer` is that of the answer, as soon as there is one, and
 * `window.got` the same and the first message without its id, or why nothing came.
 */
const FOLLOW = `async (url, options) => {
  window.got = null
  window.answer = null
  try {
    const response = await fetch(url, options)
    window.answer = response.status
    const reader = response.body.getReader()
    let text = ''
    const isRefusal = response.status !== 200
    // The first line says where the client is; the second one is a message.
    let lines = []
    while (lines.length < (isRefusal ? 1 : 2)) {
      const { done, value } = await reader.read()
      if (done) break
      text += new TextDecoder().decode(value)
      lines = text.split('\\n').slice(0, -1).filter((line) => line !== '')
    }
    window.got = response.status + ' ' + lines.at(-1)?.replace(/"id":"[^"]*",/, '')
  } catch (error) {
    window.got = error.name
  }
}`

interface Site extends AsyncDisposable {
  readonly server: CometServer
  readonly page: BrowserPage
  /** The address of the server. */
  readonly url: string
  /** An origin of its site that it lists. */
  readonly app: string
  /** One of another site, which it lists, too. */
  readonly elsewhere: string
  /** One of its site that it does not list. */
  readonly other: string
  /** The address of a page that sets this cookie, for the server too: cookies know no ports. */
  cookieUrl(cookie: string): string
}

/** A server behind TLS with a secret, and the pages of three origins, of which it lists two. */
async function openSite(browser: BrowserName): Promise<Site> {
  await using cleanup = new AsyncDisposableStack()
  const folder = cleanup.use(await makeFolder())
  const { cert, key } = await makeCertificate(folder.path, 'localhost')
  const tls = { cert: Bun.file(cert), key: Bun.file(key) }
  const pages = Bun.serve({ hostname: '127.0.0.1', port: 0, tls, fetch: pageFor })
  cleanup.defer(() => pages.stop(true))
  const originOf = (host: string) => `https://${host}:${pages.port}`
  const [app, elsewhere] = [originOf(APP), originOf(ELSEWHERE)]
  const secret = `${folder.path}/secret`
  writeFileSync(secret, SECRET, { mode: 0o600 })
  const server = cleanup.use(
    await serve([
      ...['--tls-cert', cert, '--tls-key', key, '--jwt-secret-file', secret],
      ...['--cors-origin', `${app},${elsewhere}`],
    ]),
  )
  const localNames = [COMET, APP, OTHER, ELSEWHERE]
  const page = cleanup.use(
    await BrowserPage.open({ browser, localNames, acceptsAnyCertificate: true }),
  )
  const owned = cleanup.move()
  return {
    ...{ server, page, url: `https://${COMET}:${server.publicPort}` },
    ...{ app, elsewhere, other: originOf(OTHER) },
    cookieUrl: (cookie) => `${originOf(COMET)}/?cookie=${encodeURIComponent(cookie)}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** An empty page, which sets the cookie of its query. */
function pageFor(request: Request): Response {
  const cookie = new URL(request.url).searchParams.get('cookie')
  const headers = new Headers({ 'content-type': 'text/html' })
  if (cookie !== null) headers.set('set-cookie', cookie)
  return new Response('<!doctype html>', { headers })
}

function tokenOf({ user }: Reader): string {
  const exp = Math.floor(Date.now() / 1_000) + 3_600
  return signToken({ alg: 'HS256' }, { sub: String(user), exp, comet: { read: READ } }, SECRET)
}

/** The cookie as an application sets it. */
function cookieOf(reader: Reader, attributes = ''): string {
  return `__Host-comet=${tokenOf(reader)}; Path=/; Secure; HttpOnly; ${attributes}`
}

const byToken = (url: string, reader: Reader) =>
  `'${url}${reader.path}', { headers: { authorization: 'Bearer ${tokenOf(reader)}' } }`

const byCookie = (url: string, { path }: Reader) => `'${url}${path}', { credentials: 'include' }`

async function byTicket({ server, url }: Site, { path, user }: Reader): Promise<string> {
  const request = { method: 'POST', body: JSON.stringify({ user, read: READ }) }
  const { ticket } = (await (await server.ask('/tickets', request)).json()) as { ticket: string }
  return `'${url}${path}${path.includes('?') ? '&' : '?'}ticket=${ticket}'`
}

/** The three ways, each as the arguments of `fetch`; the browser has the cookie of the reader. */
async function waysOf(site: Site, reader: Reader) {
  await site.page.goTo(site.cookieUrl(cookieOf(reader)))
  return [
    ['a token', byToken(site.url, reader)],
    ['the cookie', byCookie(site.url, reader)],
    ['a ticket', await byTicket(site, reader)],
  ] as const
}

/** Has a page of that origin ask for a stream. */
async function follow({ page }: Site, origin: string, asked: string): Promise<void> {
  await page.goTo(origin)
  await page.ask(`void (${FOLLOW})(${asked})`)
}

/** What it was answered. */
async function answered({ page }: Site): Promise<string> {
  await page.until('window.got !== null')
  return await page.ask('window.got')
}

/** Has a page ask so, and expects that it reads what is published then. */
async function expectRead(site: Site, origin: string, reader: Reader, way: string, asked: string) {
  const { page, server } = site
  const message = { ...reader.receiver, body: way }
  await follow(site, origin, asked)
  // Before there is a message.
  await page.until('window.answer === 200')
  await server.open(1)
  expect(await server.publish(message)).toBe(1)
  expect(await answered(site)).toBe(`200 ${JSON.stringify(message)}`)
  await page.goTo(origin)
  await server.open(0)
}

/**
 * Cookies of the server that are set by a page of its own site, or for the page that then asks; and
 * what that page, which is of another site, is answered by each browser.
 *
 * Chromium takes a cookie without SameSite as Lax, which pages of other sites neither get nor set;
 * Firefox takes it as None. Firefox keeps cookies of other sites for each site whose pages ask, as
 * if all were Partitioned: what was set elsewhere is not sent.
 */
const COOKIES = [
  { setBy: 'its own site', attributes: 'SameSite=None', chromium: 200, firefox: 401 },
  { setBy: 'its own site', attributes: '', chromium: 401, firefox: 401 },
  { setBy: 'the page', attributes: 'SameSite=None; Partitioned', chromium: 200, firefox: 200 },
  { setBy: 'the page', attributes: 'SameSite=None', chromium: 200, firefox: 200 },
  { setBy: 'the page', attributes: 'SameSite=Lax', chromium: 401, firefox: 401 },
  { setBy: 'the page', attributes: '', chromium: 401, firefox: 200 },
] as const

/** Has the browser take the cookie, as {@link COOKIES} say. */
async function setCookie({ page, elsewhere }: Site, setBy: string, url: string): Promise<void> {
  if (setBy === 'its own site') return await page.goTo(url)
  await page.goTo(elsewhere)
  const options = `{ mode: 'no-cors', credentials: 'include' }`
  await page.ask(`fetch('${url}', ${options}).then(() => null)`)
}

describe.each(BROWSERS)('in %s', (browser) => {
  const withThis = withBrowser(browser)

  withThis('a page of a listed origin reads streams by token, cookie or ticket', async () => {
    await using site = await openSite(browser)
    for (const reader of [SEVEN, ALICE, ROOM]) {
      for (const [way, asked] of await waysOf(site, reader)) {
        await expectRead(site, site.app, reader, `${reader.path} by ${way}`, asked)
      }
    }
  })

  withThis('a page of a listed origin can read why its token opens no stream', async () => {
    await using site = await openSite(browser)
    for (const [path, why] of [
      ['/stream/bob', '403 user: '],
      ['/stream?subjects=room:42,news', '403 subject: '],
    ] as const) {
      await follow(site, site.app, byToken(site.url, { ...ALICE, path }))
      expect(await answered(site)).toStartWith(why)
    }
  })

  withThis('a page of another origin reads none, whatever it has', async () => {
    await using site = await openSite(browser)
    const { server, other } = site
    const [token, cookie, ticket] = await waysOf(site, SEVEN)
    for (const [way, asked] of [token, cookie]) {
      await follow(site, other, asked)
      expect([way, await answered(site)]).toEqual([way, 'TypeError'])
    }
    const { streams } = await server.stats()
    expect([streams.opened, streams.refused.origin]).toEqual([0, 1])
    // A ticket is a secret of its own: who has it opens the stream, and cannot read it here.
    await follow(site, other, ticket[1])
    await waitFor('the stream', async () => (await server.stats()).streams.opened === 1)
    // Firefox looks at an answer once the first byte of its body is there.
    await server.publish({ to: 7, body: 'secret' })
    expect(await answered(site)).toBe('TypeError')
  })

  withThis('a listed page of another site reads by token or ticket', async () => {
    await using site = await openSite(browser)
    const { elsewhere, url } = site
    await expectRead(site, elsewhere, ALICE, 'a token', byToken(url, ALICE))
    await expectRead(site, elsewhere, ALICE, 'a ticket', await byTicket(site, ALICE))
  })

  withThis('a listed page of another site reads by those cookies that come with it', async () => {
    await using site = await openSite(browser)
    for (const { setBy, attributes, [browser]: status } of COOKIES) {
      const row = `${attributes} by ${setBy}`
      const cookie = cookieOf(ALICE, attributes)
      await setCookie(site, setBy, site.cookieUrl(cookie))
      const asked = byCookie(site.url, ALICE)
      if (status === 200) {
        await expectRead(site, site.elsewhere, ALICE, row, asked)
      } else {
        await follow(site, site.elsewhere, asked)
        const answer = await answered(site)
        expect([row, answer]).toEqual([row, expect.stringMatching(/^401 token_missing: /)])
      }
      // The next one begins without.
      await setCookie(site, setBy, site.cookieUrl(`${cookie}; Max-Age=0`))
    }
  })
})
