// Goal: tabs that share have one connection, and each gets every message once, whichever tab goes,
// crashes, sleeps or is slow. Method: several tabs of Chromium and Firefox, a server with a log.

import { describe, expect } from 'bun:test'
import { StreamServer } from '../../../src/browser/server.fixture.ts'
import { BROWSERS, BrowserPage, withBrowser, withChromium } from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'

/** Opens a shared stream in a tab; `got` has the bodies of its messages. */
async function share(tab: BrowserPage, url: string, options: object = {}): Promise<void> {
  await tab.goTo(url)
  await tab.ask(`import('/comet.js').then(({ connect }) => {
    window.got = []
    window.events = []
    const waits = { retryMs: 20, retryMsMax: 200, openMs: 1000 }
    window.stream = connect('/stream/alice', { shared: true, ...waits, ...${JSON.stringify(options)} })
    stream.addEventListener('message', ({ detail }) => got.push(detail.body))
    for (const type of ['gap', 'open', 'reconnect', 'error', 'close'])
      stream.addEventListener(type, () => events.push(type))
  })`)
  await tab.until(`stream.state === 'open'`)
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `${from + at}`)

/** Publishes so many messages, numbered on. */
function publisher(server: StreamServer) {
  let count = 0
  return (messages: number) => {
    for (let left = messages; left > 0; left--) server.publish({ to: 'alice', body: `${++count}` })
    return count
  }
}

async function expectGot(tab: BrowserPage, bodies: readonly string[]): Promise<void> {
  await tab.until(`got.at(-1) === '${bodies.at(-1)}'`)
  expect(await tab.ask<string[]>('got')).toEqual([...bodies])
}

/** Exactly one connection is open, and nothing is on its way. */
async function oneIsHeld(server: StreamServer): Promise<void> {
  await waitFor('one connection', () => server.held === 1)
}

describe.each(BROWSERS)('in %s', (browser) => {
  const withThis = withBrowser(browser)

  withThis('each of three tabs gets each message once, by one connection', async () => {
    using server = new StreamServer()
    const publish = publisher(server)
    await using first = await BrowserPage.open({ browser })
    await share(first, server.url)
    await using second = await first.tab()
    await share(second, server.url)
    publish(3)
    await using third = await first.tab()
    await share(third, server.url)
    publish(2)
    await expectGot(first, numbers(1, 5))
    await expectGot(second, numbers(1, 5))
    await expectGot(third, numbers(4, 5))
    expect([server.held, server.asked.length]).toEqual([1, 1])
  })

  withThis('when the tab with the connection goes, another goes on where it was', async () => {
    using server = new StreamServer()
    const publish = publisher(server)
    await using base = await BrowserPage.open({ browser })
    await base.goTo(server.url)
    const tabs = [await base.tab(), await base.tab(), await base.tab()]
    for (const tab of tabs) await share(tab, server.url)
    await oneIsHeld(server)
    for (let last = publish(2); tabs.length > 1; ) {
      for (const tab of tabs) await expectGot(tab, numbers(1, last))
      // They were queued for the lock in the order in which they came.
      await tabs.shift()?.[Symbol.asyncDispose]()
      last = publish(3)
      await oneIsHeld(server)
      for (const tab of tabs) await expectGot(tab, numbers(1, last))
      last = publish(1)
    }
    await tabs.shift()?.[Symbol.asyncDispose]()
    await waitFor('none', () => server.held === 0)
    expect(server.asked.map(({ query }) => query.get('after') !== null)).toEqual([
      false,
      true,
      true,
    ])
  })

  withThis('a tab that has missed some gets them by itself, and then shares', async () => {
    using server = new StreamServer()
    const publish = publisher(server)
    const start = server.publish({ to: 'bob', body: '' })
    publish(2)
    await using first = await BrowserPage.open({ browser })
    await share(first, server.url)
    publish(2)
    await using second = await first.tab()
    await share(second, server.url, { after: start })
    await oneIsHeld(server)
    publish(2)
    await expectGot(second, numbers(1, 6))
    await expectGot(first, numbers(3, 6))
    expect([server.held, server.asked.length]).toEqual([1, 2])
  })

  withThis('what one tab follows, all of them follow', async () => {
    using server = new StreamServer()
    await using first = await BrowserPage.open({ browser })
    await share(first, server.url)
    await using second = await first.tab()
    await share(second, server.url)
    await second.ask(`stream.subscribe('room')`)
    await waitFor('it to be followed', () =>
      [...server.open].some((each) => each.subjects.has('room')),
    )
    server.publish({ subject: 'room', body: 'hello' })
    await expectGot(first, ['hello'])
    await expectGot(second, ['hello'])
    const asked = server.asked.length
    await first.ask('stream.close()')
    await waitFor('the connection of the other tab', () => server.asked.length > asked)
    expect(server.asked.at(-1)?.query.get('subjects')).toBe('room')
    await oneIsHeld(server)
  })
})

withChromium('when the tab with the connection crashes, another goes on', async () => {
  using server = new StreamServer()
  const publish = publisher(server)
  await using base = await BrowserPage.open()
  await base.goTo(server.url)
  await using first = await base.tab()
  await share(first, server.url)
  await using second = await base.tab()
  await share(second, server.url)
  publish(2)
  await expectGot(second, numbers(1, 2))
  first.crash()
  await waitFor('the other one', () => server.asked.length === 2)
  publish(2)
  await expectGot(second, numbers(1, 4))
})

withChromium('a tab that sleeps loses the connection to one that does not', async () => {
  using server = new StreamServer()
  const publish = publisher(server)
  await using base = await BrowserPage.open()
  await base.goTo(server.url)
  await using first = await base.tab()
  await share(first, server.url)
  await using second = await base.tab()
  await share(second, server.url, { heartbeatMs: 300 })
  publish(2)
  await expectGot(first, numbers(1, 2))
  await first.ask(
    'void setTimeout(() => { const end = Date.now() + 6000; while (Date.now() < end); })',
  )
  await Bun.sleep(100)
  publish(2)
  await second.until('got.length === 4')
  expect(server.asked.length).toBe(2)
  publish(2)
  await expectGot(second, numbers(1, 6))
  await expectGot(first, numbers(1, 6))
  await oneIsHeld(server)
  publish(2)
  await expectGot(second, numbers(1, 8))
  await expectGot(first, numbers(1, 8))
})

withChromium('a tab whose iterator is slow leaves the connection to another', async () => {
  using server = new StreamServer()
  const publish = publisher(server)
  await using first = await BrowserPage.open()
  await first.goTo(server.url)
  await first.ask(`import('/comet.js').then(({ connect }) => {
    window.got = []
    window.stream = connect('/stream/alice', { shared: true, queueMax: 5 })
    window.read = async (count) => {
      for await (const { body } of stream) if (got.push(body) === count) break
    }
  })`)
  await first.until(`stream.state === 'open'`)
  await using second = await first.tab()
  await share(second, server.url, { queueMax: 5 })
  publish(12)
  await expectGot(second, numbers(1, 12))
  await oneIsHeld(server)
  expect(await first.ask('stream.state')).toBe('paused')
  publish(3)
  await expectGot(second, numbers(1, 15))
  expect(await first.ask('read(15).then(() => got.join())')).toBe(numbers(1, 15).join())
})
