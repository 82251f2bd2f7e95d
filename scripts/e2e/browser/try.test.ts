// Goal: /try opens a stream beside a form that publishes, and shows ids, gaps and reconnections, as
// each server lets it. Method: the executable, and Chromium driven as a person would.

import { expect } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { SECRET } from '../../../src/identity/token.fixture.ts'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'
import { freePort, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'

const FORMAT = 'websocket'

async function openTry(controlUrl: string, page: BrowserPage, format = FORMAT): Promise<void> {
  await page.goTo(`${controlUrl}/try`)
  await page.ask(`{
    document.getElementById('format').value = '${format}'
    document.getElementById('subjects').value = 'room:1 news'
    document.getElementById('open').click()
  }`)
  await page.until(`document.getElementById('state').textContent === 'open: ${format}'`)
}

/** Publishes with the form; what it says. */
async function publish(page: BrowserPage, kind: string, target: string, body: string) {
  await page.ask(`{
    document.getElementById('send-answer').textContent = ''
    document.getElementById('kind').value = '${kind}'
    document.getElementById('target').value = '${target}'
    document.getElementById('body').value = '${body}'
    document.querySelector('#send button').click()
  }`)
  await page.until(`/[.]$/.test(document.getElementById('send-answer').textContent)`)
  return await page.text('send-answer')
}

/** What, for whom and the body of each row, the newest first. */
function rowsOf(page: BrowserPage): Promise<string[][]> {
  return page.ask(
    `[...document.querySelectorAll('#rows tr')].map((row) =>
      [...row.children].map((cell) => cell.textContent).filter((_, at) => [1, 3, 4].includes(at)))`,
  )
}

async function untilRows(page: BrowserPage, text: string): Promise<void> {
  await page.until(`document.getElementById('rows').textContent.includes('${text}')`)
}

withChromium.each(['websocket', 'sse', 'json', 'poll', ''])(
  'a stream by %p shows what is published',
  async (format) => {
    await using server = await serve()
    await using page = await BrowserPage.open()
    await page.goTo(`${server.controlUrl}/try`)
    await page.ask(`{
    document.getElementById('format').value = '${format}'
    document.getElementById('subjects').value = 'room:1, news'
    document.getElementById('open').click()
  }`)
    await page.until(`/^open: /.test(document.getElementById('state').textContent)`)
    // Between two polls a client has no stream, and gets what is published then by the next one.
    const one = format === 'poll' ? '[01] streams?' : '1 stream'
    const toOne = new RegExp(`^Delivered to ${one}, id [0-9a-f-]{25}\\.$`)
    expect(await publish(page, 'to', 'alice', 'one')).toMatch(toOne)
    expect(await publish(page, 'subject', 'news', 'two')).toMatch(toOne)
    expect(await publish(page, 'all', '', '<b>three</b>')).toMatch(toOne)
    expect(await publish(page, 'to', 'bob', 'no')).toStartWith('Delivered to 0 streams')
    await untilRows(page, 'three')
    expect((await rowsOf(page)).slice(0, 3)).toEqual([
      ['message', 'to *', '<b>three</b>'],
      ['message', 'about news', 'two'],
      ['message', 'to alice', 'one'],
    ])
    expect(await page.text('messages')).toBe('3')
  },
)

withChromium('what a stream that goes away misses comes when it is back', async () => {
  await using server = await serve()
  await using page = await BrowserPage.open()
  await openTry(server.controlUrl, page)
  await page.ask(`document.getElementById('away').click()`)
  await server.open(0)
  expect(await publish(page, 'to', 'alice', 'missed')).toStartWith('Delivered to 0 streams')
  await page.ask(`document.getElementById('away').click()`)
  await untilRows(page, 'missed')
  expect([await page.text('gaps'), await page.text('losses')]).toEqual(['0', '0'])
  await page.ask(`document.getElementById('open').click()`)
  await server.open(0)
  expect(await page.text('state')).toBe('closed')
})

withChromium('a restart is shown as a lost connection, and another log as a gap', async () => {
  const args = ['--listen', `127.0.0.1:${freePort()}`, '--control', `127.0.0.1:${freePort()}`]
  const first = await serve(args)
  await using page = await BrowserPage.open()
  await openTry(first.controlUrl, page)
  await first[Symbol.asyncDispose]()
  await untilRows(page, 'connection lost')
  await using _second = await serve(args)
  await untilRows(page, 'gap: unknown')
  await page.until(`document.getElementById('state').textContent === 'open: ${FORMAT}'`)
  expect(await page.text('gaps')).toBe('1')
})

withChromium('with keys it gets tickets, once its pages may read', async () => {
  await using folder = await makeFolder()
  const [secret, token] = [`${folder.path}/secret`, `${folder.path}/token`]
  writeFileSync(secret, SECRET, { mode: 0o600 })
  writeFileSync(token, 'correct-horse-battery', { mode: 0o600 })
  const keys = ['--jwt-secret-file', secret, '--control-token-file', token]
  const control = `127.0.0.1:${freePort()}`
  await using page = await BrowserPage.open()
  {
    await using server = await serve([...keys, '--control', control])
    await page.goTo(`${server.controlUrl}/try`)
    const isShown = `!document.getElementById('foreign').hidden`
    expect(await page.ask<boolean>(isShown)).toBe(true)
    expect(await page.text('foreign-option')).toBe(`--cors-origin http://${control}`)
  }
  await using server = await serve([
    ...[...keys, '--control', control],
    ...['--cors-origin', `http://${control}`],
  ])
  await page.goTo(`${server.controlUrl}/try`)
  await page.until(`!document.getElementById('lock').hidden`)
  await page.ask(`{
    document.getElementById('token').value = 'wrong-horse-battery'
    document.querySelector('#lock button').click()
  }`)
  await page.until(
    `document.getElementById('lock-answer').textContent.startsWith('The token is wrong: ')`,
  )
  expect(await page.ask<boolean>(`document.getElementById('content').hidden`)).toBe(true)
  await page.ask(`{
    document.getElementById('token').value = 'correct-horse-battery'
    document.querySelector('#lock button').click()
    document.getElementById('format').value = '${FORMAT}'
    document.getElementById('open').click()
  }`)
  await page.until(`document.getElementById('state').textContent === 'open: ${FORMAT}'`)
  expect(await publish(page, 'to', 'alice', 'one')).toStartWith('Delivered to 1 stream')
  await untilRows(page, 'one')
})

withChromium(
  'it is readable in light and dark, wide and narrow, and complains of nothing',
  async () => {
    await using server = await serve(['--workers', '2'])
    await using page = await BrowserPage.open()
    for (const scheme of ['light', 'dark'] as const) {
      for (const width of [1_280, 390]) {
        await page.show({ width, height: 800, scheme })
        await openTry(server.controlUrl, page)
        await publish(page, 'to', 'alice', 'one '.repeat(100))
        await untilRows(page, 'one')
        expect(await page.ask<number>('document.documentElement.scrollWidth')).toBe(width)
        const ground = await page.ask<string>('getComputedStyle(document.body).backgroundColor')
        expect(ground).toBe(scheme === 'dark' ? 'rgb(13, 17, 23)' : 'rgb(255, 255, 255)')
        const unnamed = `[...document.querySelectorAll('input, textarea, select')]
        .filter((box) => box.labels.length === 0 && !box.ariaLabel).length`
        expect(await page.ask<number>(unnamed)).toBe(0)
      }
    }
    expect(page.complaints).toEqual([])
    const own = [server.controlUrl, server.publicUrl]
    const isOwn = (url: string) =>
      url === 'data:,' || own.some((each) => url.startsWith(`${each}/`))
    await waitFor('requests', () => page.requests.length > 4)
    expect(page.requests.filter((url) => !isOwn(url))).toEqual([])
  },
)
