// Goal: /comet.js does in browsers, and in Node, what its own tests show in Bun. Method: the module
// as it is served, Chromium and Firefox, and a server with faults to order.

import { describe, expect } from 'bun:test'
import type { CometFormat } from '../../../src/browser/api.ts'
import { StreamServer } from '../../../src/browser/server.fixture.ts'
import { BROWSERS, BrowserPage, withBrowser } from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'

const FORMATS: readonly CometFormat[] = ['websocket', 'sse', 'json', 'poll']

/** Opens a stream; `got` has the bodies of its messages, and `events` what else happened. */
export async function openStream(page: BrowserPage, url: string, options: object): Promise<void> {
  await page.goTo(url)
  await page.ask(`import('/comet.js').then(({ connect }) => {
    window.got = []
    window.events = []
    const waits = { retryMs: 20, retryMsMax: 200, openMs: 1000 }
    window.stream = connect('/stream/alice', { ...waits, ...${JSON.stringify(options)} })
    stream.addEventListener('message', ({ detail }) => got.push(detail.body))
    for (const type of ['gap', 'open', 'reconnect', 'end', 'error', 'close'])
      stream.addEventListener(type, ({ detail }) => events.push([type, detail?.reason ?? '']))
  })`)
  await page.until(`stream.state === 'open'`)
}

const publish = (server: StreamServer, ...bodies: string[]) => {
  for (const body of bodies) server.publish({ to: 'alice', body })
}

describe.each(BROWSERS)('in %s', (browser) => {
  const withThis = withBrowser(browser)

  for (const format of FORMATS) {
    withThis(`by ${format} it resumes without a loss, and tells gaps`, async () => {
      using server = new StreamServer()
      await using page = await BrowserPage.open({ browser })
      await openStream(page, server.url, { format })
      expect(await page.ask('stream.format')).toBe(format)
      publish(server, 'm1', 'm2')
      await page.until('got.length === 2')
      for (const body of ['m3', 'm4', 'm5']) {
        await waitFor('it to wait', () => server.held === 1)
        server.cut()
        publish(server, body)
        await page.until(`got.at(-1) === '${body}'`)
      }
      server.stop()
      server.publish({ to: 'alice', body: 'lost' })
      server.evict()
      server.start()
      await page.until(`events.some(([type]) => type === 'gap')`)
      await waitFor('it to wait', () => server.held === 1)
      publish(server, 'm6')
      await page.until(`got.length === 6`)
      expect(await page.ask<string[]>('got')).toEqual(['m1', 'm2', 'm3', 'm4', 'm5', 'm6'])
      expect(await page.ask<string[][]>(`events.filter(([type]) => type === 'gap')`)).toEqual([
        ['gap', 'lost'],
      ])
      await page.ask('stream.close()')
      await waitFor('it to be closed', () => server.held === 0)
    })
  }

  withThis('it passes a proxy that holds back all but polls, and the next page knows', async () => {
    using server = new StreamServer({ pollMs: 600 })
    server.fault = ({ format }) => (format === 'poll' ? null : format === 'sse' ? 'buffer' : 'hang')
    await using page = await BrowserPage.open({ browser })
    await openStream(page, server.url, { openMs: 200 })
    publish(server, 'm1')
    await page.until('got.length === 1')
    expect(server.asked.slice(0, 3).map(({ format }) => format)).toEqual([
      'websocket',
      'sse',
      'poll',
    ])
    await page.ask('stream.close()')
    const before = server.asked.length
    await openStream(page, server.url, {})
    expect(server.asked[before]?.format).toBe('poll')
  })

  withThis('it sends a token as a header, gets new ones, and stops without', async () => {
    using server = new StreamServer()
    let valid = 'Bearer token-1'
    server.fault = ({ authorization }) =>
      authorization === valid ? null : () => new Response('token_expired: Old\n', { status: 401 })
    await using page = await BrowserPage.open({ browser })
    await page.goTo(server.url)
    await page.ask(`import('/comet.js').then(({ connect }) => {
      let count = 0
      window.got = []
      const token = async () => count++ < 2 ? 'token-' + count : null
      window.reading = (async () => {
        for await (const { body } of connect('/stream/alice', { token })) got.push(body)
      })().catch((error) => error.status + ' ' + error.message)
    })`)
    await waitFor('it to be open', () => server.held === 1)
    publish(server, 'm1')
    valid = 'Bearer token-2'
    server.end('expired')
    await waitFor('it to be open', () => server.held === 1)
    publish(server, 'm2')
    await page.until('got.length === 2')
    server.end('expired')
    expect(await page.ask('reading')).toBe('401 token_missing: there is none')
    expect(server.asked.some(({ url }) => url.includes('token'))).toBe(false)
  })

  withThis('it notices that a WebSocket is dead, of whose pings no page knows', async () => {
    using server = new StreamServer()
    await using page = await BrowserPage.open({ browser })
    await openStream(page, server.url, { format: 'websocket', heartbeatMs: 200 })
    await Bun.sleep(1_000)
    expect(await page.ask('events.length')).toBe(1)
    server.silence()
    publish(server, 'm1')
    await page.until('got.length === 1')
    expect(await page.ask<string[]>('events[1]')).toEqual(['reconnect', 'silent'])
  })

  withThis('it comes back at once when the network does', async () => {
    using server = new StreamServer()
    await using page = await BrowserPage.open({ browser })
    await openStream(page, server.url, { retryMs: 600_000, retryMsMax: 600_000 })
    server.cut()
    await page.until(`stream.state === 'connecting'`)
    publish(server, 'm1')
    await page.ask(`void dispatchEvent(new Event('online'))`)
    await page.until('got.length === 1')
  })
})
