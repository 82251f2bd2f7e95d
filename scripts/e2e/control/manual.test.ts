// Goal: the manual is read on the control port, on any screen, by keyboard and without a token.
// Method: the executable, and Chromium driven as a person would.

import { describe, expect, test } from 'bun:test'
import { PAGES } from '../../../src/manual/pages.ts'
import { BrowserPage, type Screen, withChromium } from '../../support/browser.ts'
import { serve } from '../../support/comet.ts'
import { folderOfTests, privateFile } from '../../support/folder.ts'

const folder = folderOfTests()

test('every page is there without a token, and nothing else is', async () => {
  const token = privateFile(folder, 'correct-horse-battery\n')
  await using server = await serve(['--control-token-file', token])
  const statuses = async (paths: readonly string[]) =>
    await Promise.all(paths.map(async (path) => (await server.ask(path)).status))
  const paths = ['/manual', ...PAGES.map(({ name }) => `/manual/${name}`)]
  expect(new Set(await statuses(paths))).toEqual(new Set([200]))
  expect(await statuses(['/manual/none', '/manual/x/y', '/manualx', '/stats'])).toEqual([
    ...[404, 404, 401, 401],
  ])
})

test('only GET and HEAD are allowed, and the description of the port leaves it out', async () => {
  await using server = await serve()
  const posted = await server.ask('/manual', { method: 'POST' })
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  expect(await (await server.ask('/openapi')).text()).not.toContain('/manual')
})

const SCREENS: readonly Screen[] = [
  { width: 390, height: 844 },
  { width: 390, height: 844, scheme: 'dark' },
  { width: 1440, height: 900 },
  { width: 2560, height: 1440, scheme: 'dark' },
]

describe('a page on every screen', () => {
  withChromium('is as wide as the screen, loads nothing, and leads to others', async () => {
    await using server = await serve()
    await using page = await BrowserPage.open()
    for (const screen of SCREENS) {
      await page.show(screen)
      for (const { name, title } of PAGES) {
        await page.goTo(`${server.controlUrl}/manual/${name}`)
        expect(await page.ask<string>(`document.querySelector('h1').textContent`)).toBe(title)
        const width = await page.ask<number>('document.documentElement.scrollWidth')
        expect([name, width]).toEqual([name, screen.width])
      }
    }
    await page.ask(`document.querySelector('header nav a[href="/manual"]').click()`)
    await page.until(`location.pathname === '/manual'`)
    await page.ask(`document.querySelector('main li a').click()`)
    await page.until(`location.pathname.startsWith('/manual/')`)
    expect(page.complaints).toEqual([])
    const own = (url: string) => url.startsWith(`${server.controlUrl}/manual`) || url === 'data:,'
    expect(page.requests.filter((url) => !own(url))).toEqual([])
  })

  withChromium('is one step from the dashboard', async () => {
    await using server = await serve()
    await using page = await BrowserPage.open()
    await page.goTo(`${server.controlUrl}/`)
    await page.ask(`document.querySelector('a[href="/manual"]').click()`)
    await page.until(`location.pathname === '/manual'`)
    expect(await page.ask<string>('document.title')).toBe('Manual – comet')
  })
})
