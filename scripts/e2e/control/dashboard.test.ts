// Goal: the dashboard shows what the server does while it does it, on any screen and by keyboard
// alone, and its form sends messages. Method: the executable under load, and Chromium driven as a
// person would.

import { describe, expect } from 'bun:test'
import { chmod } from 'node:fs/promises'
import {
  type BrowserPage,
  cardOf,
  opened,
  type Screen,
  withChromium,
} from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, NO_FILE, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { get, RawClient } from '../../support/raw-client.ts'

const TOKEN = 'correct-horse-battery'
const PUBLISHER = 'publisher-horse-battery'
const PATIENCE_MS = 60_000

const JSON_BODY = { 'content-type': 'application/json' }

const SCHEMES = ['light', 'dark'] as const

async function numberOf(page: BrowserPage, title: string): Promise<number> {
  return Number((await cardOf(page, title)).replaceAll(',', ''))
}

/** The browser reported no error, and contacted only the server. */
function expectQuiet({ complaints, requests }: BrowserPage, url: string): void {
  expect(complaints).toEqual([])
  expect(requests.length).toBeGreaterThan(2)
  const isOwn = (address: string) => address.startsWith(`${url}/`) || address === 'data:,'
  expect(requests.filter((address) => !isOwn(address))).toEqual([])
}

/** Fills a field and submits its form by keyboard; returns the answer below it. */
async function filled(page: BrowserPage, field: string, text: string, answer: string) {
  await page.ask(
    `{ const field = document.getElementById('${field}'); field.focus(); field.value = '' }`,
  )
  await page.type(text)
  await page.press('Tab')
  await page.press('Enter')
  const said = `document.getElementById('${answer}').textContent`
  await page.until(`${said} !== '' && ${said} !== '…'`)
  return await page.text(answer)
}

async function loaded(server: CometServer) {
  const flood = start([
    ...['flood', `${server.publicUrl}/test/{id}`, '--connections', '200', '--duration', '60s'],
  ])
  await server.open(200)
  const gen = ['--rate', '1k', '--users', '200', '--duration', '60s']
  return { flood, gen: start(['gen', server.controlUrl, ...gen]) }
}

describe('a dashboard under load', () => {
  withChromium(
    'has the figures of the server, which change without reloading',
    async () => {
      await using server = await serve(['--workers', '2'])
      await using page = await opened(server.controlUrl, { width: 1_280, height: 800 })
      await page.until(`document.getElementById('link').textContent === 'live'`)
      await waitFor('no streams', async () => (await cardOf(page, 'Streams')) === '0')
      const { flood, gen } = await loaded(server)
      await using _flood = flood
      await using _gen = gen
      await waitFor('200 streams', async () => (await cardOf(page, 'Streams')) === '200')
      await waitFor('the rate', async () => {
        const rate = await numberOf(page, 'Deliveries per second')
        return rate > 800 && rate < 1_200
      })
      const notes = () =>
        page.ask<string>(
          `[...document.querySelectorAll('.card span')].map((box) => box.textContent).join()`,
        )
      const before = await notes()
      await waitFor('other words', async () => (await notes()) !== before)
      expect(await cardOf(page, 'Lost deliveries')).toBe('0')
      expect(await numberOf(page, 'CPU cores')).toBeGreaterThan(0)
      const rows = await page.ask<string[][]>(
        `[...document.querySelectorAll('#workers-table tbody tr')].map((row) =>
          [...row.children].map((cell) => cell.textContent))`,
      )
      expect(rows.map(([number, state]) => [number, state])).toEqual([
        ['0', 'running'],
        ['1', 'running'],
      ])
      expect(rows.map((row) => Number(row[2])).reduce((sum, streams) => sum + streams)).toBe(200)
      const label = await page.ask<string>(
        `document.querySelector('[data-chart="messages"] [role=img]').getAttribute('aria-label')`,
      )
      expect(label).toMatch(/^Chart\. Messages and deliveries per second: messages [\d,.k]+ now, /)
      expect(await page.ask(`document.querySelectorAll('.tile canvas').length`)).toBe(4)
      // Each curve is as wide as its figure lets it be, so that its newest end is in view.
      await page.until(`[...document.querySelectorAll('.tile .spark')].every((place) =>
        place.querySelector('.uplot').clientWidth === place.clientWidth)`)
      expect(await page.ask(`document.querySelectorAll('#charts canvas').length`)).toBe(6)
      await page.ask(`document.getElementById('machine').open = true`)
      await page.until(`document.querySelectorAll('#machine-charts canvas').length === 6`)
      expectQuiet(page, server.controlUrl)
    },
    PATIENCE_MS,
  )
})

describe('the form of one user', () => {
  withChromium(
    'looks up the user, sends the bytes, and shows errors',
    async () => {
      await using server = await serve()
      await using client = await RawClient.stream(server.publicPort, 7)
      await server.ask('/users/9/subscriptions/7', { method: 'PUT' })
      await using page = await opened(server.controlUrl, { width: 1_280, height: 800 })
      await page.until(`!document.getElementById('content').hidden`)
      const lookUp = (user: string) => filled(page, 'user-id', user, 'look-up-answer')
      const send = (text: string) => filled(page, 'body', text, 'send-answer')
      expect(await lookUp('7')).toMatch(
        /^User 7 has 1 open stream since .+ 1 user follows this user\.$/,
      )
      expect(await send('<b>Grüße</b> "\'&')).toBe('Delivered to 1 stream of user 7.')
      await client.received(Buffer.from('<b>Grüße</b> "\'&').toString('latin1'))
      expect(await lookUp('8')).toBe('User 8 is not connected. No user follows this user.')
      expect(await send('x')).toBe('Not delivered: user 8 is not connected.')
      expect(await lookUp('room:42')).toStartWith('User room:42 is not connected.')
      using alice = await RawClient.open(server.publicPort, get('/stream/alice?format=raw'))
      await server.open(2)
      expect(await lookUp('alice')).toStartWith('User alice has 1 open stream since ')
      expect(await send('by name')).toBe('Delivered to 1 stream of user alice.')
      await alice.received('by name')
      const follow = (subject: string) => filled(page, 'subject', subject, 'follow-answer')
      expect(await follow('news')).toBe('User alice follows news.')
      expect(await follow('news')).toBe('User alice already followed news.')
      await page.until(`document.getElementById('subscriptions').checkVisibility()`)
      await waitFor('its row', async () => (await cardOf(page, 'Subscriptions')) === '2')
      await page.ask(`document.getElementById('unfollow').click()`)
      await page.until(
        `document.getElementById('follow-answer').textContent === 'User alice no longer follows news.'`,
      )
      // Before the errors below, which the browser reports too.
      expectQuiet(page, server.controlUrl)
      expect(await lookUp('x*')).toContain('A user or subject is a name')
      expect(await send('x')).toStartWith('Not sent: ')
    },
    PATIENCE_MS,
  )
})

describe('the dashboard of a server with a token', () => {
  withChromium(
    'is shown to who enters the token, until the page is closed',
    async () => {
      await using folder = await makeFolder()
      const path = `${folder.path}/token`
      await Bun.write(path, `admin ${TOKEN}\npublish ${PUBLISHER}\n`)
      await chmod(path, 0o600)
      await using server = await serve(['--control-token-file', path])
      await using page = await opened(server.controlUrl, { width: 1_280, height: 800 })
      await page.until(`document.activeElement.id === 'token'`)
      expect(await page.ask(`document.getElementById('content').hidden`)).toBe(true)
      expect(page.complaints).toEqual([])
      expect(server.stderr).not.toContain('unauthorized')
      expect((await server.ask('/dashboard/live')).status).toBe(401)
      expect(await page.ask(`document.getElementById('link').className`)).toBe('pill locked')
      const refused = async (text: string, words: string) => {
        await page.type(text)
        await page.press('Enter')
        await page.until(
          `document.getElementById('lock-answer').textContent.startsWith('${words}')`,
        )
      }
      await refused('wrong-horse-battery', 'The token is wrong: ')
      await refused(' ', 'Enter the token.')
      await refused('wrong-hörse-battery', 'A token has no blanks')
      await refused(PUBLISHER, 'This token is for publish alone. Another one')
      expect(await page.text('link')).toBe('locked')
      await page.type(TOKEN)
      await page.press('Enter')
      await page.until(`document.getElementById('link').textContent === 'live'`)
      await using client = await RawClient.stream(server.publicPort, 5)
      await filled(page, 'user-id', '5', 'look-up-answer')
      expect(await filled(page, 'body', 'hello', 'send-answer')).toBe(
        'Delivered to 1 stream of user 5.',
      )
      await client.received('hello')
      const kept = '[document.cookie, localStorage.length, sessionStorage.length]'
      expect(await page.ask<unknown[]>(kept)).toEqual(['', 0, 0])
      expect(await page.ask(`document.documentElement.outerHTML.includes('${TOKEN}')`)).toBe(false)
      await page.goTo(`${server.controlUrl}/`)
      await page.until(`document.activeElement.id === 'token'`)
    },
    PATIENCE_MS,
  )
})

describe('the dashboard of a server that stops', () => {
  withChromium(
    'shows that it is disconnected, and is live again after a restart',
    async () => {
      const server = await serve()
      const url = server.controlUrl
      await using page = await opened(url, { width: 1_280, height: 800 })
      await page.until(`document.getElementById('link').textContent === 'live'`)
      const about = await page.text('about')
      await server[Symbol.asyncDispose]()
      await page.until(`document.getElementById('link').textContent === 'disconnected'`)
      // In view at the end of the page, too.
      await page.ask('scrollTo(0, document.body.scrollHeight)')
      await page.until('scrollY > 500')
      const gone = `document.getElementById('gone')`
      expect(await page.text('gone')).toMatch(
        /^The server cannot be reached\. Trying again\. The figures are of \d\d:\d\d:\d\d\.$/,
      )
      expect(
        await page.ask(`${gone}.checkVisibility() && ${gone}.getBoundingClientRect().top`),
      ).toBeWithin(30, 100)
      const { host } = new URL(url)
      const running = start(['serve', ...NO_FILE, '--listen', '127.0.0.1:0', '--control', host])
      await using again = running
      await page.until(`document.getElementById('link').textContent === 'live'`)
      expect(await page.text('about')).not.toBe(about)
      expect(await page.ask(`${gone}.hidden`)).toBe(true)
      expect(again.exitCode).toBeNull()
    },
    PATIENCE_MS,
  )
})

describe('the log on the dashboard', () => {
  withChromium(
    'grows by itself, with the newest line in view',
    async () => {
      await using server = await serve()
      await using page = await opened(server.controlUrl, { width: 1_280, height: 800 })
      const lines = `document.querySelectorAll('#log-lines li')`
      await page.until(
        `[...${lines}].some((line) => line.textContent.includes(' info  Streams on '))`,
      )
      const reloads = () => server.stderr.split('"reloaded"').length - 1
      for (let at = 1; at <= 30; at++) {
        server.kill('SIGHUP')
        await waitFor(`${at} reloads`, () => reloads() === at)
      }
      await page.until(`${lines}.length > 30`)
      const isAtEnd = `(() => { const box = document.getElementById('log-box')
        return box.scrollTop > 0 && box.scrollTop + box.clientHeight >= box.scrollHeight - 1 })()`
      await page.until(isAtEnd)
    },
    PATIENCE_MS,
  )
})

describe('the dashboard on every screen', () => {
  const screens: [string, Screen][] = [
    ['a small phone', { width: 320, height: 640, scale: 2, scheme: 'dark' }],
    ['a desktop in dark mode', { width: 1_440, height: 900, scheme: 'dark' }],
    ['a very large one', { width: 3_840, height: 2_160, scheme: 'light' }],
  ]

  withChromium(
    'fits, in the colors of its scheme',
    async () => {
      await using server = await serve()
      await using page = await opened(server.controlUrl, { width: 1_280, height: 800 })
      await page.until(`document.querySelectorAll('#charts canvas').length === 6`)
      for (const [name, screen] of screens) {
        await page.show(screen)
        const fits = `[...document.querySelectorAll('#charts figure')].every((box) => {
        const drawn = box.querySelector('.uplot')?.getBoundingClientRect()
        const place = box.getBoundingClientRect()
        return drawn?.left >= place.left && drawn.right <= place.right && drawn.width > 200
      })`
        await page.until(fits)
        const width = await page.ask<number>('document.documentElement.scrollWidth')
        expect([name, width]).toEqual([name, screen.width])
        const ground = await page.ask('getComputedStyle(document.body).backgroundColor')
        expect(ground).toBe(screen.scheme === 'dark' ? 'rgb(13, 17, 23)' : 'rgb(255, 255, 255)')
      }
    },
    PATIENCE_MS,
  )

  withChromium.each(SCHEMES)(
    'has nothing that keeps people from using it, in %s colors',
    async (scheme) => {
      await using folder = await makeFolder()
      const path = `${folder.path}/token`
      await Bun.write(path, TOKEN)
      await chmod(path, 0o600)
      await using server = await serve(['--workers', '2'])
      await using _one = await RawClient.stream(server.publicPort, 1)
      await using page = await opened(server.controlUrl, { width: 1_280, height: 800, scheme })
      await page.until(`document.getElementById('link').textContent === 'live'`)
      // A warning is among what is looked at.
      await server.ask('/messages', { method: 'POST', body: '{"to":1}', headers: JSON_BODY })
      await page.until(`document.getElementById('warnings').textContent.startsWith('Invalid')`)
      await page.until(`document.querySelectorAll('#log-lines li').length > 0`)
      await page.ask(`{ for (const box of document.querySelectorAll('details')) box.open = true }`)
      await page.until(`document.querySelectorAll('#machine-charts canvas').length === 6`)
      expect(await page.barriers()).toEqual([])
      await page.show({ width: 390, height: 844, scheme })
      await page.until(`document.getElementById('link')?.textContent === 'live'`)
      expect(await page.barriers()).toEqual([])
      await page.goTo(`${server.controlUrl}/try`)
      expect(await page.barriers()).toEqual([])
      // What it finds is found: a field without its name.
      await page.ask(`{ document.querySelector('label[for=user]').remove() }`)
      expect((await page.barriers()).join()).toContain('label: <input id="user"')
      await using locked = await serve(['--control-token-file', path])
      await page.goTo(`${locked.controlUrl}/`)
      await page.until(`document.activeElement.id === 'token'`)
      expect(await page.barriers()).toEqual([])
    },
    PATIENCE_MS,
  )

  withChromium(
    'works by keyboard alone, with every element named',
    async () => {
      await using server = await serve()
      await using page = await opened(server.controlUrl, { width: 1_280, height: 800 })
      await page.until(`!document.getElementById('content').hidden`)
      const reached: string[] = []
      for (let at = 0; at < 20; at++) {
        await page.press('Tab')
        const [name, outline] = await page.ask<[string, string]>(
          `[document.activeElement.id || document.activeElement.value ||
            document.activeElement.closest('details')?.id || document.activeElement.textContent,
          getComputedStyle(document.activeElement).outlineStyle]`,
        )
        reached.push(name)
        expect([name, outline]).toEqual([name, 'solid'])
      }
      expect(reached).toEqual([
        ...[
          'Charts',
          'Machine',
          'A user',
          'Log',
          'All figures',
          'Try a stream',
          'Manual',
          'openapi',
        ],
        ...[
          'Open one and send it a message',
          'seconds',
          'machine',
          'user-id',
          'Look up',
          'body',
          'Send',
          'subject',
          'Follow',
          'unfollow',
          'log-box',
          'all',
        ],
      ])
      const unnamed = await page.ask<number>(
        `[...document.querySelectorAll('input, textarea')].filter((box) => box.labels.length === 0).length`,
      )
      expect(unnamed).toBe(0)
      const headings = await page.ask<string[]>(
        `[...document.querySelectorAll('h1, h2, h3')].map((box) => box.tagName)`,
      )
      expect(headings.filter((name) => name === 'H1')).toHaveLength(1)
      expect(await page.ask(`document.querySelectorAll('main, header, nav').length`)).toBe(3)
    },
    PATIENCE_MS,
  )
})
