// Goal: the chat room does what its page promises: names, messages as text, who is there, and
// nothing lost or doubled over a crash of comet. Method: the executable, the example's backend, and
// Chromium driven as people would.

import { expect, test } from 'bun:test'
import { BrowserPage, withBrowser, withChromium } from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'
import { Example, RUNTIMES } from '../../support/example.ts'

/** Joins, and waits until the page is connected. */
async function join(page: BrowserPage, url: string, name: string): Promise<void> {
  await page.goTo(url)
  await page.until(`!document.getElementById('join').hidden`)
  await page.ask(`{
    document.getElementById('name').value = '${name}'
    document.querySelector('#join button').click()
  }`)
  await isConnected(page)
}

async function isConnected(page: BrowserPage): Promise<void> {
  await page.until(`document.getElementById('state').textContent === 'connected'`)
}

async function send(page: BrowserPage, text: string): Promise<void> {
  await page.ask(`{
    document.getElementById('text').value = ${JSON.stringify(text)}
    document.querySelector('#send button').click()
  }`)
}

/** The texts of the messages, in their order. */
function texts(page: BrowserPage): Promise<string[]> {
  return page.ask(`[...document.querySelectorAll('.said p')].map((each) => each.textContent)`)
}

async function shows(page: BrowserPage, text: string): Promise<void> {
  const wanted = JSON.stringify(text)
  await page.until(`[...document.querySelectorAll('.said p')].at(-1)?.textContent === ${wanted}`)
}

/** Waits until these are the people who are there, by their names. */
async function isWith(page: BrowserPage, ...names: string[]): Promise<void> {
  const shown = `[...document.querySelectorAll('#list b')].map((each) => each.textContent).join()`
  await page.until(`${shown} === '${names.join()}'`)
}

withChromium.each(RUNTIMES)('people talk, and see who is there: by %s', async (runtime) => {
  await using chat = await Example.start('chat', { runtime })
  await using anna = await BrowserPage.open()
  await using ben = await BrowserPage.open()
  await join(anna, chat.url, 'Anna')
  await isWith(anna, 'Anna')
  await send(anna, 'Is anybody there?')
  await shows(anna, 'Is anybody there?')
  // Who comes later has what was said before.
  await join(ben, chat.url, 'Ben')
  await shows(ben, 'Is anybody there?')
  await isWith(anna, 'Anna', 'Ben')
  await isWith(ben, 'Anna', 'Ben')
  const dangerous = '<img src=x onerror="document.title = 1"> & <b>bold</b>'
  await send(ben, dangerous)
  await shows(anna, dangerous)
  await shows(ben, dangerous)
  expect(await anna.ask<number>(`document.querySelectorAll('#log img, #log p b').length`)).toBe(0)
  expect(await anna.ask<string>('document.title')).toBe('Lobby')
  // A reload keeps the name, and the others do not see anybody leave.
  await ben.goTo(chat.url)
  await isConnected(ben)
  await shows(ben, dangerous)
  expect(await texts(ben)).toEqual(['Is anybody there?', dangerous])
  await ben.ask(`document.getElementById('leave').click()`)
  await isWith(anna, 'Anna')
  expect(anna.complaints).toEqual([])
})

withBrowser('firefox')('it works in Firefox', async () => {
  await using chat = await Example.start('chat')
  await using page = await BrowserPage.open({ browser: 'firefox' })
  await join(page, chat.url, 'Anna')
  await isWith(page, 'Anna')
  await send(page, 'Hello')
  await shows(page, 'Hello')
  expect(page.complaints).toEqual([])
})

withChromium('a crash of comet loses and doubles nothing', async () => {
  await using chat = await Example.start('chat')
  await using anna = await BrowserPage.open()
  await using ben = await BrowserPage.open()
  await join(anna, chat.url, 'Anna')
  await join(ben, chat.url, 'Ben')
  await send(ben, 'before')
  await shows(anna, 'before')
  await chat.kill()
  await anna.until(`document.getElementById('state').textContent === 'connecting again'`)
  await send(ben, 'meanwhile')
  await ben.until(`document.getElementById('send-error').textContent.startsWith('Not sent yet')`)
  await chat.restart()
  await ben.until(`document.getElementById('send-error').textContent === ''`)
  await isConnected(anna)
  await isConnected(ben)
  await isWith(anna, 'Anna', 'Ben')
  await send(ben, 'after')
  for (const page of [anna, ben]) {
    await shows(page, 'after')
    expect(await texts(page)).toEqual(['before', 'meanwhile', 'after'])
    expect(await page.ask<number>(`document.querySelectorAll('.note').length`)).toBe(0)
  }
})

withChromium('what comet no longer has is said to be missing', async () => {
  await using chat = await Example.start('chat', { args: ['--history', '0'] })
  await using page = await BrowserPage.open()
  await join(page, chat.url, 'Anna')
  await send(page, 'before')
  await shows(page, 'before')
  await chat.kill()
  await chat.restart()
  await page.until(`document.querySelector('.note')`)
  await send(page, 'after')
  await shows(page, 'after')
  const lines = `[...document.querySelectorAll('#log li')].map((each) => each.lastChild.textContent)`
  expect(await page.ask<string[]>(lines)).toEqual([
    'before',
    'Some messages are missing here.',
    'after',
  ])
})

withChromium('scripts of others do not run in the page', async () => {
  await using chat = await Example.start('chat')
  await using page = await BrowserPage.open()
  await join(page, chat.url, 'Anna')
  await page.ask(`{
    const made = document.createElement('script')
    made.textContent = 'document.title = "foreign"'
    document.body.append(made)
  }`)
  await page.until(`document.querySelector('body > script:not([type])')`)
  expect(await page.ask<string>('document.title')).toBe('Lobby')
  expect(page.complaints.join()).toContain('Content Security Policy')
})

withChromium('a token that expires is renewed, and nothing is lost meanwhile', async () => {
  await using chat = await Example.start('chat', { env: { TOKEN_SECONDS: '1' } })
  await using page = await BrowserPage.open()
  await join(page, chat.url, 'Anna')
  const wanted: string[] = []
  const talkUntilRenewed = async () => {
    wanted.push(`text ${wanted.length}`)
    await send(page, String(wanted.at(-1)))
    await shows(page, String(wanted.at(-1)))
    return (await chat.server.stats()).streams.opened > 1
  }
  await waitFor('the next connection', talkUntilRenewed, 40_000)
  // It shows the last 500.
  expect(await texts(page)).toEqual(wanted.slice(-500))
})

withChromium('a text that is sent twice with its key is said once', async () => {
  await using chat = await Example.start('chat')
  await using page = await BrowserPage.open()
  await join(page, chat.url, 'Anna')
  const sent = await page.ask<number[]>(`Promise.all([1, 2].map(async (at) => {
    await new Promise((resolve) => setTimeout(resolve, at * 20))
    const body = JSON.stringify({ text: 'once', key: 'abc' })
    return (await fetch('messages', { method: 'POST', body })).status
  }))`)
  expect(sent).toEqual([200, 200])
  await send(page, 'next')
  await shows(page, 'next')
  expect(await texts(page)).toEqual(['once', 'next'])
})

withChromium('without a session there is no token and no message', async () => {
  await using chat = await Example.start('chat')
  const post = async (path: string, headers: Record<string, string> = {}) => {
    const body = JSON.stringify({ text: 'forged', key: 'k', name: 'a b' })
    const response = await fetch(`${chat.url}/${path}`, { method: 'POST', body, headers })
    return [response.status, await response.json()]
  }
  const forged = { cookie: 'session=Anna.000000:AAAAAAAA' }
  expect(await post('messages')).toEqual([401, { error: 'Join first.' }])
  expect(await post('messages', forged)).toEqual([401, { error: 'Join first.' }])
  expect(await post('token', forged)).toEqual([200, { user: null, token: null }])
  expect((await post('join'))[0]).toBe(400)
  expect((await fetch(`${chat.server.publicUrl}/stream/Anna`)).status).toBe(401)
})

test.each(RUNTIMES)('bad requests are refused, and the backend goes on: by %s', async (runtime) => {
  await using chat = await Example.start('chat', { runtime })
  const post = async (path: string, body: string) => {
    return (await fetch(chat.url + path, { method: 'POST', body })).status
  }
  expect(await post('/join', '{')).toBe(400)
  expect(await post('/join', 'null')).toBe(400)
  expect(await post('/join', JSON.stringify({ name: ['Anna'] }))).toBe(400)
  expect(await post('/join', JSON.stringify({ name: 'x'.repeat(100_000) }))).toBe(400)
  expect(await post('/nothing', '')).toBe(404)
  // One that is cut before its end.
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: Number(new URL(chat.url).port),
    socket: { data: () => undefined },
  })
  socket.write('POST /join HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{')
  socket.flush()
  socket.terminate()
  expect(await post('/join', JSON.stringify({ name: 'Anna' }))).toBe(200)
})

withChromium('it is readable in light and dark, wide and narrow', async () => {
  await using chat = await Example.start('chat')
  await using page = await BrowserPage.open()
  await join(page, chat.url, 'Anna')
  await send(page, 'long '.repeat(150))
  await send(page, 'x'.repeat(300))
  await shows(page, 'x'.repeat(300))
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [1_280, 390]) {
      await page.show({ width, height: 800, scheme })
      await page.goTo(chat.url)
      await shows(page, 'x'.repeat(300))
      expect(await page.ask<number>('document.documentElement.scrollWidth')).toBe(width)
      // The page itself does not scroll, so that the box is always in sight.
      expect(await page.ask<number>('document.documentElement.scrollHeight')).toBe(800)
      const ground = await page.ask<string>('getComputedStyle(document.body).backgroundColor')
      expect(ground).toBe(scheme === 'dark' ? 'rgb(13, 17, 23)' : 'rgb(246, 247, 249)')
      const unnamed = `[...document.querySelectorAll('input')]
        .filter((box) => box.labels.length === 0 && !box.ariaLabel).length`
      expect(await page.ask<number>(unnamed)).toBe(0)
    }
  }
  expect(page.complaints).toEqual([])
})
