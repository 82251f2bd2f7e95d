// Goal: an answer that is being written survives a reload, a crash of comet, and is the same on
// another device. Method: the executable, the example's backend, and Chromium.

import { expect } from 'bun:test'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { Example, RUNTIMES } from '../../support/example.ts'

const SOME = 'about comets. This'

/** Asks, and waits until the answer has begun; its address. */
async function ask(page: BrowserPage, url: string, question: string): Promise<string> {
  await page.goTo(url)
  await page.ask(`{
    document.getElementById('question').value = ${JSON.stringify(question)}
    document.querySelector('#ask button').click()
  }`)
  await page.until(`location.hash.length > 1 && document.getElementById('asked').textContent`)
  return await page.ask('location.href')
}

async function shows(page: BrowserPage, text: string): Promise<void> {
  await page.until(`document.getElementById('answer').textContent.includes('${text}')`)
}

function isDone(page: BrowserPage): Promise<void> {
  return page.until(`document.getElementById('state').textContent === 'Done.'`)
}

/** How often the page took the text from the backend: once when it is opened, not for each gap. */
function loads(page: BrowserPage): number {
  return page.requests.filter((url) => /\/answers\/[\w-]+$/.test(url)).length
}

/** What the backend has of the answer. */
async function stored(url: string) {
  const { origin, hash } = new URL(url)
  const response = await fetch(`${origin}/answers/${hash.slice(1)}`)
  return (await response.json()) as { readonly text: string; readonly isDone: boolean }
}

withChromium.each(RUNTIMES)('an answer is the same after a reload: by %s', async (runtime) => {
  await using llm = await Example.start('llm', { runtime })
  await using page = await BrowserPage.open()
  await using phone = await BrowserPage.open()
  const url = await ask(page, llm.url, 'comets?')
  await shows(page, SOME)
  await page.ask('{ location.reload() }')
  await shows(page, SOME)
  expect((await stored(url)).isDone).toBe(false)
  await phone.show({ width: 390, height: 800 })
  await phone.goTo(url)
  await shows(phone, SOME)
  await isDone(page)
  await isDone(phone)
  const { text } = await stored(url)
  expect(text).toStartWith('You asked about comets. This text is made up')
  expect(text).toEndWith('with another address.')
  expect([await page.text('answer'), await phone.text('answer')]).toEqual([text, text])
  expect([loads(page), loads(phone)]).toEqual([2, 1])
  // Later it comes from the backend, and no stream is opened for it.
  await page.goTo('about:blank')
  await llm.server.open(0)
  await page.goTo(url)
  await isDone(page)
  expect(await page.text('answer')).toBe(text)
  expect((await llm.server.stats()).streams.open).toBe(0)
  expect([...page.complaints, ...phone.complaints]).toEqual([])
})

withChromium('a crash of comet while it is written loses no word', async () => {
  await using llm = await Example.start('llm')
  await using page = await BrowserPage.open()
  const url = await ask(page, llm.url, 'comets')
  await shows(page, SOME)
  await llm.kill()
  await llm.restart()
  await isDone(page)
  expect(await page.text('answer')).toBe((await stored(url)).text)
  expect(loads(page)).toBe(1)
})

withChromium('words that comet no longer has come from the backend', async () => {
  await using llm = await Example.start('llm', { args: ['--history', '0'] })
  await using page = await BrowserPage.open()
  const url = await ask(page, llm.url, 'comets')
  await shows(page, SOME)
  await page.ask('{ location.reload() }')
  await isDone(page)
  expect(await page.text('answer')).toBe((await stored(url)).text)
})

withChromium('an answer is read only by who has its address, and as text', async () => {
  await using llm = await Example.start('llm')
  await using page = await BrowserPage.open()
  await ask(page, llm.url, '<img src=x onerror="document.title = 1">')
  await shows(page, 'You asked about <img src=x')
  expect(await page.ask<number>(`document.querySelectorAll('article img').length`)).toBe(0)
  expect(await page.ask<string>('document.title')).toBe('Ask')
  const other = `${llm.url}/answers/00000000-0000-0000-0000-000000000000`
  expect((await fetch(`${other}/ticket`, { method: 'POST' })).status).toBe(404)
  expect((await fetch(`${llm.server.publicUrl}/stream?subjects=answer:1`)).status).toBe(401)
  await page.goTo('about:blank')
  await page.goTo(`${llm.url}/#unknown`)
  await page.until(`document.getElementById('error').textContent === 'There is no such answer.'`)
})

withChromium('it is readable in light and dark, wide and narrow', async () => {
  await using llm = await Example.start('llm')
  await using page = await BrowserPage.open()
  const url = await ask(page, llm.url, 'x'.repeat(200))
  await isDone(page)
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [1_280, 390]) {
      await page.show({ width, height: 800, scheme })
      await page.goTo(url)
      await isDone(page)
      expect(await page.ask<number>('document.documentElement.scrollWidth')).toBe(width)
      const ground = await page.ask<string>('getComputedStyle(document.body).backgroundColor')
      expect(ground).toBe(scheme === 'dark' ? 'rgb(13, 17, 23)' : 'rgb(246, 247, 249)')
    }
  }
  expect(page.complaints).toEqual([])
})
