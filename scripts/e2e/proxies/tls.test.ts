// Goal: behind a proxy with TLS and HTTP/2, curl and browsers follow streams, many over one
// connection, and a WebSocket beside them; and a page loses nothing while the server is away.
// Method: Debian's proxies with the files of scripts/operate/proxies; curl, Chromium and Firefox.

import { afterEach, describe, expect, test } from 'bun:test'
import { BROWSERS, BrowserPage, withBrowser } from '../../support/browser.ts'
import { ChildProcess, waitFor } from '../../support/child-process.ts'
import { type CometServer, freePort, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { hasProxy, PROXIES, type ProxyName, ReverseProxy } from '../../support/proxies.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

/** More than a browser opens over HTTP/1.1 to one host, which is six. */
const STREAMS = 20

/** Pages of the test are of another origin. */
const BEHIND = ['--anonymous', '--cors-origin', '*']

const hasCurl = Bun.which('curl') !== null

/**
 * What a page has to write: an EventSource gives up when it is answered 502 or 503, as by a proxy
 * whose server is away, and then takes a new one, behind the last id.
 */
const FOLLOW = `(url) => {
  window.got = []
  let last = ''
  const open = () => {
    const source = new EventSource(last === '' ? url : url + '?after=' + last)
    for (const type of ['start', 'message', 'end']) {
      source.addEventListener(type, ({ data, lastEventId }) => {
        last = lastEventId || last
        if (type !== 'start') got.push(type === 'end' ? 'end' : data)
      })
    }
    source.addEventListener('error', () => {
      if (source.readyState !== EventSource.CLOSED) return
      got.push('gave up')
      setTimeout(open, 1_000)
    })
  }
  open()
}`

function open(name: ProxyName, server: Pick<CometServer, 'publicPort'>): Promise<ReverseProxy> {
  return ReverseProxy.open(name, server, { isDocumented: true, hasTls: true })
}

function curl(proxy: ReverseProxy, version: string, format: string): ChildProcess {
  const url = `${proxy.url}/stream/alice?format=${format}`
  return new ChildProcess(['curl', '-sNik', `--${version}`, url])
}

/** A page of an origin of its own. */
async function pageOf(cleanup: AsyncDisposableStack, browser: (typeof BROWSERS)[number]) {
  const answer = () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } })
  const site = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: answer })
  cleanup.defer(() => site.stop(true))
  const page = cleanup.use(await BrowserPage.open({ browser, acceptsAnyCertificate: true }))
  await page.goTo(site.url.href)
  return page
}

describe.each(PROXIES)('behind %s with TLS', (name) => {
  const withCurl = test.skipIf(!hasProxy(name) || !hasCurl)

  withCurl(
    'curl follows streams over HTTP/2 and HTTP/1.1, and is missed when it leaves',
    async () => {
      await using server = await serve([...BEHIND, '--heartbeat', '60s'])
      await using proxy = await open(name, server)
      for (const [version, line] of [
        ['http2', 'HTTP/2 200'],
        ['http1.1', 'HTTP/1.1 200'],
      ] as const) {
        for (const format of ['json', 'sse', 'raw']) {
          await using client = curl(proxy, version, format)
          await server.open(1)
          await server.publish({ to: 'alice', body: 'first' })
          await waitFor('the message', () => client.stdout.includes('first'))
          expect(client.stdout).toStartWith(line)
          client.kill('SIGTERM')
          await server.open(0)
        }
      }
    },
  )

  for (const browser of BROWSERS) {
    const withThis = hasProxy(name) ? withBrowser(browser) : test.skip

    withThis(`${browser} opens ${STREAMS} streams at once, and a WebSocket`, async () => {
      await using server = await serve(BEHIND)
      await using proxy = await open(name, server)
      await using cleanup = new AsyncDisposableStack()
      const page = await pageOf(cleanup, browser)
      await page.ask(`void (() => {
        window.got = []
        const take = ({ data }) => got.push(data)
        for (let at = 0; at < ${STREAMS}; at++) {
          new EventSource('${proxy.url}/stream/alice').addEventListener('news', take)
        }
      })()`)
      await server.open(STREAMS)
      await server.publish({ to: 'alice', event: 'news', body: 'to all' })
      await page.until(`got.length === ${STREAMS}`)
      await page.ask(`void (() => {
        window.told = []
        const socket = new WebSocket('${proxy.url.replace(/^http/, 'ws')}/stream/alice')
        socket.onmessage = ({ data }) => told.push(data)
      })()`)
      await server.open(STREAMS + 1)
      await server.publish({ to: 'alice', body: 'by frame' })
      await page.until(`window.told.at(-1)?.includes('by frame')`)
    })

    // Browsers differ, if at all, where a proxy answers for a server that is away.
    if (name !== 'nginx' && browser !== 'chromium') continue
    withThis(`the EventSource of ${browser} loses nothing while the server restarts`, async () => {
      await using folder = await makeFolder()
      const port = freePort()
      const place = ['--listen', `127.0.0.1:${port}`, '--db', `${folder.path}/comet.db`]
      const first = await serve([...BEHIND, ...place])
      await using proxy = await open(name, first)
      await using cleanup = new AsyncDisposableStack()
      const page = await pageOf(cleanup, browser)
      await page.ask(`void (${FOLLOW})('${proxy.url}/stream/alice')`)
      await first.open(1)
      await first.end('SIGTERM')
      // The server is away for longer than a browser waits until it comes back.
      await page.until('got.at(-1) === "end"')
      if (name === 'nginx') await page.until('got.at(-1) === "gave up"')
      else await Bun.sleep(7_000)
      await using second = await serve([...BEHIND, ...place])
      await second.publish({ to: 'alice', body: 'away' })
      await page.until('got.at(-1) === "away"')
      const gaveUp = name === 'nginx' ? ['gave up'] : []
      const got = await page.ask<string[]>('got')
      expect(got.filter((what, at) => what !== got[at - 1])).toEqual(['end', ...gaveUp, 'away'])
    })
  }
})
