// Goal: the backends in Node and Python notify a user exactly once, also if they are asked twice or
// the user comes later, and if comet crashes. Method: the executable, the backends, `comet
// listen`, and Chromium.

import { expect, test } from 'bun:test'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { type ChildProcess, succeed, waitFor } from '../../support/child-process.ts'
import { start } from '../../support/comet.ts'
import { documentedCommands } from '../../support/documented-commands.ts'
import { EXAMPLES, Example, RUNTIMES } from '../../support/example.ts'

const PYTHON = Bun.which('python3')

/** Left out on a machine without it. */
const withPython = test.skipIf(PYTHON === null)

/** Runs the command by which the README of an example has an order shipped. */
async function ship(example: Example, name: string, status = true) {
  const readme = await Bun.file(`${EXAMPLES}/${name}/README.md`).text()
  const [command] = documentedCommands(readme, 'ship')
  const line = String(command?.line).replace('http://127.0.0.1:8080', example.url)
  const { stdout } = await succeed(['sh', '-c', `${line} --silent`])
  if (status) expect(stdout).toBe(String(command?.expected))
  return stdout
}

async function post(example: Example, path: string): Promise<number> {
  const response = await fetch(`${example.url}/${path}`, { method: 'POST' })
  expect(response.status).toBe(200)
  return ((await response.json()) as { delivered: number }).delivered
}

async function open(page: BrowserPage, url: string): Promise<void> {
  await page.goTo(url)
  await page.until(`document.getElementById('state').textContent === 'Connected.'`)
}

/** The titles, the newest first. */
function titles(page: BrowserPage): Promise<string[]> {
  return page.ask(`[...document.querySelectorAll('#list b')].map((each) => each.textContent)`)
}

async function shows(page: BrowserPage, title: string): Promise<void> {
  await page.until(`document.querySelector('#list b')?.textContent === '${title}'`)
}

withChromium.each(RUNTIMES)('a page is notified once: by %s', async (runtime) => {
  await using shop = await Example.start('notifications-node', { runtime })
  // The user is not there yet.
  expect(await post(shop, 'orders/42/pay')).toBe(0)
  await using page = await BrowserPage.open()
  await open(page, shop.url)
  await shows(page, 'Order 42 is paid')
  await page.ask(`{
    const button = document.querySelector('[data-event="orders/42/ship"]')
    button.click()
    button.click()
  }`)
  await shows(page, 'Order 42 is shipped')
  await ship(shop, 'notifications-node')
  await ship(shop, 'notifications-node')
  await shows(page, 'Order 43 is shipped')
  expect(await titles(page)).toEqual([
    'Order 43 is shipped',
    'Order 42 is shipped',
    'Order 42 is paid',
  ])
  expect((await shop.server.stats()).messages.accepted).toBe(3)
  await page.goTo(shop.url)
  await shows(page, 'Order 43 is shipped')
  expect(page.complaints).toEqual([])
})

withChromium('a crash of comet loses and doubles no notification', async () => {
  await using shop = await Example.start('notifications-node')
  await using page = await BrowserPage.open()
  await open(page, shop.url)
  await post(shop, 'orders/1/ship')
  await shows(page, 'Order 1 is shipped')
  await shop.kill()
  const later = post(shop, 'orders/2/ship')
  await page.until(`document.getElementById('state').textContent.startsWith('Connecting again')`)
  await shop.restart()
  await later
  await post(shop, 'orders/1/ship')
  await post(shop, 'orders/3/ship')
  await shows(page, 'Order 3 is shipped')
  const wanted = [3, 2, 1].map((order) => `Order ${order} is shipped`)
  expect(await titles(page)).toEqual(wanted)
})

withChromium('it is readable in light and dark, wide and narrow', async () => {
  await using shop = await Example.start('notifications-node')
  await using page = await BrowserPage.open()
  await post(shop, 'orders/1/ship')
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [1_280, 390]) {
      await page.show({ width, height: 800, scheme })
      await open(page, shop.url)
      await shows(page, 'Order 1 is shipped')
      expect(await page.ask<number>('document.documentElement.scrollWidth')).toBe(width)
      const ground = await page.ask<string>('getComputedStyle(document.body).backgroundColor')
      expect(ground).toBe(scheme === 'dark' ? 'rgb(13, 17, 23)' : 'rgb(246, 247, 249)')
    }
  }
})

withPython('Python notifies once, over a crash of comet, too', async () => {
  await using shop = await Example.start('notifications-python', {
    ...{ runtime: String(PYTHON), file: 'shop.py', hasKey: false },
  })
  await using listening: ChildProcess = start(['listen', 'alice', '--url', shop.server.publicUrl])
  await shop.server.open(1)
  await ship(shop, 'notifications-python')
  await ship(shop, 'notifications-python')
  await shop.kill()
  const later = post(shop, 'orders/43/ship')
  await shop.restart()
  await later
  expect(JSON.parse(await ship(shop, 'notifications-python', false))).toHaveProperty('delivered')
  await post(shop, 'orders/44/ship')
  const wanted = [42, 43, 44].map((order) => `Order ${order} is on its way.\n`).join('')
  await waitFor('the last', () => listening.stdout.length >= wanted.length)
  expect(listening.stdout).toBe(wanted)
  expect((await fetch(`${shop.url}/orders/x/ship`, { method: 'POST' })).status).toBe(404)
})
