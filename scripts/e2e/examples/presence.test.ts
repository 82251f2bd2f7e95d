// Goal: the page shows who is online as people come, reload and go, as comet itself says it, also
// over a crash of comet. Method: the executable, the example's backend, and Chromium.

import { expect, test } from 'bun:test'
import { connect } from '../../../src/browser/comet.ts'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { ChildProcess, waitFor } from '../../support/child-process.ts'
import { documentedCommands } from '../../support/documented-commands.ts'
import { EXAMPLES, Example, RUNTIMES } from '../../support/example.ts'

async function comeIn(page: BrowserPage, url: string, name: string): Promise<void> {
  await page.goTo(url)
  await page.until(`!document.getElementById('join').hidden`)
  await page.ask(`{
    document.getElementById('name').value = '${name}'
    document.querySelector('#join button').click()
  }`)
  await page.until(`document.getElementById('state').textContent === 'Live.'`)
}

/** Waits until these are online and those have left, by name, as the page shows it. */
async function shows(page: BrowserPage, online: string[], left: string[] = []): Promise<void> {
  const names = `(kind) => [...document.querySelectorAll(kind)]
    .map((row) => row.firstChild.textContent.replace(' (you)', '')).join()`
  const isOnline = `(${names})('li.online') === '${online.join()}'`
  const isLeft = `(${names})('li:not(.online)') === '${left.join()}'`
  await page.until(`${isOnline} && ${isLeft}`)
}

withChromium.each(RUNTIMES)('people come and go: by %s', async (runtime) => {
  await using presence = await Example.start('presence', { runtime })
  await using anna = await BrowserPage.open()
  await comeIn(anna, presence.url, 'Anna')
  await shows(anna, ['Anna'])
  {
    await using ben = await anna.tab()
    await comeIn(ben, presence.url, 'Ben')
    await shows(ben, ['Anna', 'Ben'])
    await shows(anna, ['Anna', 'Ben'])
    const [command] = documentedCommands(
      await Bun.file(`${EXAMPLES}/presence/README.md`).text(),
      'users',
    )
    const { controlUrl } = presence.server
    const line = String(command?.line).replace('http://127.0.0.1:8001', controlUrl)
    await using curl = new ChildProcess(['sh', '-c', `${line} --silent`])
    expect((await curl.finished).stdout).toBe(String(command?.expected))
    // Anna's second tab.
    await using again = await anna.tab()
    await comeIn(again, presence.url, 'Anna')
    await shows(again, ['Anna', 'Ben'])
  }
  await shows(anna, ['Anna'], ['Ben'])
  await using ben = await anna.tab()
  await comeIn(ben, presence.url, 'Ben')
  await shows(anna, ['Anna', 'Ben'])
  expect(anna.complaints).toEqual([])
})

/** Keeps each list that a page showed, other than the one before. */
const WATCH = `{
  window.seen = []
  new MutationObserver(() => {
    const list = [...document.querySelectorAll('li')].map((row) => row.className).join()
    if (list !== seen.at(-1)) seen.push(list)
  }).observe(document.getElementById('people'), { childList: true })
}`

withChromium('neither a reload nor a crash of comet makes anybody leave', async () => {
  await using presence = await Example.start('presence')
  await using anna = await BrowserPage.open()
  await using ben = await BrowserPage.open()
  await comeIn(anna, presence.url, 'Anna')
  await comeIn(ben, presence.url, 'Ben')
  await shows(anna, ['Anna', 'Ben'])
  await anna.ask(WATCH)
  await ben.goTo(`${presence.url}/?user=Ben`)
  await shows(ben, ['Anna', 'Ben'])
  await presence.kill()
  await presence.restart()
  await waitFor('both', async () => {
    // In the order in which they came back.
    const listed = JSON.stringify(await (await presence.server.ask('/users')).json())
    return listed.includes('"Anna"') && listed.includes('"Ben"')
  })
  // What comes last shows that all before has been looked at.
  await using chris = await anna.tab()
  await comeIn(chris, presence.url, 'Chris')
  await shows(ben, ['Anna', 'Ben', 'Chris'])
  await chris[Symbol.asyncDispose]()
  await shows(ben, ['Anna', 'Ben'], ['Chris'])
  await shows(anna, ['Anna', 'Ben'], ['Chris'])
  expect(await anna.ask<string[]>('seen')).toEqual(['online,online,online', 'online,online,'])
})

withChromium('a page asks for the list again when the backend has restarted', async () => {
  await using presence = await Example.start('presence')
  await using anna = await BrowserPage.open()
  const ben = await anna.tab()
  await comeIn(ben, presence.url, 'Ben')
  await anna.toFront()
  await comeIn(anna, presence.url, 'Anna')
  await shows(anna, ['Anna', 'Ben'])
  // The page gets no message that Ben leaves, and the new backend does not know Ben.
  await presence.restartBackend(() => ben[Symbol.asyncDispose]())
  await shows(anna, ['Anna'])
})

interface PeopleList {
  readonly people: readonly { readonly user: string }[]
  readonly after: string
}

test('a list and its cursor belong together', async () => {
  await using presence = await Example.start('presence')
  const ask = async (path: string, method = 'GET') =>
    (await fetch(`${presence.url}/${path}`, { method })).json()
  const people = async () => (await ask('people')) as PeopleList
  const open = (user: string, after?: string) =>
    connect(`${presence.server.publicUrl}/stream`, {
      subjects: ['presence'],
      ...(after !== undefined && { after }),
      ticket: async () => ((await ask(`ticket?user=${user}`, 'POST')) as { ticket: string }).ticket,
    })
  /** Who is in the first message behind a cursor. */
  const firstBehind = async (after: string) => {
    for await (const { data } of open('Reader', after)) return (data as { user: string }).user
    return null
  }
  const before = await people()
  expect(before.people).toEqual([])
  const stream = open('Ben')
  await waitFor('Ben', async () => (await people()).people.length === 1)
  const withBen = await people()
  expect(await firstBehind(before.after)).toBe('Ben')
  // The readers themselves come behind it.
  expect(await firstBehind(withBen.after)).toBe('Reader')
  stream.close()
})

withChromium('it is readable in light and dark, wide and narrow', async () => {
  await using presence = await Example.start('presence')
  await using page = await BrowserPage.open()
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [1_280, 390]) {
      await page.show({ width, height: 800, scheme })
      await comeIn(page, presence.url, 'A'.repeat(20))
      await shows(page, ['A'.repeat(20)])
      expect(await page.ask<number>('document.documentElement.scrollWidth')).toBe(width)
      const ground = await page.ask<string>('getComputedStyle(document.body).backgroundColor')
      expect(ground).toBe(scheme === 'dark' ? 'rgb(13, 17, 23)' : 'rgb(246, 247, 249)')
    }
  }
  expect(page.complaints).toEqual([])
})
