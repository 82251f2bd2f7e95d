// Goal: the EventSource of browsers follows a stream through restarts of the server and loses
// nothing, and is told of gaps and ends. Method: a page of another origin in Chromium and Firefox,
// which only keeps what it gets; it comes back by itself, and says its last id by itself.

import { afterEach, describe } from 'bun:test'
import { BROWSERS, type BrowserName, BrowserPage, withBrowser } from '../../support/browser.ts'
import { type ForeignClient, type ForeignEvent, RESTART_CHECKS } from '../../support/restarts.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

/** What a user has to write: a listener for each event that has a name. */
const FOLLOW = `(url) => {
  window.got = []
  window.isPlaced = false
  window.source = new EventSource(url)
  for (const type of ['message', 'news', 'gap', 'end'])
    source.addEventListener(type, ({ data, lastEventId: id }) => got.push({ type, data, id }))
  source.addEventListener('start', () => (isPlaced = true))
}`

class Page implements ForeignClient {
  readonly #page: BrowserPage
  readonly #site: Bun.Server<undefined>

  static async open(browser: BrowserName, url: string): Promise<Page> {
    const answer = () =>
      new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } })
    const site = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: answer })
    const page = await BrowserPage.open({ browser })
    await page.goTo(site.url.href)
    await page.ask(`void (${FOLLOW})('${url}')`)
    return new Page(page, site)
  }

  private constructor(page: BrowserPage, site: Bun.Server<undefined>) {
    this.#page = page
    this.#site = site
  }

  events(): Promise<ForeignEvent[]> {
    return this.#page.ask('got')
  }

  isPlaced(): Promise<boolean> {
    return this.#page.ask('isPlaced')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#page[Symbol.asyncDispose]()
    await this.#site.stop(true)
  }
}

describe.each(BROWSERS)('the EventSource of %s', (browser) => {
  const withThis = withBrowser(browser)
  const open = (origin: string) => Page.open(browser, `${origin}/stream/alice`)

  for (const [name, check] of RESTART_CHECKS) withThis(name, () => check(open))
})
